//! People's hands on a repair, and others' on its node: what may stop it, hold it, or has to let it go on.
//!
//! | hand | before the commit | after it |
//! |---|---|---|
//! | the stop switch, a pause of node or pool | nothing intrusive begins | the same: what is there stays as it is |
//! | the pool's breaker is open, or too little is known of the cluster | nothing intrusive begins, but what a person asked for | goes on |
//! | a pool in mode `Approve` | waits before the first act of each rung | goes on |
//! | `rectifier.dev/reject`, a deletion | everything is taken back | too late: forward |
//! | another owner of the node | everything is taken back | too late: forward |
//!
//! To halt after the commit loses nothing: the replacement works already, and the sick node keeps its pods and its cordon. To
//! take back is always allowed: our cordon, our ports and servers that bore no pod. Time in which we were halted counts for
//! no deadline of ours.

use super::asked;
use super::flight::Turn;
use super::next::Next;
use super::owner::owner;
use super::phase::Phase;
use super::record::{Hand, Record, RequestedBy, Rung, Said};
use super::room::Short;
use super::seen::Seen;
use super::{ours, sick_node};
use crate::reason::Reason;

/// Set by a person on a `NodeRepair` of a pool in mode `Approve`: lets the rung begin that it names, as [`approval`] does.
pub const APPROVE: &str = "rectifier.dev/approve";
/// Set by a person on a `NodeRepair`: ends it, if its replacement is not committed, and is remembered for a day.
pub const REJECT: &str = "rectifier.dev/reject";
/// Set by a person on a `NodeRepair`: the [`Rung`] that is to be done, whatever the policies say.
pub const WANTS: &str = "rectifier.dev/wants";
/// Set by a person on a Node or a `RepairPool`, with the reason: nothing intrusive is done there.
pub const PAUSED: &str = "rectifier.dev/paused";
/// On each open repair: it is deleted only when nothing is left to be done or taken back for it.
pub const FINALIZER: &str = "rectifier.dev/repair";
/// The ConfigMap that halts both engines while it is there. Its key `why` says why.
pub const STOP: &str = "rectifier-stop";

/// The stop switch, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stop {
    /// It is not there.
    #[default]
    Runs,
    /// It is, and says this.
    Stopped(String),
    /// It could not be read. It may be there.
    Unreadable(String),
}

/// What people and others say of this repair and its node, as it was just read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hands {
    /// The stop switch.
    pub stop: Stop,
    /// The pool is paused, for this reason.
    pub pool_paused: Option<String>,
    /// May the repair begin, beside those that have?
    pub turn: Turn,
    /// The problem can wait for the pool's maintenance window, and none is open: when one is.
    pub window: Option<String>,
    /// Why nothing is begun in its pool, and what has begun stays where it is.
    pub storm: Option<(Reason, String)>,
    /// Why no replacement is made in its pool.
    pub no_creates: Option<String>,
    /// Another node of its pool that is without a server.
    pub short: Option<Short>,
    /// The rung that a person lets begin.
    pub approve: Option<String>,
    /// A person ends the repair, for this reason.
    pub reject: Option<String>,
    /// The repair is being deleted.
    pub deleted: bool,
    /// All that stands on the repair in people's words.
    pub spoken: Vec<Spoken>,
}

/// A person's word as it stands on the repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// How.
    pub hand: Hand,
    /// The words.
    pub words: String,
    /// The signature.
    pub by: Option<String>,
}

/// What people said is kept, so many words of it. Arbitrary: more than steer one repair.
const SAID_KEPT: usize = 32;
/// And of each word so many characters, as the record's schema has it.
const WORDS_KEPT: usize = 256;

/// Why nothing intrusive may be done before the commit: a pool that was switched to observe, or a storm. The cordon stays,
/// nothing new is made or touched, and what is ours may still be taken back. After the commit it is safer to finish than to
/// stop. A storm is for what we conclude ourselves: a person who asks for one node's repair has looked.
pub(super) fn frozen(seen: &Seen) -> Option<(Reason, String)> {
    if seen.record.side().is_past_return() {
        return None;
    }
    let acts = seen.pool.as_ref().map_or(true, |rules| rules.acts);
    if !acts {
        let words = format!("stopped in {:?}", seen.record.phase);
        return Some((Reason::PoolObserves, words));
    }
    let by_a_person = asked::by_a_person(seen);
    seen.hands.storm.clone().filter(|_| !by_a_person)
}

