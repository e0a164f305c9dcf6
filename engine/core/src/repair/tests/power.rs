//! A start or a hard reboot by the cloud: asked for once, until it could have shown.

use super::*;
use crate::policy::{Gate, Outcome};

fn server_of(seen: &mut Seen, change: impl FnOnce(&mut ServerSeen)) {
    edit(seen, |view| change(view.server.as_mut().unwrap()));
}

fn action(action: &str) -> ActionSeen {
    ActionSeen {
        action: action.to_owned(),
        request: format!("req-{action}"),
        by: Some("us".to_owned()),
        done: false,
    }
}

/// Asked for at that second, and nothing of it was seen.
fn asked(second: i64) -> Seen {
    let mut seen = seen(Phase::HardRebooting);
    seen.record.rung = Some(Rung::HardReboot);
    seen.record.power = Some(Power {
        before: Some("req-create".to_owned()),
        boot_id: Some("boot-1".to_owned()),
        posted_at: Some(at(second)),
    });
    seen.evidence = kept();
    edit(&mut seen, |view| view.actions = vec![action("create")]);
    seen
}

#[test]
fn what_is_off_is_started_and_what_runs_is_rebooted() {
    for is_off in [true, false] {
        let mut drained = asked(0);
        drained.record.phase = Phase::RebootDraining;
        drained.record.power = None;
        server_of(&mut drained, |server| server.is_off = is_off);
        let next = decide(&drained).unwrap();
        let cycle = Act::PowerCycle {
            server: ServerId::parse(OLD).unwrap(),
            start: is_off,
        };
        assert_eq!(
            (next.act, next.record.phase),
            (Some(cycle), Phase::HardRebooting)
        );
        assert_eq!(next.record.power, asked(100).record.power);
        let tried = Tried {
            rung: Rung::HardReboot,
            since: at(100),
            outcome: Outcome::Running,
            reason: Reason::HardRebooting,
        };
        assert_eq!(next.record.tried, [tried]);
        server_of(&mut drained, |server| server.locked = true);
        let next = decide(&drained).unwrap();
        assert_eq!((next.act, next.reason), (None, Reason::ServerBusy));
    }
}

#[test]
fn a_hard_reboot_that_does_not_show_is_asked_for_again_and_not_before_it_could() {
    let next = decide(&asked(41)).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::HardRebooting));
    let next = decide(&asked(40)).unwrap();
    assert!(matches!(next.act, Some(Act::PowerCycle { .. })));
    assert_eq!(next.record.power, asked(100).record.power);
    for shown in ["reboot", "start"] {
        let mut shows = asked(40);
        edit(&mut shows, |view| view.actions.insert(0, action(shown)));
        let next = decide(&shows).unwrap();
        assert_eq!((next.act, next.reason), (None, Reason::AwaitingBoot));
    }
    let mut busy = asked(40);
    server_of(&mut busy, |server| server.locked = true);
    let next = decide(&busy).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::ServerBusy));
}

#[test]
fn a_hard_reboot_that_may_be_under_way_is_not_called_off() {
    let called_off = |second| {
        let mut seen = asked(second);
        seen.request.withdrawn = true;
        decide(&seen).unwrap()
    };
    assert_eq!(called_off(41).record.phase, Phase::HardRebooting);
    let next = called_off(40);
    assert_eq!(
        (next.record.phase, next.reason, next.act),
        (Phase::Judging, Reason::Withdrawn, None)
    );
}

#[test]
fn a_boot_that_is_not_reported_is_no_new_one() {
    let mut silent = asked(41);
    silent.node.as_mut().unwrap().boot_id = None;
    let next = decide(&silent).unwrap();
    assert_eq!(next.record.phase, Phase::HardRebooting);
    silent.record.since = Some(at(100 - 600));
    let next = decide(&silent).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Judging, Reason::BootOverdue)
    );
}

#[test]
fn a_policy_is_told_which_rungs_are_closed_and_why() {
    let tried = |rung, outcome| Tried {
        rung,
        since: at(1),
        outcome,
        reason: Reason::NoEffect,
    };
    let words = |gate: Gate| match gate {
        Gate::Open => String::new(),
        Gate::Closed(why) => why,
    };
    let told = |change: fn(&mut Seen)| {
        let mut judging = seen(Phase::Judging);
        judging.record.tried = vec![
            tried(Rung::Replace, Outcome::Failed),
            tried(Rung::Replace, Outcome::Failed),
        ];
        change(&mut judging);
        let (reboot, replace) = gates(&judging);
        (words(reboot), words(replace))
    };
    assert_eq!(told(|_| {}), (String::new(), String::new()));
    let (reboot, replace) = told(|seen| seen.pool = Err(NoRules::TwoPools));
    assert_eq!(reboot, Reason::TwoPools.text());
    assert!(!replace.is_empty());
    let (reboot, replace) = told(|seen| seen.pool.as_mut().unwrap().provisions = false);
    assert_eq!(reboot, "");
    assert!(replace.contains("no provisioning"), "{replace}");
    let (reboot, replace) = told(|seen| {
        let third = seen.record.tried[0].clone();
        seen.record.tried.push(third);
    });
    assert_eq!(reboot, "");
    assert!(replace.starts_with("3 replacements"), "{replace}");
    let (reboot, replace) = told(|seen| {
        seen.record.tried[0].rung = Rung::HardReboot;
    });
    assert_eq!(reboot, Reason::RebootedAlready.text());
    assert_eq!(replace, "");
}

#[test]
fn nothing_is_asked_of_a_machine_before_its_evidence_was_tried_for() {
    let mut seen = asked(40);
    seen.evidence = EvidenceSeen::Absent;
    let next = decide(&seen).unwrap();
    assert_eq!(next.act, Some(Act::CollectEvidence));
    assert_eq!(next.record.power.unwrap().posted_at, None);
}
