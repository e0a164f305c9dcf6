//! Observations to ask a policy about in tests on the machine itself: a node with one problem, which all that is known is fresh about and
//! on which everything may be done. A test changes what it is about.
//!
//! ```
//! use rectifier_policy::prelude::*;
//! use rectifier_policy::samples;
//!
//! let mut seen = samples::on_node("KubeletUnhealthy", [samples::unit("kubelet.service", "failed")]);
//! seen.node.pods = 12;
//! assert!(seen.on_node().and_then(|view| view.unit("kubelet.service")).is_some());
//! ```

use crate::types::{
    Attempt, ClusterView, Condition, Episode, Freshness, Gate, Group, Moment, Node, NodeView,
    Observation, Outcome, Remedy, Server, Site, Status, Unit,
};

/// As the engine on the node asks: with these units.
pub fn on_node(problem: &str, units: impl IntoIterator<Item = Unit>) -> Observation {
    observation(
        problem,
        Site::Node(NodeView {
            units: units.into_iter().collect(),
            fixes: Vec::new(),
            reboot: Gate::Open,
            freshness: Freshness::Fresh,
        }),
    )
}

/// As the control plane asks: about one sick node of ten, whose server is active.
pub fn in_control_plane(problem: &str) -> Observation {
    let group = |nodes| Group {
        nodes,
        sick: 1,
        repairing: 0,
    };
    observation(
        problem,
        Site::ControlPlane(ClusterView {
            pool: group(10),
            zone: group(4),
            same_problem: group(1),
            server: Some(Server {
                status: "ACTIVE".to_owned(),
                task: None,
                fault: None,
                age: 86_400,
                proven_dead: false,
            }),
            requested_by: "node-engine".to_owned(),
            reboot: Gate::Open,
            replace: Gate::Open,
            freshness: Freshness::Fresh,
        }),
    )
}

/// A unit that may be touched.
pub fn unit(name: &str, active_state: &str) -> Unit {
    Unit {
        name: name.to_owned(),
        active_state: active_state.to_owned(),
        sub_state: String::new(),
        restarts: 0,
        held: 60,
        gate: Gate::Open,
    }
}

/// A remedy that was tried so many seconds ago.
pub fn attempt(remedy: Remedy, age: u32, outcome: Outcome) -> Attempt {
    Attempt {
        remedy,
        age,
        outcome,
        detail: String::new(),
    }
}

fn observation(problem: &str, site: Site) -> Observation {
    let problem = Condition {
        kind: problem.to_owned(),
        status: Status::Yes,
        reason: problem.to_owned(),
        message: String::new(),
        held: 60,
        source: "npd".to_owned(),
    };
    Observation {
        id: "sample".to_owned(),
        now: Moment {
            unix_seconds: 1_800_000_000,
            weekday: 5,
            minute_of_day: 480,
        },
        node: Node {
            name: "node-1".to_owned(),
            pool: Some("workers".to_owned()),
            zone: "zone-1".to_owned(),
            labels: Vec::new(),
            ready: Status::Yes,
            unschedulable: false,
            uptime: Some(86_400),
            pods: 0,
        },
        site,
        episode: Episode {
            problem: problem.clone(),
            age: 60,
            recurrences: 0,
            attempts: Vec::new(),
        },
        other_episodes: Vec::new(),
        conditions: vec![problem],
        events: Vec::new(),
        facts: Vec::new(),
    }
}
