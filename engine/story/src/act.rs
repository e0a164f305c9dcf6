//! What a story's teller does, and what he waits for.

use rectifier_core::repair::Phase;

/// What brings the broken service back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// A restart of it.
    Restart,
    /// A boot of the machine.
    Boot,
    /// Nothing: another machine.
    Never,
}

/// What the teller does. Whatever happens else, others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The process of the service dies. Done when Node Problem Detector has reported it.
    Break(Cure),
    /// The service is mended by hand.
    Mend,
    /// The node's engine is silenced, for good.
    SilenceEngine,
    /// Servers that are made from now on come up long after they are wanted.
    SlowBoots,
    /// The policy is replaced by one that hands over at once.
    HandOver,
    /// From now on a repair stays in each of the controller's phases until the controller is started anew: its step's effect
    /// is there, and the next step is not written down.
    HoldSteps,
    /// The controller is killed.
    KillController,
    /// It is started again, and the repair let go on.
    StartController,
}

impl Deed {
    /// What is done to this service of this node, in words.
    pub fn words(self, unit: &str, node: &str) -> String {
        match self {
            Deed::Break(Cure::Restart) => format!("kills {unit} on {node}"),
            Deed::Break(Cure::Boot) => {
                format!("kills {unit} on {node}; it cannot start before the next boot")
            }
            Deed::Break(Cure::Never) => format!("breaks {node}: {unit} can never start again"),
            Deed::Mend => format!("mends {unit} by hand"),
            Deed::SilenceEngine => "stops the node engine".to_owned(),
            Deed::SlowBoots => "makes new servers boot slowly".to_owned(),
            Deed::HandOver => "replaces the policy by one that hands over".to_owned(),
            Deed::HoldSteps => "holds the repair in each of its phases".to_owned(),
            Deed::KillController => "kills the controller".to_owned(),
            Deed::StartController => "starts the controller again".to_owned(),
        }
    }
}

/// What the teller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// Node Problem Detector reports the service well.
    Well,
    /// What the engines would still do after a remedy they have done.
    Quiet,
    /// The node engine has asked so often for a restart of the service.
    Restarts(usize),
    /// The node engine has handed over to the control plane.
    Escalated,
    /// The repair has come to this phase.
    Phase(Phase),
    /// The controller has seen this phase's step done: it seeks to write the next one.
    Done(Phase),
}
