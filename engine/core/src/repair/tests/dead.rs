//! What proves that a machine is off, and what is never taken for a proof.

use super::*;
use crate::repair::drain::PodSeen;

const STOP: &str = "req-stop";

/// A repair after its commit, of a node that is not heard, whose Lease has been watched for long.
fn silent(phase: Phase) -> Seen {
    let mut seen = with_replacement(seen(phase), |replacement| {
        replacement.node_uid = Some("new-node".to_owned());
        replacement.server_id = Some("new".to_owned());
    });
    seen.node = seen.node.map(|node| NodeSeen {
        ready: Status::Unknown,
        ready_held: 600,
        ..node
    });
    seen.heartbeat = Some("10:00:00".to_owned());
    seen.more.owners = Some(Vec::new());
    seen.evidence = kept();
    seen.record.silence = Some(Silence {
        renewed: seen.heartbeat.clone(),
        since: at(0),
    });
    seen.record.power = Some(Power {
        before: Some("req-create".to_owned()),
        ..Power::default()
    });
    edit(&mut seen, |view| {
        view.actions = vec![action("create", "req-create", Some("us"), false)];
        view.replacements = vec![server("new", "new")];
        view.replacement_node = Some(NodeSeen {
            uid: Uid::parse("new-node").unwrap(),
            ..node()
        });
    });
    seen
}

/// The stop is ours, and the server is off.
fn stopped(seen: &mut Seen, done: bool, is_off: bool) {
    seen.record.power.as_mut().unwrap().posted_at = Some(at(50));
    edit(seen, |view| {
        view.actions
            .insert(0, action("stop", STOP, Some("us"), done));
        view.server.as_mut().unwrap().is_off = is_off;
    });
}

fn pod(leaving: Option<i64>, ready: bool) -> PodSeen {
    PodSeen {
        leaving: leaving.map(at),
        ready,
        ..super::pod("db-0")
    }
}

#[test]
fn a_machine_that_ends_no_pods_is_stopped() {
    let mut draining = silent(Phase::Draining);
    draining.record.since = Some(at(0));
    draining.pods = Some(vec![pod(Some(30), true)]);
    assert_eq!(step(&draining).0, Phase::Stopping);
    draining.pods = Some(vec![pod(Some(80), true)]);
    assert_eq!(step(&draining).0, Phase::Draining, "it has its grace yet");
    draining.pods = Some(vec![pod(None, true)]);
    assert_eq!(
        step(&draining).0,
        Phase::Draining,
        "one that serves is not taken from its budget"
    );
    draining.pods = Some(vec![pod(None, false)]);
    assert_eq!(step(&draining).0, Phase::Stopping);
    let kept = PodSeen {
        owner: drain::Owner::Nobody,
        ..pod(None, false)
    };
    draining.pods = Some(vec![pod(Some(30), true), kept]);
    assert_eq!(
        step(&draining).0,
        Phase::Draining,
        "nor is what the pool's rules keep there"
    );
}

#[test]
fn a_node_that_is_ready_is_never_stopped() {
    let mut draining = silent(Phase::Draining);
    draining.record.since = Some(at(0));
    draining.pods = Some(vec![pod(Some(30), true)]);
    draining.node.as_mut().unwrap().ready = Status::Yes;
    assert_eq!(step(&draining).0, Phase::Draining);
    let mut stopping = silent(Phase::Stopping);
    stopping.node.as_mut().unwrap().ready = Status::Yes;
    let (phase, _, act) = step(&stopping);
    assert_eq!((phase, act), (Phase::Draining, None), "it came back");
}

#[test]
fn a_node_that_renews_its_lease_is_alive_whatever_its_ready_says() {
    for phase in [Phase::Judging, Phase::Stopping] {
        let mut seen = silent(phase);
        seen.advice = super::advised(Remedy::Reboot);
        seen.heartbeat = Some("10:00:10".to_owned());
        let next = decide(&seen).unwrap();
        assert_eq!((next.reason, &next.act), (Reason::KubeletAlive, &None));
        let silence = next.record.silence.unwrap();
        assert_eq!(
            silence.since,
            at(100),
            "the watch begins anew with each renewal"
        );
    }
}

#[test]
fn nothing_is_decided_on_one_look_at_a_lease() {
    let mut judging = silent(Phase::Judging);
    judging.advice = super::advised(Remedy::Reboot);
    judging.record.silence = None;
    let next = decide(&judging).unwrap();
    assert_eq!((next.reason, &next.act), (Reason::AwaitingSilence, &None));
    judging.record = next.record;
    judging.now = at(139);
    assert_eq!(step(&judging).1, Reason::AwaitingSilence);
    judging.now = at(140);
    assert_eq!(step(&judging).0, Phase::Cordoning);
    // a node without a Lease has not renewed it, either
    judging.heartbeat = None;
    assert_eq!(step(&judging).1, Reason::KubeletAlive);
}

