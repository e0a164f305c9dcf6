//! How fast repairs begin.

use super::*;
use crate::name::NodeName;
use crate::reason::Reason;

fn node(number: u32) -> NodeName {
    NodeName::parse(format!("worker-{number}")).unwrap()
}

#[test]
fn a_twentieth_of_a_pool_is_in_repair_at_once_and_ten_at_most() {
    for (nodes, cap) in [
        (0, 1),
        (1, 1),
        (39, 1),
        (40, 2),
        (59, 2),
        (60, 3),
        (199, 9),
        (200, 10),
        (15_000, 10),
    ] {
        assert_eq!(PACE.cap(nodes), cap, "{nodes}");
    }
}

#[test]
fn those_in_flight_are_spread_over_zones() {
    let work = |flights: &[(u32, &str)]| Work {
        in_flight: flights
            .iter()
            .map(|(number, zone)| (node(*number), (*zone).to_owned()))
            .collect(),
        zones: 3,
        nodes: 100,
        ..Work::default()
    };
    let asks = |flights: &[(u32, &str)], zone: &str| {
        let asked = work(flights).admits(&one(zone, Rung::Reboot), 5, &PACE, at(0));
        asked.err()
    };
    assert_eq!(asks(&[], "a"), None);
    assert_eq!(asks(&[(1, "a")], "a"), None);
    let two = [(1, "a"), (2, "a")];
    let full = (Reason::ZoneInRepair, "2 in zone a".to_owned());
    assert_eq!(asks(&two, "a"), Some(full));
    assert_eq!(asks(&two, "b"), None);
    let five = [(1, "a"), (2, "a"), (3, "b"), (4, "b"), (5, "c")];
    let full = (Reason::AnotherRepairRuns, "worker-1".to_owned());
    assert_eq!(asks(&five, "c"), Some(full));
}

#[test]
fn repairs_keep_a_distance_and_a_clock_put_back_holds_none_for_ever() {
    let work = |began: i64| Work {
        began: Some(at(began)),
        nodes: 100,
        ..Work::default()
    };
    let asks = |began, now| {
        let asked = work(began).admits(&one("a", Rung::Reboot), 5, &PACE, at(now));
        asked.err().map(|(reason, _)| reason)
    };
    assert_eq!(asks(0, 0), Some(Reason::Paced));
    assert_eq!(asks(0, 299), Some(Reason::Paced));
    assert_eq!(asks(0, 300), None);
    assert_eq!(asks(200, 0), Some(Reason::Paced));
    assert_eq!(asks(301, 0), None);
}

#[test]
fn the_cluster_replaces_a_hundredth_of_its_nodes_in_an_hour() {
    let work = |nodes, replaced: &[i64]| Work {
        nodes,
        replaced: replaced.iter().map(|second| at(*second)).collect(),
        ..Work::default()
    };
    let asks = |nodes, replaced: &[i64], rung| {
        work(nodes, replaced).admits(&one("a", rung), 5, &PACE, at(4000))
    };
    for (nodes, replaced, may) in [
        (3, &[][..], true),
        (3, &[500][..], false),
        (3, &[400][..], true),
        (100, &[500][..], false),
        (101, &[500][..], true),
        (101, &[500, 600][..], false),
        (1000, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11][..], true),
    ] {
        let asked = asks(nodes, replaced, Rung::Replace);
        assert_eq!(asked.is_ok(), may, "{nodes} {replaced:?}");
        if let Err((reason, _)) = asked {
            assert_eq!(reason, Reason::HourlyUsedUp);
        }
        assert_eq!(asks(nodes, replaced, Rung::Reboot), Ok(()));
    }
}

#[test]
fn a_repair_that_goes_on_to_its_next_rung_waits_for_no_place_and_is_counted_as_a_replacement() {
    let busy = Work {
        in_flight: vec![(node(1), "a".to_owned())],
        zones: 1,
        began: Some(at(0)),
        nodes: 100,
        ..Work::default()
    };
    let next = |rung| Candidate {
        goes_on: true,
        ..one("a", rung)
    };
    assert_eq!(busy.admits(&next(Rung::Replace), 1, &PACE, at(1)), Ok(()));
    let used_up = Work {
        replaced: vec![at(0)],
        ..busy
    };
    let asked = used_up.admits(&next(Rung::Replace), 1, &PACE, at(1));
    assert_eq!(asked.unwrap_err().0, Reason::HourlyUsedUp);
    assert_eq!(
        used_up.admits(&next(Rung::HardReboot), 1, &PACE, at(1)),
        Ok(())
    );
}

#[test]
fn three_replacements_that_fail_in_a_row_stop_a_pools_until_a_probe() {
    let attempts = |all: &[(i64, Option<bool>)]| Work {
        attempts: all
            .iter()
            .map(|(began, went_well)| Attempt {
                began: at(*began),
                went_well: *went_well,
            })
            .collect(),
        nodes: 1000,
        ..Work::default()
    };
    let (well, ill, runs) = (Some(true), Some(false), None);
    for (all, now, stopped) in [
        (&[(0, ill), (1, ill)][..], 10, false),
        (&[(0, ill), (1, ill), (2, ill)][..], 10, true),
        (&[(2, ill), (0, ill), (1, ill)][..], 10, true),
        (&[(0, ill), (1, ill), (2, ill)][..], 1801, true),
        // the probe, and nothing beside it
        (&[(0, ill), (1, ill), (2, ill)][..], 1802, false),
        (
            &[(0, ill), (1, ill), (2, ill), (1802, runs)][..],
            1900,
            true,
        ),
        (&[(0, ill), (1, ill), (2, ill), (1802, ill)][..], 3601, true),
        (
            &[(0, ill), (1, ill), (2, ill), (1802, ill)][..],
            3602,
            false,
        ),
        (
            &[(0, ill), (1, ill), (2, ill), (1802, well)][..],
            1900,
            false,
        ),
        (&[(0, ill), (1, well), (2, ill), (3, ill)][..], 10, false),
    ] {
        let work = attempts(all);
        let asked = work.admits(&one("a", Rung::Replace), 5, &PACE, at(now));
        let expected = stopped.then_some(Reason::CreatesStopped);
        assert_eq!(
            asked.err().map(|(reason, _)| reason),
            expected,
            "{all:?} {now}"
        );
    }
    let work = attempts(&[(0, ill), (1, ill), (2, ill)]);
    assert_eq!(work.stopped(at(10)), Some(at(1802)));
}
