//! How often, when and where at once: the guard rails that count.

use super::*;
use crate::policy::Gate;

const DAY: i64 = 24 * 3600;

/// The same limits, but for these.
fn limits_with(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = limits();
    change(&mut limits);
    limits
}

fn restart_with(memory: &Memory, seen: &Seen, limits: &Limits) -> Plan {
    pass(memory, seen, limits, &advice(restart("containerd.service")))
}

#[test]
fn each_remedy_that_did_not_help_doubles_the_time_until_the_next() {
    let mut memory = Memory::default();
    let mut begun = Vec::new();
    for second in 0..400 {
        let seen = in_vain(&memory, second);
        let plan = go(&memory, &seen, restart("containerd.service"));
        begun.extend(plan.begin.map(|_| second));
        memory = plan.memory;
    }
    let apart: Vec<i64> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(apart, [30, 60], "{begun:?}");
}

#[test]
fn what_every_node_has_is_not_restarted_everywhere_at_once() {
    let limits = limits_with(|limits| limits.jitter = 600);
    let begins = |name: &str, call: &Remedy| {
        let on = |second| Seen {
            name: crate::name::NodeName::parse(name).unwrap(),
            ..ill(second)
        };
        let mut memory = Memory::default();
        (0..=600).find(|second| {
            let plan = pass(&memory, &on(*second), &limits, &advice(call.clone()));
            memory = plan.memory.clone();
            if plan.begin.is_none() {
                assert_eq!(episode(&plan).stands, Some(Reason::SpreadOut));
            }
            plan.begin.is_some()
        })
    };
    for call in [restart("containerd.service"), fix("sda")] {
        let seconds: Vec<i64> = (0..20)
            .map(|node| begins(&format!("node-{node}"), &call).expect("within the jitter"))
            .collect();
        let late = seconds.iter().filter(|second| **second > 300).count();
        assert!((4..=16).contains(&late), "{seconds:?}");
        // the same node, the same problem: the same moment
        assert_eq!(begins("node-3", &call), Some(seconds[3]));
    }
    let own = limits_with(|limits| {
        limits.jitter = 600;
        limits.wide.clear();
    });
    let plan = restart_with(&Memory::default(), &ill(0), &own);
    assert!(plan.begin.is_some(), "not every node has it");
}

#[test]
fn nodes_that_something_else_held_together_are_spread_when_it_is_over() {
    let limits = limits_with(|limits| limits.jitter = 600);
    let begins = |name: &str| {
        let on = |second: i64| Seen {
            name: crate::name::NodeName::parse(name).unwrap(),
            stop: (second < 3600).then(String::new),
            ..ill(second)
        };
        let mut memory = Memory::default();
        (0..=4200).find(|second| {
            let plan = restart_with(&memory, &on(*second), &limits);
            memory = plan.memory;
            plan.begin.is_some()
        })
    };
    let seconds: Vec<i64> = (0..10)
        .map(|node| begins(&format!("node-{node}")).expect("within the jitter"))
        .collect();
    let late = seconds.iter().filter(|second| **second > 3900).count();
    assert!((2..=8).contains(&late), "{seconds:?}");
}

#[test]
fn a_policy_that_waits_for_its_gate_is_asked_when_its_turn_comes() {
    let limits = limits_with(|limits| (limits.jitter, limits.settle) = (30, 1));
    let mut memory = Memory::default();
    // one that waits for longer than any turn lasts, if it may not
    let begun = (0..3000_i64).find(|second| {
        let mut news = Vec::new();
        let seen = ill(second * 3);
        let asked = see(memory.clone(), &seen, &limits, &mut news);
        let answers = questions(&asked, &seen, &limits)
            .into_iter()
            .map(|(kind, observation)| {
                let crate::policy::Site::Node(view) = observation.site else {
                    panic!("a node");
                };
                let remedy = match &view.units[0].gate {
                    Gate::Open => restart("containerd.service"),
                    Gate::Closed(_) => Remedy::Wait(1000),
                };
                (kind, advice(remedy))
            })
            .collect();
        let plan = decide(asked, &seen, &answers, &limits, news);
        memory = plan.memory;
        plan.begin.is_some()
    });
    assert!(begun.is_some_and(|pass| pass <= 11), "{begun:?}");
}

