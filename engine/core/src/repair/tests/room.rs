//! The sick server goes before its replacement is made: when that is begun, until when it is called off, and what follows.

mod after;
mod before;
mod begun;

use super::elsewhere::{barred, had_no_host};
use super::*;
use crate::name::{NodeName, PortId};
use crate::policy::Outcome;
use crate::repair::drain::PodSeen;
use crate::repair::owners::OwnerReady;

fn first() -> Rules {
    Rules {
        no_capacity: NoCapacity::TerminateFirst,
        ..rules()
    }
}

fn what_was_kept() -> Kept {
    Kept {
        server: "{}".to_owned(),
        node: Traits {
            labels: [("rack".to_owned(), "7".to_owned())].into(),
            allocatable: [("cpu".to_owned(), 4000)].into(),
            ..Traits::default()
        },
        drivers: vec!["csi".to_owned()],
        daemon_sets: vec![OwnerReady::of(&owner("net"), 1)],
    }
}

/// In that phase, before its end was begun.
fn making(phase: Phase) -> Seen {
    let mut seen = with_replacement(seen(phase), |_| {});
    seen.pool = Ok(first());
    seen.record.committed_at = None;
    seen.record.room = Some(Room {
        since: at(0),
        ended_at: None,
        gone_at: None,
        kept: what_was_kept(),
    });
    seen.more.owners = Some(Vec::new());
    seen
}

/// The same, after.
fn made(phase: Phase) -> Seen {
    let mut seen = making(phase);
    if let Some(room) = &mut seen.record.room {
        room.ended_at = Some(at(50));
    }
    seen.evidence = kept();
    seen.record.evidence = Some(Evidence {
        at: Some(at(50)),
        ..Evidence::default()
    });
    seen
}

/// Another node of its pool is without a server, or about to be.
fn another(is_away: bool) -> Short {
    Short {
        node: NodeName::parse("worker-9").unwrap(),
        is_away,
        is_a_persons: false,
    }
}

/// The server is gone, and its host has said so.
fn gone_for_good(mut seen: Seen) -> Seen {
    edit(&mut seen, |view| {
        view.server = None;
        view.actions = vec![action("delete", "req-1", Some("rectifier"), true)];
    });
    seen
}

type Change = fn(&mut Seen);
