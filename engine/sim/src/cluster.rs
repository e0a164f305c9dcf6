//! What a cluster does by itself: machines boot and join, kubelets run and end pods, ReplicaSets make them anew, a scheduler
//! places them, a controller publishes the certificate authority. As far as the loop of a repair needs it, and each after a
//! drawn time.
//!
//! It is driven by changes of the API server and by what is due, never by a clock's tick.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use rectifier_core::clock::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::kubernetes::{ApiServer, Object};
use crate::machine::{Condition, Machines, Seen};
use crate::openstack::World;

mod dead;
mod garbage;
mod pods;
mod sets;
mod stateful;
mod taints;

/// How long things take.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides what is drawn.
    pub seed: u64,
    /// From a pod's placing until it is ready.
    pub pod_start: RangeInclusive<Duration>,
    /// From a pod's deletion until it has ended, if its grace lets it.
    pub pod_end: RangeInclusive<Duration>,
    /// How long a kubelet may be silent before its node's Ready is Unknown.
    pub node_grace: Duration,
}

impl Default for Options {
    /// Pods that start in 1 to 5 s and end in 0.5 to 3 s, 40 s of grace.
    fn default() -> Self {
        Self {
            seed: 0,
            pod_start: Duration::from_secs(1)..=Duration::from_secs(5),
            pod_end: Duration::from_millis(500)..=Duration::from_secs(3),
            node_grace: Duration::from_secs(40),
        }
    }
}

/// The parts of a cluster besides its API server and its cloud.
pub struct Cluster {
    api: ApiServer,
    cloud: World,
    options: Options,
    chance: fastrand::Rng,
    machines: Machines,
    /// By pod's UID: when it is ready.
    starting: BTreeMap<String, Instant>,
    /// By pod's UID: when it has ended.
    ending: BTreeMap<String, Instant>,
    /// By node: since when its machine is down.
    silent: BTreeMap<String, Instant>,
    /// By node and volume: when it is attached there, or is not any more.
    moving: BTreeMap<(String, String), Instant>,
    /// By what is done here: the revision of what it was done for last.
    done: BTreeMap<&'static str, u64>,
}

impl Cluster {
    /// Around these.
    pub fn new(api: ApiServer, cloud: World, machines: Machines, options: Options) -> Self {
        let chance = fastrand::Rng::with_seed(options.seed);
        Self {
            api,
            cloud,
            options,
            chance,
            machines,
            starting: BTreeMap::new(),
            ending: BTreeMap::new(),
            silent: BTreeMap::new(),
            moving: BTreeMap::new(),
            done: BTreeMap::new(),
        }
    }

    /// A node that was there before, on a server that somebody else made.
    pub fn add_node(&self, name: &str, zone: &str, labels: &[(&str, &str)]) {
        let server = self.cloud.foreign_server(name, Some(zone));
        let mut all = json!({"kubernetes.io/hostname": name});
        for (key, value) in labels {
            all[*key] = (*value).into();
        }
        let machines = self.machines.look(&self.cloud.machines());
        let Some(machine) = machines.iter().find(|machine| machine.server == server) else {
            return;
        };
        all["topology.kubernetes.io/zone"] = machine.zone.as_str().into();
        let node = json!({
            "metadata": {"name": name, "labels": all}, "spec": {"providerID": format!("openstack:///{server}")},
            "status": self.first_status(machine),
        });
        self.api.make("nodes", None, node);
    }

    /// Never ends.
    pub async fn run(mut self) {
        let (mut changes, mut clouds) = (self.api.listen(), self.cloud.landed());
        let mut machines = self.machines.told();
        loop {
            let due = self.step();
            let far = Instant::now() + Duration::from_secs(3600);
            let servers = self.cloud.machines();
            tokio::select! {
                biased;
                () = changes.changed() => {}
                // Most requests change no machine.
                () = clouds.until(|| self.cloud.machines() != servers) => {}
                () = machines.changed() => {}
                () = sleep_until(due.unwrap_or(far)) => {}
            }
        }
    }

