//! How pods leave: in order, at a pace, and not without an end.

use super::committed::replaced;
use super::*;
use crate::repair::drain::{DrainRules, HeldBack, LastResort, Owner, PodSeen, Refusal, plan};

fn of_priority(name: &str, priority: i32) -> PodSeen {
    PodSeen {
        priority,
        ..pod(name)
    }
}

fn held(pod: &PodSeen, by: Refusal, again: Timestamp) -> HeldBack {
    HeldBack {
        pod: pod.uid.clone(),
        name: pod.full_name(),
        by,
        words: "the budget web needs 2".to_owned(),
        again,
    }
}

fn names(pods: &[PodSeen]) -> Vec<&str> {
    pods.iter().map(|pod| pod.name.as_str()).collect()
}

/// What is evicted, after the commit.
fn evicted(seen: &Seen) -> Vec<String> {
    match decide(seen).unwrap().act {
        Some(Act::Evict(pods)) => pods.into_iter().map(|pod| pod.name).collect(),
        _ => Vec::new(),
    }
}

fn draining(pods: &[PodSeen]) -> Seen {
    Seen {
        pods: Some(pods.to_vec()),
        ..replaced(Phase::Draining)
    }
}

#[test]
fn daemons_mirrors_and_finished_pods_do_not_hold_a_drain() {
    let of = |name: &str, owner| PodSeen { owner, ..pod(name) };
    let finished = PodSeen {
        finished: true,
        ..of("done", Owner::Nobody)
    };
    let pods = [
        of("daemon", Owner::DaemonSet),
        of("static", Owner::Mirror),
        finished,
    ];
    assert!(plan(&pods, DrainRules::default()).is_done());
}

#[test]
fn a_pod_that_nobody_makes_again_forbids_the_drain_unless_the_pool_allows_it() {
    let pods = [PodSeen {
        owner: Owner::Nobody,
        ..pod("alone")
    }];
    assert_eq!(plan(&pods, DrainRules::default()).forbidden.len(), 1);
    let allowed = DrainRules {
        unmanaged_pods: true,
        ..DrainRules::default()
    };
    assert_eq!(plan(&pods, allowed).evict.len(), 1);
}

#[test]
fn what_a_pool_does_not_allow_to_be_lost_stays() {
    let alone = PodSeen {
        owner: Owner::Nobody,
        ..pod("alone")
    };
    let with_data = PodSeen {
        local_data: true,
        ..pod("cache")
    };
    let on_disk = PodSeen {
        node_volume: Some("pv-1".to_owned()),
        ..pod("db")
    };
    let pods = [alone, with_data, on_disk, pod("web")];
    for (unmanaged_pods, local_data, node_volumes, stay) in [
        (false, false, false, &["alone", "cache", "db"][..]),
        (true, false, false, &["cache", "db"]),
        (false, true, false, &["alone", "db"]),
        (false, false, true, &["alone", "cache"]),
        (true, true, true, &[]),
    ] {
        let rules = DrainRules {
            unmanaged_pods,
            local_data,
            node_volumes,
        };
        let plan = plan(&pods, rules);
        assert_eq!(names(&plan.forbidden), stay);
        assert_eq!(plan.evict.len(), pods.len() - stay.len());
    }
}

#[test]
fn a_drain_is_not_done_while_a_pod_is_still_leaving() {
    let pods = [PodSeen {
        leaving: Some(Timestamp::UNIX_EPOCH),
        ..pod("web")
    }];
    assert!(!plan(&pods, DrainRules::default()).is_done());
}

#[test]
fn pods_leave_by_priority_and_what_the_system_needs_goes_last() {
    let (low, mid) = (of_priority("low", -5), of_priority("mid", 1000));
    let system = of_priority("dns", 2_000_000_000);
    let all = [system.clone(), mid.clone(), low.clone()];
    assert_eq!(evicted(&draining(&all)), ["low"]);
    let leaving = PodSeen {
        leaving: Some(at(110)),
        ..low
    };
    let waits = draining(&[system.clone(), mid.clone(), leaving]);
    assert_eq!(evicted(&waits), [""; 0], "the lower one is not gone yet");
    assert_eq!(evicted(&draining(&[system.clone(), mid])), ["mid"]);
    assert_eq!(evicted(&draining(&[system])), ["dns"]);
}

#[test]
fn a_priority_goes_on_when_those_below_it_are_held_back() {
    let (low, high) = (of_priority("low", 0), of_priority("high", 1000));
    let mut seen = draining(&[high, low.clone()]);
    seen.held_back = vec![held(&low, Refusal::Budget, at(105))];
    assert_eq!(
        evicted(&seen),
        ["high"],
        "who is held back keeps his own pace"
    );
    seen.held_back = vec![held(&low, Refusal::Budget, at(100))];
    assert_eq!(evicted(&seen), ["low", "high"], "and is asked again");
}

