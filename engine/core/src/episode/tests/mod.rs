//! The rules one by one. That no sequence breaks them is [`super::properties`]' affair.

mod causes;
mod edges;
mod episodes;
mod handover;
mod rails;
mod reboot;
mod remedies;

use super::fixture::*;
use super::*;
use crate::name::ConditionKind;
use crate::policy::{Advice, FailureClass, Freshness, OnFailure, Outcome, Remedy, Status};
use crate::reason::Reason;
use crate::repair::{Asks, Phase, Rung};

fn go(memory: &Memory, seen: &Seen, remedy: Remedy) -> Plan {
    pass(memory, seen, &limits(), &advice(remedy))
}

/// The ill node, on which whatever is under way ends, and has failed.
fn in_vain(memory: &Memory, second: i64) -> Seen {
    let ended = memory.running().map(|(kind, _)| Ended {
        problem: kind.clone(),
        result: Err("failed".to_owned()),
    });
    Seen {
        ended,
        ..ill(second)
    }
}

fn wait() -> Remedy {
    Remedy::Wait(1)
}

fn episode(plan: &Plan) -> &Episode {
    &plan.memory.episodes[&kind(KIND)]
}

fn outcome(plan: &Plan) -> Outcome {
    episode(plan).attempts.last().unwrap().outcome()
}

fn held(plan: &Plan) -> Option<Reason> {
    plan.news.iter().rev().find_map(|word| match word.news {
        News::Held { reason, .. } => Some(reason),
        _ => None,
    })
}

/// An episode whose restart has been carried out at second 1 and is being watched.
fn settling() -> Memory {
    let begun = go(&Memory::default(), &ill(0), restart("containerd.service")).memory;
    let ended = Some(Ended {
        problem: kind(KIND),
        result: Ok("done".to_owned()),
    });
    go(&begun, &Seen { ended, ..ill(1) }, wait()).memory
}

/// An episode whose only restart did not help.
fn outlived() -> Plan {
    go(&settling(), &ill(61), wait())
}

/// As `outlived`, and the repair is there and known.
fn announced(asks: Asks, phase: Phase) -> Memory {
    let seen = Seen {
        repair: repair(asks, phase),
        ..ill(64)
    };
    go(&outlived().memory, &seen, wait()).memory
}