#[test]
fn only_its_hosts_word_about_our_own_stop_proves_that_a_machine_is_off() {
    let mut proven = silent(Phase::Stopping);
    stopped(&mut proven, true, true);
    let next = decide(&proven).unwrap();
    assert_eq!(next.record.phase, Phase::Detaching);
    assert_eq!(next.record.proof, Some(format!("stop {STOP}")));
    for (done, is_off) in [(false, true), (true, false), (false, false)] {
        let mut not = silent(Phase::Stopping);
        stopped(&mut not, done, is_off);
        let (phase, reason, act) = step(&not);
        assert_eq!(
            (phase, reason, act),
            (Phase::Stopping, Reason::Stopping, None)
        );
    }
}

#[test]
fn a_server_that_the_cloud_does_not_know_any_more_is_not_therefore_dead() {
    for (phase, done, then) in [
        (Phase::Stopping, false, Phase::Stopping),
        (Phase::Stopping, true, Phase::Detaching),
        (Phase::DeletingServer, false, Phase::DeletingServer),
        (Phase::DeletingServer, true, Phase::DeletingNode),
    ] {
        let mut seen = silent(phase);
        edit(&mut seen, |view| {
            view.server = None;
            let delete = action("delete", "req-delete", Some("somebody"), done);
            view.actions.insert(0, delete);
        });
        let next = decide(&seen).unwrap();
        assert_eq!(next.record.phase, then, "{phase:?}");
        if !done {
            assert_eq!(next.reason, Reason::HostUnreachable);
        }
    }
}

#[test]
fn a_proof_does_not_outlive_a_start_by_somebody() {
    let mut seen = silent(Phase::DeletingServer);
    stopped(&mut seen, true, true);
    seen.record.proof = Some(format!("stop {STOP}"));
    // its host is down: of the delete it reports nothing
    let report = |seen: &mut Seen, done: bool| {
        edit(seen, |view| {
            view.server = None;
            let delete = action("delete", "req-delete", Some("us"), done);
            view.actions.insert(0, delete);
        });
        let next = decide(seen).unwrap();
        (next.record.phase, next.reason)
    };
    let gone = (Phase::DeletingNode, Reason::DeletingNode);
    assert_eq!(report(&mut seen.clone(), false), gone);
    edit(&mut seen, |view| {
        let start = action("start", "req-start", Some("somebody"), true);
        view.actions.insert(0, start);
    });
    let held = (Phase::DeletingServer, Reason::HostUnreachable);
    assert_eq!(report(&mut seen.clone(), false), held);
    assert_eq!(report(&mut seen, true), gone);
}

#[test]
fn a_host_that_does_not_answer_ends_with_a_person_whose_word_moves_it_on() {
    let mut stopping = silent(Phase::Stopping);
    stopped(&mut stopping, false, false);
    stopping.now = at(500);
    let next = decide(&stopping).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::NeedsHuman, Reason::HostUnreachable)
    );
    let word = format!("rectifier.dev/confirmed-dead={OLD}");
    assert!(
        next.record.message.ends_with(&word),
        "{}",
        next.record.message
    );
    let mut asked = stopping;
    asked.record = next.record;
    assert_eq!(step(&asked).0, Phase::NeedsHuman);
    asked.request.confirmed_dead = Some("another-server".to_owned());
    assert_eq!(
        step(&asked).0,
        Phase::NeedsHuman,
        "the word is about another"
    );
    asked.request.confirmed_dead = Some(OLD.to_owned());
    assert_eq!(step(&asked).0, Phase::Committed);
    asked.record.phase = Phase::Stopping;
    let next = decide(&asked).unwrap();
    assert_eq!(next.record.phase, Phase::Detaching);
    assert_eq!(next.record.proof.as_deref(), Some("a person's word"));
}

#[test]
fn a_stop_that_its_host_does_after_a_person_was_asked_is_still_ours() {
    let mut stopping = silent(Phase::Stopping);
    stopped(&mut stopping, false, false);
    if let Some(node) = &mut stopping.node {
        node.labels.insert(EXCLUDED.to_owned(), String::new());
    }
    stopping.record.steps.push(StepRecord {
        phase: Phase::Stopping,
        at: at(0),
        reason: Reason::Stopping,
        detail: String::new(),
    });
    stopping.now = at(500);
    stopping.record = decide(&stopping).unwrap().record;
    assert_eq!(stopping.record.phase, Phase::NeedsHuman);
    // The host is back, and does what it was asked for; the person asks for another try.
    edit(&mut stopping, |view| {
        view.actions[0].done = true;
        view.server.as_mut().unwrap().is_off = true;
    });
    stopping.request.retry = Some("1".to_owned());
    stopping.pods = Some(vec![pod(Some(30), true)]);
    for _ in 0..4 {
        stopping.now += crate::clock::SignedDuration::from_secs(70);
        stopping.record = decide(&stopping).unwrap().record;
    }
    assert_eq!(stopping.record.phase, Phase::Detaching);
    assert_eq!(stopping.record.proof, Some(format!("stop {STOP}")));
}

