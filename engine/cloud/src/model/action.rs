//! What was done to a server, in the cloud's own journal.

use jiff::Timestamp;

/// One action on a server, e.g. `stop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceAction {
    /// `create`, `delete`, `stop`, `start`, `reboot` and so on.
    pub action: String,
    /// The request that asked for it; unique.
    pub request: String,
    /// Who asked.
    pub user: Option<String>,
    /// When it was asked for.
    pub started: Option<Timestamp>,
    /// An error, in the cloud's words.
    pub message: Option<String>,
    /// What conductor and compute host did for it, oldest first. Empty: nobody has done anything, which is
    /// what a delete looks like whose compute host is down.
    pub events: Vec<ActionEvent>,
}

impl InstanceAction {
    /// The compute host has reported that it did what the action asks for. False for an action that no host reports on.
    pub fn is_done_by_host(&self) -> bool {
        let event = match self.action.as_str() {
            "stop" => "compute_stop_instance",
            "start" => "compute_start_instance",
            "reboot" => "compute_reboot_instance",
            "delete" => "compute_terminate_instance",
            _ => return false,
        };
        self.succeeded(event)
    }

    /// The event of this name ended in success: its host did it.
    pub fn succeeded(&self, event: &str) -> bool {
        self.events
            .iter()
            .any(|e| e.event == event && e.result.as_deref() == Some("Success"))
    }
}

/// A part of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionEvent {
    /// Its name, e.g. `compute_terminate_instance`, `compute_stop_instance`.
    pub event: String,
    /// `Success` or `Error`; absent while it goes on.
    pub result: Option<String>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
}
