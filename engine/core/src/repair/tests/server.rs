//! What is done with a server before a replacement is made: whose it is to touch, and a start or a reboot by the cloud.

use super::*;

/// Judged by a policy that asks for this.
fn judging(remedy: Remedy) -> Seen {
    let mut seen = seen(Phase::Judging);
    seen.node = Some(node());
    seen.record.rung = None;
    seen.advice = super::advised(remedy);
    seen
}

fn off(seen: &mut Seen, stop: ActionSeen) {
    edit(seen, |view| {
        let server = view.server.as_mut().unwrap();
        (server.status, server.is_off) = ("SHUTOFF".to_owned(), true);
        view.actions = vec![stop];
    });
}

#[test]
fn a_server_that_somebody_stopped_is_their_plan() {
    for remedy in [Remedy::Reboot, Remedy::Replace] {
        let mut seen = judging(remedy);
        off(&mut seen, action("stop", STOP, Some("somebody"), true));
        assert_eq!(
            step(&seen),
            (Phase::NeedsHuman, Reason::StoppedByOther, None)
        );
    }
}

#[test]
fn a_server_whose_host_was_started_anew_is_started_before_it_is_thrown_away() {
    let mut seen = judging(Remedy::Replace);
    off(&mut seen, action("stop", STOP, None, true));
    let next = decide(&seen).unwrap();
    assert_eq!(next.record.rung, Some(Rung::HardReboot));
    seen.record.tried = vec![Tried {
        rung: Rung::HardReboot,
        since: at(0),
        outcome: crate::policy::Outcome::Failed,
        reason: Reason::BootOverdue,
    }];
    assert_eq!(
        decide(&seen).unwrap().record.rung,
        Some(Rung::Replace),
        "once"
    );
}

#[test]
fn a_server_that_somebody_is_busy_with_is_left_alone() {
    let busy: [fn(&mut ServerSeen); 3] = [
        |server| server.task = Some("resize_prep".to_owned()),
        |server| server.locked = true,
        |server| server.status = "SHELVED".to_owned(),
    ];
    for change in busy {
        let mut seen = judging(Remedy::Replace);
        edit(&mut seen, |view| change(view.server.as_mut().unwrap()));
        assert_eq!(step(&seen), (Phase::Judging, Reason::ServerBusy, None));
        let (reboot, replace) = gates(&seen);
        assert!(matches!(reboot, crate::policy::Gate::Closed(_)));
        assert!(matches!(replace, crate::policy::Gate::Closed(_)));
    }
}

#[test]
fn the_cloud_reboots_once_for_one_problem() {
    let mut seen = judging(Remedy::Reboot);
    assert_eq!(decide(&seen).unwrap().record.rung, Some(Rung::HardReboot));
    assert_eq!(gates(&seen).0, crate::policy::Gate::Open);
    seen.record.tried = vec![Tried {
        rung: Rung::HardReboot,
        since: at(0),
        outcome: crate::policy::Outcome::NoEffect,
        reason: Reason::NoEffect,
    }];
    assert_eq!(
        step(&seen),
        (Phase::NeedsHuman, Reason::RebootedAlready, None)
    );
}

#[test]
fn a_replacement_that_fell_sick_of_the_same_is_started_if_it_is_off_and_not_replaced() {
    let mut seen = judging(Remedy::Replace);
    seen.lineage = Some(Lineage {
        node: "worker-0".to_owned(),
        problem: KIND.to_owned(),
        committed: at(0),
    });
    assert_eq!(
        step(&seen),
        (Phase::NeedsHuman, Reason::ReplacementDidNotHelp, None)
    );
    edit(&mut seen, |view| {
        view.server.as_mut().unwrap().is_off = true;
    });
    assert_eq!(decide(&seen).unwrap().record.rung, Some(Rung::HardReboot));
}

#[test]
fn a_reboot_that_its_host_never_did_is_told_as_such() {
    let mut seen = judging(Remedy::Replace);
    seen.record.power = Some(Power {
        before: None,
        boot_id: None,
        posted_at: Some(at(0)),
    });
    edit(&mut seen, |view| {
        view.server.as_mut().unwrap().task = Some("reboot_started_hard".to_owned());
        view.actions = vec![action("reboot", "req-reboot", Some("us"), false)];
    });
    let (phase, reason, _) = step(&seen);
    assert_eq!(
        (phase, reason),
        (Phase::NeedsHuman, Reason::HostUnreachable)
    );
    // locked meanwhile: that is no word about its host
    edit(&mut seen, |view| {
        let server = view.server.as_mut().unwrap();
        (server.task, server.locked) = (None, true);
    });
    assert_eq!(step(&seen), (Phase::Judging, Reason::ServerBusy, None));
}

#[test]
fn a_hard_reboot_is_believed_when_another_boot_is_seen() {
    let mut seen = seen(Phase::HardRebooting);
    seen.record.power = Some(Power {
        before: None,
        boot_id: Some("boot-1".to_owned()),
        posted_at: Some(at(95)),
    });
    assert_eq!(
        step(&seen),
        (Phase::HardRebooting, Reason::HardRebooting, None)
    );
    edit(&mut seen, |view| {
        view.actions = vec![action("reboot", "req-reboot", Some("us"), true)];
    });
    assert_eq!(
        step(&seen).1,
        Reason::AwaitingBoot,
        "a status proves no boot"
    );
    let mut booted = seen.clone();
    booted.node.as_mut().unwrap().boot_id = Some(crate::name::BootId::parse("boot-2").unwrap());
    assert_eq!(step(&booted).0, Phase::Settling);
    seen.now = at(90 + 600);
    assert_eq!(step(&seen), (Phase::Judging, Reason::BootOverdue, None));
}

#[test]
fn a_server_is_the_nodes_only_if_everything_says_so() {
    type Lie = (&'static str, fn(&mut NodeSeen), fn(&mut CloudView));
    let lies: [Lie; 6] = [
        (
            "is named other",
            |_| {},
            |view| {
                view.server.as_mut().unwrap().name = "other".to_owned();
            },
        ),
        (
            "region",
            |node| node.region = Some("north".to_owned()),
            |view| view.region = Some("south".to_owned()),
        ),
        (
            "node worker-9",
            |node| node.twin = Some(crate::name::NodeName::parse("worker-9").unwrap()),
            |_| {},
        ),
        (
            "its address is 10.0.0.9, its server's 10.0.0.1",
            |node| node.addresses = vec![[10, 0, 0, 9].into()],
            |_| {},
        ),
        ("its address is none", |node| node.addresses.clear(), |_| {}),
        (
            "its server's none",
            |_| {},
            |view| {
                view.server.as_mut().unwrap().addresses.clear();
            },
        ),
    ];
    for remedy in [Remedy::Reboot, Remedy::Replace] {
        for (why, of_node, of_cloud) in &lies {
            let mut seen = judging(remedy.clone());
            of_node(seen.node.as_mut().unwrap());
            edit(&mut seen, of_cloud);
            let next = decide(&seen).unwrap();
            assert_eq!(
                (next.record.phase, next.reason, next.act),
                (Phase::NeedsHuman, Reason::ServerUnknown, None)
            );
            assert!(next.detail.contains(why), "{why}: {}", next.detail);
        }
        // what one side does not tell says nothing against it; one address of several is enough
        let mut seen = judging(remedy);
        seen.node.as_mut().unwrap().region = Some("north".to_owned());
        let addresses = &mut seen.node.as_mut().unwrap().addresses;
        addresses.insert(0, [192, 0, 2, 1].into());
        assert_eq!(decide(&seen).unwrap().record.phase, Phase::Cordoning);
    }
}
