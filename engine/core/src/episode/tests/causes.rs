//! A problem that follows from another one.

use super::*;

const EFFECT: &str = "KubeletUnhealthy";

/// Both are there, as their detectors say.
fn both(second: i64, cause: Status, effect: Status) -> Seen {
    let transition = match cause {
        Status::Yes => 0,
        Status::No | Status::Unknown => second,
    };
    let kubelet = SeenCondition {
        kind: kind(EFFECT),
        source: "another".to_owned(),
        ..condition(effect, 0)
    };
    Seen {
        conditions: vec![condition(cause, transition), kubelet],
        handled: [kind(KIND), kind(EFFECT)].into(),
        ..healthy(second)
    }
}

/// Why nothing is done about what follows.
fn waits(plan: &Plan) -> Option<Reason> {
    let mut news = plan.news.iter().rev();
    news.find_map(|word| match word.news {
        News::Held { reason, .. } if word.problem == kind(EFFECT) => Some(reason),
        _ => None,
    })
}

fn begun(plan: &Plan) -> Option<&ConditionKind> {
    match plan.begin.as_ref()? {
        Begin::Unit { problem, .. }
        | Begin::Fix { problem, .. }
        | Begin::Reboot { problem, .. } => Some(problem),
    }
}

#[test]
fn what_follows_from_another_problem_waits_until_that_is_healed() {
    let plan = go(
        &Memory::default(),
        &both(0, Status::Yes, Status::Yes),
        restart("containerd.service"),
    );
    assert_eq!(begun(&plan), Some(&kind(KIND)));
    assert_eq!(waits(&plan), Some(Reason::Consequence));
    let ended = Some(Ended {
        problem: kind(KIND),
        result: Ok("done".to_owned()),
    });
    let healed = Seen {
        ended,
        ..both(1, Status::No, Status::Yes)
    };
    let memory = go(&plan.memory, &healed, restart("containerd.service")).memory;
    let well = |second| Seen {
        conditions: both(1, Status::No, Status::Yes).conditions,
        ..both(second, Status::No, Status::Yes)
    };
    // it is given the cause's quiet time to follow
    let plan = go(&memory, &well(60), restart("containerd.service"));
    assert_eq!((begun(&plan), plan.memory.episodes.len()), (None, 2));
    let plan = go(&plan.memory, &well(61), restart("containerd.service"));
    assert_eq!(
        (begun(&plan), plan.memory.episodes.len()),
        (Some(&kind(EFFECT)), 1)
    );
}

/// Whether the effect's policy is asked at that moment.
fn is_asked(memory: &Memory, seen: &Seen) -> bool {
    let memory = see(memory.clone(), seen, &limits(), &mut Vec::new());
    let asked = questions(&memory, seen, &limits());
    assert!(!asked.is_empty() || seen.now < at(300));
    asked.contains_key(&kind(EFFECT))
}

#[test]
fn a_cause_holds_for_half_of_the_time_to_heal_and_only_while_it_is_told_and_healed_here() {
    let both = |second| both(second, Status::Yes, Status::Yes);
    let memory = go(&Memory::default(), &both(0), wait()).memory;
    assert!(!is_asked(&memory, &both(299)));
    assert!(is_asked(&memory, &both(300)));
    let mut silent = both(10);
    silent.conditions[0].status = Status::Unknown;
    assert!(is_asked(&memory, &silent));
    let mut escalated = memory.clone();
    let cause = escalated.episodes.get_mut(&kind(KIND)).unwrap();
    crate::episode::handover::ask(cause, Asks::InNode);
    assert!(!is_asked(&escalated, &both(10)));
    let cause = escalated.episodes.get_mut(&kind(KIND)).unwrap();
    crate::episode::handover::ask(cause, Asks::Escalate);
    assert!(is_asked(&escalated, &both(10)));
}

/// A policy that was told to wait before is not said to wait for the cause when that is gone.
#[test]
fn what_no_longer_follows_from_anything_says_so() {
    let plan = go(
        &Memory::default(),
        &both(0, Status::Yes, Status::Yes),
        wait(),
    );
    assert_eq!(waits(&plan), Some(Reason::Consequence));
    let mut memory = plan.memory;
    memory.episodes.remove(&kind(KIND));
    let effect = memory.episodes.get_mut(&kind(EFFECT)).unwrap();
    effect.wait = Some(Wait {
        until: at(60),
        policies: 0,
        shut: false,
    });
    let alone = Seen {
        conditions: both(10, Status::Yes, Status::Yes).conditions.split_off(1),
        ..both(10, Status::Yes, Status::Yes)
    };
    assert_eq!(
        waits(&go(&memory, &alone, wait())),
        Some(Reason::PolicyWaits)
    );
}
