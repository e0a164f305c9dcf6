//! Why an engine acts or does not act: one enum, from which the text for people, the Event's reason and the metric's
//! label come. Silence is a bug: whatever does not lead to an act leads to one of these.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// The cause of an act, or of its absence. The variant's name is the Event's reason and the metric's label.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them, for docs and tests.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// Event reason and metric label.
            pub fn label(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name),)* }
            }

            /// One line for people.
            pub fn text(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// The node engine works on it, within its deadline.
    HealingInNode => "the node's own engine is healing it",
    /// The node engine took it back.
    Withdrawn => "the node's own engine healed it",
    /// Not yet longer than the pool's agentGrace.
    AwaitingAgent => "the problem is given time to go away, or to be taken up by the node engine",
    /// No agent opened a repair within the pool's agentGrace.
    AgentSilent => "no node engine took the problem up in time",
    /// The agent's deadline has passed.
    AgentOverdue => "the node engine did not finish in time",
    /// The node engine asked for a reboot.
    RebootAsked => "the node engine asked for a reboot",
    /// The node engine could not heal it.
    Escalated => "the node engine could not heal it",
    /// A person opened the repair.
    PersonAsked => "a person asked for it",
    /// A policy decided it.
    PolicyDecided => "a policy decided",
    /// A policy wants to look again later.
    PolicyWaits => "a policy wants to look again later",
    /// A policy handed it to a person.
    PolicyEscalated => "a policy hands it to a person",
    /// No policy answers for this condition here.
    NoPolicy => "no policy handles this condition at this site",
    /// The policy failed.
    PolicyFailed => "the policy could not answer",
    /// The remedy is not one for this site.
    RemedyNotForSite => "the policy's remedy does not exist at this site",
    /// Somebody else cordoned the node.
    CordonedByOther => "somebody else cordoned this node; their cordon stays",
    /// Somebody took our cordon away before the commit.
    Uncordoned => "the cordon was taken away: the repair is cancelled",
    /// That was less than a day ago: the person's word still stands.
    Vetoed => "a person took our cordon away, or rejected a repair, less than 24 hours ago: nothing is done for the same problem",
    /// A person said no, less than a day ago or now.
    Rejected => "a person rejected the repair: everything is taken back, and nothing is done for the same problem for 24 hours",
    /// The pool asks a person before each rung.
    AwaitingApproval => "the pool's mode is approve: a person has to allow this",
    /// The pool's maintenance names this problem, and no window is open.
    AwaitingWindow => "it can wait for the pool's maintenance window",
    /// A person paused the node or its pool.
    Paused => "paused by a person (rectifier.dev/paused): nothing is done until the annotation is gone",
    /// The stop switch is set.
    Stopped => "the stop switch is set (ConfigMap rectifier-stop): nothing is done until it is deleted",
    /// The stop switch cannot be read, so it counts as set.
    StopUnreadable => "the stop switch cannot be read (ConfigMap rectifier-stop): it may be set",
    /// Another keeps the node.
    OwnedByOther => "another keeps this node, and repairs it",
    /// As many as may be at a time.
    AnotherRepairRuns => "another repair of the pool is under way, or has waited longer",
    /// Its zone's share of them.
    ZoneInRepair => "as many repairs of the pool are under way in the node's zone as may be",
    /// So many nodes are ill that the cause is hardly theirs.
    BreakerOpen => "the pool's breaker is open: so many nodes are ill, or turned at once, that the cause is hardly theirs",
    /// A leader that has just begun, or whose watches were cut, does not know enough.
    NotSteady => "the cluster has not been watched long enough without a break: nothing intrusive is begun yet",
    /// Repairs keep a distance.
    Paced => "the pool's last repair began a short while ago",
    /// The cluster's replacements are counted by the hour.
    HourlyUsedUp => "the cluster's replacements for this hour are used up",
    /// Several in a row have failed.
    CreatesStopped => "the pool's last replacements have all failed: what is wrong is hardly their nodes'; one is tried again later",
    /// The repair's object was deleted before its commit.
    Deleted => "the repair was deleted before its commit: everything is taken back",
    /// A person asked for another try.
    RetryAsked => "a person asks for another try",
    /// The problem went away before the commit.
    ProblemCleared => "the problem went away before the replacement was committed",
    /// The condition is neither True nor freshly False.
    ConditionNotReported => "the condition is not reported: neither health nor illness",
    /// The condition's heartbeat has stopped.
    ConditionStale => "the condition is not renewed any more, so that its detector may be dead: neither health nor illness",
    /// The condition became False because its detector was restarted.
    DetectorRestarted => "the condition became False when its detector was restarted: that is no recovery before it has stayed so",
    /// It was away, and came back.
    Flapping => "the problem comes and goes: the time for which it stands is added up, and it is gone only when it stays away",
    /// The pool only observes.
    PoolObserves => "the pool's mode is observe: nothing is touched",
    /// No pool selects the node.
    NoPool => "no repair pool selects this node",
    /// More than one does.
    TwoPools => "more than one repair pool selects this node",
    /// The cordon is being set.
    Cordoning => "cordoning",
    /// Pods are being evicted.
    Evicting => "evicting pods",
    /// The pool's rules keep a pod where it is.
    EvictionNotAllowed => "the pool's rules do not allow the eviction of a pod",
    /// A disruption budget holds an eviction back.
    BlockedByBudget => "a PodDisruptionBudget holds an eviction back",
    /// Two budgets are one too many for the API server.
    TwoBudgets => "more than one PodDisruptionBudget covers a pod, and the API server evicts none of which that is so",
    /// Something else refuses an eviction, such as a webhook.
    EvictionRefused => "the API server refuses an eviction",
    /// The time for a drain is over, and the pool says what then.
    LastResort => "the time for the drain is over: pods are deleted past their budgets, as the pool's lastResort says",
    /// Pods have left; they are not up elsewhere yet.
    AwaitingOwners => "waiting until the pods that left are Ready elsewhere",
    /// The node is excluded from load balancers, which need a moment to heed that.
    LeavingBalancers => "waiting until load balancers send nothing more to the node",
    /// Pods and their volumes are looked at before anything is touched.
    Preflight => "looking what a replacement of this node would lose",
    /// Something on the node would be lost, or cannot leave it.
    PreflightRefused => "nothing is touched: a replacement of this node would lose something",
    /// The grant stands open.
    GrantOffered => "a reboot is offered to the node engine",
    /// The grant was accepted.
    GrantAccepted => "the node engine accepted the reboot",
    /// Nobody took the grant.
    GrantExpired => "the offered reboot was not taken in time",
    /// A new boot is awaited.
    AwaitingBoot => "waiting for a new boot id",
    /// The boot never came.
    BootOverdue => "the node did not boot in time",
    /// The cloud boots it.
    HardRebooting => "the cloud starts or reboots the server",
    /// Whether a node that is not heard renews its Lease.
    AwaitingSilence => "watching whether the node renews its Lease",
    /// It does.
    KubeletAlive => "the node renews its Lease: it is alive, whatever its Ready says",
    /// The cloud, or a person, is doing something to the server.
    ServerBusy => "the server is locked, or something is being done to it",
    /// A person stopped the server.
    StoppedByOther => "somebody stopped the server: that is their plan",
    /// The machine is being stopped.
    Stopping => "stopping the machine, so that it is certain that nothing runs on it",
    /// Nothing proves that the machine is off.
    HostUnreachable => "the server's host does not answer: nothing proves that the machine is off",
    /// A person says that it is.
    ConfirmedDead => "a person says that the machine is off",
    /// Volumes, or pods of a dead machine.
    Detaching => "waiting for what the node still holds to be let go",
    /// The world is watched after a remedy.
    Settling => "watching whether the problem stays away",
    /// The remedy did not help.
    NoEffect => "the problem is still there after the remedy",
    /// The cordon is being taken away.
    Uncordoning => "uncordoning",
    /// What keeps the cluster autoscaler off the node is being taken away.
    LettingScaleDown => "letting the cluster autoscaler have the node again",
    /// The problem is gone.
    Recovered => "the problem is gone",
    /// Ports are being made.
    CreatingPorts => "creating the replacement's ports",
    /// The server is being made.
    CreatingServer => "creating the replacement",
    /// A create's answer was lost; its effect is awaited.
    CreateUncertain => "a create may still be under way: looking by tag before posting again",
    /// No host can take the replacement.
    NoHost => "no host can take the replacement: another zone is tried if the pool names one, and later this one again",
    /// A quota leaves no room for the replacement.
    UsedUp => "the project's quota, or a subnet, has no room for the replacement: it is tried again later",
    /// The sick server goes first.
    MakingRoom => "there is no room for the replacement beside the sick server: that goes first, as the pool's whenNoCapacity says",
    /// The server of another node has gone first.
    RoomOfAnother => "the room is for the replacement of another node of the pool, whose server has gone first",
    /// The pool has changed its mind before that.
    KeptServer => "the pool does not let the sick server go before its replacement any more: it stays",
    /// What the replacement will be called is looked at.
    Naming => "finding a name for the replacement that no Node and no server has",
    /// The replacement is not yet Ready.
    Joining => "waiting for the replacement to join and be Ready",
    /// The replacement is Ready; whether it has what the sick node has is looked at.
    Comparing => "comparing the replacement with the sick node",
    /// The replacement failed.
    ReplacementFailed => "the replacement failed and is removed",
    /// The replacement did not join in time.
    JoinOverdue => "the replacement did not join in time",
    /// More than one server, or foreign ports: nothing of the attempt can be trusted.
    ReplacementUncertain => "it is not certain which server is ours: all of this attempt is removed",
    /// Attempts are used up.
    AttemptsUsedUp => "no replacement could be made",
    /// The same problem is back on the node that took the sick one's place.
    ReplacementDidNotHelp => "it is a replacement that fell sick of the same problem: another one would not help",
    /// What was committed is not there, or not Ready: nothing more is taken from the sick node.
    ReplacementLost => "the replacement is not Ready any more: nothing more is taken from the sick node",
    /// A step takes longer than any that goes well.
    Overdue => "a step takes too long: a person has to look",
    /// An act failed.
    ActFailed => "a step could not be carried out, and is tried again",
    /// What the next step depends on could not be read.
    LookFailed => "what the next step depends on cannot be read, and is tried again",
    /// The point of no return.
    Committed => "the replacement is Ready and committed",
    /// What it still tells is kept first.
    CollectingEvidence => "keeping what the sick server and its node tell, before they are gone",
    /// The old server is being deleted.
    DeletingServer => "deleting the sick server",
    /// Its Node is being deleted.
    DeletingNode => "deleting the sick node's object",
    /// The loop is closed.
    Replaced => "the node was replaced",
    /// A pod got onto a replacement that is being taken back, and may not be evicted.
    RollbackHeld => "a pod on the replacement may not be evicted: it is not deleted before that pod has left",
    /// Our things are being taken back.
    RollingBack => "taking back what was made",
    /// Nothing of ours is left.
    Cancelled => "cancelled, everything taken back",
    /// The server of the node is not certain.
    ServerUnknown => "it is not certain which server this node is",
    /// The cloud did not answer, or not usably.
    CloudUnavailable => "the cloud cannot be asked",
    /// The node engine did a remedy; another may not begin beside it.
    AnotherRemedyRuns => "another remedy is under way on this node",
    /// Another problem of the node causes this one.
    Consequence => "it follows from another problem of the node, which is healed first",
    /// Remedies keep a distance.
    TooSoon => "the last remedy on this node is too recent",
    /// Restarting it everywhere at once would hurt more than the problem.
    SpreadOut => "what would be done on every node is spread over some time: this node's turn comes a little later",
    /// Booted a moment ago.
    JustBooted => "the machine has booted a moment ago: what is ill may only be starting",
    /// A shutdown is under way.
    GoesDown => "the machine is on its way down",
    /// The unit is not on the operator's list.
    UnitNotAllowed => "the operator's configuration does not allow this unit",
    /// The fix is not declared, or not with these arguments.
    FixNotAllowed => "the operator's configuration does not allow this fix, or not with these arguments",
    /// The node engine used up its attempts.
    RemediesUsedUp => "the node engine's attempts are used up",
    /// The node had its share of remedies for a day.
    DailyUsedUp => "the node engine's remedies for 24 hours are used up: the next level is asked",
    /// Remedies in the node do not help this node.
    Quarantined => "remedies in the node have failed too often within 24 hours: the next level is asked",
    /// A second reboot for one problem is not done.
    RebootedAlready => "a reboot was tried already",
    /// The node's memory of its attempts is lost.
    JournalLost => "the journal was lost: what was tried before is not known, so nothing intrusive is done",
    /// The disk is full, or may only be read.
    JournalUnwritable => "the journal cannot be written: what cannot be remembered is not done, and the next level is asked",
    /// The control plane works on the node, or its own deadline is over.
    ControlPlaneWorks => "the control plane has taken this node over",
    /// The node's one repair is about something else.
    RepairForOther => "the node's open repair is about another problem",
    /// The name of the repair is not free yet.
    RepairEnding => "the node's last repair is not archived yet",
    /// The API server cannot be reached, so that nothing can be asked of the control plane.
    ApiUnavailable => "the API server cannot be reached: nothing can be asked of the control plane",
    /// systemd cannot be reached.
    SystemdUnavailable => "systemd cannot be asked over D-Bus",
    /// The boot id cannot be read.
    BootUnknown => "the boot id cannot be read: no reboot can be granted for it",
    /// The node went away under the repair.
    NodeGone => "the node object is gone or was replaced by another",
}

impl Reason {
    /// Does it hold many repairs at once, none of which changes anything by asking again?
    pub fn waits_among_many(self) -> bool {
        matches!(
            self,
            Reason::AnotherRepairRuns
                | Reason::ZoneInRepair
                | Reason::BreakerOpen
                | Reason::NotSteady
                | Reason::Paced
                | Reason::HourlyUsedUp
                | Reason::CreatesStopped
                | Reason::RoomOfAnother
        )
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}
