//! The guard rails: whether something intrusive may begin now. No policy is asked here, and none can pass.

use jiff::{SignedDuration, Timestamp};

use super::limits::Limits;
use super::memory::{Episode, Memory};
use super::seen::Seen;
use crate::clock::seconds_between;
use crate::name::{ConditionKind, FixName, NodeName};
use crate::policy::{FixCall, Freshness, Gate, Remedy, Seconds, UnitCall};
use crate::reason::Reason;
use crate::repair::{Asks, Phase};

/// A guard rail says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

fn closed<T>(reason: Reason, detail: impl Into<String>) -> Result<T, Closed> {
    Err(Closed {
        reason,
        detail: detail.into(),
    })
}

/// A turn that was not taken for so long is drawn anew: something else held the node, and perhaps others. 5 min: a pass comes
/// once a minute at least.
const TAKEN: Seconds = 300;

/// A day.
const DAY: Seconds = 24 * 3600;

/// May any remedy begin for this episode now?
pub(super) fn remedy(
    memory: &Memory,
    episode: &Episode,
    seen: &Seen,
    limits: &Limits,
) -> Result<(), Closed> {
    // What people said last counts while the API server is away.
    if let Some(why) = &memory.stopped {
        return closed(Reason::Stopped, why);
    }
    if let Some(why) = &memory.paused {
        return closed(Reason::Paused, why);
    }
    if let Some((_, why)) = &seen.unwritable {
        return closed(Reason::JournalUnwritable, why);
    }
    // From a lost memory nothing is repeated: the attempts that it held may be the reason for the problem.
    if episode.forgotten {
        return closed(Reason::JournalLost, "");
    }
    // One owner: once the control plane was asked for more, or works on this node for whatever reason, it may be
    // draining it or waiting for its boot. Our hands are off.
    control_plane(episode, seen)?;
    if let Some((other, attempt)) = memory.running() {
        return closed(
            Reason::AnotherRemedyRuns,
            format!("{other}: {}", attempt.remedy),
        );
    }
    if seen.carrying_out {
        return closed(Reason::AnotherRemedyRuns, "");
    }
    not_used_up(memory, episode, seen, limits)?;
    let distance = distance(episode, limits);
    if let Some(last) = memory.last_remedy
        && seconds_between(last, seen.now) < distance
    {
        let until = after(last, distance);
        return closed(Reason::TooSoon, format!("not before {until}"));
    }
    if seen.goes_down {
        return closed(Reason::GoesDown, "");
    }
    // A boot in the future says that the clock was wrong, and nothing else.
    if let Some(booted) = seen.booted.filter(|booted| *booted <= seen.now)
        && seconds_between(booted, seen.now) < limits.min_uptime
    {
        let until = after(booted, limits.min_uptime);
        return closed(Reason::JustBooted, format!("not before {until}"));
    }
    // Without systemd's word we would neither know whether it is busy, nor what became of the remedy.
    if seen.systemd != Freshness::Fresh {
        return closed(Reason::SystemdUnavailable, "");
    }
    Ok(())
}

/// Each remedy of this episode after its first doubles the time until the next; at most 64 times as long.
fn distance(episode: &Episode, limits: &Limits) -> Seconds {
    let doubled = 1 << episode.tried().saturating_sub(1).min(6);
    limits.min_interval.saturating_mul(doubled)
}

/// May one more unit or fix be tried in this episode? If not, nothing changes that within the time in which a node should be
/// healed.
pub(super) fn not_used_up(
    memory: &Memory,
    episode: &Episode,
    seen: &Seen,
    limits: &Limits,
) -> Result<(), Closed> {
    // One that is full for a moment is no reason to replace a node.
    if let Some((since, why)) = &seen.unwritable
        && seconds_between(*since, seen.now) >= limits.settle
    {
        return closed(Reason::JournalUnwritable, why);
    }
    let (tried, most) = (episode.tried(), limits.max_attempts);
    if tried >= most {
        return closed(Reason::RemediesUsedUp, format!("{tried} of {most}"));
    }
    let rails = [
        (Reason::Quarantined, &memory.failed, limits.quarantine),
        (Reason::DailyUsedUp, &memory.remedies, limits.daily),
    ];
    for (reason, times, most) in rails {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let recent = recent(times, seen.now);
        if let Some(first) = recent.get(recent.len().wrapping_sub(most)) {
            let until = after(*first, DAY);
            return closed(reason, format!("{}, until {until}", recent.len()));
        }
    }
    Ok(())
}

/// Those of the last 24 hours.
pub(super) fn recent(times: &[Timestamp], now: Timestamp) -> &[Timestamp] {
    let old = times.partition_point(|at| seconds_between(*at, now) >= DAY);
    &times[old..]
}

/// Would it be done on every node that has the problem?
pub(super) fn is_wide(remedy: &Remedy, limits: &Limits) -> bool {
    match remedy {
        Remedy::Unit(call) => limits.wide.contains(&call.name),
        Remedy::Fix(_) => true,
        Remedy::Decline | Remedy::Wait(_) | Remedy::Reboot | Remedy::Escalate | Remedy::Replace => {
            false
        }
    }
}