/// Does time not count for our deadlines now? What was set going before a storm comes to its end in it: a node that is well again
/// after its boot must not be held, and counted among the ill, for as long as it lasts.
pub(super) fn rests(seen: &Seen) -> bool {
    let ends_by_itself = [
        Phase::Rebooting,
        Phase::HardRebooting,
        Phase::Settling,
        Phase::Uncordoning,
    ];
    let begun = seen.record.rung.is_some() && !ends_by_itself.contains(&seen.record.phase);
    let frozen = frozen(seen).filter(|(reason, _)| begun && *reason != Reason::PoolObserves);
    frozen.is_some() || halted(seen).is_some()
}

/// Why nothing intrusive may be done now, whatever the step.
pub(super) fn halted(seen: &Seen) -> Option<(Reason, String)> {
    match &seen.hands.stop {
        Stop::Runs => {}
        Stop::Stopped(why) => return Some((Reason::Stopped, why.clone())),
        Stop::Unreadable(why) => return Some((Reason::StopUnreadable, why.clone())),
    }
    let node = sick_node(seen).and_then(|node| node.annotations.get(PAUSED));
    if let Some(why) = node {
        return Some((Reason::Paused, format!("node {}: {why}", seen.request.node)));
    }
    let why = seen.hands.pool_paused.as_ref()?;
    let pool = seen.pool.as_ref().map_or("", |rules| rules.name.as_str());
    Some((Reason::Paused, format!("pool {pool}: {why}")))
}

/// The step, unless it is halted.
pub(super) fn held(seen: &Seen, next: &Next) -> Option<Next> {
    let intrusive = next.act.as_ref().is_some_and(|act| act.is_intrusive());
    if !intrusive && !next.grants(&seen.record) {
        return None;
    }
    let (reason, detail) = halted(seen)?;
    Some(Next::wait(seen, reason, detail))
}

/// Writes down since when it is halted, and when it went on: its deadlines begin anew then.
pub(super) fn keep_time(seen: &Seen, next: Next) -> Next {
    if next.record.phase.is_final() {
        return next;
    }
    let halted = rests(seen);
    match (halted, seen.record.halted_at) {
        (true, None) => next.with(|record| record.halted_at = Some(seen.now)),
        (false, Some(_)) => next.with(|record| {
            record.halted_at = None;
            record.resumed_at = Some(seen.now);
        }),
        (true, Some(_)) | (false, None) => next,
    }
}

/// Writes down what people said since the last look, and who it was: an annotation is gone as soon as the next one takes its place.
pub(super) fn keep_words(seen: &Seen, next: Next) -> Next {
    let cut = |words: &str| words.chars().take(WORDS_KEPT).collect::<String>();
    let said = seen.hands.spoken.iter().map(|spoken| Said {
        hand: spoken.hand,
        words: cut(&spoken.words),
        by: spoken.by.as_deref().map(cut),
        at: seen.now,
    });
    let is_new = |said: &Said| {
        let before = seen.record.said.iter().rev();
        let last = before.clone().find(|before| before.hand == said.hand);
        last.is_none_or(|last| (&last.words, &last.by) != (&said.words, &said.by))
    };
    let new: Vec<Said> = said.filter(is_new).collect();
    if new.is_empty() || seen.record.phase.is_final() {
        return next;
    }
    next.with(|record| {
        record.said.extend(new);
        let more = record.said.len().saturating_sub(SAID_KEPT);
        record.said.drain(..more);
    })
}

/// Somebody else's word that ends a repair before its commit.
pub(super) fn ends(seen: &Seen) -> Option<Reason> {
    if seen.hands.deleted {
        return Some(Reason::Deleted);
    }
    if seen.hands.reject.is_some() {
        return Some(Reason::Rejected);
    }
    owned(seen).map(|_| Reason::OwnedByOther)
}

/// More of why a repair is called off, for people.
pub(super) fn words(seen: &Seen, reason: Reason) -> String {
    match reason {
        Reason::Rejected => seen.hands.reject.clone().unwrap_or_default(),
        Reason::OwnedByOther => owned(seen).unwrap_or_default(),
        _ => String::new(),
    }
}

