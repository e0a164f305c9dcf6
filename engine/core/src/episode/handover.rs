//! What the control plane is to know, and the grant that it gives. One `NodeRepair` per node tells the story of both
//! levels; here it is decided which one write brings it nearer to what is remembered.

use super::apply::push;
use super::guard::after;
use super::limits::Limits;
use super::memory::{AttemptRecord, Course, Episode, Handover, Memory};
use super::plan::{Begin, News, RepairWrite, Word};
use super::seen::{RepairSeen, Seen};
use crate::clock::seconds_between;
use crate::name::{BootId, ConditionKind};
use crate::policy::{Freshness, Outcome, Remedy, Status};
use crate::reason::Reason;
use crate::repair::{Asks, Phase, Rung};

/// Remembers that the control plane is asked. It only moves upwards.
pub(super) fn ask(episode: &mut Episode, asks: Asks) {
    let handover = episode.handover.get_or_insert(Handover {
        asks,
        repair: None,
        deadline: None,
        held: None,
    });
    handover.asks = handover.asks.max(asks);
}

/// An episode that outlives its first attempt, or grows old without one, is made known: the control plane then leaves
/// the node to us until the deadline, instead of taking us for silent.
pub(super) fn announce(memory: &mut Memory, seen: &Seen, limits: &Limits, news: &mut Vec<Word>) {
    for (kind, episode) in &mut memory.episodes {
        if episode.handover.is_some() || episode.sight.status != Status::Yes {
            continue;
        }
        let outlived = episode
            .attempts
            .iter()
            .any(|attempt| !attempt.is_running() && attempt.outcome() != Outcome::Refused);
        if outlived || seconds_between(episode.problem.since, seen.now) >= limits.announce {
            ask(episode, Asks::InNode);
            news.push(Word {
                problem: kind.clone(),
                news: News::Asked {
                    asks: Asks::InNode,
                    reason: Reason::HealingInNode,
                },
            });
        }
    }
}

/// The one write that is due, if the API server is there to take it. The acceptance of a grant also begins the reboot.
pub(super) fn next(
    memory: &mut Memory,
    seen: &Seen,
    limits: &Limits,
    begin: &mut Option<Begin>,
    news: &mut Vec<Word>,
) -> Option<RepairWrite> {
    let waiting = memory.withdraw.is_some()
        || memory
            .episodes
            .values()
            .any(|episode| episode.handover.is_some());
    if seen.repair.freshness != Freshness::Fresh {
        if waiting {
            held(memory, Reason::ApiUnavailable, news);
        }
        return None;
    }
    let Some(repair) = &seen.repair.value else {
        memory.withdraw = None;
        return open(memory, seen, limits);
    };
    if let Some(write) = withdraw(memory, repair) {
        return Some(write);
    }
    if repair.phase.is_final() || repair.withdrawn {
        held(memory, Reason::RepairEnding, news);
        return None;
    }
    if let Some(write) = take_over(memory, repair, seen) {
        return Some(write);
    }
    let Some(kind) = adopt(memory, repair, seen) else {
        held(memory, Reason::RepairForOther, news);
        return persons_reboot(memory, repair, seen, begin, news);
    };
    // what is another's is said of the others
    held(memory, Reason::RepairForOther, news);
    // A grant is not taken under the stop switch or a pause: the control plane reads the same, takes it back, and says why.
    // Nor is one that could not be remembered: it runs out, and the cloud is asked for the reboot.
    let halted = is_halted(memory);
    let busy = is_busy(memory, seen);
    let used = memory.last_grant.clone();
    let episode = memory.episodes.get_mut(&kind)?;
    if episode.asks() > Some(repair.asks) {
        return episode.asks().map(RepairWrite::Raise);
    }
    // The time in which nothing may be done is not taken from that in which it is to be healed.
    let healing = repair.phase == Phase::HealingInNode && repair.asks == Asks::InNode;
    let runs_out = |deadline| seconds_between(seen.now, deadline) < limits.heal_within / 2;
    if halted && healing && repair.deadline.is_some_and(runs_out) {
        let deadline = after(seen.now, limits.heal_within);
        return Some(RepairWrite::Extend { deadline });
    }
    // Only for a problem that is still seen: nobody reboots a node that has recovered, unless a person wants it.
    if repair.asks < Asks::Reboot || episode.sight.status != Status::Yes {
        return persons_reboot(memory, repair, seen, begin, news);
    }
    let (boot, grant) = offered(repair, seen)?;
    // A grant is used once, even if nobody knows any more what for.
    if busy || used.as_ref() == Some(&grant) {
        return None;
    }
    push(episode, reboot_attempt(boot, &grant, seen, limits));
    memory.begins(seen.now);
    memory.last_grant = Some(grant.clone());
    news.push(Word {
        problem: kind.clone(),
        news: News::Begun(format!("reboot by grant {grant}")),
    });
    *begin = Some(Begin::Reboot {
        problem: kind,
        grant: grant.clone(),
    });
    Some(RepairWrite::Accept { grant })
}

fn is_halted(memory: &Memory) -> bool {
    memory.stopped.is_some() || memory.paused.is_some()
}

fn is_busy(memory: &Memory, seen: &Seen) -> bool {
    let acts = memory.running().is_some() || seen.carrying_out;
    acts || is_halted(memory) || seen.unwritable.is_some()
}

