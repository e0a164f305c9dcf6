//! A reboot: by a grant, for this boot, once.

use super::*;

/// The problem is there, a reboot was asked for, and this grant is offered.
fn offered(t: i64, change: impl Fn(&mut RepairSeen)) -> Seen {
    let mut watched = repair(Asks::Reboot, Phase::GrantOffered);
    if let Some(repair) = &mut watched.value {
        repair.grant = Some(grant());
        change(repair);
    }
    Seen {
        repair: watched,
        ..ill(t)
    }
}

fn reboot_asked() -> Memory {
    let plan = go(&outlived().memory, &ill(64), Remedy::Reboot);
    assert!(matches!(
        plan.repair,
        Some(RepairWrite::Open {
            asks: Asks::Reboot,
            ..
        })
    ));
    assert_eq!(plan.begin, None);
    plan.memory
}

#[test]
fn a_reboot_needs_a_grant_for_this_boot() {
    let memory = reboot_asked();
    let plan = go(&memory, &offered(100, |_| {}), Remedy::Reboot);
    let grant = "grant-1".to_owned();
    assert_eq!(
        plan.repair,
        Some(RepairWrite::Accept {
            grant: grant.clone()
        })
    );
    assert_eq!(
        plan.begin,
        Some(Begin::Reboot {
            problem: kind(KIND),
            grant
        })
    );

    let none: fn(&mut RepairSeen) = |repair| repair.grant = None;
    let other_boot: fn(&mut RepairSeen) =
        |repair| repair.grant.as_mut().unwrap().boot_id = "boot-0".to_owned();
    let other_node: fn(&mut RepairSeen) =
        |repair| repair.grant.as_mut().unwrap().node_uid = "other".to_owned();
    let expired: fn(&mut RepairSeen) = |repair| repair.grant.as_mut().unwrap().until = at(99);
    let just_expired: fn(&mut RepairSeen) = |repair| repair.grant.as_mut().unwrap().until = at(100);
    let taken: fn(&mut RepairSeen) = |repair| repair.accepted_grant = Some("grant-1".to_owned());
    let closed: fn(&mut RepairSeen) = |repair| repair.phase = Phase::Judging;
    for change in [
        none,
        other_boot,
        other_node,
        expired,
        just_expired,
        taken,
        closed,
    ] {
        assert_eq!(
            go(&memory, &offered(100, change), Remedy::Reboot).begin,
            None
        );
    }
    let recovered = Seen {
        conditions: healthy(100).conditions,
        ..offered(100, |_| {})
    };
    assert_eq!(go(&memory, &recovered, Remedy::Reboot).begin, None);
    let stopped = Seen {
        stop: Some(String::new()),
        ..offered(100, |_| {})
    };
    let plan = go(&memory, &stopped, Remedy::Reboot);
    assert_eq!((plan.begin, plan.repair), (None, None), "the stop switch");
    let no_boot_id = Seen {
        boot: None,
        ..offered(100, |_| {})
    };
    assert_eq!(go(&memory, &no_boot_id, Remedy::Reboot).begin, None);
}

/// A package manager, say.
#[test]
fn a_grant_is_not_taken_while_somebody_inhibits_a_shutdown() {
    let memory = reboot_asked();
    let offered = |inhibitor: Option<&str>| Seen {
        inhibitor: inhibitor.map(str::to_owned),
        ..offered(100, |_| {})
    };
    let held = go(&memory, &offered(Some("apt: packages")), Remedy::Reboot);
    assert_eq!((held.begin, held.repair), (None, None));
    let plan = go(&held.memory, &offered(None), Remedy::Reboot);
    assert!(matches!(plan.repair, Some(RepairWrite::Accept { .. })));
}

#[test]
fn a_grant_is_used_once() {
    let memory = go(&reboot_asked(), &offered(100, |_| {}), Remedy::Reboot).memory;
    // The engine was killed and started again; the object still shows the offer.
    let plan = go(&memory, &offered(103, |_| {}), Remedy::Reboot);
    assert_eq!((plan.begin, plan.repair), (None, None));
    let plan = go(&plan.memory, &offered(399, |_| {}), Remedy::Reboot);
    assert_eq!(outcome(&plan), Outcome::Running);
    // No new boot came.
    let plan = go(&plan.memory, &offered(400, |_| {}), Remedy::Reboot);
    assert_eq!(outcome(&plan), Outcome::Failed);
    assert_eq!(plan.begin, None);
    // A second reboot is not asked for.
    assert_eq!(episode(&plan).asks(), Some(Asks::Escalate));
}

