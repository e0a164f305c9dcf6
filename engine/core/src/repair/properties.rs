//! No sequence of events breaks an invariant: a small world in which acts may fail, work late or lose their answer, the
//! engine may be killed between its write and its act, and humans interfere.

use proptest::prelude::*;

use super::autoscaler::SCALE_DOWN_HELD_BY;
use super::tests::{NODE_UID, REPAIR_UID};
use super::*;
use crate::clock::SignedDuration;
use crate::name::Uid;
use crate::policy::{Outcome, Status};

mod chance;
mod world;

use chance::{Chance, chance};
use world::World;

/// What must be true of a decision, whatever came before it.
fn check(world: &World, seen: &Seen, next: &Next) {
    let committed = next.record.committed_at.is_some();
    let side = next.record.side();
    assert!(
        world.ever_first || next.record.room.is_none(),
        "no server goes first unless the pool says so"
    );
    let crosses = side.is_past_return() && !seen.record.side().is_past_return();
    let rules = seen.pool.as_ref().expect("a pool");
    assert!(
        !crosses
            || rules.acts
                && seen.hands.stop == Stop::Runs
                && seen.hands.storm.is_none()
                && seen.hands.pool_paused.is_none(),
        "no line is crossed while somebody holds it"
    );
    assert!(
        !crosses || committed || world.goes_first && seen.hands.no_creates.is_none(),
        "no server goes first when none would be made, or the pool has changed its mind"
    );
    let short = seen.hands.short.as_ref();
    let away = short.filter(|other| other.is_away);
    assert!(
        !crosses || committed || away.is_none(),
        "one server of a pool goes first at a time"
    );
    let is_drained = side == Side::MakingRoom && seen.record.side() == Side::Before;
    assert!(
        !is_drained || short.is_none(),
        "one server of a pool is drained to go first at a time"
    );
    let makes = matches!(next.act, Some(Act::CreatePorts | Act::CreateServer));
    assert!(
        !makes || side != Side::Before || away.is_none_or(|other| other.is_a_persons),
        "the room is for the node whose server has gone"
    );
    let destroys = next.act.as_ref().is_some_and(Act::destroys_evidence);
    assert!(
        !destroys || evidence::is_settled(&next.record),
        "nothing is destroyed before its evidence was tried for, and that was written down"
    );
    let replacing = next.record.rung == Some(Rung::Replace);
    match &next.act {
        Some(Act::DeleteServer(_) | Act::DeletePorts(_) | Act::DeleteNode(_)) => {
            let is_server = matches!(next.act, Some(Act::DeleteServer(_)));
            if side == Side::RoomMade {
                assert!(
                    !matches!(next.act, Some(Act::DeleteNode(_))),
                    "the Node goes when its replacement is there"
                );
                assert!(
                    is_server || world.old.is_none(),
                    "ports follow their server"
                );
                assert!(world.new.is_empty(), "there is no room for two");
            } else {
                assert!(
                    committed,
                    "nothing is deleted before its replacement is committed, unless it has to make room"
                );
            }
            let ready = world
                .new_node
                .as_ref()
                .is_some_and(|node| node.ready == Status::Yes);
            // once that is written the server may be going already: who comes then comes too late
            let begins_to_delete = is_server && seen.record.phase != Phase::DeletingServer;
            assert!(
                !begins_to_delete || world.pods.is_empty(),
                "no server is deleted under a pod"
            );
            let is_told = |node: &NodeSeen| node.labels.contains_key(EXCLUDED);
            assert!(
                !begins_to_delete || world.node.as_ref().is_none_or(is_told),
                "load balancers are told before a server goes"
            );
            // its ports and its Node follow a server that is gone, whatever becomes of the replacement meanwhile
            assert!(
                (ready && world.new.len() == 1) || world.old.is_none() || side == Side::RoomMade,
                "no server is deleted without exactly one replacement that is Ready"
            );
        }
        Some(Act::StopServer(_)) => {
            assert_ne!(side, Side::Before, "nothing is stopped before the commit");
            assert!(
                !world.is_heard(),
                "a node that is Ready ends its pods itself"
            );
        }
        Some(Act::OutOfService { is: true, .. }) => {
            assert!(
                !world.runs,
                "no volume is taken from a machine that may run"
            );
        }
        Some(Act::PowerCycle { .. }) => {
            // one that we stopped before there was no way back is started again
            let is_undone = seen.record.phase == Phase::RollingBack;
            assert!(
                side == Side::Before || is_undone,
                "what is replaced is not booted again"
            );
            let before = world.actions.iter().filter(|action| {
                action.by.as_deref() == Some("rectifier")
                    && ["start", "reboot"].contains(&action.action.as_str())
            });
            // one that was lost, and one after a person's word
            assert!(
                is_undone || before.count() == 0 || world.request.retry.is_some(),
                "one reboot for one problem"
            );
        }
        Some(Act::DeletePods(_)) => {
            panic!("no pod is deleted past its budget unless the pool says so")
        }
        Some(Act::Evict(_)) if replacing => {
            assert_ne!(side, Side::Before, "nothing is evicted before the commit");
            assert!(
                !committed
                    || world
                        .new_node
                        .as_ref()
                        .is_some_and(|node| node.ready == Status::Yes),
                "nothing is evicted while the replacement is not Ready"
            );
        }
        Some(Act::Uncordon) => {
            let by = seen
                .node
                .as_ref()
                .and_then(|node| node.cordoned_by.as_ref())
                .map(Uid::as_str);
            assert_eq!(by, Some(REPAIR_UID), "a human's cordon is never undone");
        }
        Some(Act::CreateServer) => {
            let written = next
                .record
                .replacement
                .as_ref()
                .and_then(|one| one.posted_at);
            assert_eq!(
                written,
                Some(seen.now),
                "a post is written down before it is made"
            );
        }
        Some(Act::RemoveReplacement { servers, .. }) => {
            assert!(!committed, "what was adopted is not taken back");
            assert!(
                servers.is_empty() || world.guests.is_empty() || world.new_node.is_none(),
                "before the commit no pod is lost with a replacement"
            );
        }
        Some(Act::EvictFromReplacement(_) | Act::CordonReplacement(_)) => {
            assert!(!committed, "what was adopted is not taken back")
        }
        Some(Act::CreatePorts) => {
            assert!(
                side != Side::RoomMade || world.old.is_none() && !world.runs,
                "what goes first is gone before its replacement is made"
            );
            let written = next
                .record
                .replacement
                .as_ref()
                .and_then(|one| one.ports_at);
            assert_eq!(
                written,
                Some(seen.now),
                "that ports are made is written down before they are"
            );
        }
        Some(Act::DeleteSurplus(gone)) => {
            let used = &next.record.replacement.as_ref().unwrap().ports;
            assert!(
                gone.iter()
                    .all(|port| !used.iter().any(|id| id == port.as_str())),
                "a port in use is not surplus"
            );
        }
        Some(
            Act::Evict(_)
            | Act::Cordon
            | Act::Adopt
            | Act::Archive
            | Act::CollectEvidence
            | Act::LeaveBalancers
            | Act::LetScaleDown { .. }
            | Act::OutOfService { is: false, .. },
        )
        | None => {}
    }
    if matches!(next.act, Some(Act::DeleteNode(_))) {
        assert!(!world.runs, "no Node goes before its machine");
    }
    let halted = seen.hands.stop != Stop::Runs || seen.hands.pool_paused.is_some();
    let intrusive = next.act.as_ref().is_some_and(Act::is_intrusive);
    assert!(
        !halted || !(intrusive || next.grants(&seen.record)),
        "nothing intrusive is done while a person halts it"
    );
    assert!(
        seen.hands.storm.is_none()
            || seen.record.side().is_past_return()
            || !(intrusive || next.grants(&seen.record)),
        "nothing intrusive is done in a storm, while there is a way back"
    );
    let untold = seen.problem == ProblemSeen::Stale
        && world.is_heard()
        && !seen.record.side().is_past_return();
    assert!(
        !untold || !(intrusive || next.grants(&seen.record)),
        "nothing intrusive is begun on what nobody says any more"
    );
    let ended = seen.hands.deleted || seen.hands.reject.is_some() || world.owned;
    // a machine that we stopped is started again
    let undoes =
        seen.record.phase == Phase::RollingBack && matches!(next.act, Some(Act::PowerCycle { .. }));
    assert!(
        seen.record.side().is_past_return()
            || crosses && committed
            || undoes
            || !ended
            || !intrusive,
        "nothing new is begun for what was called off"
    );
    assert!(
        seen.hands.turn == Turn::Free || !next.begins(&seen.record),
        "one in flight"
    );
    assert!(
        !seen.record.side().is_past_return() || side.is_past_return(),
        "from the point of no return only forward, or a person"
    );
    assert!(world.new.len() <= 1, "at most one replacement at a time");
}

