//! What a node's condition is worth as evidence. It is written by a detector that may restart, fall silent, or change its mind
//! every minute; and its `lastTransitionTime` is that detector's own, so that "for how long" counts from our first sight.
//!
//! | the condition | what it is worth |
//! |---|---|
//! | comes and goes | the time for which it stood is added up until it is due; away for [`STEADY`], it begins anew |
//! | False, and the oldest of all that its detector says | the detector was restarted: a recovery after [`STEADY`], not before |
//! | not renewed for [`UNHEARD`] | neither health nor illness: nothing intrusive begins on it |
//!
//! What we forget when we restart ourselves can only make us wait longer: what was added up begins anew, and how long a
//! detector has been silent is then told by its own heartbeat.

use jiff::Timestamp;

use super::next::Next;
use super::record::RequestedBy;
use super::seen::{ProblemSeen, Seen};
use super::{Phase, age, asked, call_off, cleared, sick_node};
use crate::clock::seconds_between;
use crate::policy::{Freshness, Seconds, Status};
use crate::reason::Reason;
use crate::standing::NOT_READY;

/// A problem that was away for less is the same one, come back. 15 min: three of the 5 min after which Node Problem Detector
/// and kubelet by default say again what they said.
pub const STEADY: Seconds = 900;

/// What was not said again for so long is not known any more. 11 min: two such heartbeats, and one minute for the second to come.
pub const UNHEARD: Seconds = 660;

/// A problem that comes and goes is due when it stood for so many times its grace in all. 3: it came four times at least, and a
/// node engine that heals it each time was given its grace each time.
const GRACES: Seconds = 3;

/// The monitors of one detector begin within so many seconds of each other.
const TOGETHER: Seconds = 5;

/// Is a condition of this type renewed, if it has a heartbeat at all? Whoever provides the network writes its own once, with the
/// time of that, and no more.
pub fn is_renewed(kind: &str) -> bool {
    kind != NETWORK
}

const NETWORK: &str = "NetworkUnavailable";

/// Is it a problem detector's? The kubelet finds out about its own conditions anew before it writes them.
pub fn is_detectors(kind: &str) -> bool {
    let kubelets = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];
    !kubelets.contains(&kind) && kind != NOT_READY && kind != NETWORK
}

/// How a problem has come and gone, without having been away for [`STEADY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spell {
    /// For how many seconds it stood before it went the last time.
    pub stood: Seconds,
    /// How often it came back.
    pub returns: u16,
}

impl Spell {
    /// The spell when the problem's condition changes, after so many seconds as it was before.
    #[must_use]
    pub fn turns(self, from: Status, held: Seconds, to: Status) -> Spell {
        match (from == Status::Yes, to == Status::Yes) {
            (true, _) => Spell {
                stood: self.stood.saturating_add(held),
                ..self
            },
            (false, true) if held >= STEADY || self == Spell::default() => Spell::default(),
            (false, true) => Spell {
                returns: self.returns.saturating_add(1),
                ..self
            },
            (false, false) => self,
        }
    }

    /// So many seconds after it came the last time a problem that stays is due.
    pub fn due_after(self, grace: Seconds) -> Seconds {
        match self.returns {
            0 => grace,
            1.. => grace.min(grace.saturating_mul(GRACES).saturating_sub(self.stood)),
        }
    }
}

/// Is a detector's condition False only because the detector was restarted? It then begins with all of its conditions False,
/// and can say nothing that is older. `own` is when the condition became False by the detector's word, `others` the same of
/// whatever else it reports.
pub fn is_reset(own: Timestamp, others: impl IntoIterator<Item = Timestamp>) -> bool {
    let mut others = others.into_iter().peekable();
    let is_older = |other: Timestamp| seconds_between(other, own) > TOGETHER;
    others.peek().is_some() && !others.any(is_older)
}

/// What is told of the problem's condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Its status.
    pub status: Status,
    /// For how long we have seen that.
    pub held: Seconds,
    /// For how long its reporter has not said it again; absent if this one never does.
    pub unheard: Option<Seconds>,
    /// How it has come and gone.
    pub spell: Spell,
    /// It is False only because its detector was restarted: see [`is_reset`].
    pub is_reset: bool,
}

