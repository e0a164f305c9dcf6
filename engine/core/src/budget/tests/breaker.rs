//! What opens a breaker, and what closes it.

use super::*;
use crate::reason::Reason;

fn looked(sight: &Sight) -> Breaker {
    let mut breaker = Breaker::default();
    breaker.look(sight, &LIMITS, true, at(0));
    breaker
}

/// The rule that opens a closed breaker at this sight, if any does.
fn opened_by(sight: &Sight) -> Option<Rule> {
    let breaker = looked(sight);
    (breaker.state == State::Open).then(|| breaker.tripped.unwrap().rule)
}

#[test]
fn a_rule_that_is_switched_off_opens_nothing() {
    let off = Limits {
        sick: 0,
        zone_sick: 0,
        together: 0,
        trickles: true,
    };
    let mut breaker = Breaker::default();
    let stormy = Sight {
        zones: vec![Zone {
            name: String::new(),
            nodes: 100,
            ailing: 100,
        }],
        onsets: turned("KernelDeadlock", 100),
        resets: turned("KernelDeadlock", 100),
        ..sight(100, 100)
    };
    breaker.look(&stormy, &off, true, at(0));
    assert_eq!(breaker.state, State::Closed);
    assert!(opened_by(&stormy).is_some());
}

fn turned(kind: &str, nodes: u32) -> Vec<Turned> {
    vec![Turned {
        kind: kind.to_owned(),
        nodes,
    }]
}

#[test]
fn more_than_three_tenths_of_a_pool_open_it_and_one_node_never_does() {
    for (nodes, may) in [
        (0, 1),
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 2),
        (5, 2),
        (10, 3),
        (11, 4),
        (100, 30),
        (15_000, 4500),
    ] {
        assert_eq!(opened_by(&sight(nodes, may)), None, "{nodes}");
        assert_eq!(
            opened_by(&sight(nodes, may + 1)),
            Some(Rule::PoolSick),
            "{nodes}"
        );
    }
}

#[test]
fn more_than_half_of_a_zone_open_it_if_it_is_one() {
    let zone = |nodes, ailing| Sight {
        zones: vec![Zone {
            name: "az-2".to_owned(),
            nodes,
            ailing,
        }],
        ..sight(100, ailing)
    };
    for (nodes, ailing, opens) in [
        (1, 1, false),
        (2, 2, false),
        (3, 2, false),
        (3, 3, true),
        (4, 2, false),
        (4, 3, true),
        (10, 5, false),
        (10, 6, true),
    ] {
        let expected = opens.then_some(Rule::ZoneSick);
        assert_eq!(
            opened_by(&zone(nodes, ailing)),
            expected,
            "{nodes} {ailing}"
        );
    }
    let tripped = looked(&zone(10, 6)).tripped.unwrap();
    assert_eq!(
        tripped.to_string(),
        "6 of the 10 nodes in zone az-2 are ill, in repair or removed within the hour; 5 may be"
    );
}

#[test]
fn a_tenth_of_a_pool_that_turns_together_opens_it_and_fewer_than_three_never_do() {
    for (nodes, opens_at) in [(3, 3), (10, 3), (30, 3), (31, 4), (100, 10), (1000, 100)] {
        for (turned_nodes, expected) in [(opens_at - 1, false), (opens_at, true)] {
            let onset = Sight {
                onsets: turned("KernelDeadlock", turned_nodes),
                ..sight(nodes, 0)
            };
            let reset = Sight {
                resets: turned("KernelDeadlock", turned_nodes),
                ..sight(nodes, 0)
            };
            assert_eq!(
                opened_by(&onset),
                expected.then_some(Rule::Onset),
                "{nodes} {turned_nodes}"
            );
            assert_eq!(
                opened_by(&reset),
                expected.then_some(Rule::Reset),
                "{nodes} {turned_nodes}"
            );
        }
    }
}