#[test]
fn a_pod_that_nobody_ends_does_not_hold_the_others() {
    let leaving = |until| PodSeen {
        leaving: Some(at(until)),
        ..of_priority("low", 0)
    };
    let high = of_priority("high", 1000);
    let seen = draining(&[leaving(41), high.clone()]);
    assert_eq!(evicted(&seen), [""; 0]);
    assert_eq!(evicted(&draining(&[leaving(40), high])), ["high"]);
}

#[test]
fn a_refusal_is_told_for_what_it_is() {
    let web = pod("web");
    for (by, reason) in [
        (Refusal::Budget, Reason::BlockedByBudget),
        (Refusal::TwoBudgets, Reason::TwoBudgets),
        (Refusal::Other, Reason::EvictionRefused),
    ] {
        let mut seen = draining(std::slice::from_ref(&web));
        seen.held_back = vec![held(&web, by, at(105))];
        let next = decide(&seen).unwrap();
        assert_eq!((next.act, next.reason), (None, reason));
        assert!(next.record.message.contains("default/web"), "{reason:?}");
    }
}

#[test]
fn how_far_a_drain_has_come_is_written_down() {
    let (a, b) = (pod("a"), pod("b"));
    let leaving = PodSeen {
        leaving: Some(at(110)),
        ..pod("c")
    };
    let mut seen = draining(&[a.clone(), b.clone(), leaving]);
    let first = decide(&seen).unwrap().record;
    let progress = first.drain.clone().unwrap();
    assert_eq!(
        (
            progress.total,
            progress.gone,
            progress.leaving,
            progress.to_evict
        ),
        (3, 0, 1, 2)
    );
    seen.record = first;
    seen.pods = Some(vec![b.clone()]);
    seen.held_back = vec![
        held(&a, Refusal::Budget, at(105)),
        held(&b, Refusal::Budget, at(105)),
    ];
    let progress = decide(&seen).unwrap().record.drain.unwrap();
    assert_eq!(
        (progress.total, progress.gone, progress.to_evict),
        (3, 2, 1)
    );
    let held: Vec<&str> = progress
        .held_back
        .iter()
        .map(|held| held.pod.as_str())
        .collect();
    assert_eq!(held, ["default/b"], "who is gone is held back no more");
    assert!(progress.held_back[0].by.contains("needs 2"));
}

#[test]
fn what_is_written_down_of_a_drain_is_bounded() {
    let pods: Vec<PodSeen> = (0..200).map(|n| pod(&format!("web-{n}"))).collect();
    let mut seen = draining(&pods);
    seen.held_back = pods
        .iter()
        .map(|pod| HeldBack {
            words: "x".repeat(5000),
            ..held(pod, Refusal::Other, at(105))
        })
        .collect();
    let progress = decide(&seen).unwrap().record.drain.unwrap();
    assert_eq!(progress.held_back.len(), 8);
    assert!(progress.held_back.iter().all(|held| held.by.len() <= 256));
}

fn late(last_resort: LastResort, second: i64) -> Seen {
    let (low, high) = (of_priority("low", 0), of_priority("high", 9));
    let alone = PodSeen {
        owner: Owner::Nobody,
        ..pod("alone")
    };
    let mut seen = draining(&[high, low.clone(), alone]);
    seen.pool = Ok(Rules {
        last_resort,
        ..rules()
    });
    seen.held_back = vec![held(&low, Refusal::Budget, at(second + 5))];
    seen.now = at(90 + second);
    seen
}

#[test]
fn when_the_time_is_over_a_person_is_asked_unless_the_pool_says_delete() {
    let asked = decide(&late(LastResort::Ask, 3600)).unwrap();
    assert_eq!(
        (asked.record.phase, asked.reason, asked.act),
        (Phase::NeedsHuman, Reason::Overdue, None)
    );
    let early = decide(&late(LastResort::Delete, 3599)).unwrap();
    assert!(matches!(early.act, Some(Act::Evict(_))), "{:?}", early.act);
    let deleted = decide(&late(LastResort::Delete, 3600)).unwrap();
    assert_eq!(
        (deleted.record.phase, deleted.reason),
        (Phase::Draining, Reason::LastResort)
    );
    let Some(Act::DeletePods(pods)) = deleted.act else {
        panic!("{:?}", deleted.act);
    };
    // whatever holds it back, in the same order; and not what the pool's rules keep
    assert_eq!(names(&pods), ["low"]);
    assert!(deleted.record.message.contains("default/low"));
}

#[test]
fn the_last_resort_ends_too() {
    let next = decide(&late(LastResort::Delete, 3600 + 600)).unwrap();
    assert_eq!(next.record.phase, Phase::NeedsHuman);
}