    /// Does what is due; when the next thing is.
    fn step(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if self.is_new("authority", &["configmaps", "namespaces"]) {
            self.publish_authority();
        }
        let machines = self.machines.look(&self.cloud.machines());
        // The others have nothing to say.
        let speaking = |machine: &&Seen| machine.has_booted || machine.news.is_some();
        for machine in machines.iter().filter(speaking) {
            self.speak(machine);
        }
        self.judge(now, &machines);
        if self.is_new("garbage", &["configmaps", "noderepairs.rectifier.dev"]) {
            self.collect_garbage();
        }
        if self.is_new("scale", &["pods", "replicasets.apps"]) {
            self.scale();
        }
        if self.is_new("sets", &["pods", "statefulsets.apps"]) {
            self.make_stateful();
        }
        if self.is_new("end", &["nodes", "pods"]) {
            self.end_out_of_service();
        }
        let attached = self.moving.values().any(|at| *at <= now);
        if self.is_new("attach", &["nodes", "pods"]) || attached {
            self.attach(now);
        }
        if self.is_new("daemons", &["nodes", "pods", "daemonsets.apps"]) {
            self.run_daemons();
        }
        if self.is_new("counts", sets::KINDS) {
            self.count();
        }
        if self.is_new("place", &["nodes", "pods"]) {
            self.place();
        }
        let mut timers = self.starting.values().chain(self.ending.values());
        let is_due = timers.any(|at| *at <= now);
        if self.is_new("run", &["nodes", "pods"]) || is_due {
            self.run_pods(now);
        }
        let timers = [self.starting.values(), self.ending.values()];
        let judged = self
            .silent
            .values()
            .map(|since| *since + self.options.node_grace);
        timers
            .into_iter()
            .flatten()
            .copied()
            .chain(judged)
            .chain(self.moving.values().copied())
            .chain(self.machines.next_due())
            .chain(self.cloud.next_due())
            .filter(|at| *at > now)
            .min()
    }

    /// Has anything of these kinds changed since that was done last?
    fn is_new(&mut self, what: &'static str, kinds: &[&str]) -> bool {
        let latest = self.api.latest(kinds);
        self.done.insert(what, latest) != Some(latest)
    }

    fn draw(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let span = range.end().saturating_sub(*range.start()).as_micros();
        let drawn = self.chance.u64(0..=u64::try_from(span).unwrap_or(u64::MAX));
        *range.start() + Duration::from_micros(drawn)
    }

    /// As the controller manager does in every namespace.
    fn publish_authority(&self) {
        const NAME: &str = "kube-root-ca.crt";
        let maps = self.api.objects("configmaps");
        let there: BTreeSet<&str> = maps
            .iter()
            .filter(|map| map["metadata"]["name"] == NAME)
            .filter_map(|map| map["metadata"]["namespace"].as_str())
            .collect();
        for namespace in self.api.objects("namespaces") {
            let namespace = text(&namespace, "/metadata/name");
            if !there.contains(namespace) {
                let map = json!({"metadata": {"name": NAME}, "data": {"ca.crt": "the world's authority"}});
                self.api.make("configmaps", Some(namespace), map);
            }
        }
    }

    /// What a Node says when it is made.
    fn first_status(&self, machine: &Seen) -> Value {
        let mut node = json!({"status": {"nodeInfo": {"bootID": machine.boot_id}}});
        let now = self.api.now();
        set_condition(
            &mut node,
            "Ready",
            "True",
            "KubeletReady",
            "it is ready",
            now,
        );
        node["status"]["addresses"] = addresses(machine);
        self.report_problems(&mut node, machine.news.as_deref().unwrap_or_default());
        node["status"].take()
    }

    /// Node Problem Detector's conditions.
    fn report_problems(&self, node: &mut Value, conditions: &[Condition]) {
        for Condition {
            kind,
            is_true,
            since,
            reason,
            message,
        } in conditions
        {
            let status = if *is_true { "True" } else { "False" };
            set_condition(node, kind, status, reason, message, *since);
        }
    }

    /// A kubelet speaks for the first time since its machine booted: it says so, or joins if it has no Node. And Node
    /// Problem Detector tells what is new.
    fn speak(&self, machine: &Seen) {
        let provider = format!("openstack:///{}", machine.server);
        let nodes = self.api.objects("nodes");
        let own = nodes
            .iter()
            .find(|node| text(node, "/metadata/name") == machine.name);
        if let Some(node) = own {
            if !is_on(node, &machine.server, &machine.name) {
                return;
            }
            self.api.change("nodes", node, true, |node| {
                node["status"]["nodeInfo"]["bootID"] = machine.boot_id.clone().into();
                self.report_problems(node, machine.news.as_deref().unwrap_or_default());
            });
            return;
        }
        let may_join = |token| self.api.lets_in(token, &machine.name);
        if !machine.has_booted || !token(&machine.user_data).is_some_and(may_join) {
            return;
        }
        let mut labels = json!({"kubernetes.io/hostname": machine.name, "topology.kubernetes.io/zone": machine.zone});
        for (key, value) in pairs(argument(&machine.user_data, "--node-labels=")) {
            labels[key] = value.into();
        }
        let taints = argument(&machine.user_data, "--register-with-taints=");
        let taints: Vec<Value> = taints.split(',').filter_map(taint).collect();
        let node = json!({
            "metadata": {"name": machine.name, "labels": labels},
            "spec": {"providerID": provider, "taints": taints},
            "status": self.first_status(machine),
        });
        self.api.make("nodes", None, node);
    }

