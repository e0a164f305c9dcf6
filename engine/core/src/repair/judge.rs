//! What is to be done to the node: left to its own engine, rebooted, replaced, or shown to a person.

use jiff::Timestamp;

use super::attempts::ATTEMPTS;
use super::next::{Act, Next, message, step};
use super::record::{Asks, Record, Request, RequestedBy, Rung, Verdict};
use super::room::{self, Side};
use super::seen::{Rules, Seen, ServerSeen};
use super::server::{self, busy, certain, stopped_by};
use super::{
    Phase, asked, call_off, called_off, cleared, dead, hands, history, ours, power, preflight,
    sick_node, told, withdrawn,
};
use crate::clock::SignedDuration;
use crate::policy::{Advice, Decision, OnFailure, PolicyRef, Remedy};
use crate::reason::Reason;

/// The node's engine works on it; the control plane keeps away until it is asked, or until the deadline.
pub(super) fn healing_in_node(seen: &Seen) -> Next {
    if sick_node(seen).is_none() {
        return Next::enter(seen, Phase::Cancelled, Reason::NodeGone, "");
    }
    if withdrawn(seen) {
        return Next::enter(seen, Phase::Recovered, Reason::Withdrawn, "");
    }
    if let Some(next) = ended(seen, false) {
        return next;
    }
    match asked(&seen.request, seen.now) {
        Some((reason, detail)) => Next::enter(seen, Phase::Judging, reason, detail),
        None => Next::wait(seen, Reason::HealingInNode, ""),
    }
}

/// Why the control plane is asked to judge, if it is.
fn asked(request: &Request, now: Timestamp) -> Option<(Reason, &'static str)> {
    if request.wants.is_some() {
        return Some((Reason::PersonAsked, ""));
    }
    match (request.asks, request.requested_by) {
        (Asks::Reboot, _) => Some((Reason::RebootAsked, "")),
        (Asks::Escalate, RequestedBy::NodeEngine) => Some((Reason::Escalated, "")),
        (Asks::Escalate, RequestedBy::Conditions) => Some((Reason::AgentSilent, "")),
        (Asks::Escalate, RequestedBy::Operator) => Some((Reason::PersonAsked, "")),
        // Without a deadline of its own an agent may not hold a node for ever: its repair is judged at once.
        (Asks::InNode, _) => request
            .deadline
            .is_none_or(|deadline| deadline <= now)
            .then_some((Reason::AgentOverdue, "")),
    }
}

/// The record of a repair that has none yet. One that asks for the control plane is being judged from the beginning: nothing
/// would come of a step that says only this.
pub fn opened(request: &Request, now: Timestamp) -> Record {
    match asked(request, now) {
        Some((reason, detail)) => Record {
            phase: Phase::Judging,
            since: Some(now),
            reason: Some(reason),
            message: message(reason, detail),
            steps: vec![step(Phase::Judging, now, reason, detail)],
            ..Record::default()
        },
        None => Record::default(),
    }
}

