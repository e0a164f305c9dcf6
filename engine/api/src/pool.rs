//! `RepairPool`: which nodes are repaired, by what rules.
#![expect(
    unreachable_pub,
    reason = "kube's derive repeats the struct in a private module"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use rectifier_core::budget::{State, Tripped};
use rectifier_core::clock::Timestamp;
use rectifier_core::repair::{Condition, LastResort, NoCapacity, NodeOwner, Part};
use rectifier_core::windows::Window;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nodes that are repaired by the same rules of the control plane. It never touches a node that no pool selects.
///
/// Pools do not bind the node engine: what that may do to its own node is in its configuration (which units, which
/// fixes), and where its DaemonSet runs. A reboot it can only ask for, and the pool decides.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "rectifier.dev",
    version = "v1alpha1",
    kind = "RepairPool",
    shortname = "rp",
    category = "rectifier",
    status = "RepairPoolStatus",
    derive = "PartialEq",
    doc = "Nodes that are repaired by the same rules of the control plane. It never touches a node that no pool selects. With the annotation `rectifier.dev/paused: WHY` nothing intrusive is done to any node of the pool.",
    printcolumn = r#"{"name":"Mode","type":"string","jsonPath":".spec.mode"}"#,
    printcolumn = r#"{"name":"Nodes","type":"integer","jsonPath":".status.nodes"}"#,
    printcolumn = r#"{"name":"Sick","type":"integer","jsonPath":".status.sick"}"#,
    printcolumn = r#"{"name":"Repairing","type":"integer","jsonPath":".status.repairing"}"#,
    printcolumn = r#"{"name":"Breaker","type":"string","jsonPath":".status.breaker.state"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Why","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message","priority":1}"#,
    printcolumn = r#"{"name":"Storm","type":"string","jsonPath":".status.breaker.message","priority":1}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct RepairPoolSpec {
    /// The nodes of the pool. An empty selector selects every node; a node must not be in two pools.
    pub node_selector: LabelSelector,
    /// What the control plane may do here.
    #[serde(default)]
    pub mode: Mode,
    /// How pods leave a node.
    #[serde(default)]
    pub drain: Drain,
    /// How a replacement is made. Without it nodes of this pool are never replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning: Option<Provisioning>,
    /// Waits and deadlines.
    #[serde(default)]
    pub timing: Timing,
    /// What stops the repairs of the pool when so many of its nodes are ill at once that the cause is hardly theirs.
    #[serde(default)]
    pub breaker: Breaker,
    /// How fast repairs of the pool follow each other.
    #[serde(default)]
    pub pacing: Pacing,
    /// Problems that can wait, and when they are repaired. Without it all are repaired at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// Others that keep nodes, whose signs on a node do not matter here: for example `Magnum`, where its labels stand on nodes
    /// that nothing of Magnum repairs. Without it a node that another keeps is left alone, with the reason `OwnedByOther`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub ignore_owners: Vec<NodeOwner>,
    /// How long repairs that are over are kept.
    #[serde(default)]
    pub retention: Retention,
}

/// Problems that can wait, and when they are repaired. It says when a repair may *begin*: one that has begun goes on, and what a
/// person asks for is not held. The node engine's own remedies (units, fixes) are not the pool's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Maintenance {
    /// The problems, by their conditions' types.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 316)))]
    pub problems: Vec<String>,
    /// When repairs of them may begin.
    #[schemars(length(min = 1, max = 32))]
    pub windows: Vec<Window>,
    /// The time zone of the windows, by its name, e.g. `Europe/Berlin`.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// How long repairs that are over are kept, as `NODE.repair.TIME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Retention {
    /// Days. At least one: a person's veto and the count of attempts rest on the last 24 hours.
    #[schemars(range(min = 1, max = 3650))]
    pub days: u16,
}

impl Default for Retention {
    /// 30 days: a month's story, for whoever asks what happened.
    fn default() -> Self {
        Self { days: 30 }
    }
}

/// What the pool selects now, and how it stands. Written by the control plane's engine when it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepairPoolStatus {
    /// The `metadata.generation` of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many nodes it selects.
    #[serde(default)]
    pub nodes: u32,
    /// How many of them have a problem that a policy handles.
    #[serde(default)]
    pub sick: u32,
    /// How many of them have a repair in flight: from its first intrusive step until it is over.
    #[serde(default)]
    pub repairing: u32,
    /// Whether repairs may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerStatus>,
    /// `Ready`: its nodes are looked after. False, with the reason, if the selector cannot be parsed (`SelectorInvalid`), a node
    /// is in two pools (`Overlaps`), the user data cannot be rendered (`TemplateInvalid`) or the maintenance windows' time zone
    /// is none (`MaintenanceInvalid`). `Paused`: a person paused it.
    #[serde(default)]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
}

/// Whether repairs of a pool may begin, and if not, why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreakerStatus {
    /// `Closed`: they may. `Open`: none may, and those before their commit stay where they are. `Trickle`: one at a time, and
    /// one more with each that helped.
    pub state: State,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The rule that opened it, what is seen of that and what may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tripped: Option<Tripped>,
    /// The same in a sentence, with what closes it.
    #[serde(default)]
    pub message: String,
    /// When it changes at the soonest, if the pool stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks_again: Option<Timestamp>,
    /// How many repairs may be in flight now.
    #[serde(default)]
    pub allowed: u32,
}