#[test]
fn a_grant_whose_acceptance_was_lost_is_not_used_up() {
    let mut memory = go(&reboot_asked(), &offered(100, |_| {}), Remedy::Reboot).memory;
    memory.unbegin_reboot("grant-1");
    assert!(
        go(&memory, &offered(103, |_| {}), Remedy::Reboot)
            .begin
            .is_some()
    );
}

#[test]
fn a_new_boot_ends_the_reboot_and_the_condition_decides_what_it_was_worth() {
    let memory = go(&reboot_asked(), &offered(100, |_| {}), Remedy::Reboot).memory;
    let booted = |t, conditions| Seen {
        boot: Some(boot("boot-2")),
        conditions,
        repair: repair(Asks::Reboot, Phase::Settling),
        ..ill(t)
    };
    let memory = go(&memory, &booted(130, ill(0).conditions), Remedy::Reboot).memory;
    let plan = go(&memory, &booted(190, ill(0).conditions), Remedy::Escalate);
    assert_eq!(outcome(&plan), Outcome::NoEffect);
    assert_eq!(plan.repair, Some(RepairWrite::Raise(Asks::Escalate)));
    // the remedies failed when the reboot was asked for, and once
    assert_eq!(plan.memory.failed.len(), 1);
    let memory = go(&memory, &booted(135, healthy(0).conditions), wait()).memory;
    let plan = go(&memory, &booted(195, healthy(0).conditions), wait());
    assert!(matches!(
        plan.news[0].news,
        News::Outcome {
            outcome: Outcome::Recovered,
            ..
        }
    ));
}

#[test]
fn only_the_grant_that_was_lost_is_offered_again() {
    let begun = go(&reboot_asked(), &offered(100, |_| {}), Remedy::Reboot).memory;
    let attempts = |memory: &Memory| memory.episodes[&kind(KIND)].attempts.len();
    let mut another = begun.clone();
    another.unbegin_reboot("grant-0");
    assert_eq!(attempts(&another), attempts(&begun));
    assert_eq!(another.remedies, begun.remedies);
    let mut lost = begun.clone();
    lost.unbegin_reboot("grant-1");
    assert_eq!(attempts(&lost), attempts(&begun) - 1);
    assert_eq!(lost.remedies.len(), begun.remedies.len() - 1);
    // what was carried out is not forgotten
    let mut booted = begun.clone();
    for episode in booted.episodes.values_mut() {
        for attempt in &mut episode.attempts {
            attempt.course = Course::Settling { since: at(101) };
        }
    }
    booted.unbegin_reboot("grant-1");
    assert_eq!(attempts(&booted), attempts(&begun));
    assert_eq!(booted.remedies, begun.remedies);
}

#[test]
fn a_reboot_is_no_unit_and_counts_apart() {
    let begun = go(&reboot_asked(), &offered(100, |_| {}), Remedy::Reboot);
    let episode = episode(&begun);
    assert_eq!((episode.attempts.len(), episode.tried()), (2, 1));
    assert_eq!(episode.reboot().unwrap().grant.as_deref(), Some("grant-1"));
}

#[test]
fn no_grant_is_taken_while_another_remedy_is_under_way() {
    let memory = reboot_asked();
    let carrying_out = Seen {
        carrying_out: true,
        ..offered(100, |_| {})
    };
    let plan = go(&memory, &carrying_out, Remedy::Reboot);
    assert_eq!((plan.begin, plan.repair), (None, None));
    // one of another problem, whose end is not known yet
    let mut running = memory.clone();
    let mut other = running.episodes[&kind(KIND)].clone();
    (other.problem.kind, other.handover) = ("KernelDeadlock".to_owned(), None);
    other.attempts[0].course = Course::Begun;
    running.episodes.insert(kind("KernelDeadlock"), other);
    let mut busy = offered(100, |_| {});
    busy.units.values_mut().for_each(|unit| unit.busy = true);
    let plan = go(&running, &busy, Remedy::Reboot);
    assert_eq!((plan.begin, plan.repair), (None, None));
}