#[test]
fn a_policy_sees_that_its_turn_comes_later() {
    let limits = limits_with(|limits| limits.jitter = 3600);
    let memory = restart_with(&Memory::default(), &ill(0), &limits).memory;
    // one that has changed is asked before
    let changed = Seen {
        policies: 1,
        ..ill(1)
    };
    let asked = questions(&memory, &changed, &limits);
    let crate::policy::Site::Node(view) = &asked[&kind(KIND)].site else {
        panic!("a node");
    };
    for gate in view.units.iter().map(|unit| &unit.gate) {
        assert!(
            matches!(gate, Gate::Closed(why) if why.contains("spread")),
            "{gate:?}"
        );
    }
}

#[test]
fn nothing_is_done_to_a_machine_that_comes_up_or_goes_down() {
    let limits = limits_with(|limits| limits.min_uptime = 60);
    let up = |second: i64| Seen {
        booted: Some(at(0)),
        ..ill(second)
    };
    let plan = restart_with(&Memory::default(), &up(59), &limits);
    assert_eq!(
        (held(&plan), &plan.begin),
        (Some(Reason::JustBooted), &None)
    );
    let plan = restart_with(&plan.memory, &up(60), &limits);
    assert!(plan.begin.is_some());
    // a clock that was put back after the boot
    let seen = Seen {
        booted: Some(at(1_000_000)),
        ..ill(0)
    };
    let plan = restart_with(&Memory::default(), &seen, &limits);
    assert!(plan.begin.is_some());
    let seen = Seen {
        goes_down: true,
        ..ill(0)
    };
    let plan = restart_with(&Memory::default(), &seen, &limits);
    assert_eq!((held(&plan), &plan.begin), (Some(Reason::GoesDown), &None));
}

#[test]
fn a_person_pauses_a_node_also_while_the_api_server_is_away() {
    let mut seen = ill(0);
    if let Some(node) = &mut seen.node.value {
        node.paused = Some("a disk is being changed".to_owned());
    }
    seen.node.freshness = Freshness::Stale;
    let plan = go(&Memory::default(), &seen, restart("containerd.service"));
    assert_eq!((held(&plan), &plan.begin), (Some(Reason::Paused), &None));
    let offered = Seen {
        repair: repair(Asks::Reboot, Phase::GrantOffered),
        ..seen
    };
    let mut offered = offered;
    if let Some(repair) = &mut offered.repair.value {
        repair.grant = Some(grant());
    }
    let plan = go(&plan.memory, &offered, wait());
    assert_eq!((&plan.begin, &plan.repair), (&None, &None));
    // and after a restart of the engine that cannot ask any more
    let unheard = Seen {
        node: Watched::default(),
        ..ill(1)
    };
    let plan = go(&plan.memory, &unheard, restart("containerd.service"));
    assert_eq!(plan.begin, None);
    let stopped = Seen {
        stop: Some("fire".to_owned()),
        ..ill(1)
    };
    let after = go(&Memory::default(), &stopped, restart("containerd.service"));
    let unheard = Seen {
        stop_heard: false,
        ..ill(2)
    };
    let after = go(&after.memory, &unheard, restart("containerd.service"));
    assert_eq!(
        (after.begin, after.memory.stopped),
        (None, Some("fire".to_owned()))
    );
    // until the person takes it away
    let plan = go(&plan.memory, &ill(2), restart("containerd.service"));
    assert!(plan.begin.is_some());
}

