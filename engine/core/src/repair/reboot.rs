//! The first rung: a reboot from inside, by a grant that only this boot of this node can use, once.

use super::eviction::evict;
use super::next::Next;
use super::record::{Grant, Rung, Tried};
use super::seen::{ProblemSeen, Seen};
use super::{Phase, age, asked, call_off, called_off, dead, hands, power, sick_node, withdrawn};
use crate::clock::SignedDuration;
use crate::policy::{Outcome, Seconds, Status};
use crate::reason::Reason;

/// Pods leave first: a reboot takes them down without asking their budgets. Those that nobody there can end are ended by it.
pub(super) fn draining(seen: &Seen) -> Next {
    if let Some(reason) = called_off(seen) {
        return call_off(seen, reason);
    }
    match evict(seen) {
        Some(next) if !dead::ends_nothing(seen) => next,
        Some(_) | None => match seen.record.rung {
            Some(Rung::HardReboot) => power::begin(seen),
            Some(Rung::Reboot | Rung::Replace) | None => offer(seen),
        },
    }
}

fn offer(seen: &Seen) -> Next {
    let (Some(node), Ok(rules)) = (sick_node(seen), &seen.pool) else {
        return Next::wait(seen, Reason::NoPool, "");
    };
    let Some(boot) = &node.boot_id else {
        return Next::wait(seen, Reason::AwaitingBoot, "the node reports no boot id");
    };
    let grant = Grant {
        id: format!("{}-{}", seen.repair_uid, seen.record.tried.len() + 1),
        boot_id: boot.to_string(),
        node_uid: node.uid.to_string(),
        until: seen.now + SignedDuration::from_secs(i64::from(rules.grant)),
    };
    let tried = Tried {
        rung: Rung::Reboot,
        since: seen.now,
        outcome: Outcome::Running,
        reason: Reason::GrantOffered,
    };
    Next::enter(seen, Phase::GrantOffered, Reason::GrantOffered, "").with(|record| {
        record.grant = Some(grant);
        record.tried.push(tried);
    })
}

/// The offer stands. Accepting and withdrawing are writes to the same object: one of the two loses the swap.
pub(super) fn grant_offered(seen: &Seen) -> Next {
    let Some(grant) = &seen.record.grant else {
        return give_up(seen, Reason::GrantExpired);
    };
    if seen.request.accepted_grant.as_ref() == Some(&grant.id) {
        return Next::enter(seen, Phase::Rebooting, Reason::GrantAccepted, "");
    }
    if let Some(reason) = called_off(seen) {
        return call_off(seen, reason).with(|record| record.grant = None);
    }
    // What freezes the repair, and a person who halts us, take the offer back; it was no try.
    if let Some((reason, detail)) = hands::frozen(seen).or_else(|| hands::halted(seen)) {
        return Next::enter(seen, Phase::Judging, reason, detail).with(|record| {
            record.grant = None;
            record.tried.pop();
        });
    }
    if seen.now >= grant.until {
        return give_up(seen, Reason::GrantExpired).with(|record| record.grant = None);
    }
    Next::wait(seen, Reason::GrantOffered, "")
}

/// Accepted: the node may go down at any moment. Only a new boot id, the deadline or the Node's own end ends it.
pub(super) fn rebooting(seen: &Seen) -> Next {
    if sick_node(seen).is_none() {
        return give_up(seen, Reason::NodeGone);
    }
    let boot = sick_node(seen).and_then(|node| node.boot_id.as_ref());
    let granted = seen
        .record
        .grant
        .as_ref()
        .map(|grant| grant.boot_id.as_str());
    if boot.is_some_and(|boot| Some(boot.as_str()) != granted) {
        return Next::enter(seen, Phase::Settling, Reason::Settling, "a new boot id");
    }
    if age(seen)
        >= seen
            .pool
            .as_ref()
            .map_or(Seconds::MAX, |rules| rules.reboot)
    {
        return give_up(seen, Reason::BootOverdue);
    }
    Next::wait(seen, Reason::AwaitingBoot, "")
}

/// Booted. Healthy means: Ready, and the problem reported as gone for the settling time, in this boot.
pub(super) fn settling(seen: &Seen) -> Next {
    // Deleted, or another machine of that name: nobody will ever see how this boot did.
    let Some(node) = sick_node(seen) else {
        return give_up(seen, Reason::NodeGone);
    };
    let rules = match &seen.pool {
        Ok(rules) => rules,
        Err(none) => return Next::wait(seen, Reason::from(*none), ""),
    };
    // NPD starts with every condition False: only what has held since the boot, for the settling time, counts. That it has is
    // what a boot is for, and no doubt in itself.
    let well = match seen.problem {
        ProblemSeen::Cleared { held, doubt: _ } => {
            held >= rules.settle && age(seen) >= rules.settle
        }
        // a person wanted the reboot, whatever is told of the node
        ProblemSeen::NotReported | ProblemSeen::Stale if asked::is_it(seen) => {
            age(seen) >= rules.settle
        }
        // of what no condition tells the node's engine knows alone, and takes its word back when it is gone
        ProblemSeen::NotReported if seen.request.problem.source.is_some() => {
            withdrawn(seen) && age(seen) >= rules.settle
        }
        ProblemSeen::There | ProblemSeen::NotReported | ProblemSeen::Stale => false,
    };
    if well && node.ready == Status::Yes && asked::wants_another(seen) {
        return Next::enter(
            seen,
            Phase::Judging,
            Reason::PersonAsked,
            "after the reboot",
        )
        .with(|record| close(record, Outcome::Recovered, Reason::Recovered));
    }
    if well && node.ready == Status::Yes {
        return Next::enter(
            seen,
            Phase::Uncordoning,
            Reason::Recovered,
            "after the reboot",
        )
        .with(|record| close(record, Outcome::Recovered, Reason::Recovered));
    }
    // Twice the settling time: once for the check to run at all, once for it to hold.
    if age(seen) >= rules.settle.saturating_mul(2).max(rules.reboot)
        || (seen.problem == ProblemSeen::There && age(seen) >= rules.settle)
    {
        return give_up(seen, Reason::NoEffect);
    }
    Next::wait(seen, Reason::Settling, "")
}

/// The rung did not help: the policies judge again, and see that it was tried.
pub(super) fn give_up(seen: &Seen, reason: Reason) -> Next {
    let outcome = match reason {
        Reason::NoEffect => Outcome::NoEffect,
        Reason::GrantExpired => Outcome::Refused,
        _ => Outcome::Failed,
    };
    Next::enter(seen, Phase::Judging, reason, "").with(|record| close(record, outcome, reason))
}

fn close(record: &mut super::Record, outcome: Outcome, reason: Reason) {
    if let Some(last) = record.tried.last_mut() {
        last.outcome = outcome;
        last.reason = reason;
    }
}