    /// A node whose kubelet is not heard is Unknown after its grace; one that is heard says whether it can run pods.
    fn judge(&mut self, now: Instant, machines: &[Seen]) {
        let nodes = self.api.objects("nodes");
        self.silent.retain(|name, _| {
            let is_it = |node: &Object| text(node, "/metadata/name") == name;
            nodes.iter().any(is_it)
        });
        for node in &nodes {
            let name = text(node, "/metadata/name");
            let ready = condition(node, "Ready");
            let mut machines = machines.iter();
            let machine = machines.find(|machine| is_on(node, &machine.server, &machine.name));
            if let Some(machine) = machine.filter(|machine| machine.is_heard) {
                self.silent.remove(name);
                let (status, reason, message) = match machine.runs_pods {
                    true => ("True", "KubeletReady", "it is ready"),
                    false => ("False", "KubeletNotReady", "the container runtime is down"),
                };
                if ready != Some(status) {
                    self.renew_lease(name);
                    self.report(node, status, reason, message);
                }
            } else if ready == Some("Unknown") {
                self.silent.remove(name);
            } else {
                let since = *self.silent.entry(name.to_owned()).or_insert(now);
                if now >= since + self.options.node_grace {
                    let message = "the kubelet stopped posting node status";
                    self.report(node, "Unknown", "NodeStatusUnknown", message);
                }
            }
        }
    }

    fn report(&self, node: &Object, ready: &str, reason: &str, message: &str) {
        let now = self.api.now();
        self.api.change("nodes", node, true, |node| {
            set_condition(node, "Ready", ready, reason, message, now);
        });
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    let keys = pointer.split('/').skip(1);
    let field = keys.fold(object, |field, key| &field[key]);
    field.as_str().unwrap_or_default()
}

/// As its kubelet reports them.
pub(crate) fn addresses(machine: &Seen) -> Value {
    json!([
        {"type": "InternalIP", "address": machine.address},
        {"type": "Hostname", "address": machine.name},
    ])
}

/// Is that the Node of this machine? One that names no server of OpenStack is known by its name.
pub(crate) fn is_on(node: &Value, server: &str, name: &str) -> bool {
    match text(node, "/spec/providerID").strip_prefix("openstack://") {
        Some(place) => place.rsplit('/').next() == Some(server),
        None => text(node, "/metadata/name") == name,
    }
}

pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)?["status"]
        .as_str()
}

fn set_condition(
    object: &mut Value,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    since: Timestamp,
) {
    let condition = json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        // Whole seconds, as the API server has them.
        "lastTransitionTime": since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    match object["status"]["conditions"].as_array_mut() {
        Some(conditions) => {
            conditions.retain(|condition| condition["type"] != kind);
            conditions.push(condition);
        }
        None => object["status"]["conditions"] = json!([condition]),
    }
}

/// The bootstrap token in a machine's user data.
fn token(user_data: &str) -> Option<&str> {
    let is_token = |word: &&str| {
        word.split_once('.')
            .is_some_and(|(id, secret)| id.len() == 6 && secret.len() == 16)
    };
    let split = |letter: char| !letter.is_ascii_alphanumeric() && letter != '.';
    user_data.split(split).find(is_token)
}

/// What follows an option in a machine's user data, up to the next white space.
fn argument<'a>(user_data: &'a str, option: &str) -> &'a str {
    let rest = user_data.split_once(option).map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().unwrap_or_default()
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(',').filter_map(|pair| pair.split_once('='))
}

/// `KEY=VALUE:EFFECT`
fn taint(text: &str) -> Option<Value> {
    let (rest, effect) = text.rsplit_once(':')?;
    let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
    Some(json!({"key": key, "value": value, "effect": effect}))
}