/// What opens the breaker of a pool. While it is open no repair begins, and one before its commit stays where it is, its cordon
/// kept; one after its commit goes on. Percentages are rounded up, and 0 switches a rule off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Breaker {
    /// More of the pool's nodes, in percent of the most that it had within a day, are ill, in repair, or were removed by one
    /// within the hour. One always may be.
    #[schemars(range(min = 0, max = 100))]
    pub sick_percent: u32,
    /// The same in one zone, if that has three nodes or more.
    #[schemars(range(min = 0, max = 100))]
    pub zone_sick_percent: u32,
    /// So many of the pool's nodes, in percent and three at least, fall ill of one thing within five minutes, or recover from it:
    /// that is what a detector does that begins anew.
    #[schemars(range(min = 0, max = 100))]
    pub together_percent: u32,
    /// Nothing is begun before the cluster has been watched so long without a break, in seconds: after a start, a change of
    /// leaders, or an outage of the API server.
    #[schemars(range(min = 0, max = 3600))]
    pub steady: u32,
    /// What is done about a storm that has not got worse for half an hour.
    pub on_plateau: OnPlateau,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            sick_percent: 30,
            zone_sick_percent: 50,
            together_percent: 10,
            steady: 300,
            on_plateau: OnPlateau::Trickle,
        }
    }
}

/// What is done about a storm that does not end, and gets no worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnPlateau {
    /// Repair one at a time, and one more with each that helped, back to one with each that did not.
    #[default]
    Trickle,
    /// Wait until it is over.
    Hold,
}

/// How fast repairs of a pool follow each other. The whole cluster has a limit of its own (the controller's
/// `--hourly-replacements`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Pacing {
    /// So many of the pool's nodes in percent, rounded down, are in repair at once, spread over its zones. One always may be.
    #[schemars(range(min = 0, max = 100))]
    pub in_flight_percent: u32,
    /// And so many at most.
    #[schemars(range(min = 1, max = 1000))]
    pub in_flight: u32,
    /// From one repair's begin to the next one's, in seconds.
    #[schemars(range(min = 0, max = 86400))]
    pub every: u32,
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            in_flight_percent: 5,
            in_flight: 10,
            every: 300,
        }
    }
}

/// What the control plane may do to a pool's nodes. The node's own engine acts on what its own configuration allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Look, judge, and write down what it would do. Nothing is cordoned, rebooted, made or deleted. A repair that is under
    /// way when a pool is switched to this stops where it is, unless its replacement is committed.
    #[default]
    Observe,
    /// Act, but wait for a person before each rung (`Reboot`, `Replace`): the repair's message says with which command it is
    /// allowed (annotation `rectifier.dev/approve`), and `rectifier.dev/reject` ends it for a day.
    Approve,
    /// Act on its own.
    Auto,
}

/// How pods leave a node: by eviction, those of the lowest priority first. What must not be lost, and what could never
/// leave, is looked for before a replacement touches anything; then a person is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Drain {
    /// Evict pods that no controller would make again.
    pub unmanaged_pods: bool,
    /// Evict pods whose emptyDir or ephemeral volumes are lost by it.
    pub local_data: bool,
    /// Evict pods whose PersistentVolume is on their node alone (a local disk, a folder of the host): it is lost with the
    /// server, and they can run nowhere else while they claim it.
    pub node_volumes: bool,
    /// What is done when pods have not left within `timing.drain`, once the replacement is committed. Before that a person is
    /// asked, whatever stands here.
    #[schemars(length(max = 8))]
    pub last_resort: LastResort,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            unmanaged_pods: false,
            local_data: true,
            node_volumes: false,
            last_resort: LastResort::Ask,
        }
    }
}