#[test]
fn it_closes_by_way_of_a_trickle_when_it_has_been_calm() {
    let mut breaker = looked(&sight(100, 31));
    assert_eq!(breaker.holds().unwrap().0, Reason::BreakerOpen);
    assert_eq!(breaker.allowed(&sight(100, 31)), 0);
    let mut look = |second, seen: &Sight| {
        breaker.look(seen, &LIMITS, true, at(second));
        (breaker.state, breaker.allowed(seen))
    };
    // under its limit, and not by a fifth
    assert_eq!(look(10, &sight(100, 25)), (State::Open, 0));
    assert_eq!(look(400, &sight(100, 25)), (State::Open, 0));
    assert_eq!(look(500, &sight(100, 24)), (State::Open, 0));
    assert_eq!(look(799, &sight(100, 24)), (State::Open, 0));
    assert_eq!(look(800, &sight(100, 24)), (State::Trickle, 1));
    let with = |helped: &[i64], failed: Option<i64>| Sight {
        helped: helped.iter().map(|second| at(*second)).collect(),
        failed: failed.map(at),
        ..sight(100, 24)
    };
    // what was before it does not count
    assert_eq!(look(810, &with(&[700], None)), (State::Trickle, 1));
    assert_eq!(look(900, &with(&[850], None)), (State::Trickle, 2));
    assert_eq!(look(910, &with(&[850, 890], None)), (State::Trickle, 3));
    // back to one at a failure
    assert_eq!(
        look(930, &with(&[850, 890], Some(920))),
        (State::Trickle, 1)
    );
    let all = [850, 890, 940, 950, 960];
    assert_eq!(look(970, &with(&all[..4], Some(920))), (State::Trickle, 3));
    let more = [850, 890, 940, 950, 960, 970];
    assert_eq!(look(980, &with(&more, Some(920))), (State::Closed, 5));
}

#[test]
fn a_pool_in_which_nothing_more_is_to_be_done_closes_too() {
    let mut breaker = looked(&sight(100, 31));
    for (second, state) in [
        (100, State::Open),
        (400, State::Trickle),
        (1899, State::Trickle),
        (1900, State::Closed),
    ] {
        breaker.look(&sight(100, 0), &LIMITS, true, at(second));
        assert_eq!(breaker.state, state, "{second}");
    }
}

#[test]
fn a_storm_that_gets_no_worse_is_let_through_in_a_trickle_unless_the_pool_holds() {
    for trickles in [true, false] {
        let limits = Limits { trickles, ..LIMITS };
        let mut breaker = Breaker::default();
        let mut look = |second, ailing| {
            breaker.look(&sight(100, ailing), &limits, true, at(second));
            breaker.state
        };
        assert_eq!(look(0, 50), State::Open);
        assert_eq!(look(1000, 51), State::Open);
        assert_eq!(look(1800, 51), State::Open, "it got worse since");
        assert_eq!(look(2799, 40), State::Open);
        let expected = [State::Open, State::Trickle][usize::from(trickles)];
        assert_eq!(look(2800, 51), expected);
        // as bad as it was is no worse
        assert_eq!(look(2900, 51), expected);
        assert_eq!(look(2910, 52), State::Open);
        assert_eq!(breaker.looks_again(&limits, at(2911)).is_some(), trickles);
    }
}

#[test]
fn while_the_eyes_are_not_steady_nothing_is_calm_and_nothing_is_flat() {
    let mut breaker = looked(&sight(100, 31));
    for second in [100, 1000, 2000, 9000] {
        breaker.look(&sight(100, 0), &LIMITS, false, at(second));
        assert_eq!(breaker.state, State::Open, "{second}");
    }
    breaker.look(&sight(100, 0), &LIMITS, true, at(9001));
    breaker.look(&sight(100, 0), &LIMITS, true, at(9301));
    assert_eq!(breaker.state, State::Trickle);
}

#[test]
fn a_trickle_ends_at_another_rule() {
    let mut breaker = looked(&sight(100, 31));
    breaker.look(&sight(100, 10), &LIMITS, true, at(10));
    breaker.look(&sight(100, 10), &LIMITS, true, at(310));
    assert_eq!(breaker.state, State::Trickle);
    let onset = Sight {
        onsets: turned("FrequentKubeletRestart", 10),
        ..sight(100, 20)
    };
    breaker.look(&onset, &LIMITS, true, at(320));
    assert_eq!(breaker.state, State::Open);
    assert_eq!(breaker.tripped.as_ref().unwrap().rule, Rule::Onset);
    assert_eq!(breaker.looks_again(&LIMITS, at(320)), Some(at(320 + 1800)));
}

