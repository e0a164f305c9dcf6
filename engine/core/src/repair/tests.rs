//! Single decisions, each a rule that somebody lost data or sleep over.

use jiff::Timestamp;

use super::*;
use crate::name::{PortId, ServerId, Uid};
use crate::policy::{Remedy, Status};

mod asked;
mod autoscaler;
mod balancers;
mod committed;
mod dead;
mod drained;
mod elsewhere;
mod fit;
mod fixture;
mod hands;
mod needs;
mod next;
mod owned;
mod person;
mod ports;
mod power;
mod reboot;
mod room;
mod server;
mod steering;
mod taken_back;
mod told;
mod volumes;

pub(super) use fixture::*;

#[test]
fn a_humans_cordon_stops_every_act() {
    let judging = Seen {
        node: Some(cordoned(None)),
        advice: advised(Remedy::Replace),
        ..seen(Phase::Judging)
    };
    let next = decide(&judging).unwrap();
    assert_eq!(
        (next.act, next.reason, next.record.phase),
        (None, Reason::CordonedByOther, Phase::Judging)
    );
}

#[test]
fn a_humans_cordon_is_never_undone() {
    for by in [None, Some("another-repair")] {
        for phase in Phase::ALL {
            let next = decide(&Seen {
                node: Some(cordoned(by)),
                ..seen(phase)
            })
            .unwrap();
            assert_ne!(next.act, Some(Act::Uncordon), "{phase:?}");
        }
    }
}

#[test]
fn a_human_who_uncordons_before_the_commit_calls_it_off() {
    let joining = with_replacement(
        Seen {
            node: Some(node()),
            ..seen(Phase::Joining)
        },
        |_| {},
    );
    let next = decide(&joining).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::RollingBack, Reason::Uncordoned)
    );
}

#[test]
fn after_the_commit_a_cleared_problem_changes_nothing() {
    for phase in [Phase::Draining, Phase::DeletingServer, Phase::DeletingNode] {
        let next = decide(&Seen {
            problem: gone(9999),
            ..seen(phase)
        })
        .unwrap();
        assert!(next.record.phase.fits(Side::Committed), "{phase:?}");
    }
}

#[test]
fn a_condition_that_is_not_reported_is_no_recovery() {
    for phase in [Phase::Judging, Phase::Joining, Phase::NeedsHuman] {
        let seen = with_replacement(
            Seen {
                problem: ProblemSeen::NotReported,
                ..seen(phase)
            },
            |_| {},
        );
        let next = decide(&seen).unwrap();
        assert!(
            ![Phase::RollingBack, Phase::Recovered, Phase::Uncordoning]
                .contains(&next.record.phase),
            "{phase:?}"
        );
    }
}

#[test]
fn a_cloud_that_cannot_be_asked_is_no_evidence() {
    for phase in [
        Phase::CreatingPorts,
        Phase::CreatingServer,
        Phase::Joining,
        Phase::Discarding,
        Phase::DeletingServer,
        Phase::RollingBack,
    ] {
        let down = with_replacement(
            Seen {
                cloud: CloudSeen::Unavailable("503".to_owned()),
                ..seen(phase)
            },
            |_| {},
        );
        let next = decide(&down).unwrap();
        assert_eq!((next.act, next.record.phase), (None, phase));
    }
}

#[test]
fn a_server_that_is_not_certain_is_never_replaced() {
    let other = CloudView {
        server: Some(server(OLD, "somebody-else")),
        ..CloudView::default()
    };
    let judging = Seen {
        cloud: CloudSeen::Fresh(other),
        advice: advised(Remedy::Replace),
        ..seen(Phase::Judging)
    };
    let next = decide(&judging).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::ServerUnknown));
}

#[test]
fn a_lost_answer_posts_nothing_again_before_the_settling_time() {
    let posted = |second: i64| {
        with_replacement(seen(Phase::CreatingServer), |replacement| {
            replacement.posted_at = Some(at(second))
        })
    };
    let next = decide(&posted(41)).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::CreateUncertain));
    let next = decide(&posted(40)).unwrap();
    assert_eq!(next.act, Some(Act::CreateServer));
    assert_eq!(
        next.record.replacement.unwrap().posted_at,
        Some(at(100)),
        "the new post is written down before it is made"
    );
}

#[test]
fn two_servers_of_one_attempt_are_both_discarded() {
    let mut two = with_replacement(seen(Phase::CreatingServer), |_| {});
    two.cloud = CloudSeen::Fresh(CloudView {
        replacements: vec![server("a", "x"), server("b", "x")],
        ..CloudView::default()
    });
    assert_eq!(decide(&two).unwrap().record.phase, Phase::Discarding);
}