/// The policies are asked; nothing has been touched, or a rung has been tried in vain and our cordon still stands.
pub(super) fn judging(seen: &Seen) -> Next {
    let Some(node) = sick_node(seen) else {
        return Next::enter(seen, Phase::Cancelled, Reason::NodeGone, "");
    };
    if withdrawn(seen) || cleared(seen) {
        let reason = if withdrawn(seen) {
            Reason::Withdrawn
        } else {
            Reason::ProblemCleared
        };
        let next = if ours(seen, node) {
            Phase::Uncordoning
        } else {
            Phase::Recovered
        };
        return Next::enter(seen, next, reason, "");
    }
    if let Some(next) = ended(seen, ours(seen, node)) {
        return next;
    }
    // Remembered, so that the same mark is not taken for another try later.
    if let Some(mark) = new_mark(seen) {
        return Next::wait(seen, Reason::RetryAsked, "")
            .with(|record| follow_mark(record, mark, seen.now));
    }
    // A person who took our cordon away while a reboot was tried wants the node back: no other rung follows.
    if given_back(seen) {
        return Next::enter(seen, Phase::RollingBack, Reason::Uncordoned, "");
    }
    if let Some(next) = nobodys(seen) {
        return next;
    }
    // Somebody's cordon is somebody's plan: it is never undone, and nothing is done under it.
    if node.unschedulable && !ours(seen, node) {
        return Next::wait(seen, Reason::CordonedByOther, "");
    }
    // With our cordon on it the node was given back above.
    if let Some(other) = hands::owned(seen) {
        return Next::wait(seen, Reason::OwnedByOther, other);
    }
    if let Some(until) = vetoed(seen) {
        return Next::wait(seen, Reason::Vetoed, format!("until {until}"));
    }
    let rules = match &seen.pool {
        Ok(rules) => rules,
        Err(none) => return Next::wait(seen, Reason::from(*none), ""),
    };
    // It may be gone for good: that is known as soon as it stays away, or is back, or is spoken of again.
    if let Some(next) = told::unsure(seen) {
        return next;
    }
    if let Some(next) = hands::waits_for_a_window(seen) {
        return next;
    }
    // Ready is Unknown: nothing is decided before it is seen whether the node is alive all the same.
    // Unless a person says what is to be done to it, alive or not.
    let wants = seen.request.wants;
    if let Some(next) = dead::not_silent(seen)
        && (wants.is_none() || next.reason != Reason::KubeletAlive)
    {
        return next;
    }
    // Whatever a policy would say: what somebody stopped is theirs, and what no host answers for is a person's.
    if let Err(next) = touchable(seen)
        && matches!(
            next.reason,
            Reason::StoppedByOther | Reason::HostUnreachable
        )
    {
        return *next;
    }
    if let Some(rung) = wants {
        return asked::follow(seen, rules, rung);
    }
    // The node's own policy decided on the reboot; the control plane only keeps to its rails.
    if seen.request.asks == Asks::Reboot && history::may_reboot(seen) {
        return start(seen, rules, Rung::Reboot, "asked by the node's engine");
    }
    if seen.record.wait_until.is_some_and(|until| until > seen.now) {
        let verdict = seen.record.verdict.as_ref();
        return policy_waits(seen, verdict.map_or("", |verdict| &verdict.reason));
    }
    match &seen.advice {
        Some(Advice::Decided { policy, decision }) => follow(seen, rules, policy, decision),
        Some(Advice::Unavailable {
            on_failure: OnFailure::Wait,
            message,
            ..
        }) => Next::wait(seen, Reason::PolicyFailed, message),
        Some(Advice::Unavailable {
            on_failure: OnFailure::Escalate,
            message,
            ..
        }) => Next::enter(seen, Phase::NeedsHuman, Reason::PolicyFailed, message),
        Some(Advice::None) | None => Next::wait(seen, Reason::NoPolicy, &seen.request.problem.kind),
    }
}

/// A person's or another owner's word ends it, before the next rung. An owner of a node that we have not touched only keeps
/// us away from it.
fn ended(seen: &Seen, touched: bool) -> Option<Next> {
    let reason = hands::ends(seen)?;
    if touched {
        return Some(call_off(seen, reason));
    }
    let words = hands::words(seen, reason);
    (reason != Reason::OwnedByOther).then(|| Next::enter(seen, Phase::Cancelled, reason, words))
}

/// The policies that answered for the problem are gone, and nothing was done by their word. A repair that stayed open would keep
/// others from the node, and its pool's breaker from closing.
fn nobodys(seen: &Seen) -> Option<Next> {
    let kind = &seen.request.problem.kind;
    (seen.withdrawn && hands::is_ours_alone(seen))
        .then(|| Next::enter(seen, Phase::Cancelled, Reason::NoPolicy, kind))
}

/// Our cordon was set, and somebody took it away.
fn given_back(seen: &Seen) -> bool {
    seen.record.rung.is_some() && sick_node(seen).is_some_and(|node| !node.unschedulable)
}

/// Until when a person's word forbids a repair of this node for this problem. Another word of a person's lifts it.
fn vetoed(seen: &Seen) -> Option<Timestamp> {
    if seen.request.is_a_persons() || seen.record.retried_at.is_some() {
        return None;
    }
    let request = &seen.request;
    history::veto(
        &seen.archive,
        &request.node_uid,
        &request.problem.kind,
        seen.now,
    )
}

/// The policy waits. One that is told of a storm does so of its own accord, but whoever is paged has to read of the storm.
fn policy_waits(seen: &Seen, why: &str) -> Next {
    match hands::frozen(seen) {
        Some((reason, words)) if reason != Reason::PoolObserves => Next::wait(seen, reason, words),
        Some(_) | None => Next::wait(seen, Reason::PolicyWaits, why),
    }
}

fn follow(seen: &Seen, rules: &Rules, policy: &PolicyRef, decision: &Decision) -> Next {
    let verdict = Verdict {
        policy: policy.name.to_string(),
        digest: policy.digest.clone(),
        remedy: decision.remedy.to_string(),
        reason: decision.reason.clone(),
        at: seen.now,
    };
    let next = match &decision.remedy {
        Remedy::Replace => replace(seen, rules, &decision.reason),
        Remedy::Escalate => Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::PolicyEscalated,
            &decision.reason,
        ),
        Remedy::Wait(seconds) => {
            let until = seen.now + SignedDuration::from_secs(i64::from(*seconds));
            policy_waits(seen, &decision.reason).with(|record| record.wait_until = Some(until))
        }
        Remedy::Decline => Next::wait(seen, Reason::NoPolicy, &seen.request.problem.kind),
        Remedy::Reboot => hard_reboot(seen, rules, &decision.reason),
        Remedy::Unit(_) | Remedy::Fix(_) => {
            Next::wait(seen, Reason::RemedyNotForSite, decision.remedy.label())
        }
    };
    // Of an answer that is given again and again while its repair waits the first is kept: a record that changes is a write,
    // and a write is another look.
    let waits = next.record.phase == seen.record.phase;
    match &seen.record.verdict {
        Some(first) if waits && first.says_as(&verdict) => next,
        _ => next.with(|record| record.verdict = Some(verdict)),
    }
}

