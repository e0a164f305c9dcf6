//! What happens in the small world besides what the engine does.

use proptest::prelude::*;

use super::super::tests::at;
use super::super::*;
use super::world::{World, owned};
use crate::clock::seconds_between;
use crate::name::NodeName;
use crate::policy::Status;
use crate::reason::Reason;

/// What happens besides the engine's next pass.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chance {
    Nothing,
    /// The engine is killed after its write, before its act.
    Killed,
    /// The act is not taken.
    ActFails,
    CloudDown,
    HumanCordons,
    HumanUncordons,
    ProblemClears,
    ProblemComesBack,
    ServerFails,
    /// A create of ports that a killed engine had sent comes to its end.
    LatePort,
    /// The replacement's node stops being Ready, or is so again.
    ReplacementSick,
    ReplacementWell,
    /// A person asks for another try.
    Retry,
    /// A person halts it, by the stop switch or by a pause, or lets it go on.
    Stop,
    Pause,
    GoOn,
    /// A person ends it.
    Reject,
    Delete,
    /// Another takes the node over, or lets go of it.
    Owned,
    LetGo,
    /// Another repair of the pool runs, or does not.
    Crowded,
    Alone,
    /// The pool's breaker opens, or closes.
    Storm,
    Calm,
    NodeReboots,
    /// The machine is not heard any more, and runs on: nobody there ends a pod.
    Hangs,
    /// It is heard again, if it runs.
    IsBack,
    /// Its host does nothing that it is asked for, or does again.
    HostDown,
    HostUp,
    /// A person starts the machine, if its host is there.
    SomebodyStarts,
    /// A person stops it.
    SomebodyStops,
    DetectorFallsSilent,
    DetectorSpeaks,
    /// A pod that tolerates its taint gets onto the replacement.
    GuestComes,
    /// A pod gets onto the sick node, cordoned or not.
    PodComes,
    LongTime,
    /// Somebody takes what room the hosts have, or gives it back.
    RoomTaken,
    RoomFree,
    /// The pool lets a server go first, or does not any more.
    GoesFirst,
    Stays,
    /// The pool observes, or acts.
    Observes,
    Acts,
    /// The policies are taken away, or are back.
    Withdrawn,
    Answers,
    /// The pool's replacements fail one after the other, or do not.
    NoCreates,
    Creates,
    /// The server of another node of the pool has gone first, or its replacement is there.
    OtherShort {
        is_away: bool,
        is_a_persons: bool,
    },
    OtherWell,
    /// Somebody deletes the Node of a server that is gone, as a cloud controller manager does.
    NodeGoes,
}

pub(super) fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![
        20 => Just(Chance::Nothing),
        4 => Just(Chance::Killed),
        3 => Just(Chance::ActFails),
        2 => Just(Chance::CloudDown),
        1 => Just(Chance::HumanCordons),
        1 => Just(Chance::HumanUncordons),
        1 => Just(Chance::ProblemClears),
        1 => Just(Chance::ProblemComesBack),
        1 => Just(Chance::DetectorFallsSilent),
        2 => Just(Chance::DetectorSpeaks),
        1 => Just(Chance::ServerFails),
        2 => Just(Chance::LatePort),
        1 => Just(Chance::ReplacementSick),
        2 => Just(Chance::ReplacementWell),
        1 => Just(Chance::Retry),
        2 => Just(Chance::NodeReboots),
        3 => Just(Chance::Hangs),
        1 => Just(Chance::IsBack),
        1 => Just(Chance::HostDown),
        2 => Just(Chance::HostUp),
        1 => Just(Chance::SomebodyStarts),
        1 => Just(Chance::SomebodyStops),
        1 => Just(Chance::Stop),
        1 => Just(Chance::Pause),
        3 => Just(Chance::GoOn),
        1 => Just(Chance::Reject),
        1 => Just(Chance::Delete),
        1 => Just(Chance::Owned),
        2 => Just(Chance::LetGo),
        1 => Just(Chance::Crowded),
        2 => Just(Chance::Alone),
        1 => Just(Chance::Storm),
        3 => Just(Chance::Calm),
        2 => Just(Chance::GuestComes),
        1 => Just(Chance::PodComes),
        3 => Just(Chance::LongTime),
        1 => Just(Chance::RoomTaken),
        3 => Just(Chance::RoomFree),
        1 => Just(Chance::GoesFirst),
        1 => Just(Chance::Stays),
        1 => Just(Chance::Observes),
        3 => Just(Chance::Acts),
        1 => Just(Chance::Withdrawn),
        2 => Just(Chance::Answers),
        1 => Just(Chance::NoCreates),
        3 => Just(Chance::Creates),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(is_away, is_a_persons)| Chance::OtherShort { is_away, is_a_persons }),
        3 => Just(Chance::OtherWell),
        2 => Just(Chance::NodeGoes),
    ]
}

