//! One step of a drain: who is evicted now, what is told of the others, and what is done when its time is over.

use super::age;
use super::drain::{self, LastResort, Plan, PodSeen, Refusal};
use super::next::{Act, Next};
use super::seen::{Rules, Seen};
use crate::reason::Reason;

/// The drain's next step, or `None` when nothing is left to go.
pub(super) fn evict(seen: &Seen) -> Option<Next> {
    let (plan, _) = match plan(seen) {
        Ok(found) => found,
        Err(next) => return Some(*next),
    };
    if plan.is_done() {
        return None;
    }
    let due = plan.due(&seen.held_back, seen.now);
    let (reason, detail) = held(&plan, seen);
    let next = Next::wait(seen, reason, detail);
    let next = if due.is_empty() {
        next
    } else {
        next.then(Act::Evict(due))
    };
    Some(written(seen, &plan, next))
}

/// The same after the point of no return, where a pool may have pods deleted that have not left in time. Before it no pod is ever lost
/// below its budget: there a person is asked.
pub(super) fn evict_or_delete(seen: &Seen) -> Option<Next> {
    let (plan, rules) = match plan(seen) {
        Ok(found) => found,
        Err(next) => return Some(*next),
    };
    let late = age(seen).min(seen.watched) >= rules.drain_within;
    let may = rules.last_resort == LastResort::Delete && seen.record.side().is_past_return();
    if !may || !late || plan.evict.is_empty() {
        return evict(seen);
    }
    // No budget holds anybody back, and the order stays.
    let due = plan.due(&[], seen.now);
    let next = Next::wait(seen, Reason::LastResort, names(&plan.evict));
    let next = if due.is_empty() {
        next
    } else {
        next.then(Act::DeletePods(due))
    };
    Some(written(seen, &plan, next))
}

fn plan(seen: &Seen) -> Result<(Plan, &Rules), Box<Next>> {
    let Some(pods) = &seen.pods else {
        let next = Next::wait(seen, Reason::Evicting, "pods not read");
        return Err(Box::new(next));
    };
    match &seen.pool {
        Ok(rules) => Ok((drain::plan(pods, rules.drain), rules)),
        Err(none) => Err(Box::new(Next::wait(seen, Reason::from(*none), ""))),
    }
}

fn written(seen: &Seen, plan: &Plan, next: Next) -> Next {
    let progress = plan.progress(seen.record.drain.as_ref(), &seen.held_back);
    next.with(|record| record.drain = Some(progress))
}

/// What holds a drain, in words.
pub(super) fn held(plan: &Plan, seen: &Seen) -> (Reason, String) {
    if let Some(held) = plan.held(&seen.held_back).next() {
        let reason = match held.by {
            Refusal::Budget => Reason::BlockedByBudget,
            Refusal::TwoBudgets => Reason::TwoBudgets,
            Refusal::Other => Reason::EvictionRefused,
        };
        return (reason, format!("{}: {}", held.name, held.words));
    }
    // Pods that are on their way out come first: those that may not leave are still there when they are gone.
    match (
        plan.evict.first(),
        plan.leaving.first(),
        plan.forbidden.first(),
    ) {
        (Some(_), _, _) => (Reason::Evicting, String::new()),
        (None, Some(leaving), _) => (Reason::Evicting, leaving.full_name()),
        (None, None, forbidden) => (
            Reason::EvictionNotAllowed,
            forbidden.map(PodSeen::full_name).unwrap_or_default(),
        ),
    }
}

/// So many pods are named in a message.
const NAMED: usize = 5;

/// Some of these pods by name, and how many there are.
pub(super) fn names(pods: &[PodSeen]) -> String {
    let named: Vec<String> = pods.iter().take(NAMED).map(PodSeen::full_name).collect();
    listed(&named, pods.len())
}

/// These words, and how many more there would be.
pub(super) fn listed(words: &[String], of: usize) -> String {
    let named: Vec<&str> = words.iter().take(NAMED).map(String::as_str).collect();
    let text = named.join(", ");
    match of.saturating_sub(named.len()) {
        0 => text,
        more => format!("{text}, and {more} more"),
    }
}
