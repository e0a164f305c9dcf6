//! Questions that every policy asks.

use crate::types::{
    Attempt, ClusterView, Condition, Episode, Fix, Freshness, Gate, NodeView, Observation, Outcome,
    Remedy, Site, Status, Unit,
};

impl Observation {
    /// The kind of problem to decide on.
    pub fn problem(&self) -> &str {
        &self.episode.problem.kind
    }

    /// Is the problem there? Not if it is gone, and not if nobody knows.
    pub fn problem_is_there(&self) -> bool {
        self.episode.problem.status == Status::Yes
    }

    /// Can the site's own view be trusted?
    pub fn is_fresh(&self) -> bool {
        let freshness = match &self.site {
            Site::Node(view) => view.freshness,
            Site::ControlPlane(view) => view.freshness,
        };
        freshness == Freshness::Fresh
    }

    /// What the node's engine sees, if it is the one that asks.
    pub fn on_node(&self) -> Option<&NodeView> {
        match &self.site {
            Site::Node(view) => Some(view),
            Site::ControlPlane(_) => None,
        }
    }

    /// What the control plane sees, if it is the one that asks.
    pub fn in_control_plane(&self) -> Option<&ClusterView> {
        match &self.site {
            Site::ControlPlane(view) => Some(view),
            Site::Node(_) => None,
        }
    }

    /// The condition of this kind.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| condition.kind == kind)
    }

    /// The value of the node's label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.node
            .labels
            .iter()
            .find(|pair| pair.name == name)
            .map(|pair| pair.value.as_str())
    }

    /// The fact of this name, if it can be told and the metadata need it.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts
            .iter()
            .find(|pair| pair.name == name)
            .map(|pair| pair.value.as_str())
    }
}

impl Episode {
    /// How often exactly this was carried out in this episode, or begun. What was refused was not.
    pub fn tried(&self, remedy: &Remedy) -> usize {
        self.attempts_at(remedy)
            .filter(|attempt| attempt.outcome != Outcome::Refused)
            .count()
    }

    /// All attempts at exactly this remedy, the newest first.
    pub fn attempts_at<'a>(&'a self, remedy: &'a Remedy) -> impl Iterator<Item = &'a Attempt> {
        self.attempts
            .iter()
            .filter(move |attempt| same(&attempt.remedy, remedy))
    }

    /// The remedy that is under way, if one is.
    pub fn running(&self) -> Option<&Attempt> {
        self.attempts
            .iter()
            .find(|attempt| attempt.outcome == Outcome::Running)
    }

    /// The newest attempt.
    pub fn last(&self) -> Option<&Attempt> {
        self.attempts.first()
    }
}

impl NodeView {
    /// The unit of this name, if the operator allows it and the metadata need it.
    pub fn unit(&self, name: &str) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.name == name)
    }

    /// The fix of this name, likewise.
    pub fn fix(&self, name: &str) -> Option<&Fix> {
        self.fixes.iter().find(|fix| fix.name == name)
    }
}

impl Gate {
    /// May it be done now?
    pub fn is_open(&self) -> bool {
        self.closed_by().is_none()
    }

    /// The guard rail that says no, for people.
    pub fn closed_by(&self) -> Option<&str> {
        match self {
            Gate::Open => None,
            Gate::Closed(rail) => Some(rail),
        }
    }
}

/// The same remedy, in whatever order a fix's arguments are said: the engine keeps them by name.
fn same(one: &Remedy, other: &Remedy) -> bool {
    let (Remedy::Fix(one), Remedy::Fix(other)) = (one, other) else {
        return one == other;
    };
    let there = |pair| other.args.contains(pair);
    one.name == other.name && one.args.len() == other.args.len() && one.args.iter().all(there)
}