#[test]
fn the_time_of_a_pause_is_not_taken_from_that_in_which_the_node_heals() {
    let paused = |second: i64, deadline: i64| {
        let mut seen = Seen {
            repair: repair(Asks::InNode, Phase::HealingInNode),
            ..ill(second)
        };
        if let Some(node) = &mut seen.node.value {
            node.paused = Some("a disk is being changed".to_owned());
        }
        if let Some(repair) = &mut seen.repair.value {
            repair.deadline = Some(at(deadline));
        }
        seen
    };
    let memory = announced(Asks::InNode, Phase::HealingInNode);
    let plan = go(&memory, &paused(100, 500), restart("containerd.service"));
    assert_eq!(plan.repair, None, "there is time");
    let plan = go(&memory, &paused(300, 500), restart("containerd.service"));
    let deadline = at(300 + 600);
    assert_eq!(plan.repair, Some(RepairWrite::Extend { deadline }));
}

/// Every episode needs one restart, helps, and comes back an hour later.
fn restarts(limits: &Limits, hours: i64) -> (Vec<i64>, Memory) {
    let mut memory = Memory::default();
    let mut begun = Vec::new();
    for hour in 0..hours {
        let start = hour * 3600;
        let plan = restart_with(&memory, &ill(start), limits);
        begun.extend(plan.begin.map(|_| hour));
        let ended = Some(Ended {
            problem: kind(KIND),
            result: Ok("done".to_owned()),
        });
        memory = plan.memory;
        for (second, ended) in [(1, ended), (70, None), (140, None), (210, None)] {
            let seen = Seen {
                ended,
                ..healthy(start + second)
            };
            memory = pass(&memory, &seen, limits, &advice(wait())).memory;
        }
        assert!(memory.episodes.is_empty(), "{memory:?}");
    }
    (begun, memory)
}

#[test]
fn a_node_has_so_many_remedies_a_day_and_then_the_next_level_is_asked() {
    let limits = limits_with(|limits| limits.daily = 3);
    let (begun, memory) = restarts(&limits, 3);
    assert_eq!(begun, [0, 1, 2]);
    let start = 3 * 3600;
    let plan = restart_with(&memory, &ill(start), &limits);
    assert_eq!(plan.begin, None);
    assert_eq!(episode(&plan).asks(), Some(Asks::Escalate));
    assert!(plan.news.iter().any(|word| matches!(
        word.news,
        News::Asked {
            reason: Reason::DailyUsedUp,
            ..
        }
    )));
    // a policy that waits does so for the problem to go, and not for ever for its gate
    let plan = pass(&memory, &ill(start), &limits, &advice(wait()));
    assert_eq!(episode(&plan).asks(), None);
    let plan = pass(&plan.memory, &ill(start + 600), &limits, &advice(wait()));
    assert_eq!(episode(&plan).asks(), Some(Asks::Escalate));
    let plan = restart_with(&memory, &ill(DAY), &limits);
    assert!(plan.begin.is_some(), "the first is a day old");
    let (begun, memory) = restarts(&limits_with(|limits| limits.daily = 0), 20);
    assert_eq!(begun.len(), 20, "no limit");
    assert_eq!(memory.remedies.len(), 20);
}

/// So many episodes, each escalated after one restart that did not help, and taken over by the control plane.
fn escalated(episodes: usize, limits: &Limits) -> Memory {
    let mut memory = Memory::default();
    for number in 0..episodes {
        let start = i64::try_from(number).unwrap() * 3600;
        memory = restart_with(&memory, &ill(start), limits).memory;
        let failed = Some(Ended {
            problem: kind(KIND),
            result: Err("failed".to_owned()),
        });
        let seen = Seen {
            ended: failed,
            ..ill(start + 1)
        };
        memory = pass(&memory, &seen, limits, &advice(Remedy::Escalate)).memory;
        for second in [2, 70, 140] {
            let seen = healthy(start + second);
            memory = pass(&memory, &seen, limits, &advice(wait())).memory;
        }
        assert!(memory.episodes.is_empty(), "{memory:?}");
    }
    memory
}

