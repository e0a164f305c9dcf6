//! The guard rails' settings. They come from the operator's configuration; no policy can pass them.

use std::collections::{BTreeMap, BTreeSet};

use super::causes::Causes;
use crate::name::{FixName, UnitName};
use crate::policy::Seconds;

/// What a fix may be called with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FixRule {
    /// By parameter, the values that it takes. Every parameter must be given.
    pub params: BTreeMap<String, Vec<String>>,
}

/// What the engine may do on its node, how often, and how long it watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The units that may be touched.
    pub units: BTreeSet<UnitName>,
    /// The fixes that are declared.
    pub fixes: BTreeMap<FixName, FixRule>,
    /// Those of them, of which one like it is on every node: see `jitter`. Fixes always count as such.
    pub wide: BTreeSet<UnitName>,
    /// Which problems cause which others.
    pub causes: Causes,
    /// A remedy that would hit every node at once begins later by a part of this that is drawn from the node and the episode.
    pub jitter: Seconds,
    /// Nothing intrusive is done before the machine has been up for so long: what is ill then may only be starting.
    pub min_uptime: Seconds,
    /// From the beginning of one remedy to the next one's, over all episodes of the node; doubled with each that this episode
    /// has had after its first.
    pub min_interval: Seconds,
    /// Units and fixes tried in one episode; after that it is escalated.
    pub max_attempts: u32,
    /// Units, fixes and reboots begun on this node within 24 hours, over all episodes; after that no unit and no fix is tried. 0: no
    /// limit.
    pub daily: u32,
    /// After so many episodes within 24 hours that had to be escalated although remedies were tried, none is tried any
    /// more. 0: never.
    pub quarantine: u32,
    /// How long a remedy's effect is watched, unless the policy says otherwise.
    pub settle: Seconds,
    /// How long a problem must be seen gone before its episode ends.
    pub quiet: Seconds,
    /// A policy whose answer led to nothing is asked again after this.
    pub ask_again: Seconds,
    /// An episode that is older than this, its problem still there, is made known to the control plane.
    pub announce: Seconds,
    /// How long the control plane is asked to leave the node to its own engine.
    pub heal_within: Seconds,
    /// A reboot that was called for must show a new boot id within this.
    pub reboot_within: Seconds,
}

/// What nearly every node has, and cannot work without: the kubelet, the container runtimes, the network.
const WIDE: [&str; 10] = [
    "NetworkManager.service",
    "containerd.service",
    "crio.service",
    "docker.service",
    "k3s-agent.service",
    "kubelet.service",
    "networking.service",
    "rke2-agent.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
];

/// The defaults of the node engine's configuration, in one place.
impl Default for Limits {
    /// - `jitter` 30 s: one round of NPD's checks, so that nodes that fall ill together are spread over as long as it takes
    ///   to see that they do. `min_uptime` 60 s: two of those rounds, as `settle`.
    /// - `min_interval` 30 s: two restarts a minute at most; systemd's own start limit is 5 in 10 s.
    /// - `daily` 12, `quarantine` 3: arbitrary. Three problems with `max_attempts` 3 each, and some rest: a node that needs more
    ///   in a day is not healed by it.
    /// - `settle` and `quiet` 60 s: two rounds of NPD's 30 s checks, so that one stale round is no verdict.
    /// - `ask_again` 10 s: arbitrary.
    /// - `announce` 30 s: half of a pool's `agentGrace` (60 s), after which the control plane takes us for silent.
    /// - `heal_within` 10 min: three attempts of 60 s settling and systemd's 90 s job timeout each, and some rest.
    /// - `reboot_within` 5 min: systemd's 90 s for stopping units, three times over; the boot itself is watched by the
    ///   control plane, since we are not there.
    fn default() -> Self {
        Self {
            units: BTreeSet::new(),
            fixes: BTreeMap::new(),
            wide: WIDE
                .iter()
                .filter_map(|unit| UnitName::parse(*unit).ok())
                .collect(),
            causes: Causes::default(),
            jitter: 30,
            min_uptime: 60,
            min_interval: 30,
            max_attempts: 3,
            daily: 12,
            quarantine: 3,
            settle: 60,
            quiet: 60,
            ask_again: 10,
            announce: 30,
            heal_within: 600,
            reboot_within: 300,
        }
    }
}
