//! The guard rails: whether something intrusive may begin now. No policy is asked here, and none can pass.

use jiff::{SignedDuration, Timestamp};

use super::limits::Limits;
use super::memory::{Episode, Memory};
use super::seen::Seen;
use crate::clock::seconds_between;
use crate::name::FixName;
use crate::policy::{FixCall, Freshness, Gate, Remedy, UnitCall};
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

/// May any remedy begin for this episode now?
pub(super) fn remedy(
    memory: &Memory,
    episode: &Episode,
    seen: &Seen,
    limits: &Limits,
) -> Result<(), Closed> {
    if let Some(why) = &seen.stop {
        return closed(Reason::Stopped, why);
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
    not_used_up(episode, limits)?;
    // An unset clock makes the age 0: late rather than too soon.
    if let Some(last) = memory.last_remedy
        && seconds_between(last, seen.now) < limits.min_interval
    {
        return closed(
            Reason::TooSoon,
            format!("not before {}", after(last, limits.min_interval)),
        );
    }
    // Without systemd's word we would neither know whether it is busy, nor what became of the remedy.
    if seen.systemd != Freshness::Fresh {
        return closed(Reason::SystemdUnavailable, "");
    }
    Ok(())
}

/// May one more unit or fix be tried in this episode?
pub(super) fn not_used_up(episode: &Episode, limits: &Limits) -> Result<(), Closed> {
    let (tried, most) = (episode.tried(), limits.max_attempts);
    if tried >= most {
        return closed(Reason::RemediesUsedUp, format!("{tried} of {most}"));
    }
    Ok(())
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
