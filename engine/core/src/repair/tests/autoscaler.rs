//! Neither node is scaled away under a repair, and both are given back.

use std::collections::BTreeMap;

use super::committed::replaced;
use super::*;
use crate::repair::autoscaler::{SCALE_DOWN_DISABLED, SCALE_DOWN_HELD_BY, hold, let_go};

fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn held() -> BTreeMap<String, String> {
    let ours = hold(&BTreeMap::new(), REPAIR_UID);
    let set = |(key, value): (&str, Option<String>)| Some((key.to_owned(), value?));
    ours.into_iter().filter_map(set).collect()
}

#[test]
fn what_was_set_is_taken_back_and_nothing_else() {
    assert_eq!(
        held(),
        annotations(&[
            (SCALE_DOWN_DISABLED, "true"),
            (SCALE_DOWN_HELD_BY, REPAIR_UID)
        ])
    );
    let both = [(SCALE_DOWN_DISABLED, None), (SCALE_DOWN_HELD_BY, None)];
    assert_eq!(let_go(&held(), REPAIR_UID), both.into());
    assert_eq!(let_go(&held(), "another"), [].into());
    // somebody who says the contrary meanwhile is heard
    let mut changed = held();
    changed.insert(SCALE_DOWN_DISABLED.to_owned(), "false".to_owned());
    assert_eq!(
        let_go(&changed, REPAIR_UID),
        [(SCALE_DOWN_HELD_BY, None)].into()
    );
}

/// A replacement that falls sick itself while its repair goes on is the next one's.
#[test]
fn what_another_repair_holds_is_taken_over() {
    let next = hold(&held(), "next");
    assert_eq!(next, [(SCALE_DOWN_HELD_BY, Some("next".to_owned()))].into());
    let mut taken = held();
    taken.insert(SCALE_DOWN_HELD_BY.to_owned(), "next".to_owned());
    assert_eq!(let_go(&taken, REPAIR_UID), [].into());
    assert_eq!(let_go(&taken, "next").len(), 2);
}

#[test]
fn what_somebody_said_before_stays() {
    for said in ["true", "false"] {
        let theirs = annotations(&[(SCALE_DOWN_DISABLED, said)]);
        assert_eq!(hold(&theirs, REPAIR_UID), [].into());
        assert_eq!(let_go(&theirs, REPAIR_UID), [].into());
    }
}

#[test]
fn a_cordon_that_a_person_took_away_leaves_nothing_else_behind() {
    for phase in [Phase::RollingBack, Phase::Uncordoning, Phase::Judging] {
        let mut seen = seen(phase);
        seen.record.replacement = None;
        seen.request.withdrawn = true;
        seen.node = Some(NodeSeen {
            annotations: held(),
            ..node()
        });
        let next = decide(&seen).unwrap();
        let Some(Act::LetScaleDown { node: name, uid }) = next.act else {
            panic!("{phase:?}: {next:?}");
        };
        assert_eq!((name.as_str(), uid.as_str()), (NODE, NODE_UID));
        seen.node = Some(node());
        assert!(decide(&seen).unwrap().record.phase.is_final(), "{phase:?}");
    }
}

#[test]
fn the_replacement_is_given_back_before_the_sick_node_goes() {
    let mut seen = replaced(Phase::DeletingServer);
    // somebody saw the machine without power
    seen.request.confirmed_dead = Some(OLD.to_owned());
    let CloudSeen::Fresh(view) = &mut seen.cloud else {
        panic!("{:?}", seen.cloud);
    };
    view.server = None;
    view.old_ports.clear();
    let new = view.replacement_node.as_mut().unwrap();
    new.annotations = held();
    let uid = new.uid.clone();
    let next = decide(&seen).unwrap();
    assert!(
        matches!(&next.act, Some(Act::LetScaleDown { uid: of, .. }) if *of == uid),
        "{next:?}"
    );
    assert_eq!(next.record.phase, Phase::DeletingServer);
}