/// Is it this node's turn? What falls ill everywhere at once is not restarted everywhere at once. An episode that has had a
/// remedy is spread already.
pub(super) fn turn(
    episode: &Episode,
    remedy: &Remedy,
    seen: &Seen,
    limits: &Limits,
) -> Result<(), Closed> {
    match episode.turn {
        Some(until) if episode.tried() == 0 && is_wide(remedy, limits) && seen.now < until => {
            closed(Reason::SpreadOut, format!("not before {until}"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The turn that has to be drawn first: there is none, or something else has kept the node from it, as it kept others.
pub(super) fn draw(
    kind: &ConditionKind,
    episode: &Episode,
    remedy: &Remedy,
    seen: &Seen,
    limits: &Limits,
) -> Option<Timestamp> {
    let passed = |until: Timestamp| seconds_between(until, seen.now) > TAKEN;
    let has_one = episode.turn.is_some_and(|until| !passed(until));
    if !is_wide(remedy, limits) || episode.tried() > 0 || has_one {
        return None;
    }
    let wait = share(&seen.name, kind, episode.problem.since, limits.jitter);
    (wait > 0).then(|| after(seen.now, wait))
}

/// From 0 to `most`: always the same for this node and this episode, and another for another (FNV-1a).
fn share(node: &NodeName, kind: &ConditionKind, since: Timestamp, most: Seconds) -> Seconds {
    let text = format!("{node}/{kind}/{}", since.as_second());
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // the upper half is the better mixed one
    u32::try_from((hash >> 32) % (u64::from(most) + 1)).unwrap_or(most)
}

/// Is the node its own engine's?
pub(super) fn control_plane(episode: &Episode, seen: &Seen) -> Result<(), Closed> {
    if let Some(handover) = &episode.handover {
        if handover.asks > Asks::InNode {
            return closed(
                Reason::ControlPlaneWorks,
                format!("{:?} was asked", handover.asks),
            );
        }
        if handover
            .deadline
            .is_some_and(|deadline| deadline <= seen.now)
        {
            return closed(
                Reason::ControlPlaneWorks,
                "the deadline for healing in the node is over",
            );
        }
    }
    // The last known state counts while the API server is away: what it was doing then, it may still be doing.
    if let Some(repair) = &seen.repair.value
        && !repair.withdrawn
        && !repair.phase.is_final()
        && (repair.phase != Phase::HealingInNode || repair.asks > Asks::InNode)
    {
        return closed(Reason::ControlPlaneWorks, format!("{:?}", repair.phase));
    }
    Ok(())
}

/// May this unit be touched?
pub(super) fn unit(call: &UnitCall, limits: &Limits) -> Result<(), Closed> {
    if !limits.units.contains(&call.name) {
        return closed(Reason::UnitNotAllowed, call.name.to_string());
    }
    Ok(())
}

/// May this fix be run with these arguments? Only declared values of declared parameters reach a command line.
pub(super) fn fix(call: &FixCall, limits: &Limits) -> Result<(), Closed> {
    let Some(rule) = limits.fixes.get(&call.name) else {
        return closed(
            Reason::FixNotAllowed,
            format!("{} is not declared", call.name),
        );
    };
    if let Some(name) = call
        .args
        .keys()
        .find(|name| !rule.params.contains_key(*name))
    {
        return closed(
            Reason::FixNotAllowed,
            format!("{} has no parameter {name:?}", call.name),
        );
    }
    for (name, values) in &rule.params {
        match call.args.get(name) {
            Some(value) if values.contains(value) => {}
            Some(value) => {
                return closed(
                    Reason::FixNotAllowed,
                    format!("{}: {value:?} is no value of {name:?}", call.name),
                );
            }
            None => {
                return closed(
                    Reason::FixNotAllowed,
                    format!("{}: {name:?} is missing", call.name),
                );
            }
        }
    }
    Ok(())
}

/// Is systemd at rest with what the remedy is about? A job of somebody else's is not cut short by ours.
pub(super) fn idle(remedy: &Remedy, seen: &Seen) -> Result<(), Closed> {
    match remedy {
        Remedy::Unit(call) if seen.units.get(&call.name).is_some_and(|unit| unit.busy) => closed(
            Reason::AnotherRemedyRuns,
            format!("systemd is at work on {}", call.name),
        ),
        Remedy::Unit(_)
        | Remedy::Fix(_)
        | Remedy::Decline
        | Remedy::Wait(_)
        | Remedy::Reboot
        | Remedy::Escalate
        | Remedy::Replace => Ok(()),
    }
}

/// May a reboot be asked for?
pub(super) fn reboot(episode: &Episode, seen: &Seen) -> Result<(), Closed> {
    if episode.reboot().is_some() {
        return closed(Reason::RebootedAlready, "");
    }
    if seen.boot.is_none() {
        return closed(Reason::BootUnknown, "");
    }
    Ok(())
}

/// As policies see it.
pub(super) fn gate(verdict: Result<(), Closed>) -> Gate {
    match verdict {
        Ok(()) => Gate::Open,
        Err(closed) if closed.detail.is_empty() => Gate::Closed(closed.reason.text().to_owned()),
        Err(closed) => Gate::Closed(format!("{}: {}", closed.reason.text(), closed.detail)),
    }
}

/// The parameters of a fix, for its view.
pub(super) fn params(name: &FixName, limits: &Limits) -> Vec<String> {
    limits
        .fixes
        .get(name)
        .map(|rule| rule.params.keys().cloned().collect())
        .unwrap_or_default()
}

/// A moment so many seconds later.
pub(super) fn after(moment: Timestamp, seconds: u32) -> Timestamp {
    moment
        .saturating_add(SignedDuration::from_secs(seconds.into()))
        .unwrap_or(Timestamp::MAX)
}
