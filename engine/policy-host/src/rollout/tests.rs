use super::*;

pub(super) fn plan(node: &str, seconds: u64) -> Plan {
    Plan::of(node.to_owned(), Duration::from_secs(seconds))
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn version(number: u8) -> Fingerprint {
    Fingerprint::of(Ok([number; 32]), None)
}

/// Version 1 enforces as the baseline; version 2 is offered at second 0.
fn coming(plan: &Plan) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.offered(plan, "a", version(1), Mode::Enforce, true, at(-1000));
    ledger.offered(plan, "a", version(2), Mode::Enforce, false, at(0));
    ledger
}

fn stage(ledger: &Ledger, plan: &Plan) -> Option<Stage> {
    match ledger.standing(plan, "a", &version(2)) {
        Standing::Coming { stage, .. } => Some(stage),
        Standing::Settled => None,
    }
}

#[test]
fn the_first_version_of_all_enforces_at_once() {
    let plan = plan("node", 90);
    let mut ledger = Ledger::default();
    assert!(ledger.is_blank());
    ledger.offered(&plan, "a", version(1), Mode::Enforce, true, at(0));
    assert!(!ledger.is_blank());
    assert_eq!(ledger.standing(&plan, "a", &version(1)), Standing::Settled);
    assert_eq!(ledger.enforcing("a"), Some(version(1)));
    assert_eq!(ledger.stage_lasts(&plan, "a", at(0)), None);
}

#[test]
fn a_new_version_passes_its_stages_by_the_clock() {
    let plan = plan("node", 90);
    let mut ledger = coming(&plan);
    for (second, passes, expected) in [
        (0, None, Some(Stage::Nobody)),
        (29, None, Some(Stage::Nobody)),
        (31, Some(Stage::OneInHundred), Some(Stage::OneInHundred)),
        (59, None, Some(Stage::OneInHundred)),
        (60, Some(Stage::OneInTen), Some(Stage::OneInTen)),
        (89, None, Some(Stage::OneInTen)),
        (90, Some(Stage::Everybody), None),
    ] {
        assert_eq!(ledger.advance(&plan, "a", at(second)), passes, "{second}");
        assert_eq!(stage(&ledger, &plan), expected, "{second}");
        let enforcing = if second < 90 { version(1) } else { version(2) };
        assert_eq!(ledger.enforcing("a"), Some(enforcing), "{second}");
    }
    assert_eq!(ledger.advance(&plan, "a", at(200)), None);
}

#[test]
fn the_time_to_the_next_stage_is_told() {
    let plan = plan("node", 90);
    let mut ledger = coming(&plan);
    let left = |ledger: &Ledger, second| {
        let left = ledger.stage_lasts(&plan, "a", at(second));
        left.unwrap().as_secs()
    };
    assert_eq!(left(&ledger, 10), 20);
    assert_eq!(left(&ledger, 100), 0);
    ledger.advance(&plan, "a", at(31));
    assert_eq!(left(&ledger, 31), 29);
}

#[test]
fn a_clock_that_jumps_ahead_or_a_long_absence_passes_one_stage_at_a_time() {
    let plan = plan("node", 90);
    let mut ledger = coming(&plan);
    let year = 365 * 86_400;
    assert_eq!(
        ledger.advance(&plan, "a", at(year)),
        Some(Stage::OneInHundred)
    );
    assert_eq!(ledger.advance(&plan, "a", at(year)), None);
    assert_eq!(
        ledger.advance(&plan, "a", at(year + 30)),
        Some(Stage::OneInTen)
    );
}

#[test]
fn a_clock_that_is_set_back_neither_skips_nor_blocks() {
    let plan = plan("node", 90);
    let mut ledger = coming(&plan);
    let year = -365 * 86_400;
    assert_eq!(ledger.advance(&plan, "a", at(20)), None);
    assert_eq!(ledger.advance(&plan, "a", at(year)), None);
    assert_eq!(ledger.advance(&plan, "a", at(year + 29)), None);
    assert_eq!(
        ledger.advance(&plan, "a", at(year + 30)),
        Some(Stage::OneInHundred)
    );
    // And put right again: one stage, not all.
    assert_eq!(ledger.advance(&plan, "a", at(100)), Some(Stage::OneInTen));
    assert_eq!(ledger.advance(&plan, "a", at(100)), None);
}

#[test]
fn about_as_many_nodes_enforce_as_the_stage_says() {
    let count = |stage| {
        let nodes = (0..10_000).map(|node| plan(&format!("node-{node}"), 90));
        nodes
            .filter(|plan| plan.enforces(&version(2), stage))
            .count()
    };
    assert_eq!(count(Stage::Nobody), 0);
    // five standard deviations
    assert!((50..150).contains(&count(Stage::OneInHundred)));
    assert!((850..1150).contains(&count(Stage::OneInTen)));
    assert_eq!(count(Stage::Everybody), 10_000);
}

#[test]
fn another_version_begins_on_other_nodes() {
    let first = |number| {
        let enforces = |node: &u32| {
            plan(&format!("node-{node}"), 90).enforces(&version(number), Stage::OneInHundred)
        };
        (0..10_000).find(enforces)
    };
    assert_ne!(first(2), first(3));
}

#[test]
fn who_enforces_in_one_stage_enforces_in_the_next() {
    for node in 0..1000 {
        let plan = plan(&format!("node-{node}"), 90);
        let enforces = |stage| plan.enforces(&version(2), stage);
        assert!(!enforces(Stage::OneInHundred) || enforces(Stage::OneInTen));
    }
}