/// A person wants the node rebooted, and the control plane, which has drained it, offers that. There is no episode for it: the
/// control plane looks how it went.
fn persons_reboot(
    memory: &mut Memory,
    repair: &RepairSeen,
    seen: &Seen,
    begin: &mut Option<Begin>,
    news: &mut Vec<Word>,
) -> Option<RepairWrite> {
    let node = seen.node.value.as_ref()?;
    if repair.wants != Some(Rung::Reboot)
        || node.uid.as_str() != repair.node_uid
        || is_busy(memory, seen)
    {
        return None;
    }
    let problem = ConditionKind::parse(repair.problem.as_str()).ok()?;
    let (_, grant) = offered(repair, seen)?;
    if memory.last_grant.as_ref() == Some(&grant) {
        return None;
    }
    memory.begins(seen.now);
    memory.last_grant = Some(grant.clone());
    news.push(Word {
        problem: problem.clone(),
        news: News::Begun(format!("reboot by grant {grant}, asked for by a person")),
    });
    *begin = Some(Begin::Reboot {
        problem,
        grant: grant.clone(),
    });
    Some(RepairWrite::Accept { grant })
}

/// The name is free.
fn open(memory: &Memory, seen: &Seen, limits: &Limits) -> Option<RepairWrite> {
    let (asks, episode) = gravest(memory)?;
    Some(RepairWrite::Open {
        problem: episode.problem.clone(),
        asks,
        deadline: after(seen.now, limits.heal_within),
    })
}

/// The episode that asks for most goes first, then the oldest.
fn gravest(memory: &Memory) -> Option<(Asks, &Episode)> {
    let asking = memory
        .episodes
        .values()
        .filter_map(|episode| Some((episode.asks()?, episode)));
    asking.max_by(|(a, one), (b, other)| a.cmp(b).then(other.problem.since.cmp(&one.problem.since)))
}

/// A node has one repair. While that is there only to leave the node to us, a problem of which more is asked takes it from the one
/// that opened it; what has gone further is not turned to something else in its midst.
fn take_over(memory: &Memory, repair: &RepairSeen, seen: &Seen) -> Option<RepairWrite> {
    let node = seen.node.value.as_ref()?;
    let is_left_to_us = node.uid.as_str() == repair.node_uid
        && repair.asks == Asks::InNode
        && repair.phase == Phase::HealingInNode
        && !repair.of_others
        && repair.wants.is_none();
    let (asks, episode) = gravest(memory).filter(|_| is_left_to_us)?;
    if asks == Asks::InNode || episode.problem.kind == repair.problem {
        return None;
    }
    Some(RepairWrite::TakeOver {
        problem: episode.problem.clone(),
        asks,
    })
}

fn withdraw(memory: &mut Memory, repair: &RepairSeen) -> Option<RepairWrite> {
    let healed = memory.withdraw.as_ref()?;
    // Gone, told already, or no longer ours to tell: done. So is one by which a person wants something done all the same.
    let is_another = |problem: &String| *problem != repair.problem;
    if *healed != repair.uid
        || memory.withdraw_for.as_ref().is_some_and(is_another)
        || repair.wants.is_some()
        || repair.withdrawn
        || repair.phase.is_final()
        || repair.past_return
    {
        memory.withdraw = None;
        return None;
    }
    Some(RepairWrite::Withdraw)
}

/// Takes the open repair as that of an episode of ours: the same node object and the same problem, whoever opened it.
fn adopt(memory: &mut Memory, repair: &RepairSeen, seen: &Seen) -> Option<ConditionKind> {
    let node = seen.node.value.as_ref()?;
    // A repair of another node object of this name is about a machine that is no more.
    if node.uid.as_str() != repair.node_uid {
        return None;
    }
    let kind = ConditionKind::parse(repair.problem.as_str()).ok()?;
    // what it was before it became a graver one's
    for (other, episode) in &mut memory.episodes {
        let is_its = |handover: &&mut Handover| handover.repair.as_ref() == Some(&repair.uid);
        if *other != kind
            && let Some(handover) = episode.handover.as_mut().filter(is_its)
        {
            handover.repair = None;
            handover.deadline = None;
        }
    }
    let episode = memory.episodes.get_mut(&kind)?;
    ask(episode, repair.asks);
    if let Some(handover) = &mut episode.handover {
        handover.repair = Some(repair.uid.clone());
        // What the control plane reads is what counts.
        handover.deadline = repair.deadline;
        handover.held = None;
    }
    Some(kind)
}

/// The grant that may be accepted now, and the boot that it ends.
fn offered(repair: &RepairSeen, seen: &Seen) -> Option<(BootId, String)> {
    let grant = repair.grant.as_ref()?;
    let boot = seen.boot.as_ref()?;
    // A grant is for one boot of one node, and for a time. What does not fit is not taken: it expires, and the control
    // plane judges anew.
    let ours = repair.phase == Phase::GrantOffered
        && repair.accepted_grant.as_ref() != Some(&grant.id)
        && grant.boot_id == boot.as_str()
        && grant.node_uid == repair.node_uid
        && grant.until > seen.now
        && seen.inhibitor.is_none();
    ours.then(|| (boot.clone(), grant.id.clone()))
}

fn reboot_attempt(boot: BootId, grant: &str, seen: &Seen, limits: &Limits) -> AttemptRecord {
    AttemptRecord {
        remedy: Remedy::Reboot,
        policy: None,
        began: seen.now,
        settle: limits.settle,
        course: Course::Begun,
        detail: String::new(),
        boot: Some(boot),
        invocation: None,
        grant: Some(grant.to_owned()),
    }
}

/// The control plane cannot be asked now: said once, for every episode that waits for it.
fn held(memory: &mut Memory, reason: Reason, news: &mut Vec<Word>) {
    for (kind, episode) in &mut memory.episodes {
        let Some(handover) = &mut episode.handover else {
            continue;
        };
        if handover.repair.is_none() && handover.held != Some(reason) {
            handover.held = Some(reason);
            news.push(Word {
                problem: kind.clone(),
                news: News::Held {
                    reason,
                    detail: String::new(),
                },
            });
        }
    }
}
