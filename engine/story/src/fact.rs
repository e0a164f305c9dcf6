//! What is looked for in a world's records.

use std::fmt;

/// Something that happens at a moment. All of it concerns the sick node, its repair, or what takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// NPD found the problem, by its own word, in whole seconds: on the node it is asked directly, and what it found may be
    /// acted upon before it has told the API server.
    FoundIll,
    /// NPD told the API server of it.
    ReportedIll,
    /// NPD told the API server that it is gone.
    ReportedWell,
    /// The node engine asked systemd to restart the service.
    RestartAsked,
    /// systemd started it.
    UnitStarted,
    /// The node engine opened the repair.
    EngineAsks,
    /// The controller opened it.
    ControllerOpens,
    /// The node engine handed over to the control plane.
    Escalates,
    /// The controller cordoned the node.
    Cordoned,
    /// The controller took the cordon away.
    Uncordoned,
    /// The controller evicted the first pod.
    FirstEviction,
    /// All pods that were on the node were evicted, and the last of them had ended.
    LastPodEnded,
    /// The node engine accepted the grant to reboot.
    GrantAccepted,
    /// The node engine asked logind to reboot.
    RebootAsked,
    /// The machine went down for it.
    GoesDown,
    /// It was up again.
    Booted,
    /// Its kubelet told of another boot.
    BootReported,
    /// The cloud was asked for the new server.
    ServerAsked,
    /// The new node was registered, with the provisional taint.
    Registered,
    /// The new node was Ready.
    NewReady,
    /// The controller took the provisional taint off it.
    Released,
    /// The cloud was asked to delete the old server.
    OldDeleteAsked,
    /// The old server's host had terminated it.
    OldTerminated,
    /// The controller deleted the old Node.
    OldNodeDeleted,
    /// The cloud was asked to delete the new server.
    NewDeleteAsked,
    /// The new server's host had terminated it.
    NewTerminated,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fact::FoundIll => "NPD finds it broken",
            Fact::ReportedIll => "NPD's report that it is broken",
            Fact::ReportedWell => "NPD's report that it is well",
            Fact::RestartAsked => "the node engine's request to restart it",
            Fact::UnitStarted => "systemd's start of it",
            Fact::EngineAsks => "the node engine opens the repair",
            Fact::ControllerOpens => "the controller opens the repair",
            Fact::Escalates => "the node engine hands over",
            Fact::Cordoned => "the cordon",
            Fact::Uncordoned => "the node is uncordoned",
            Fact::FirstEviction => "the first eviction",
            Fact::LastPodEnded => "the end of the last pod",
            Fact::GrantAccepted => "the grant accepted",
            Fact::RebootAsked => "the node engine's request to logind",
            Fact::GoesDown => "the machine goes down",
            Fact::Booted => "the new boot",
            Fact::BootReported => "the kubelet's report of the new boot",
            Fact::ServerAsked => "the new server's creation",
            Fact::Registered => "the new node's registration, with the provisional taint",
            Fact::NewReady => "the new node is Ready",
            Fact::Released => "the new node's taint is taken away",
            Fact::OldDeleteAsked => "the old server's deletion",
            Fact::OldTerminated => "the old server's host has terminated it",
            Fact::OldNodeDeleted => "the old Node's deletion",
            Fact::NewDeleteAsked => "the new server's deletion",
            Fact::NewTerminated => "the new server's host has terminated it",
        })
    }
}

/// Something that must hold of the world when it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The service was started anew once, asked by the node engine and nobody else; no other service was.
    RestartedOnce,
    /// Neither engine has written anything but Events and Leases.
    NothingWritten,
    /// No server was made, deleted or told anything, and the ports are the same.
    NoServerTouched,
    /// The servers and ports are those that were there.
    SameServers,
    /// The new server's ports are made, as many as the old one's, and no server.
    PortsMade,
    /// The cloud was asked for one server.
    OneServerAsked,
    /// The new server is marked as adopted, by our tag, and none as provisional.
    Adopted,
    /// One similar server took the old one's place and is adopted; the old one is gone with its ports.
    OneReplacement,
    /// The old server's ports are gone.
    OldPortsGone,
    /// The workload never fell below its disruption budget, and all of it runs.
    BudgetHeld,
    /// The pods of the node are those that were there.
    SamePods,
    /// Nobody has evicted anything, or asked for it; and the pods of the node are those that were there.
    NothingEvicted,
    /// After the node engine handed over, it asked systemd for nothing.
    LeftAlone,
    /// The Nodes are as they must be, the node, if it is still there, is free of our marks, and no token is left.
    NothingLeft,
}