impl World {
    pub(super) fn happen(&mut self, chance: Chance) {
        match chance {
            Chance::Nothing | Chance::Killed | Chance::ActFails | Chance::CloudDown => {}
            Chance::HumanCordons => {
                if let Some(node) = self.node.as_mut().filter(|node| !node.unschedulable) {
                    (node.unschedulable, node.cordoned_by) = (true, None);
                }
            }
            Chance::HumanUncordons => {
                if let Some(node) = &mut self.node {
                    (node.unschedulable, node.cordoned_by) = (false, None);
                }
            }
            Chance::Hangs => {
                if self.is_heard() {
                    self.hear(Status::Unknown);
                }
            }
            Chance::IsBack => {
                if self.runs && !self.is_heard() {
                    self.heartbeat += 1;
                    self.hear(Status::Yes);
                }
            }
            Chance::HostDown => self.host_is_up = false,
            Chance::HostUp => {
                self.host_is_up = true;
                // what was left undone is not taken up again
                self.old.iter_mut().for_each(|server| server.task = None);
            }
            Chance::SomebodyStarts => {
                if self.old.is_some() && !self.runs && self.host_is_up {
                    self.ask_host("start", "a person");
                }
            }
            Chance::SomebodyStops => {
                if self.old.is_some() && self.runs && self.host_is_up {
                    self.ask_host("stop", "a person");
                }
            }
            Chance::ProblemClears => {
                self.problem = ProblemSeen::Cleared {
                    held: 1000,
                    doubt: None,
                }
            }
            Chance::ProblemComesBack => self.problem = ProblemSeen::There,
            Chance::DetectorFallsSilent => self.problem = ProblemSeen::Stale,
            Chance::DetectorSpeaks => {
                if self.problem == ProblemSeen::Stale {
                    self.problem = ProblemSeen::There;
                }
            }
            Chance::ServerFails => {
                if self.record.side() != Side::Committed {
                    self.new
                        .iter_mut()
                        .for_each(|server| server.status = "ERROR".to_owned());
                }
            }
            Chance::LatePort => {
                // what was sent comes within the settling time, or never
                let sent = self
                    .record
                    .replacement
                    .as_ref()
                    .and_then(|one| one.ports_at);
                let late = sent.is_some_and(|sent| seconds_between(sent, at(self.second)) < 50);
                if late {
                    self.port("late");
                }
            }
            Chance::ReplacementSick | Chance::ReplacementWell => {
                let ready = match chance {
                    Chance::ReplacementSick => Status::No,
                    _ => Status::Yes,
                };
                self.new_node.iter_mut().for_each(|node| node.ready = ready);
            }
            Chance::Retry => self.request.retry = Some(self.second.to_string()),
            Chance::Stop => self.hands.stop = Stop::Stopped(String::new()),
            Chance::Pause => self.hands.pool_paused = Some(String::new()),
            Chance::GoOn => {
                self.hands.stop = Stop::Runs;
                self.hands.pool_paused = None;
            }
            Chance::Reject => self.hands.reject = Some(String::new()),
            Chance::Delete => self.hands.deleted = true,
            Chance::Owned => self.owned = true,
            Chance::LetGo => self.owned = false,
            Chance::Crowded => {
                self.hands.turn = Turn::Waits(Reason::AnotherRepairRuns, String::new());
            }
            Chance::Storm => {
                self.hands.storm = Some((Reason::BreakerOpen, String::new()));
            }
            Chance::Calm => self.hands.storm = None,
            Chance::Alone => self.hands.turn = Turn::Free,
            Chance::NodeReboots => {
                let heard = self.is_heard();
                if let (true, Some(node), Some(grant)) = (heard, &mut self.node, &self.record.grant)
                {
                    self.request.accepted_grant = Some(grant.id.clone());
                    node.boot_id = crate::name::BootId::parse(format!("boot-{}", self.second)).ok();
                }
            }
            Chance::GuestComes => {
                if self
                    .new_node
                    .as_ref()
                    .is_some_and(|node| !node.unschedulable)
                {
                    self.guests.push(owned(&format!("guest-{}", self.second)));
                }
            }
            Chance::PodComes => {
                if self.old.is_some() && self.node.is_some() {
                    self.pods.push(owned(&format!("late-{}", self.second)));
                }
            }
            Chance::LongTime => self.second += 200,
            Chance::RoomTaken => self.is_taken = true,
            Chance::RoomFree => self.is_taken = false,
            Chance::GoesFirst => (self.goes_first, self.ever_first) = (true, true),
            Chance::Stays => self.goes_first = false,
            Chance::Observes => self.observes = true,
            Chance::Acts => self.observes = false,
            Chance::Withdrawn => self.withdrawn = true,
            Chance::Answers => self.withdrawn = false,
            Chance::NoCreates => self.hands.no_creates = Some(String::new()),
            Chance::Creates => self.hands.no_creates = None,
            Chance::OtherShort {
                is_away,
                is_a_persons,
            } => {
                self.hands.short = Some(Short {
                    node: NodeName::parse("worker-9").expect("a name"),
                    is_away,
                    is_a_persons,
                });
            }
            Chance::OtherWell => self.hands.short = None,
            Chance::NodeGoes => {
                if self.old.is_none() {
                    self.node = None;
                    self.pods.clear();
                }
            }
        }
    }
}
