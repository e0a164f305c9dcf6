//! The very moments and numbers at which a guard rail opens or shuts.

use std::collections::BTreeSet;

use super::super::clock::put_right;
use super::super::guard;
use super::*;

/// An episode whose turn is at this second.
fn with_turn(turn: Option<i64>) -> Episode {
    let plan = go(&Memory::default(), &ill(0), wait());
    Episode {
        turn: turn.map(at),
        ..episode(&plan).clone()
    }
}

fn drawn(episode: &Episode, second: i64) -> Option<jiff::Timestamp> {
    let limits = Limits {
        jitter: 600,
        ..limits()
    };
    let remedy = restart("containerd.service");
    guard::draw(&kind(KIND), episode, &remedy, &ill(second), &limits)
}

#[test]
fn a_turn_comes_at_its_second_and_is_drawn_anew_when_it_is_long_past() {
    let episode = with_turn(Some(100));
    let limits = limits();
    let remedy = restart("containerd.service");
    for (second, comes) in [(99, false), (100, true)] {
        let turn = guard::turn(&episode, &remedy, &ill(second), &limits);
        assert_eq!(turn.is_ok(), comes, "{second}");
    }
    for (second, anew) in [
        (100, false),
        (399, false),
        (400, false),
        (401, true),
        (500, true),
    ] {
        assert_eq!(drawn(&episode, second).is_some(), anew, "{second}");
    }
    assert!(drawn(&with_turn(None), 0).is_some());
    // one that has had a remedy is spread already
    let tried = go(&Memory::default(), &ill(0), remedy);
    assert_eq!(
        drawn(tried.memory.episodes.values().next().unwrap(), 1000),
        None
    );
}

#[test]
fn turns_are_spread_over_all_of_the_time() {
    let mut tenths = [0; 10];
    let mut all = BTreeSet::new();
    for number in 0..1000 {
        let seen = Seen {
            name: crate::name::NodeName::parse(format!("node-{number}")).unwrap(),
            ..ill(0)
        };
        let limits = Limits {
            jitter: 999,
            ..limits()
        };
        let remedy = restart("containerd.service");
        let turn = guard::draw(&kind(KIND), &with_turn(None), &remedy, &seen, &limits);
        let wait = turn.map_or(0, |turn| turn.duration_since(at(0)).as_secs());
        tenths[usize::try_from(wait / 100).unwrap()] += 1;
        all.insert(wait);
    }
    // of 1 000 draws from 1 000 about 632 differ
    assert!(all.len() > 550, "{}", all.len());
    assert!(
        tenths.iter().all(|nodes| (60..150).contains(nodes)),
        "{tenths:?}"
    );
}

#[test]
fn a_clock_that_lags_changes_only_what_lies_ahead_of_it() {
    let with = |turn: i64, behind: Option<i64>| Memory {
        episodes: [(kind(KIND), with_turn(Some(turn)))].into(),
        behind: behind.map(at),
        ..Memory::default()
    };
    // an hour ahead a turn may be
    for (turn, stays) in [(10_000, true), (13_600, true), (13_601, false)] {
        let mut memory = with(turn, Some(0));
        put_right(&mut memory, at(10_000));
        let kept = memory.episodes.values().next().unwrap().turn;
        assert_eq!(kept.is_some(), stays, "{turn}");
        assert_eq!(memory.behind, None);
    }
    // nothing lies ahead: the clock does not lag, or does no more
    for behind in [None, Some(9_990)] {
        let mut memory = with(10_000, behind);
        put_right(&mut memory, at(10_000));
        assert_eq!(memory, with(10_000, None), "{behind:?}");
    }
    let mut memory = with(20_000, None);
    put_right(&mut memory, at(10_000));
    assert_eq!(memory, with(20_000, Some(10_000)));
}

#[test]
fn a_deadline_is_put_off_when_less_than_half_of_its_time_is_left_and_only_while_the_node_heals() {
    let half = i64::from(limits().heal_within / 2);
    let paused = |asks, phase, deadline: i64| {
        let mut seen = Seen {
            repair: repair(asks, phase),
            ..ill(100)
        };
        if let Some(node) = &mut seen.node.value {
            node.paused = Some(String::new());
        }
        if let Some(repair) = &mut seen.repair.value {
            repair.deadline = Some(at(deadline));
        }
        go(&announced(asks, phase), &seen, wait()).repair
    };
    let healing = |deadline| paused(Asks::InNode, Phase::HealingInNode, deadline);
    assert_eq!(healing(100 + half), None);
    assert!(matches!(
        healing(99 + half),
        Some(RepairWrite::Extend { .. })
    ));
    assert_eq!(paused(Asks::InNode, Phase::Judging, 101), None);
    assert_eq!(paused(Asks::Reboot, Phase::HealingInNode, 101), None);
}

#[test]
fn an_episode_that_was_escalated_counts_once() {
    let limits = limits();
    let mut memory = Memory::default();
    for second in 0..600 {
        let seen = in_vain(&memory, second);
        let answers = match memory.episodes.values().next() {
            Some(episode) if episode.asks() >= Some(Asks::Reboot) => advice(Remedy::Escalate),
            Some(episode) if episode.tried() > 0 && second > 300 => advice(Remedy::Reboot),
            Some(_) | None => advice(restart("containerd.service")),
        };
        memory = pass(&memory, &seen, &limits, &answers).memory;
    }
    let asks = memory.episodes.values().next().unwrap().asks();
    assert_eq!(asks, Some(Asks::Escalate));
    assert_eq!(memory.failed.len(), 1, "{:?}", memory.failed);
}
