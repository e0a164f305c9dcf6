//! What is to be done to the node: left to its own engine, rebooted, replaced, or shown to a person.

use super::next::{Act, Next};
use super::record::{Asks, RequestedBy, Rung, Verdict};
use super::seen::{CloudSeen, NoRules, Rules, Seen};
use super::{Phase, called_off, cleared, ours, sick_node};
use crate::clock::SignedDuration;
use crate::policy::{Advice, Decision, OnFailure, PolicyRef, Remedy};
use crate::reason::Reason;

/// The node's engine works on it; the control plane keeps away until it is asked, or until the deadline.
pub(super) fn healing_in_node(seen: &Seen) -> Next {
    if sick_node(seen).is_none() {
        return Next::enter(seen, Phase::Cancelled, Reason::NodeGone, "");
    }
    if seen.request.withdrawn {
        return Next::enter(seen, Phase::Recovered, Reason::Withdrawn, "");
    }
    match (seen.request.asks, seen.request.requested_by) {
        (Asks::Reboot, _) => Next::enter(seen, Phase::Judging, Reason::RebootAsked, ""),
        (Asks::Escalate, RequestedBy::NodeEngine) => {
            Next::enter(seen, Phase::Judging, Reason::Escalated, "")
        }
        (Asks::Escalate, RequestedBy::Conditions) => {
            Next::enter(seen, Phase::Judging, Reason::AgentSilent, "")
        }
        (Asks::Escalate, RequestedBy::Operator) => Next::enter(
            seen,
            Phase::Judging,
            Reason::PolicyDecided,
            "asked by a person",
        ),
        // Without a deadline of its own an agent may not hold a node for ever: its repair is judged at once.
        (Asks::InNode, _)
            if seen
                .request
                .deadline
                .is_none_or(|deadline| deadline <= seen.now) =>
        {
            Next::enter(seen, Phase::Judging, Reason::AgentOverdue, "")
        }
        (Asks::InNode, _) => Next::wait(seen, Reason::HealingInNode, ""),
    }
}

/// The policies are asked; nothing has been touched, or a rung has been tried in vain and our cordon still stands.
pub(super) fn judging(seen: &Seen) -> Next {
    let Some(node) = sick_node(seen) else {
        return Next::enter(seen, Phase::Cancelled, Reason::NodeGone, "");
    };
    if seen.request.withdrawn || cleared(seen) {
        let reason = if seen.request.withdrawn {
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
    // Somebody's cordon is somebody's plan: it is never undone, and nothing is done under it.
    if node.unschedulable && !ours(seen, node) {
        return Next::wait(seen, Reason::CordonedByOther, "");
    }
    let rules = match &seen.pool {
        Ok(rules) => rules,
        Err(NoRules::NoPool) => return Next::wait(seen, Reason::NoPool, ""),
        Err(NoRules::TwoPools) => return Next::wait(seen, Reason::TwoPools, ""),
    };
    // The node's own policy decided on the reboot; the control plane only keeps to its rails: once per repair.
    if seen.request.asks == Asks::Reboot
        && !seen
            .record
            .tried
            .iter()
            .any(|tried| tried.rung == Rung::Reboot)
    {
        return start(seen, rules, Rung::Reboot, "asked by the node's engine");
    }
    if seen.record.wait_until.is_some_and(|until| until > seen.now) {
        return Next::wait(
            seen,
            Reason::PolicyWaits,
            seen.record
                .verdict
                .as_ref()
                .map_or("", |verdict| &verdict.reason),
        );
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
            Next::wait(seen, Reason::PolicyWaits, &decision.reason)
                .with(|record| record.wait_until = Some(until))
        }
        Remedy::Decline => Next::wait(seen, Reason::NoPolicy, &seen.request.problem.kind),
        // An out-of-band reboot is not built yet: its gate is shown closed, and a policy that asks all the same waits.
        Remedy::Reboot | Remedy::Unit(_) | Remedy::Fix(_) => {
            Next::wait(seen, Reason::RemedyNotForSite, decision.remedy.label())
        }
    };
    next.with(|record| record.verdict = Some(verdict))
}

fn replace(seen: &Seen, rules: &Rules, why: &str) -> Next {
    if !rules.provisions {
        return Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::PolicyDecided,
            "replace, but the pool has no `provisioning`",
        );
    }
    // A node is replaced only when it is certain which server it is: nothing may be deleted on a guess.
    let certain = match &seen.cloud {
        CloudSeen::Fresh(view) => view.server.as_ref().filter(|server| {
            Some(&server.id) == sick_node(seen).and_then(|node| node.server.as_ref())
        }),
        CloudSeen::Unavailable(why) => return Next::wait(seen, Reason::CloudUnavailable, why),
        CloudSeen::NotAsked => return Next::wait(seen, Reason::CloudUnavailable, "not asked"),
    };
    let Some(server) = certain else {
        return Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::ServerUnknown,
            "the node's providerID names no server of this project",
        );
    };
    if server.name != seen.request.node {
        return Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::ServerUnknown,
            format!("its server is named {}", server.name),
        );
    }
    let id = server.id.to_string();
    start(seen, rules, Rung::Replace, why).with(|record| record.server_id = Some(id))
}

/// The first intrusive step of a rung: the cordon. It is written down before it is done.
fn start(seen: &Seen, rules: &Rules, rung: Rung, why: &str) -> Next {
    if !rules.acts {
        return Next::wait(
            seen,
            Reason::PoolObserves,
            format!(
                "it would {}",
                match rung {
                    Rung::Reboot => "reboot it",
                    Rung::Replace => "replace it",
                }
            ),
        );
    }
    Next::enter(seen, Phase::Cordoning, Reason::PolicyDecided, why)
        .with(|record| record.rung = Some(rung))
        .then(Act::Cordon)
}

/// The cordon is being set.
pub(super) fn cordoning(seen: &Seen) -> Next {
    if let Some(reason) = called_off(seen) {
        return Next::enter(seen, Phase::RollingBack, reason, "");
    }
    match sick_node(seen) {
        // Between our look and our patch somebody else cordoned it: theirs it is.
        Some(node) if node.unschedulable && !ours(seen, node) => {
            Next::enter(seen, Phase::RollingBack, Reason::CordonedByOther, "")
        }
        Some(node) if node.unschedulable => match seen.record.rung {
            Some(Rung::Reboot) => Next::enter(seen, Phase::RebootDraining, Reason::Evicting, ""),
            Some(Rung::Replace) | None => super::replace::begin(seen),
        },
        Some(_) | None => Next::act(seen, Act::Cordon, Reason::Cordoning),
    }
}

/// Nothing is done until a person did something; if the problem goes away by itself, what is ours is taken back.
pub(super) fn needs_human(seen: &Seen) -> Next {
    if sick_node(seen).is_none() {
        return Next::enter(seen, Phase::Cancelled, Reason::NodeGone, "");
    }
    if seen.request.withdrawn || cleared(seen) {
        return Next::enter(seen, Phase::RollingBack, Reason::ProblemCleared, "");
    }
    Next {
        record: seen.record.clone(),
        act: None,
        reason: seen.record.reason.unwrap_or(Reason::PolicyEscalated),
        detail: String::new(),
    }
}