#[test]
fn what_flaps_for_ever_is_let_through_and_what_comes_new_is_not() {
    let with = |kind: &str, ailing| Sight {
        onsets: turned(kind, 12),
        ..sight(100, ailing)
    };
    let mut breaker = looked(&with("Flapping", 20));
    let mut look = |second, seen: &Sight| {
        breaker.look(seen, &LIMITS, true, at(second));
        breaker.state
    };
    assert_eq!(look(1799, &with("Flapping", 18)), State::Open);
    assert_eq!(look(1800, &with("Flapping", 20)), State::Trickle);
    assert_eq!(look(5000, &with("Flapping", 20)), State::Trickle);
    assert_eq!(look(5001, &with("New", 20)), State::Open);
}

#[test]
fn a_rule_that_is_broken_all_the_time_hides_no_other() {
    let mut breaker = looked(&sight(100, 50));
    breaker.look(&sight(100, 50), &LIMITS, true, at(1800));
    assert_eq!(breaker.state, State::Trickle);
    let worse = Sight {
        onsets: turned("New", 15),
        ..sight(100, 50)
    };
    breaker.look(&worse, &LIMITS, true, at(1900));
    assert_eq!(breaker.state, State::Open);
    assert_eq!(breaker.tripped.as_ref().unwrap().rule, Rule::Onset);
}

#[test]
fn one_node_that_stays_ill_holds_no_small_pool() {
    let mut breaker = looked(&sight(3, 2));
    assert_eq!(breaker.state, State::Open);
    breaker.look(&sight(3, 1), &LIMITS, true, at(10));
    breaker.look(&sight(3, 1), &LIMITS, true, at(310));
    assert_eq!(breaker.state, State::Trickle);
    // what is shown is what is seen
    assert_eq!(breaker.tripped.unwrap().seen, 1);
}

#[test]
fn what_a_former_leader_left_open_is_not_closed_by_a_restart() {
    let before = looked(&sight(100, 31));
    for state in [State::Open, State::Trickle] {
        let mut breaker = Breaker::resumed(state, before.since, before.tripped.clone());
        breaker.look(&sight(100, 0), &LIMITS, true, at(5000));
        assert_eq!(breaker.state, State::Open);
        breaker.look(&sight(100, 0), &LIMITS, true, at(5300));
        assert_eq!(breaker.state, State::Trickle);
    }
    let mut closed = Breaker::resumed(State::Closed, None, None);
    closed.look(&sight(100, 0), &LIMITS, true, at(1));
    assert_eq!(closed.state, State::Closed);
}

#[test]
fn a_clock_that_is_put_back_holds_no_breaker_for_ever() {
    let mut breaker = Breaker::default();
    breaker.look(&sight(100, 31), &LIMITS, true, at(1_000_000));
    breaker.look(&sight(100, 0), &LIMITS, true, at(1_000_001));
    breaker.look(&sight(100, 0), &LIMITS, true, at(0));
    breaker.look(&sight(100, 0), &LIMITS, true, at(300));
    assert_eq!(breaker.state, State::Trickle);
}

#[test]
fn an_onset_is_calm_under_four_fifths_of_its_limit_and_not_at_them() {
    let with = |nodes| Sight {
        onsets: turned("KernelDeadlock", nodes),
        ..sight(100, 0)
    };
    for (nodes, state) in [(7, State::Trickle), (8, State::Open)] {
        let mut breaker = looked(&with(10));
        for second in [1, 301] {
            breaker.look(&with(nodes), &LIMITS, true, at(second));
        }
        assert_eq!(breaker.state, state, "{nodes}");
    }
}