/// Whoever waits writes once: a second later, with all else the same, there is nothing new to write.
fn is_quiet(seen: &Seen, next: &Next) {
    let waits = |next: &Next| next.act.is_none() && next.record.phase == seen.record.phase;
    if !waits(next) {
        return;
    }
    let later = Seen {
        now: seen.now + SignedDuration::from_secs(1),
        record: next.record.clone(),
        ..seen.clone()
    };
    let then = decide(&later).expect("in the diagram");
    // unless what it waited for is that second
    if waits(&then) && then.record.reason == next.record.reason {
        assert_eq!(then.record, next.record, "it is written again and again");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_breaks_an_invariant(
        reboot in any::<bool>(),
        hard in any::<bool>(),
        full in any::<bool>(),
        first in any::<bool>(),
        chances in proptest::collection::vec(chance(), 1..200),
    ) {
        let mut world = World::new(if reboot { Asks::Reboot } else { Asks::Escalate }, hard, full, first);
        for chance in chances {
            world.second += 7;
            world.happen(chance);
            let seen = world.look_further(matches!(chance, Chance::CloudDown));
            let next = decide(&seen).expect("in the diagram");
            check(&world, &seen, &next);
            is_quiet(&seen, &next);
            world.record = next.record;
            if let Some(act) = next.act.filter(|_| !matches!(chance, Chance::Killed | Chance::ActFails)) {
                world.perform(&act);
            }
        }
    }

    /// Left alone, every repair ends, and nothing of ours is left behind.
    #[test]
    fn when_the_faults_end_every_repair_ends_and_leaves_nothing(
        reboot in any::<bool>(),
        hard in any::<bool>(),
        full in any::<bool>(),
        first in any::<bool>(),
        chances in proptest::collection::vec(chance(), 0..100),
    ) {
        let mut world = World::new(if reboot { Asks::Reboot } else { Asks::Escalate }, hard, full, first);
        for chance in chances.into_iter().map(Some).chain(std::iter::repeat_n(None, 400)) {
            world.second += 20;
            match chance {
                Some(chance) => world.happen(chance),
                None => {
                    world.happen(Chance::GoOn);
                    world.happen(Chance::DetectorSpeaks);
                    world.happen(Chance::Alone);
                    world.happen(Chance::Calm);
                    world.happen(Chance::RoomFree);
                    // whose server does not go first waits until there is room
                    let mut tried = world.record.tried.iter();
                    let failed = |tried: &Tried| tried.outcome == Outcome::Failed && !history::had_no_room(tried);
                    world.is_full &= world.goes_first && !tried.any(failed);
                    world.observes = false;
                    world.withdrawn = false;
                    world.hands.no_creates = None;
                    world.hands.short = None;
                }
            }
            let seen = world.look_further(matches!(chance, Some(Chance::CloudDown)));
            let next = decide(&seen).expect("in the diagram");
            world.record = next.record;
            if let Some(act) = next.act.filter(|_| !matches!(chance, Some(Chance::Killed | Chance::ActFails))) {
                world.perform(&act);
            }
        }
        // a human's cordon, another owner, or a person who is asked, may hold it for ever
        let held = matches!(world.record.phase, Phase::NeedsHuman)
            || matches!(world.record.reason, Some(Reason::CordonedByOther | Reason::OwnedByOther));
        prop_assert!(held || world.record.phase.is_final(), "{:?}: {}", world.record.phase, world.record.message);
        if world.record.phase.is_final() {
            let nodes = world.node.iter().chain(&world.new_node);
            let held = nodes.filter(|node| node.annotations.contains_key(SCALE_DOWN_HELD_BY));
            prop_assert_eq!(held.count(), 0, "{:?}", world.record.steps);
        }
        match world.record.phase {
            Phase::Replaced => {
                prop_assert!(!world.runs);
                prop_assert!(world.old.is_none() && world.old_ports.is_empty() && world.node.is_none());
                prop_assert_eq!((world.new.len(), world.ports.len()), (1, 1));
            }
            Phase::Cancelled | Phase::Recovered => {
                prop_assert!(world.new.is_empty() && world.ports.is_empty() && world.new_node.is_none());
                prop_assert!(world.node.as_ref().is_none_or(|node| node.cordoned_by.is_none()));
                let given_up = world.record.room.as_ref().is_some_and(|room| room.gone_at.is_some());
                if given_up {
                    prop_assert!(world.old.is_none() && !world.runs);
                    return Ok(());
                }
                prop_assert!(world.old.is_some());
                prop_assert_eq!(world.node.map(|node| node.uid.to_string()), Some(NODE_UID.to_owned()));
            }
            _ => {}
        }
    }
}