#[test]
fn there_is_no_last_resort_for_those_that_are_leaving() {
    let mut seen = late(LastResort::Delete, 3600);
    seen.pods = Some(vec![PodSeen {
        leaving: Some(at(90 + 3600)),
        ..pod("web")
    }]);
    let next = decide(&seen).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::Evicting));
    assert!(next.record.message.ends_with("default/web"));
}

#[test]
fn before_the_commit_no_last_resort_deletes_a_pod() {
    let mut seen = late(LastResort::Delete, 3600);
    seen.record.phase = Phase::RebootDraining;
    seen.record.committed_at = None;
    let next = decide(&seen).unwrap();
    assert_eq!((next.record.phase, next.act), (Phase::NeedsHuman, None));
}

#[test]
fn a_person_is_told_where_it_stands_and_the_command_to_go_on() {
    let message = decide(&late(LastResort::Ask, 3600)).unwrap().record.message;
    for words in [
        "in Draining",
        "after the commit",
        "default/low: the budget web needs 2",
        "kubectl annotate --overwrite noderepair worker-1.repair rectifier.dev/retry=1800003690",
    ] {
        assert!(message.contains(words), "{words:?} is not in {message:?}");
    }
}

fn judging(pods: Option<Vec<PodSeen>>) -> Seen {
    let mut judging = Seen {
        node: Some(node()),
        advice: advised(Remedy::Replace),
        pods,
        ..seen(Phase::Judging)
    };
    judging.record.rung = None;
    judging
}

fn lost() -> Vec<PodSeen> {
    let on_disk = |name: &str| PodSeen {
        node_volume: Some("pv-1".to_owned()),
        ..pod(name)
    };
    let alone = PodSeen {
        owner: Owner::Nobody,
        ..pod("alone")
    };
    let mut pods = vec![pod("web"), on_disk("db"), alone];
    pods.extend((0..5).map(|n| on_disk(&format!("db-{n}"))));
    pods
}

#[test]
fn before_anything_is_touched_a_person_hears_by_name_what_would_be_lost() {
    let next = decide(&judging(Some(lost()))).unwrap();
    assert_eq!(
        (next.record.phase, next.reason, next.act),
        (Phase::NeedsHuman, Reason::PreflightRefused, None)
    );
    for words in [
        "7: default/db (its volume pv-1 is on this node alone), default/alone (no controller",
        ", and 2 more",
        "rectifier.dev/retry=",
    ] {
        assert!(
            next.record.message.contains(words),
            "{}",
            next.record.message
        );
    }
    assert!(!next.record.message.contains("default/web"), "it may go");
}

#[test]
fn what_the_pool_allows_is_no_loss() {
    let mut allowed = judging(Some(lost()));
    allowed.pool = Ok(Rules {
        drain: DrainRules {
            unmanaged_pods: true,
            local_data: true,
            node_volumes: true,
        },
        ..rules()
    });
    let next = decide(&allowed).unwrap();
    assert_eq!(
        (next.record.phase, next.act),
        (Phase::Cordoning, Some(Act::Cordon))
    );
}

#[test]
fn pods_and_volumes_are_read_when_a_replacement_is_decided_on_and_at_no_other_time() {
    assert!(further(&judging(None)).losses);
    let compared = |lacks| {
        let mut seen = judging(None);
        seen.more.lacks = lacks;
        further(&seen).likeness
    };
    assert!(compared(None) && !compared(Some(Ok(Vec::new()))));
    let mut joining = seen(Phase::Joining);
    joining.more.lacks = None;
    assert!(!further(&joining).likeness);
    let mut others = vec![judging(Some(lost()))];
    for remedy in [Remedy::Wait(60), Remedy::Escalate, Remedy::Decline] {
        others.push(Seen {
            advice: advised(remedy),
            ..judging(None)
        });
    }
    others.push(Seen {
        node: Some(cordoned(None)),
        ..judging(None)
    });
    others.push(Seen {
        pods: None,
        ..seen(Phase::Joining)
    });
    for seen in others {
        assert!(!further(&seen).losses, "{:?}", seen.advice);
    }
    // what was not read is not nothing
    let next = decide(&judging(None)).unwrap();
    assert_eq!((next.act, next.record.phase), (None, Phase::Judging));
}

#[test]
fn a_refusal_is_looked_at_again_when_a_person_says_so() {
    let mut refused = judging(None);
    refused.record = decide(&judging(Some(lost()))).unwrap().record;
    let still = decide(&refused).unwrap();
    assert_eq!(still.record, refused.record, "and at no other time");
    refused.request.retry = Some("1".to_owned());
    let again = decide(&refused).unwrap();
    assert_eq!(again.record.phase, Phase::Judging);
    let looked = Seen {
        record: again.record,
        ..judging(Some(vec![pod("web")]))
    };
    let looked = Seen {
        request: refused.request,
        ..looked
    };
    assert_eq!(decide(&looked).unwrap().record.phase, Phase::Cordoning);
}