#[test]
fn a_replacement_whose_port_was_taken_away_is_discarded() {
    let mut unbound = with_replacement(seen(Phase::Joining), |replacement| {
        replacement.server_id = Some("new".to_owned());
        replacement.ports = vec!["p".to_owned()];
    });
    let ports = vec![PortSeen {
        id: PortId::parse("p").unwrap(),
        name: String::new(),
        device: None,
    }];
    unbound.cloud = CloudSeen::Fresh(CloudView {
        replacements: vec![server("new", "x")],
        ports,
        ..CloudView::default()
    });
    assert_eq!(
        decide(&unbound).unwrap().reason,
        Reason::ReplacementUncertain
    );
}

#[test]
fn a_404_counts_only_beside_a_server_that_is_found() {
    let blind = Seen {
        cloud: CloudSeen::Fresh(CloudView::default()),
        ..with_replacement(seen(Phase::DeletingServer), |_| {})
    };
    let next = decide(&blind).unwrap();
    assert_eq!(
        (next.act, next.reason, next.record.phase),
        (None, Reason::CloudUnavailable, Phase::DeletingServer)
    );
}

#[test]
fn a_pool_that_observes_is_told_what_it_would_do_and_touches_nothing() {
    let observing = Rules {
        acts: false,
        ..rules()
    };
    let mut judging = Seen {
        pool: Ok(observing),
        node: Some(node()),
        advice: advised(Remedy::Replace),
        ..seen(Phase::Judging)
    };
    judging.record.rung = None;
    let next = decide(&judging).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::PoolObserves));
    let message = next.record.message;
    assert!(message.ends_with("it would replace it"), "{message}");
    judging.hands.storm = Some((Reason::BreakerOpen, "PoolSick".to_owned()));
    let message = decide(&judging).unwrap().record.message;
    assert!(message.contains("replace it, but not now"), "{message}");
    judging.request.requested_by = RequestedBy::Operator;
    let message = decide(&judging).unwrap().record.message;
    assert!(message.ends_with("it would replace it"), "{message}");
}

#[test]
fn a_pool_that_is_switched_to_observe_stops_its_open_repairs_and_keeps_the_cordon() {
    let observing = Rules {
        acts: false,
        ..rules()
    };
    for phase in Phase::ALL {
        let stopped = with_replacement(
            Seen {
                pool: Ok(observing.clone()),
                advice: advised(Remedy::Replace),
                ..seen(phase)
            },
            |_| {},
        );
        let next = decide(&stopped).unwrap();
        let intrusive = next.act.as_ref().is_some_and(Act::is_intrusive);
        assert!(
            !phase.fits(Side::Before) || !intrusive,
            "{phase:?}: {:?}",
            next.act
        );
        // a repair that ends by itself is still taken back
        let ends = [Phase::Uncordoning, Phase::RollingBack].contains(&phase);
        assert!(ends || next.act != Some(Act::Uncordon), "{phase:?}");
    }
    let drained = Seen {
        pool: Ok(observing),
        ..seen(Phase::RebootDraining)
    };
    let next = decide(&drained).unwrap();
    assert_eq!(
        (next.record.grant, next.reason),
        (None, Reason::PoolObserves),
        "nor is a reboot offered"
    );
}

#[test]
fn a_pool_that_is_switched_to_observe_takes_an_open_offer_back_and_counts_no_try() {
    let mut offered = seen(Phase::GrantOffered);
    offered.pool = Ok(Rules {
        acts: false,
        ..rules()
    });
    offered.record.grant = Some(grant());
    offered.record.tried.push(Tried {
        rung: Rung::Reboot,
        since: at(90),
        outcome: crate::policy::Outcome::Running,
        reason: Reason::GrantOffered,
    });
    let next = decide(&offered).unwrap();
    assert_eq!(next.record.phase, Phase::Judging);
    assert!(next.record.grant.is_none() && next.record.tried.is_empty());
}

#[test]
fn a_node_that_goes_away_after_its_reboot_ends_the_repair() {
    for phase in [Phase::Rebooting, Phase::Settling] {
        let gone = Seen {
            node: None,
            ..seen(phase)
        };
        let next = decide(&gone).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::Judging, Reason::NodeGone)
        );
        let judged = decide(&Seen {
            record: next.record,
            ..gone
        })
        .unwrap();
        assert_eq!(judged.record.phase, Phase::Cancelled);
    }
}

fn grant() -> Grant {
    Grant {
        id: "g".to_owned(),
        boot_id: "boot-1".to_owned(),
        node_uid: NODE_UID.to_owned(),
        until: at(1000),
    }
}

#[test]
fn a_reboot_that_was_accepted_is_not_withdrawn_when_the_problem_clears() {
    let mut accepted = seen(Phase::GrantOffered);
    accepted.record.grant = Some(Grant {
        id: "g".to_owned(),
        boot_id: "boot-1".to_owned(),
        node_uid: NODE_UID.to_owned(),
        until: at(0),
    });
    accepted.request.accepted_grant = Some("g".to_owned());
    accepted.problem = gone(9999);
    assert_eq!(decide(&accepted).unwrap().record.phase, Phase::Rebooting);
}