/// The other owner of the node, and by which sign.
pub(super) fn owned(seen: &Seen) -> Option<String> {
    let ignored = seen
        .pool
        .as_ref()
        .map_or(&[][..], |rules| rules.ignores.as_slice());
    let (owner, sign) = owner(sick_node(seen)?, ignored)?;
    Some(format!("{} ({sign})", owner.name()))
}

/// What approves this rung, and no other one of the same repair: its name and how many were tried before.
pub fn approval(rung: Rung, tried: usize) -> String {
    format!("{rung:?}-{}", tried + 1)
}

/// The rung for which a repair asks a person, and what approves it: its message names that.
pub fn approval_asked(record: &Record) -> Option<(Rung, String)> {
    if record.reason != Some(Reason::AwaitingApproval) {
        return None;
    }
    let (_, asked) = record.message.rsplit_once(&format!("{APPROVE}="))?;
    let asked = asked.split_whitespace().next()?;
    let rungs = [Rung::Reboot, Rung::HardReboot, Rung::Replace];
    let is_of = |rung: &Rung| approval(*rung, record.tried.len()) == asked;
    let rung = rungs.into_iter().find(is_of)?;
    Some((rung, asked.to_owned()))
}

/// It can wait for the pool's maintenance window. What has begun is not left half done until the next one. What the control plane opened
/// in a window, and what did not get its turn in it, is over: in the next one it is opened anew. One of the node engine's waits: the
/// engine would ask again at once. So does one about which a person was asked, or said something: an approval may come between windows, and
/// what was said is not forgotten.
pub(super) fn waits_for_a_window(seen: &Seen) -> Option<Next> {
    let begins = seen.record.rung.is_none() && !asked::by_a_person(seen);
    let words = seen.hands.window.as_ref().filter(|_| begins)?;
    let nobody_asked = seen.pool.as_ref().is_ok_and(|rules| !rules.approves);
    Some(match is_ours_alone(seen) && nobody_asked {
        true => Next::enter(seen, Phase::Cancelled, Reason::AwaitingWindow, words),
        false => Next::wait(seen, Reason::AwaitingWindow, words),
    })
}

/// Did the control plane open it of its own accord, with nothing done yet, and nothing said by anybody? Then it can end as if it had never been,
/// and be opened anew.
pub(super) fn is_ours_alone(seen: &Seen) -> bool {
    let record = &seen.record;
    let opened = seen.request.requested_by == RequestedBy::Conditions && !asked::by_a_person(seen);
    let touched = record.rung.is_some() || sick_node(seen).is_some_and(|node| ours(seen, node));
    let said = !record.said.is_empty()
        || !seen.hands.spoken.is_empty()
        || record.retried_at.is_some()
        || seen.hands.approve.is_some();
    opened && !touched && record.tried.is_empty() && !said
}

/// What keeps a rung from beginning that the policies and the pool want to begin.
pub(super) fn not_yet(seen: &Seen, approves: bool, rung: Rung) -> Option<Next> {
    let wanted = approval(rung, seen.record.tried.len());
    // who asks for a rung has allowed it
    let asked = seen.request.wants == Some(rung);
    if approves && !asked && seen.hands.approve.as_ref() != Some(&wanted) {
        let command = format!(
            "kubectl annotate noderepair {}.repair --overwrite {APPROVE}={wanted} {APPROVE}-by-",
            seen.request.node
        );
        let detail = match &seen.hands.approve {
            Some(other) => format!("{other} is not {wanted}: {command}"),
            None => command,
        };
        return Some(Next::wait(seen, Reason::AwaitingApproval, detail));
    }
    match &seen.hands.turn {
        Turn::Free => None,
        Turn::Waits(reason, words) => Some(Next::wait(seen, *reason, words)),
    }
}

/// Whoever ends it after its commit is told what becomes of that.
pub(super) fn say_too_late(seen: &Seen, next: Next) -> Next {
    let Some(why) = next.record.side().no_way_back() else {
        return next;
    };
    let mut words = String::new();
    if seen.hands.reject.is_some() {
        words.push_str("; rejected too late: ");
        words.push_str(why);
    }
    if seen.hands.deleted {
        words.push_str("; its deletion waits until it is over");
    }
    if next.record.phase.is_final() || next.record.message.ends_with(&words) {
        return next;
    }
    next.with(|record| record.message.push_str(&words))
}