#[test]
fn who_asked_for_a_reboot_touches_nothing_before_it_nor_after_it() {
    let asked = reboot_asked();
    assert!(questions(&asked, &ill(70), &limits()).is_empty());
    let memory = go(&asked, &offered(100, |_| {}), Remedy::Reboot).memory;
    let booted = |t| Seen {
        boot: Some(boot("boot-2")),
        ..offered(t, |repair| repair.phase = Phase::Settling)
    };
    let memory = go(&memory, &booted(130), wait()).memory;
    let memory = go(&memory, &booted(190), wait()).memory;
    let away = Seen {
        repair: Watched::default(),
        ..booted(300)
    };
    let plan = go(&memory, &away, restart("containerd.service"));
    assert_eq!(outcome(&plan), Outcome::NoEffect);
    assert_eq!(
        (plan.begin.clone(), episode(&plan).stands),
        (None, Some(Reason::ControlPlaneWorks))
    );
}

#[test]
fn no_reboot_is_asked_for_while_the_boot_is_not_known() {
    let blind = Seen {
        boot: None,
        ..ill(64)
    };
    let plan = go(&outlived().memory, &blind, Remedy::Reboot);
    assert_eq!(episode(&plan).asks(), Some(Asks::InNode));
    assert_eq!(episode(&plan).stands, Some(Reason::BootUnknown));
}

#[test]
fn a_reboot_that_a_person_wants_needs_no_episode() {
    let wanted = |t, edit: fn(&mut RepairSeen)| {
        let mut seen = Seen {
            repair: repair(Asks::Escalate, Phase::GrantOffered),
            ..healthy(t)
        };
        let repair = seen.repair.value.as_mut().unwrap();
        repair.problem = "Requested".to_owned();
        repair.grant = Some(grant());
        repair.wants = Some(Rung::Reboot);
        edit(repair);
        seen
    };
    let plan = go(&Memory::default(), &wanted(100, |_| {}), wait());
    let accept = RepairWrite::Accept {
        grant: "grant-1".to_owned(),
    };
    assert_eq!(plan.repair, Some(accept));
    assert_eq!(
        plan.begin,
        Some(Begin::Reboot {
            problem: kind("Requested"),
            grant: "grant-1".to_owned()
        })
    );
    assert_eq!(plan.memory.remedies.len(), 1);
    // once
    let again = go(&plan.memory, &wanted(103, |_| {}), wait());
    assert_eq!((again.begin, again.repair), (None, None));
    // unless its acceptance was lost
    let mut lost = plan.memory;
    lost.unbegin_reboot("grant-1");
    assert!(lost.remedies.is_empty());
    assert!(go(&lost, &wanted(103, |_| {}), wait()).begin.is_some());
    // a grant that was accepted before is another one
    let before: fn(&mut RepairSeen) = |repair| repair.accepted_grant = Some("grant-0".to_owned());
    assert!(
        go(&Memory::default(), &wanted(100, before), wait())
            .begin
            .is_some()
    );
    let unasked: fn(&mut RepairSeen) = |repair| repair.wants = None;
    let other_node: fn(&mut RepairSeen) = |repair| repair.node_uid = "other".to_owned();
    let other_boot: fn(&mut RepairSeen) =
        |repair| repair.grant.as_mut().unwrap().boot_id = "boot-0".to_owned();
    for refused in [unasked, other_node, other_boot] {
        let plan = go(&Memory::default(), &wanted(100, refused), wait());
        assert_eq!((plan.begin, plan.repair), (None, None));
    }
    let mut paused = wanted(100, |_| {});
    paused.node.value.as_mut().unwrap().paused = Some("I am on it".to_owned());
    assert_eq!(go(&Memory::default(), &paused, wait()).begin, None);
}

#[test]
fn what_a_person_wants_is_not_withdrawn_when_the_problem_goes() {
    let memory = Memory {
        withdraw: Some("repair-uid".to_owned()),
        ..Memory::default()
    };
    let with = |wants| {
        let mut seen = Seen {
            repair: repair(Asks::Escalate, Phase::RebootDraining),
            ..healthy(100)
        };
        seen.repair.value.as_mut().unwrap().wants = wants;
        seen
    };
    let plan = go(&memory, &with(None), wait());
    assert_eq!(plan.repair, Some(RepairWrite::Withdraw));
    let plan = go(&memory, &with(Some(Rung::Reboot)), wait());
    assert_eq!((plan.repair, plan.memory.withdraw), (None, None));
}

#[test]
fn a_grant_is_not_taken_for_a_repair_that_asks_for_no_reboot() {
    let mut healing = offered(100, |_| {});
    healing.repair.value.as_mut().unwrap().asks = Asks::InNode;
    let plan = go(&Memory::default(), &healing, wait());
    assert_eq!((plan.begin, plan.repair), (None, None));
}