#[test]
fn another_node_of_the_same_name_is_none_of_our_business() {
    for phase in Phase::ALL {
        let other = NodeSeen {
            uid: Uid::parse("newer").unwrap(),
            ..cordoned(Some(REPAIR_UID))
        };
        let next = decide(&with_replacement(
            Seen {
                node: Some(other),
                ..seen(phase)
            },
            |_| {},
        ))
        .unwrap();
        let touches = matches!(
            next.act,
            Some(Act::Cordon | Act::Uncordon | Act::Evict(_) | Act::DeleteNode(_))
        );
        assert!(!touches, "{phase:?}: {:?}", next.act);
    }
}

#[test]
fn every_phase_answers_whatever_is_seen() {
    for phase in Phase::ALL {
        for asks in [Asks::InNode, Asks::Reboot, Asks::Escalate] {
            for node in [None, Some(node()), Some(cordoned(Some(REPAIR_UID)))] {
                let mut seen = Seen {
                    node,
                    pods: None,
                    ..seen(phase)
                };
                seen.request.asks = asks;
                assert!(decide(&seen).is_ok(), "{phase:?} {asks:?}");
            }
        }
    }
}

#[test]
fn the_nodes_engine_is_left_alone_until_its_deadline_and_not_without_one() {
    for (deadline, phase, reason) in [
        (Some(at(101)), Phase::HealingInNode, Reason::HealingInNode),
        (Some(at(100)), Phase::Judging, Reason::AgentOverdue),
        (Some(at(99)), Phase::Judging, Reason::AgentOverdue),
        (None, Phase::Judging, Reason::AgentOverdue),
    ] {
        let mut healing = seen(Phase::HealingInNode);
        healing.node = Some(node());
        healing.request.asks = Asks::InNode;
        healing.request.deadline = deadline;
        let next = decide(&healing).unwrap();
        assert_eq!((next.record.phase, next.reason), (phase, reason));
    }
}

#[test]
fn a_policy_that_waits_is_not_heard_again_before_its_time() {
    let judged = |until: Option<i64>, remedy| {
        let mut judging = Seen {
            advice: advised(remedy),
            ..seen(Phase::Judging)
        };
        judging.record.wait_until = until.map(at);
        decide(&judging).unwrap()
    };
    let said = judged(None, Remedy::Wait(20));
    assert_eq!((said.act, said.reason), (None, Reason::PolicyWaits));
    assert_eq!(said.record.wait_until, Some(at(120)));
    let early = judged(Some(101), Remedy::Replace);
    assert_eq!((early.act, early.reason), (None, Reason::PolicyWaits));
    // in a storm that is what keeps it, whatever the policy makes of it
    for (until, remedy) in [(None, Remedy::Wait(20)), (Some(101), Remedy::Replace)] {
        let mut stormy = Seen {
            advice: advised(remedy),
            ..seen(Phase::Judging)
        };
        stormy.record.wait_until = until.map(at);
        stormy.hands.storm = Some((Reason::BreakerOpen, "PoolSick".to_owned()));
        let next = decide(&stormy).unwrap();
        assert_eq!((next.act, next.reason), (None, Reason::BreakerOpen));
        assert!(next.record.message.ends_with(": PoolSick"));
        assert!(next.record.wait_until.is_some_and(|until| until > at(100)));
    }
    for over in [100, 99] {
        let next = judged(Some(over), Remedy::Replace);
        assert_eq!(next.act, Some(Act::Cordon), "{over}");
    }
}

#[test]
fn the_first_step_under_our_cordon_is_that_of_the_rung() {
    for (rung, phase) in [
        (Rung::Reboot, Phase::RebootDraining),
        (Rung::HardReboot, Phase::RebootDraining),
        (Rung::Replace, Phase::CreatingPorts),
    ] {
        let mut cordoning = seen(Phase::Cordoning);
        cordoning.record.rung = Some(rung);
        cordoning.record.drain = Some(drain::Progress::default());
        let next = decide(&cordoning).unwrap();
        assert_eq!((next.record.phase, next.act), (phase, None), "{rung:?}");
        let begins_anew = phase != Phase::RebootDraining || next.record.drain.is_none();
        assert!(begins_anew, "an earlier drain is not this one");
    }
    for by in [None, Some("another-repair")] {
        let theirs = Seen {
            node: Some(cordoned(by)),
            ..seen(Phase::Cordoning)
        };
        let next = decide(&theirs).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::RollingBack, Reason::CordonedByOther)
        );
    }
    let uncordoned = Seen {
        node: Some(node()),
        ..seen(Phase::Cordoning)
    };
    assert_eq!(decide(&uncordoned).unwrap().act, Some(Act::Cordon));
}
