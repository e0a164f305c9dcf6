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