#[test]
fn a_node_that_remedies_do_not_help_is_left_to_the_next_level_for_a_day() {
    let limits = limits_with(|limits| limits.quarantine = 3);
    let again = 5 * 3600;
    let plan = restart_with(&escalated(2, &limits), &ill(again), &limits);
    assert!(plan.begin.is_some());
    let memory = escalated(3, &limits);
    let plan = restart_with(&memory, &ill(again), &limits);
    assert_eq!(plan.begin, None);
    assert_eq!(episode(&plan).asks(), Some(Asks::Escalate));
    assert_eq!(
        plan.memory.failed.len(),
        3,
        "what was not tried did not fail"
    );
    let plan = restart_with(&memory, &ill(DAY + 1), &limits);
    assert!(plan.begin.is_some());
    // a person lets it try again
    let retried = |mark: &str| {
        let mut seen = ill(again);
        if let Some(node) = &mut seen.node.value {
            node.retry = Some(mark.to_owned());
        }
        seen
    };
    let plan = restart_with(&memory, &retried("1"), &limits);
    assert!(plan.begin.is_some());
    assert_eq!(plan.memory.retried.as_deref(), Some("1"));
    let followed = Memory {
        retried: Some("1".to_owned()),
        ..memory
    };
    let plan = restart_with(&followed, &retried("1"), &limits);
    assert_eq!(plan.begin, None, "a mark is followed once");
}

#[test]
fn a_clock_that_was_put_back_holds_nothing_for_ever() {
    // it is a year later, and a restart is watched
    let year = 365 * DAY;
    let seen = |second| Seen {
        booted: None,
        ..ill(second)
    };
    let begun = go(
        &Memory::default(),
        &seen(year),
        restart("containerd.service"),
    )
    .memory;
    let ended = Some(Ended {
        problem: kind(KIND),
        result: Ok("done".to_owned()),
    });
    let watched = Seen {
        ended,
        ..seen(year + 1)
    };
    let memory = go(&begun, &watched, wait()).memory;
    // and now it is not. That may be a clock that is not set yet: what was done is not forgotten
    let back = go(&memory, &seen(0), wait()).memory;
    assert_eq!(back.remedies, memory.remedies);
    let right = go(&back, &seen(year + 2), wait()).memory;
    assert_eq!((&right.remedies, right.behind), (&memory.remedies, None));
    // after ten minutes it is believed
    let plan = go(&back, &seen(599), restart("containerd.service"));
    assert_eq!((outcome(&plan), &plan.begin), (Outcome::Running, &None));
    let believed = go(&plan.memory, &seen(600), wait()).memory;
    assert_eq!(believed.remedies, [at(600)]);
    let plan = go(&believed, &seen(660), wait());
    assert_eq!(outcome(&plan), Outcome::NoEffect);
    let plan = go(&plan.memory, &seen(661), restart("containerd.service"));
    assert!(plan.begin.is_some());
}

#[test]
fn what_cannot_be_remembered_is_not_done_and_the_next_level_is_asked() {
    let full = |second| Seen {
        unwritable: Some((at(0), "no space left on device".to_owned())),
        ..ill(second)
    };
    for advised in [restart("containerd.service"), fix("sda"), wait()] {
        let plan = go(&Memory::default(), &full(59), advised.clone());
        assert_eq!((&plan.begin, episode(&plan).asks()), (&None, None));
        let plan = go(&plan.memory, &full(60), advised);
        assert_eq!(plan.begin, None);
        assert_eq!(episode(&plan).asks(), Some(Asks::Escalate));
    }
    // an engine that could not even read it: in a moment it may
    let plan = go(&Memory::lost(), &full(59), wait());
    assert_eq!(episode(&plan).asks(), None);
    let plan = go(&plan.memory, &full(60), wait());
    assert_eq!(episode(&plan).asks(), Some(Asks::Escalate));
    let mut offered = full(1);
    offered.repair = repair(Asks::Reboot, Phase::GrantOffered);
    if let Some(repair) = &mut offered.repair.value {
        repair.grant = Some(grant());
    }
    let plan = go(&Memory::default(), &offered, Remedy::Reboot);
    assert_eq!((plan.begin, plan.memory.last_grant), (None, None));
}