pub(super) fn replace(seen: &Seen, rules: &Rules, why: &str) -> Next {
    if !rules.provisions {
        return Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::PolicyDecided,
            "replace, but the pool has no `provisioning`",
        );
    }
    // Whatever a policy says: what failed so often will not succeed by itself.
    let failed = history::failed_replacements(seen);
    if failed >= ATTEMPTS {
        return Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::AttemptsUsedUp,
            format!("{failed} replacements of this node failed within a day"),
        );
    }
    let server = match touchable(seen) {
        Ok(server) => server,
        Err(next) => return *next,
    };
    // Its host was started anew, or its guest shut itself down: no machine is thrown away that was only not switched on.
    let wanted = seen.request.wants == Some(Rung::Replace);
    if server.is_off && !wanted && history::may_hard_reboot(seen) {
        return start(
            seen,
            rules,
            Rung::HardReboot,
            "it is off: a start comes first",
        );
    }
    if let Some(made) = history::did_not_help(seen) {
        let words = format!(
            "it took the place of {}, which had {}, at {}",
            made.node, made.problem, made.committed
        );
        return Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::ReplacementDidNotHelp,
            words,
        );
    }
    let id = server.id.to_string();
    if let Some(next) = preflight::refuse(seen, rules) {
        return next;
    }
    start(seen, rules, Rung::Replace, why).with(|record| record.server_id = Some(id))
}

fn hard_reboot(seen: &Seen, rules: &Rules, why: &str) -> Next {
    if !history::may_hard_reboot(seen) {
        return Next::enter(seen, Phase::NeedsHuman, Reason::RebootedAlready, why);
    }
    match touchable(seen) {
        Ok(_) => start(seen, rules, Rung::HardReboot, why),
        Err(next) => *next,
    }
}

/// The node's server, if it may be touched now: it is certain, nobody is doing anything with it, and nobody stopped it.
pub(super) fn touchable(seen: &Seen) -> Result<&ServerSeen, Box<Next>> {
    let (view, server) = certain(seen)?;
    if seen.request.confirmed_dead.as_deref() == Some(server.id.as_str()) {
        return Ok(server);
    }
    if let Some(why) = busy(server) {
        // What we asked for ourselves stays under way for ever when its host is down.
        let of_ours = |action| server::ours(seen, view, action);
        let boots = of_ours("reboot").chain(of_ours("start"));
        // a person's is none of ours, though it be newer than our last word
        let stops = of_ours("stop").filter(|_| power::has_stopped(&seen.record));
        let mut asked = boots.chain(stops);
        return Err(Box::new(match asked.find(|action| !action.done) {
            Some(action) if server.task.is_some() => {
                let why = format!("{} {} was never done", action.action, action.request);
                let id = server.id.to_string();
                Next::enter(seen, Phase::NeedsHuman, Reason::HostUnreachable, why)
                    .with(|record| record.server_id = Some(id))
            }
            Some(_) | None => Next::wait(seen, Reason::ServerBusy, why),
        }));
    }
    match stopped_by(seen, view).filter(|_| server.is_off) {
        Some(by) => Err(Box::new(Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::StoppedByOther,
            format!("by {by}"),
        ))),
        None => Ok(server),
    }
}

/// The first intrusive step of a rung: the cordon. It is written down before it is done. A node on which it stands already,
/// from a rung that did not help, goes on from there.
pub(super) fn start(seen: &Seen, rules: &Rules, rung: Rung, why: &str) -> Next {
    if !rules.acts {
        let what = match rung {
            Rung::Reboot => "reboot it",
            Rung::HardReboot => "have the cloud reboot it",
            Rung::Replace => "replace it",
        };
        // of a person who asked it would be no obstacle
        let storm = seen.hands.storm.as_ref();
        let storm = storm.filter(|_| !seen.request.is_a_persons());
        let but = storm.map(|(reason, _)| format!(", but not now: {reason}"));
        let words = format!("it would {what}{}", but.unwrap_or_default());
        return Next::wait(seen, Reason::PoolObserves, words);
    }
    if let Some(wait) = hands::not_yet(seen, rules.approves, rung) {
        return wait;
    }
    // before it is cordoned for nothing
    if let Some(words) = room::is_anothers(seen).filter(|_| rung == Rung::Replace) {
        return Next::wait(seen, Reason::RoomOfAnother, words);
    }
    let reason = match seen.request.wants {
        Some(_) => Reason::PersonAsked,
        None => Reason::PolicyDecided,
    };
    Next::enter(seen, Phase::Cordoning, reason, why)
        .with(|record| {
            record.rung = Some(rung);
            record.pool = Some(rules.name.clone());
        })
        .then(Act::Cordon)
}

