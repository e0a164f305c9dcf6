use super::super::tests::{OLD, REPAIR_UID, seen, server};
use super::super::{CloudSeen, CloudView, Phase, Stop, decide};
use super::*;
use crate::name::ServerId;

/// The sick server is the next to go: its replacement is there and Ready.
fn deleting(evidence: EvidenceSeen) -> Seen {
    let mut deleting = seen(Phase::DeletingServer);
    let mut joined = super::super::tests::node();
    joined.uid = crate::name::Uid::parse("new-node").unwrap();
    deleting.record.replacement = Some(super::super::Replacement {
        node_uid: Some("new-node".to_owned()),
        ..super::super::Replacement::default()
    });
    deleting.cloud = CloudSeen::Fresh(CloudView {
        server: Some(server(OLD, "worker-1")),
        replacement_node: Some(joined),
        ..CloudView::default()
    });
    deleting.evidence = evidence;
    deleting
}

fn deletes() -> Option<Act> {
    Some(Act::DeleteServer(ServerId::parse(OLD).unwrap()))
}

#[test]
fn a_server_is_not_deleted_before_its_evidence_was_tried_for() {
    let next = decide(&deleting(EvidenceSeen::Absent)).unwrap();
    assert_eq!(next.act, Some(Act::CollectEvidence));
    assert_eq!(next.reason, Reason::CollectingEvidence);
    assert_eq!(next.detail, "", "nothing is said of the deletion yet");
    let evidence = next.record.evidence.unwrap();
    assert_eq!(
        (evidence.tries, evidence.at),
        (1, None),
        "the try is written down first"
    );
}

#[test]
fn what_was_kept_is_written_down_in_the_moment_of_the_intent_to_delete() {
    let missing = vec!["console: refused".to_owned()];
    let kept = EvidenceSeen::There {
        missing: missing.clone(),
    };
    let mut deleting = deleting(kept);
    deleting.record.evidence = Some(Evidence {
        tries: 1,
        ..Evidence::default()
    });
    let next = decide(&deleting).unwrap();
    assert_eq!(next.act, deletes());
    let evidence = next.record.evidence.clone().unwrap();
    let config_map = evidence.config_map.as_deref();
    assert_eq!(config_map, Some("rectifier-evidence-repair-uid"));
    assert_eq!(name(REPAIR_UID), "rectifier-evidence-repair-uid");
    assert_eq!(
        (evidence.at, evidence.missing),
        (Some(deleting.now), missing)
    );
    // it is not collected again: the server may be half gone by now
    deleting.record = next.record;
    deleting.evidence = EvidenceSeen::Absent;
    assert_eq!(decide(&deleting).unwrap().act, deletes());
}

#[test]
fn a_collection_that_fails_holds_no_repair_for_ever_and_is_told() {
    for failing in [
        EvidenceSeen::Absent,
        EvidenceSeen::Unreadable("forbidden".to_owned()),
    ] {
        let mut deleting = deleting(failing.clone());
        for tries in 1..=TRIES {
            let next = decide(&deleting).unwrap();
            assert_eq!(
                next.act,
                Some(Act::CollectEvidence),
                "{failing:?}, try {tries}"
            );
            deleting.record = next.record;
            assert_eq!(is_last_try(&deleting.record), tries == TRIES);
        }
        let next = decide(&deleting).unwrap();
        assert_eq!(next.act, deletes(), "{failing:?}");
        let evidence = next.record.evidence.unwrap();
        assert_eq!(
            (evidence.config_map, evidence.at),
            (None, Some(deleting.now))
        );
        assert!(
            evidence.missing[0].starts_with("all of it: "),
            "{:?}",
            evidence.missing
        );
    }
}

#[test]
fn a_phase_that_destroys_evidence_looks_for_it() {
    assert!(super::super::needs(&seen(Phase::DeletingServer).record).evidence);
}

#[test]
fn what_is_halted_is_not_begun_by_keeping_its_evidence() {
    let mut awaiting = deleting(EvidenceSeen::NotAsked);
    awaiting.record.phase = Phase::AwaitingOwners;
    awaiting.more.owners = Some(Vec::new());
    awaiting.hands.stop = Stop::Stopped("a fire".to_owned());
    let next = decide(&awaiting).unwrap();
    assert_eq!((next.record.phase, next.act), (Phase::AwaitingOwners, None));
}

#[test]
fn the_last_of_the_pods_is_followed_by_the_evidence() {
    let mut awaiting = deleting(EvidenceSeen::NotAsked);
    awaiting.record.phase = Phase::AwaitingOwners;
    awaiting.more.owners = Some(Vec::new());
    let next = decide(&awaiting).unwrap();
    assert_eq!(next.record.phase, Phase::DeletingServer);
    assert_eq!(next.act, Some(Act::CollectEvidence));
    assert!(next.is_news(&awaiting.record));
}

#[test]
fn the_words_of_what_is_missing_are_bounded() {
    let mut deleting = deleting(EvidenceSeen::Unreadable("x".repeat(500)));
    deleting.record.evidence = Some(Evidence {
        tries: TRIES,
        ..Evidence::default()
    });
    let evidence = decide(&deleting).unwrap().record.evidence.unwrap();
    let words = evidence.missing[0].strip_prefix("all of it: xxx").unwrap();
    assert_eq!(words.len(), WORDS - "all of it: xxx".len());
    assert_eq!(evidence.tries, TRIES);
}
