//! What a step says of itself: what is new in it, what it begins, and what it adds to the story.

use super::*;
use crate::name::NodeName;
use crate::switches::Step;

#[test]
fn each_act_belongs_to_the_step_of_the_loop_that_can_be_switched_off() {
    let server = ServerId::parse("s").unwrap();
    let uid = Uid::parse("u").unwrap();
    let removal = Act::RemoveReplacement {
        servers: Vec::new(),
        ports: Vec::new(),
        node: None,
    };
    let free = Act::LetScaleDown {
        node: NodeName::parse("n").unwrap(),
        uid: uid.clone(),
    };
    for (act, step) in [
        (Act::Cordon, Some(Step::Cordon)),
        (Act::CreatePorts, Some(Step::Create)),
        (Act::CreateServer, Some(Step::Create)),
        (Act::Evict(Vec::new()), Some(Step::Drain)),
        (Act::DeletePods(Vec::new()), Some(Step::Drain)),
        (Act::StopServer(server.clone()), Some(Step::Delete)),
        (Act::DeleteServer(server), Some(Step::Delete)),
        (Act::DeletePorts(Vec::new()), Some(Step::Delete)),
        (Act::DeleteNode(uid), Some(Step::Delete)),
        (Act::Uncordon, None),
        (removal, None),
        (Act::Adopt, None),
        (Act::LeaveBalancers, None),
        (free, None),
        (Act::Archive, None),
    ] {
        assert_eq!(act.step(), step, "{act:?}");
    }
}

#[test]
fn a_step_is_news_when_any_of_what_people_read_has_changed() {
    let next = Next::wait(&seen(Phase::Joining), Reason::Joining, "not Ready");
    assert!(!next.is_news(&next.record));
    let changes: [fn(&mut Record); 4] = [
        |record| record.phase = Phase::CreatingServer,
        |record| record.since = Some(at(1)),
        |record| record.reason = Some(Reason::CreateUncertain),
        |record| record.message = String::new(),
    ];
    for (which, change) in changes.into_iter().enumerate() {
        let mut before = next.record.clone();
        change(&mut before);
        assert!(next.is_news(&before), "{which}");
    }
    let unread = Record {
        term: next.record.term + 1,
        ..next.record.clone()
    };
    assert!(!next.is_news(&unread));
}

#[test]
fn a_rung_begins_with_the_cordon_and_only_once() {
    for (from, to, begins) in [
        (Phase::Judging, Phase::Cordoning, true),
        (Phase::Cordoning, Phase::Cordoning, false),
        (Phase::Judging, Phase::Judging, false),
        (Phase::Cordoning, Phase::CreatingPorts, false),
    ] {
        let before = seen(from);
        let next = Next::enter(&before, to, Reason::PolicyDecided, "");
        assert_eq!(next.begins(&before.record), begins, "{from:?} {to:?}");
    }
}

#[test]
fn a_story_without_an_end_keeps_its_beginning_and_its_last_steps() {
    let mut seen = seen(Phase::Judging);
    for second in 0..70 {
        seen.now = at(second);
        seen.record = Next::enter(&seen, Phase::Judging, Reason::RetryAsked, "").record;
        let told = seen.record.steps.len();
        assert_eq!(told, usize::try_from(second + 1).unwrap().min(64));
    }
    let steps = &seen.record.steps;
    assert_eq!((steps[0].at, steps[1].at), (at(0), at(7)));
    assert_eq!(steps.last().unwrap().at, at(69));
}
