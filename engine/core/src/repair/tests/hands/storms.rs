//! What a storm holds, and what it lets end.

use super::*;

#[test]
fn a_storm_holds_every_intrusive_step_before_the_commit_and_none_after_it() {
    for free in about_to_act() {
        let phase = free.record.phase;
        let acts = decide(&free).unwrap();
        let mut stormy = free.clone();
        stormy.hands.storm = Some((Reason::BreakerOpen, "31 of 100".to_owned()));
        let next = decide(&stormy).unwrap();
        if free.record.committed_at.is_some() {
            assert_eq!(next, acts, "{phase:?}");
            continue;
        }
        assert_eq!(
            (&next.act, next.reason),
            (&None, Reason::BreakerOpen),
            "{phase:?}"
        );
        assert_eq!(next.record.phase, phase);
        assert!(next.record.message.ends_with("31 of 100"));
        let rests = free.record.rung.is_some() && phase != Phase::HardRebooting;
        assert_eq!(next.record.halted_at.is_some(), rests, "{phase:?}");
        // who asks for one node's repair has looked
        stormy.request.requested_by = RequestedBy::Operator;
        let mut asked = free.clone();
        asked.request.requested_by = RequestedBy::Operator;
        assert_eq!(
            decide(&stormy).unwrap(),
            decide(&asked).unwrap(),
            "{phase:?}"
        );
    }
}

#[test]
fn a_replacement_that_joins_in_a_storm_is_neither_committed_nor_late() {
    let all = about_to_act();
    let mut joining = all
        .into_iter()
        .find(|seen| seen.record.phase == Phase::Joining)
        .unwrap();
    joining.record.rung = Some(Rung::Replace);
    if let CloudSeen::Fresh(view) = &mut joining.cloud {
        view.replacement_node = None;
    }
    let late = joining.now + crate::clock::SignedDuration::from_secs(100_000);
    (joining.now, joining.watched) = (late, 100_000);
    assert_ne!(decide(&joining).unwrap().record.phase, Phase::Joining);
    joining.hands.storm = Some((Reason::BreakerOpen, String::new()));
    let held = decide(&joining).unwrap();
    assert_eq!(
        (held.record.phase, held.record.halted_at, held.act),
        (Phase::Joining, Some(late), None)
    );
    joining.hands.storm = None;
    joining.record = held.record;
    let next = decide(&joining).unwrap();
    assert_eq!(
        (next.record.phase, next.record.resumed_at),
        (Phase::Joining, Some(late)),
        "its time begins anew"
    );
}

#[test]
fn a_node_that_is_well_after_its_boot_is_let_go_in_a_storm() {
    let mut settling = seen(Phase::Settling);
    settling.record.rung = Some(Rung::Reboot);
    settling.problem = ProblemSeen::Cleared {
        held: 10_000,
        doubt: None,
    };
    settling.node.as_mut().unwrap().unschedulable = true;
    settling.node.as_mut().unwrap().cordoned_by = Some(settling.repair_uid.clone());
    settling.now += crate::clock::SignedDuration::from_secs(10_000);
    let calm = decide(&settling).unwrap();
    assert_ne!(calm.record.phase, Phase::Settling);
    settling.hands.storm = Some((Reason::BreakerOpen, String::new()));
    assert_eq!(decide(&settling).unwrap(), calm);
}

#[test]
fn an_offered_reboot_is_taken_back_in_a_storm() {
    let mut offered = offered();
    offered.hands.storm = Some((Reason::BreakerOpen, String::new()));
    let next = decide(&offered).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Judging, Reason::BreakerOpen)
    );
    assert_eq!((next.record.grant, next.record.tried), (None, Vec::new()));
}
