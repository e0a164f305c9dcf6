//! From sights and advice to a plan: whose turn it is, what comes of it, and what the control plane is told.

use std::collections::BTreeMap;

use super::apply::apply;
use super::causes;
use super::guard::{self, Closed};
use super::handover;
use super::limits::Limits;
use super::memory::{Episode, Memory};
use super::plan::{Plan, Word};
use super::seen::Seen;
use super::verdict::{Verdict, asked, hold, weigh};
use super::view;
use crate::name::ConditionKind;
use crate::policy::{Advice, Observation, Status};
use crate::reason::Reason;
use crate::repair::Asks;

/// What the policies are to be asked in this pass.
pub fn questions(
    memory: &Memory,
    seen: &Seen,
    limits: &Limits,
) -> BTreeMap<ConditionKind, Observation> {
    let asked = memory
        .episodes
        .iter()
        .filter(|(kind, episode)| stands(memory, kind, episode, seen, limits).is_ok());
    asked
        .map(|(kind, episode)| {
            (
                kind.clone(),
                view::observation(memory, kind, episode, seen, limits),
            )
        })
        .collect()
}

/// Decides what is done, from what is remembered, what is seen and what the policies advise.
pub fn decide(
    memory: Memory,
    seen: &Seen,
    advice: &BTreeMap<ConditionKind, Advice>,
    limits: &Limits,
    mut news: Vec<Word>,
) -> Plan {
    let mut memory = memory;
    let mut begin = None;
    let kinds: Vec<ConditionKind> = memory.episodes.keys().cloned().collect();
    for kind in kinds {
        let verdict = match memory
            .episodes
            .get(&kind)
            .map(|episode| stands(&memory, &kind, episode, seen, limits))
        {
            None => continue,
            Some(Err(held)) => Verdict::Hold(held),
            Some(Ok(())) => weigh(
                &memory,
                &kind,
                seen,
                advice.get(&kind).unwrap_or(&Advice::None),
                limits,
            ),
        };
        let tell = &mut |told| {
            news.push(Word {
                problem: kind.clone(),
                news: told,
            })
        };
        begin = begin.or(apply(&mut memory, &kind, verdict, seen, limits, tell));
    }
    handover::announce(&mut memory, seen, limits, &mut news);
    let repair = match begin {
        // One thing at a time: the repair is brought up to date by the next pass.
        Some(_) => None,
        None => handover::next(&mut memory, seen, limits, &mut begin, &mut news),
    };
    Plan {
        memory,
        repair,
        begin,
        news,
    }
}

/// Is it a policy's turn? If not, why nothing is done. A wait ends before its time when a policy has changed, or when a
/// guard rail that stood in the way has opened.
fn stands(
    memory: &Memory,
    kind: &ConditionKind,
    episode: &Episode,
    seen: &Seen,
    limits: &Limits,
) -> Result<(), Closed> {
    if let Some(attempt) = episode.running() {
        return Err(hold(Reason::Settling, attempt.remedy.to_string()));
    }
    match episode.sight.status {
        Status::Yes => {}
        Status::No => {
            return Err(hold(
                Reason::Settling,
                "the problem is gone; watching that it stays away",
            ));
        }
        // Unknown is neither health nor illness: nothing is done for it, and nothing is forgotten.
        Status::Unknown => return Err(hold(Reason::ConditionNotReported, "")),
    }
    match episode.asks() {
        // After a reboot that did not help the policy may still say that it is to be escalated.
        Some(Asks::Reboot) if episode.reboot().is_some() => {}
        Some(asks) => {
            if let Some(reason) = asked(asks) {
                return Err(hold(reason, "the control plane was asked"));
            }
        }
        None => {}
    }
    if let Some(cause) = causes::cause(memory, kind, episode, seen, limits) {
        return Err(hold(Reason::Consequence, cause.to_string()));
    }
    if let Some(wait) = &episode.wait
        && wait.until > seen.now
        && wait.policies == seen.policies
        && !(wait.shut && guard::remedy(memory, episode, seen, limits).is_ok())
    {
        // what it followed from is over
        let stands = episode
            .stands
            .filter(|reason| *reason != Reason::Consequence);
        return Err(hold(stands.unwrap_or(Reason::PolicyWaits), ""));
    }
    Ok(())
}