/// The cordon is being set.
pub(super) fn cordoning(seen: &Seen) -> Next {
    if let Some(reason) = called_off(seen) {
        return call_off(seen, reason);
    }
    match sick_node(seen) {
        // Between our look and our patch somebody else cordoned it: theirs it is.
        Some(node) if node.unschedulable && !ours(seen, node) => {
            Next::enter(seen, Phase::RollingBack, Reason::CordonedByOther, "")
        }
        Some(node) if node.unschedulable => match seen.record.rung {
            Some(Rung::Reboot | Rung::HardReboot) => {
                Next::enter(seen, Phase::RebootDraining, Reason::Evicting, "")
                    .with(|record| record.drain = None)
            }
            Some(Rung::Replace) | None => super::attempts::begin(seen, None),
        },
        Some(_) | None => Next::act(seen, Act::Cordon, Reason::Cordoning),
    }
}

/// Nothing is done until a person did something. Before the commit, if the problem goes away by itself or the person
/// uncordons the node, what is ours is taken back; after it only a person's word moves it on.
pub(super) fn needs_human(seen: &Seen) -> Next {
    // What cannot be taken back goes through its steps again from the first: each ends at once if it is done.
    let onward = match seen.record.side() {
        Side::Before | Side::MakingRoom => None,
        Side::RoomMade => Some(Phase::Draining),
        Side::Committed => Some(Phase::Committed),
    };
    if let Some(mark) = new_mark(seen) {
        let phase = onward.unwrap_or(Phase::Judging);
        return Next::enter(seen, phase, Reason::RetryAsked, "").with(|record| {
            follow_mark(record, mark, seen.now);
            // a host may have room by now
            if record
                .room
                .take_if(|room| room.ended_at.is_none())
                .is_some()
            {
                (record.owners, record.drain) = (None, None);
            }
        });
    }
    // A person's word about the very thing that was asked.
    let is_answered = seen.record.reason == Some(Reason::HostUnreachable)
        && seen.record.proof.is_none()
        && dead::confirmed(seen);
    if room::may_be_given_up(&seen.record)
        && let Some(reason) = hands::ends(seen)
    {
        let words = hands::words(seen, reason);
        return Next::enter(seen, Phase::Cancelled, reason, words);
    }
    if let Some(phase) = onward {
        return match is_answered {
            true => Next::enter(seen, phase, Reason::ConfirmedDead, ""),
            false => still(seen),
        };
    }
    if sick_node(seen).is_none() {
        return Next::enter(seen, Phase::Cancelled, Reason::NodeGone, "");
    }
    if let Some(next) = ended(seen, sick_node(seen).is_some_and(|node| ours(seen, node))) {
        return next;
    }
    if withdrawn(seen) || cleared(seen) {
        return Next::enter(seen, Phase::RollingBack, Reason::ProblemCleared, "");
    }
    if given_back(seen) {
        return Next::enter(seen, Phase::RollingBack, Reason::Uncordoned, "");
    }
    // What stood in the way of a policy's wish is nobody's when the policy is taken back; what the machine is in stays theirs.
    let is_the_machines = matches!(
        seen.record.reason,
        Some(Reason::StoppedByOther | Reason::HostUnreachable)
    );
    if let Some(next) = nobodys(seen).filter(|_| !is_the_machines) {
        return next;
    }
    if is_answered {
        return Next::enter(seen, Phase::Judging, Reason::ConfirmedDead, "").with(|record| {
            record.room = None;
            (record.owners, record.drain) = (None, None);
        });
    }
    still(seen)
}

/// A person's mark that was not followed yet.
fn new_mark(seen: &Seen) -> Option<&String> {
    let mark = seen.request.retry.as_ref()?;
    (seen.record.retried.as_ref() != Some(mark)).then_some(mark)
}

fn follow_mark(record: &mut Record, mark: &str, now: Timestamp) {
    record.retried = Some(mark.to_owned());
    record.retried_at = Some(now);
    record.wait_until = None;
}

fn still(seen: &Seen) -> Next {
    Next {
        record: seen.record.clone(),
        act: None,
        reason: seen.record.reason.unwrap_or(Reason::PolicyEscalated),
        detail: String::new(),
    }
}