/// Why a problem that is away may not be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It was away before, and came back.
    Flaps,
    /// Its detector was restarted, and knows nothing of before.
    Reset,
}

impl ProblemSeen {
    /// What that is worth. `None`: the node has no such condition.
    pub fn of(told: Option<Told>) -> ProblemSeen {
        let Some(told) = told else {
            return ProblemSeen::NotReported;
        };
        if told.unheard.is_some_and(|unheard| unheard >= UNHEARD) {
            return ProblemSeen::Stale;
        }
        match told.status {
            Status::Yes => ProblemSeen::There,
            Status::Unknown => ProblemSeen::NotReported,
            Status::No => ProblemSeen::Cleared {
                held: told.held,
                doubt: match (told.is_reset, told.spell.returns) {
                    (true, _) => Some(Doubt::Reset),
                    (false, 1..) => Some(Doubt::Flaps),
                    (false, 0) => None,
                },
            },
        }
    }
}

/// A problem that is away must stay away for so long before that is a recovery.
pub(super) fn away_for(settle: Seconds, doubt: Option<Doubt>) -> Seconds {
    match doubt {
        Some(Doubt::Flaps | Doubt::Reset) => settle.max(STEADY),
        None => settle,
    }
}

/// The problem is away at the moment: nothing more is done until it has stayed away, or is back.
pub(super) fn away(seen: &Seen) -> Option<Next> {
    let ProblemSeen::Cleared { doubt, .. } = seen.problem else {
        return None;
    };
    if cleared(seen) || asked::is_it(seen) {
        return None;
    }
    let reason = match doubt {
        Some(Doubt::Flaps) => Reason::Flapping,
        Some(Doubt::Reset) => Reason::DetectorRestarted,
        None => Reason::Settling,
    };
    Some(Next::wait(seen, reason, &seen.request.problem.kind))
}

/// Why nothing intrusive may rest on the problem's condition now. A node that is not Ready needs no other sign, and a person's word
/// is one.
fn untold(seen: &Seen) -> Option<Reason> {
    let node = sick_node(seen)?;
    let requested_by = seen.request.requested_by;
    if node.ready != Status::Yes || asked::by_a_person(seen) {
        return None;
    }
    match seen.problem {
        ProblemSeen::There | ProblemSeen::Cleared { .. } => None,
        ProblemSeen::Stale => Some(Reason::ConditionStale),
        // what the node's engine finds by other signs is on no Node
        ProblemSeen::NotReported => {
            (requested_by == RequestedBy::Conditions).then_some(Reason::ConditionNotReported)
        }
    }
}

/// How far a policy can trust what it is told of the problem.
pub fn freshness(seen: &Seen) -> Freshness {
    match untold(seen) {
        None => Freshness::Fresh,
        Some(_) => Freshness::Stale,
    }
}

/// The problem is away at the moment, or nobody speaks of it any more: nothing more is begun until that is known.
pub(super) fn unsure(seen: &Seen) -> Option<Next> {
    let wait = |reason| Next::wait(seen, reason, &seen.request.problem.kind);
    away(seen).or_else(|| untold(seen).map(wait))
}

/// The step, unless it is an intrusive one that rests on what nobody says any more. After the commit it is safer to finish than
/// to stop.
pub(super) fn hold(seen: &Seen, next: Next) -> Next {
    let intrusive = next.act.as_ref().is_some_and(|act| act.is_intrusive());
    let begins = intrusive || next.grants(&seen.record);
    if seen.record.side().is_past_return() || !begins {
        return next;
    }
    let Some(reason) = untold(seen) else {
        return next;
    };
    // A server that waits for nothing but this is not kept without end.
    let join = seen.pool.as_ref().map_or(Seconds::MAX, |rules| rules.join);
    if seen.record.phase == Phase::Joining && age(seen) >= join {
        return call_off(seen, reason);
    }
    Next::wait(seen, reason, &seen.request.problem.kind)
}