#[test]
fn what_a_former_leader_wrote_down_is_shown_until_something_else_is_seen() {
    let before = looked(&sight(100, 31));
    let resumed = Breaker::resumed(State::Trickle, before.since, before.tripped.clone());
    assert_eq!(
        (resumed.since, &resumed.tripped),
        (before.since, &before.tripped)
    );
    assert_eq!(before.since, Some(at(0)));
}

#[test]
fn a_storm_is_as_old_as_its_last_rise_whatever_the_clock_did() {
    let mut breaker = looked(&sight(100, 50));
    // the rise lies ahead of a clock that was put back: it counts from now
    breaker.look(&sight(100, 50), &LIMITS, true, at(-5000));
    breaker.look(&sight(100, 50), &LIMITS, true, at(-3201));
    assert_eq!(breaker.state, State::Open);
    breaker.look(&sight(100, 50), &LIMITS, true, at(-3200));
    assert_eq!(breaker.state, State::Trickle);
    // and in the very second of a rise nothing is late
    let mut same = looked(&sight(100, 50));
    same.look(&sight(100, 50), &LIMITS, true, at(0));
    same.look(&sight(100, 50), &LIMITS, true, at(1800));
    assert_eq!(same.state, State::Trickle);
}

#[test]
fn each_state_has_the_time_at_which_it_began() {
    let mut breaker = looked(&sight(100, 31));
    assert_eq!(breaker.since, Some(at(0)));
    breaker.look(&sight(100, 0), &LIMITS, true, at(100));
    breaker.look(&sight(100, 0), &LIMITS, true, at(400));
    assert_eq!(
        (breaker.state, breaker.since),
        (State::Trickle, Some(at(400)))
    );
    breaker.look(&sight(100, 0), &LIMITS, true, at(1900));
    assert_eq!(
        (breaker.state, breaker.since, &breaker.tripped),
        (State::Closed, Some(at(1900)), &None)
    );
    for state in [State::Closed, State::Open, State::Trickle] {
        assert_eq!(state.label(), format!("{state:?}"));
    }
}

#[test]
fn the_rule_that_is_shown_is_the_one_that_is_broken() {
    let mut breaker = looked(&sight(100, 31));
    let both = |ailing, nodes| Sight {
        onsets: turned("KernelDeadlock", nodes),
        ..sight(100, ailing)
    };
    let mut shown = |second, seen: &Sight| {
        breaker.look(seen, &LIMITS, true, at(second));
        let tripped = breaker.tripped.clone().unwrap();
        (tripped.rule, tripped.seen)
    };
    // its own, as long as that is broken
    assert_eq!(shown(1, &both(40, 10)), (Rule::PoolSick, 40));
    assert_eq!(shown(2, &both(20, 11)), (Rule::Onset, 11));
    // and now that is its own, whatever else is broken
    assert_eq!(shown(2, &both(40, 12)), (Rule::Onset, 12));
    // that one is shown as it goes, until it is broken no more and another is
    assert_eq!(shown(3, &both(20, 5)), (Rule::Onset, 5));
    assert_eq!(shown(4, &sight(100, 20)), (Rule::Onset, 0));
    assert_eq!(shown(5, &sight(100, 33)), (Rule::PoolSick, 33));
}

#[test]
fn what_helped_in_the_very_second_in_which_the_trickle_began_does_not_count_for_it() {
    let mut breaker = looked(&sight(100, 31));
    breaker.look(&sight(100, 24), &LIMITS, true, at(100));
    breaker.look(&sight(100, 24), &LIMITS, true, at(400));
    assert_eq!(breaker.state, State::Trickle);
    let helped = |second| Sight {
        helped: vec![at(second)],
        ..sight(100, 24)
    };
    assert_eq!(breaker.allowed(&helped(400)), 1);
    assert_eq!(breaker.allowed(&helped(401)), 2);
}

#[test]
fn what_is_told_to_change_soonest_lies_ahead() {
    let breaker = looked(&sight(100, 50));
    assert_eq!(breaker.looks_again(&LIMITS, at(1799)), Some(at(1800)));
    assert_eq!(breaker.looks_again(&LIMITS, at(1800)), None);
}