#[test]
fn a_machine_that_somebody_starts_after_our_stop_is_stopped_again() {
    let mut stopping = silent(Phase::Stopping);
    stopped(&mut stopping, true, false);
    edit(&mut stopping, |view| {
        let start = action("start", "req-start", Some("somebody"), true);
        view.actions.insert(0, start);
    });
    stopping.now = at(120);
    assert!(matches!(step(&stopping).2, Some(Act::StopServer(_))));
}

#[test]
fn a_stop_that_is_held_up_by_something_else_is_no_word_about_its_host() {
    let mut stopping = silent(Phase::Stopping);
    stopping.now = at(500);
    edit(&mut stopping, |view| {
        view.replacement_node.as_mut().unwrap().ready = Status::No;
    });
    let next = decide(&stopping).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::NeedsHuman, Reason::Overdue)
    );
    assert!(!next.record.message.contains("confirmed-dead"));
}

#[test]
fn a_stop_is_asked_for_once_until_it_could_have_shown() {
    let mut stopping = silent(Phase::Stopping);
    let next = decide(&stopping).unwrap();
    assert!(matches!(next.act, Some(Act::StopServer(_))));
    assert_eq!(
        next.record.power.as_ref().unwrap().posted_at,
        Some(stopping.now)
    );
    stopping.record = next.record;
    stopping.now = at(130);
    assert_eq!(step(&stopping).2, None, "the answer may have been lost");
    stopping.now = at(160);
    assert!(matches!(step(&stopping).2, Some(Act::StopServer(_))));
}

#[test]
fn volumes_and_pods_are_taken_only_from_a_machine_that_is_still_off() {
    let mut detaching = silent(Phase::Detaching);
    detaching.record.proof = Some("stop".to_owned());
    stopped(&mut detaching, true, true);
    detaching.node.as_mut().unwrap().volumes = vec!["data".to_owned()];
    detaching.pods = Some(vec![pod(Some(0), true)]);
    assert!(matches!(
        step(&detaching).2,
        Some(Act::OutOfService { is: true, .. })
    ));
    let marked = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute".to_owned();
    detaching.node.as_mut().unwrap().taints = vec![marked];
    assert_eq!(step(&detaching).1, Reason::Detaching, "its pod");
    detaching.pods = Some(Vec::new());
    assert_eq!(step(&detaching).0, Phase::Detaching, "its volume");
    let mut done = detaching.clone();
    done.node.as_mut().unwrap().volumes.clear();
    assert_eq!(step(&done).0, Phase::AwaitingOwners);

    // Somebody starts it meanwhile.
    edit(&mut detaching, |view| {
        view.server.as_mut().unwrap().is_off = false;
    });
    assert!(matches!(
        step(&detaching).2,
        Some(Act::OutOfService { is: false, .. })
    ));
    detaching.node.as_mut().unwrap().taints.clear();
    let next = decide(&detaching).unwrap();
    assert_eq!(
        (next.record.phase, next.record.proof),
        (Phase::Stopping, None)
    );
    assert_eq!(
        next.record.power.unwrap().before.as_deref(),
        Some(STOP),
        "the old stop proves nothing any more"
    );
}

#[test]
fn only_a_stop_of_an_earlier_try_is_taken_for_ours_when_one_is_begun() {
    let begun = |tried: bool, by_us: bool| {
        let mut draining = silent(Phase::Draining);
        draining.record.since = Some(at(0));
        draining.pods = Some(vec![pod(Some(30), true)]);
        if tried {
            draining.record.steps.push(StepRecord {
                phase: Phase::Stopping,
                at: at(0),
                reason: Reason::Stopping,
                detail: String::new(),
            });
        }
        stopped(&mut draining, false, false);
        if !by_us {
            draining.record.power.as_mut().unwrap().posted_at = None;
        }
        let record = decide(&draining).unwrap().record;
        assert_eq!(record.phase, Phase::Stopping);
        record.power.unwrap()
    };
    let ours = Power {
        before: Some("req-create".to_owned()),
        posted_at: Some(at(50)),
        ..Power::default()
    };
    let anew = Power {
        before: Some(STOP.to_owned()),
        ..Power::default()
    };
    assert_eq!(begun(true, true), ours);
    assert_eq!(begun(true, false), anew, "it was not asked for");
    assert_eq!(begun(false, true), anew, "it was for another step");
    assert_eq!(begun(false, false), anew);
}

#[test]
fn while_a_stop_is_awaited_it_is_told_what_the_server_does() {
    let mut stopping = silent(Phase::Stopping);
    stopped(&mut stopping, false, false);
    let message = |seen: &Seen| decide(seen).unwrap().record.message;
    assert!(message(&stopping).ends_with(": ACTIVE"));
    edit(&mut stopping, |view| {
        view.server.as_mut().unwrap().task = Some("powering-off".to_owned());
    });
    assert!(message(&stopping).ends_with(": ACTIVE: powering-off"));
}