/// How a replacement is made. Everything else is copied from the sick node's server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provisioning {
    /// The user data of new servers, a Jinja template: the cloud never gives a server's own user data back.
    /// It sees `node` (name), `token` (a fresh bootstrap token), `server` (the API server's address),
    /// `ca` (its certificate authority, base64 of the PEM), `labels` and `taints` (as kubelet's options take them).
    #[schemars(length(min = 1, max = 65535))]
    pub user_data: String,
    /// The address at which a new node reaches the API server, e.g. `https://10.0.0.10:6443`.
    #[schemars(length(min = 1, max = 1024))]
    pub api_server: String,
    /// The id of the image of new servers, in place of the sick one's: a repair rolls it forward. A server that boots from a
    /// volume is replaced by one that boots from this image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub image: Option<String>,
    /// The id of their flavor, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub flavor: Option<String>,
    /// What new servers and their nodes are called, a Jinja template: a host name of at most 63 characters. It sees `base` (the
    /// sick node's name, without the id that an earlier repair put behind it), `id` (seven characters that are new with every
    /// attempt, and must be in the name), `node` (the sick node's name) and `pool`. It must be what the new node's kubelet
    /// registers as.
    #[serde(default = "name_template")]
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Availability zones in which a new server is made when no host in the sick one's can take it, tried in this order. None
    /// is, if a pod of the node has a volume that is not there.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(min = 1, max = 255)))]
    pub zones: Vec<String>,
    /// What is done when no host has room for a new server beside the sick one, in none of the zones, or the project's quota has
    /// none: `Wait` tries again every five minutes; `TerminateFirst` drains the sick node, deletes its server, and makes the new
    /// one in the room that is left. From that deletion on there is no way back, and the pool has one node less until the new
    /// one has joined.
    #[serde(default)]
    pub when_no_capacity: NoCapacity,
    /// The interfaces of new servers, in place of the sick one's: the first is the node's address.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub networks: Vec<Interface>,
    /// What new servers are made without, though the sick one has it. Without this word a server that has it is not replaced:
    /// a person is asked before anything is touched.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub without: Vec<Part>,
    /// Labels that are copied from the sick node, by name or by prefix ending in `/`. Kubelet may set only some.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(min = 1, max = 317)))]
    pub copy_labels: Vec<String>,
    /// Taints that are copied from the sick node, by key or by prefix ending in `/`. Those that Kubernetes sets never are.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub copy_taints: Vec<String>,
    /// Keys of taints that a new node may bear, though the old one does not, when it is let go to work. Any other says that
    /// something has not finished there (a network's agent, a driver), and is waited for.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub ignore_taints: Vec<String>,
}

/// As earlier versions of this engine named them.
fn name_template() -> String {
    "{{ base }}-{{ id }}".to_owned()
}

/// One interface of a new server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interface {
    /// The network's id.
    #[schemars(length(min = 1, max = 255))]
    pub network: String,
    /// The ids of the subnets in which it has an address each. None: those of the sick server's interface in this place, if that
    /// is in the same network; else the cloud chooses.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(min = 1, max = 255)))]
    pub subnets: Vec<String>,
    /// The ids of its security groups. None: those of the sick server's interface in this place, as everything else of it.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 255)))]
    pub security_groups: Vec<String>,
}

/// Waits and deadlines, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Timing {
    /// A problem without a repair of the node's engine is judged after this.
    #[schemars(range(min = 1, max = 86400))]
    pub agent_grace: u32,
    /// A node whose Ready is False or Unknown is judged after this. A kubelet that starts anew, or a switch that does, takes
    /// minutes.
    #[schemars(range(min = 30, max = 86400))]
    pub unready: u32,
    /// An offered reboot that nobody accepts is void after this.
    #[schemars(range(min = 1, max = 86400))]
    pub grant: u32,
    /// A reboot must show a new boot id within this.
    #[schemars(range(min = 1, max = 86400))]
    pub reboot: u32,
    /// A compute host must have stopped a machine that does not end its pods within this, or a person is asked.
    #[schemars(range(min = 30, max = 86400))]
    pub power: u32,
    /// After a reboot the problem must stay away so long, unless the policy says otherwise.
    #[schemars(range(min = 1, max = 86400))]
    pub settle: u32,
    /// A replacement must have been Ready so long before it is committed.
    #[schemars(range(min = 0, max = 86400))]
    pub ready: u32,
    /// Pods must have left a node within this; else `drain.lastResort` says what is done.
    #[schemars(range(min = 1, max = 604800))]
    pub drain: u32,
    /// When pods have left, whoever made them has this long to make as many Ready elsewhere as there were; then the sick
    /// server goes all the same.
    #[schemars(range(min = 0, max = 86400))]
    pub owners: u32,
    /// Load balancers have so long, from the beginning of the drain, to send nothing more to the sick node, before its server
    /// goes.
    #[schemars(range(min = 0, max = 86400))]
    pub load_balancers: u32,
    /// A replacement must be Ready within this, or the attempt has failed. After its commit each deletion may take as long,
    /// before a person is asked.
    #[schemars(range(min = 1, max = 86400))]
    pub join: u32,
    /// After a create whose answer was lost nothing is posted again before this.
    #[schemars(range(min = 1, max = 86400))]
    pub create_settle: u32,
}

impl Default for Timing {
    /// `agentGrace` and `settle` 60 s: three rounds of NPD's slowest shipped check (30 s would see one).
    /// `unready` 5 min: the shortest that peers wait. `power` 5 min: a guest has one minute to shut down before Nova cuts its
    /// power; the rest is for a host that is busy.
    /// `reboot` and `join` 15 min: bare-metal firmware takes up to ten. `createSettle` 60 s: twice our own request limit.
    /// `loadBalancers` 30 s: Octavia changes a pool's members within some ten seconds, and a drain seldom takes less anyway.
    /// `grant` 60 s, `ready` 30 s, `drain` 1 h and `owners` 5 min are arbitrary.
    fn default() -> Self {
        Self {
            agent_grace: 60,
            unready: 300,
            grant: 60,
            reboot: 900,
            power: 300,
            settle: 60,
            ready: 30,
            drain: 3600,
            owners: 300,
            load_balancers: 30,
            join: 900,
            create_settle: 60,
        }
    }
}