#[test]
fn going_back_is_at_once_even_where_the_new_one_enforced_already() {
    let plan = plan("node", 90);
    let mut ledger = coming(&plan);
    ledger.advance(&plan, "a", at(30));
    ledger.offered(&plan, "a", version(1), Mode::Enforce, false, at(31));
    assert_eq!(ledger.standing(&plan, "a", &version(1)), Standing::Settled);
    // and forward again begins anew
    ledger.offered(&plan, "a", version(2), Mode::Enforce, false, at(32));
    assert_eq!(stage(&ledger, &plan), Some(Stage::Nobody));
    for second in [62, 92, 122] {
        ledger.advance(&plan, "a", at(second));
    }
    assert_eq!(ledger.enforcing("a"), Some(version(2)));
    ledger.offered(&plan, "a", version(1), Mode::Enforce, false, at(130));
    assert_eq!(ledger.enforcing("a"), Some(version(1)));
}

#[test]
fn a_third_version_begins_anew_and_the_first_enforces_still() {
    let plan = plan("node", 90);
    let mut ledger = coming(&plan);
    ledger.advance(&plan, "a", at(30));
    ledger.offered(&plan, "a", version(3), Mode::Enforce, false, at(40));
    assert_eq!(ledger.enforcing("a"), Some(version(1)));
    let standing = ledger.standing(&plan, "a", &version(3));
    let nobody = Standing::Coming {
        stage: Stage::Nobody,
        here: false,
        held: false,
    };
    assert_eq!(standing, nobody);
    assert_eq!(ledger.advance(&plan, "a", at(69)), None);
}

#[test]
fn offered_again_as_after_a_restart_it_stays_in_its_stage() {
    let plan = plan("node", 90);
    let mut ledger = coming(&plan);
    ledger.advance(&plan, "a", at(30));
    ledger.offered(&plan, "a", version(2), Mode::Enforce, false, at(40));
    assert_eq!(stage(&ledger, &plan), Some(Stage::OneInHundred));
    assert_eq!(ledger.advance(&plan, "a", at(60)), Some(Stage::OneInTen));
}

#[test]
fn a_sidecar_that_says_monitor_takes_effect_at_once() {
    let plan = plan("node", 90);
    let mut ledger = coming(&plan);
    ledger.offered(&plan, "a", version(3), Mode::Monitor, false, at(1));
    assert_eq!(ledger.standing(&plan, "a", &version(3)), Standing::Settled);
    assert_eq!(ledger.enforcing("a"), None);
    // and what enforced before may at once again
    ledger.offered(&plan, "a", version(1), Mode::Enforce, false, at(2));
    assert_eq!(ledger.enforcing("a"), Some(version(1)));
}

#[test]
fn a_new_policy_beside_others_comes_gradually_and_a_renamed_one_at_once() {
    let plan = plan("node", 90);
    let mut ledger = coming(&plan);
    ledger.offered(&plan, "b", version(4), Mode::Enforce, false, at(0));
    assert_eq!(ledger.enforcing("b"), None);
    assert!(matches!(
        ledger.standing(&plan, "b", &version(4)),
        Standing::Coming {
            stage: Stage::Nobody,
            here: false,
            held: false,
        }
    ));
    ledger.forget_all_but(|name| name != "a");
    ledger.offered(&plan, "c", version(1), Mode::Enforce, false, at(0));
    assert_eq!(ledger.enforcing("c"), Some(version(1)));
}

#[test]
fn no_time_is_at_once() {
    let plan = plan("node", 0);
    let ledger = coming(&plan);
    assert_eq!(ledger.standing(&plan, "a", &version(2)), Standing::Settled);
    assert_eq!(ledger.enforcing("a"), Some(version(2)));
}

#[test]
fn what_is_remembered_is_bounded() {
    let plan = plan("node", 0);
    let mut ledger = Ledger::default();
    for number in 0..2000_u32 {
        let module = Sha256::digest(number.to_le_bytes()).into();
        let version = Fingerprint::of(Ok(module), None);
        ledger.offered(&plan, "a", version, Mode::Enforce, true, at(0));
    }
    assert_eq!(ledger.proven.len(), PROVEN);
    assert_eq!(ledger.needed().len(), 1);
    ledger.forget_all_but(|_| false);
    assert!(ledger.needed().is_empty() && !ledger.is_blank());
}

#[test]
fn a_version_that_is_held_passes_no_stage_and_begins_it_anew() {
    let (plan, mut ledger) = (plan("node", 30), Ledger::default());
    let (one, two) = (version(1), version(2));
    ledger.offered(&plan, "a", one, Mode::Enforce, true, at(0));
    ledger.offered(&plan, "a", two, Mode::Enforce, false, at(0));
    assert!(ledger.hold("a", true, at(5)));
    assert!(!ledger.hold("a", true, at(6)));
    assert_eq!(ledger.advance(&plan, "a", at(100)), None);
    assert_eq!(ledger.stage_lasts(&plan, "a", at(100)), None);
    assert!(ledger.hold("a", false, at(100)));
    assert_eq!(ledger.advance(&plan, "a", at(109)), None);
    assert_eq!(
        ledger.advance(&plan, "a", at(110)),
        Some(Stage::OneInHundred)
    );
    // Nobody else's, and not of one that is not on its way.
    assert!(!ledger.hold("b", true, at(110)));
}
