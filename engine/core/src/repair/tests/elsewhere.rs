//! When no host can take a replacement, and what the next one is called.

use super::*;
use crate::policy::Outcome;

fn in_zones(zones: &[&str]) -> Rules {
    Rules {
        zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        ..rules()
    }
}

/// Nothing is left of an attempt in that zone for which there was no host.
pub(super) fn had_no_host(zone: Option<&str>) -> Seen {
    let mut seen = with_replacement(seen(Phase::Discarding), |replacement| {
        replacement.zone = zone.map(str::to_owned);
        replacement.posted_at = Some(at(0));
    });
    seen.record.tried = vec![Tried {
        rung: Rung::Replace,
        since: at(0),
        outcome: Outcome::Failed,
        reason: Reason::NoHost,
    }];
    seen.pool = Ok(in_zones(&["az-2", "az-3"]));
    seen.more.bound = Some(barred(&[]));
    seen
}

/// The pool's zones, of which this pod's volume is not in these.
pub(super) fn barred(zones: &[&str]) -> std::collections::BTreeMap<String, Vec<String>> {
    let pods = |zone: &str| match zones.contains(&zone) {
        true => vec!["default/db-0 (pv-1)".to_owned()],
        false => Vec::new(),
    };
    ["az-2", "az-3"]
        .map(|zone| (zone.to_owned(), pods(zone)))
        .into()
}

#[test]
fn a_server_for_which_there_is_no_host_is_discarded_and_says_so() {
    for (no_host, reason) in [(true, Reason::NoHost), (false, Reason::ReplacementFailed)] {
        let mut seen = with_replacement(seen(Phase::Joining), |replacement| {
            replacement.server_id = Some("new".to_owned());
        });
        seen.record.tried = vec![Tried {
            rung: Rung::Replace,
            since: at(0),
            outcome: Outcome::Running,
            reason: Reason::CreatingPorts,
        }];
        edit(&mut seen, |view| {
            let failed = ServerSeen {
                status: "ERROR".to_owned(),
                ..server("new", "x")
            };
            view.replacements = vec![failed];
        });
        // the status comes a moment before the fault, by which alone it is known which of the two it is
        let early = decide(&seen).unwrap();
        assert_eq!((early.record.phase, early.act), (Phase::Joining, None));
        let mut never = seen.clone();
        never.now = at(10_000);
        assert_eq!(decide(&never).unwrap().record.phase, Phase::Discarding);
        edit(&mut seen, |view| {
            view.replacements[0].fault = Some("it says why".to_owned());
            view.replacements[0].no_host = no_host;
        });
        let next = decide(&seen).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::Discarding, reason)
        );
        let tried = next.record.tried.last().unwrap();
        assert_eq!((tried.outcome, tried.reason), (Outcome::Failed, reason));
    }
}

#[test]
fn the_pools_zones_are_tried_in_their_order() {
    // one that the pool no longer names comes before all that it does
    for (last, next_zone) in [
        (None, "az-2"),
        (Some("az-2"), "az-3"),
        (Some("gone"), "az-2"),
    ] {
        let next = decide(&had_no_host(last)).unwrap();
        assert_eq!(next.record.phase, Phase::CreatingPorts);
        let replacement = next.record.replacement.unwrap();
        assert_eq!(replacement.zone.as_deref(), Some(next_zone));
        assert_eq!((replacement.attempt, replacement.ports_wanted), (2, 0));
        // one line of the story, however often
        assert_eq!(next.record.tried.len(), 1);
        assert_eq!(next.record.tried[0].outcome, Outcome::Running);
    }
}

#[test]
fn when_no_zone_is_left_the_first_is_tried_again_after_a_while() {
    let last = "az-3";
    let mut seen = had_no_host(Some(last));
    seen.more.bound = None;
    seen.now = at(90 + 299);
    assert_eq!(
        step(&seen),
        (Phase::Discarding, Reason::NoHost, None),
        "{last}"
    );
    seen.now = at(90 + 300);
    let next = decide(&seen).unwrap();
    assert_eq!(next.record.phase, Phase::CreatingPorts);
    assert_eq!(next.record.replacement.unwrap().zone, None);
}

#[test]
fn a_zone_without_a_pods_volume_is_not_tried() {
    let mut seen = had_no_host(None);
    seen.more.bound = Some(barred(&["az-2"]));
    let next = decide(&seen).unwrap();
    assert_eq!(
        next.record.replacement.unwrap().zone.as_deref(),
        Some("az-3"),
        "the one after it is"
    );
    seen.more.bound = Some(barred(&["az-2", "az-3"]));
    let next = decide(&seen).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Discarding, Reason::NoHost)
    );
    assert!(
        next.detail.contains("not in az-2: default/db-0"),
        "{}",
        next.detail
    );
    seen.now = at(90 + 300);
    let next = decide(&seen).unwrap();
    assert_eq!(next.record.replacement.unwrap().zone, None);
}

#[test]
fn a_cloud_that_is_full_uses_up_no_attempt_and_another_failure_does() {
    let mut seen = had_no_host(Some("az-3"));
    seen.now = at(90 + 300);
    let failed = |second| Tried {
        rung: Rung::Replace,
        since: at(second),
        outcome: Outcome::Failed,
        reason: Reason::NoHost,
    };
    seen.record.tried = (0..9).map(failed).collect();
    assert_eq!(decide(&seen).unwrap().record.phase, Phase::CreatingPorts);
    for tried in &mut seen.record.tried {
        tried.reason = Reason::ReplacementFailed;
    }
    assert_eq!(decide(&seen).unwrap().record.phase, Phase::NeedsHuman);
}

#[test]
fn whether_a_volume_is_bound_and_how_it_will_be_called_is_read_when_it_is_due() {
    let mut seen = had_no_host(None);
    (seen.more.bound, seen.more.name) = (None, None);
    let first = further(&seen);
    assert_eq!(first.zones, ["az-2", "az-3"]);
    assert!(!first.name);
    assert_eq!(step(&seen), (Phase::Discarding, Reason::NoHost, None));
    seen.more.bound = Some(barred(&[]));
    let second = further(&seen);
    assert_eq!((second.zones.len(), second.name), (0, true));
    assert_eq!(step(&seen), (Phase::Discarding, Reason::Naming, None));
    seen.more.name = Some(Ok("fresh".to_owned()));
    assert_eq!(further(&seen), Further::default());
    let begun = decide(&seen).unwrap().record.replacement.unwrap();
    assert_eq!(begun.name, "fresh");
    // an attempt that failed for another reason is made again where it was
    let mut failed = had_no_host(None);
    (failed.more.bound, failed.more.name) = (None, None);
    for tried in &mut failed.record.tried {
        tried.reason = Reason::ReplacementFailed;
    }
    assert!(further(&failed).zones.is_empty());
    // nothing of it while an attempt is under way, or where none begins
    for phase in [Phase::Joining, Phase::RollingBack, Phase::Judging] {
        let mut other = with_replacement(super::seen(phase), |_| {});
        (other.more.bound, other.more.name) = (None, None);
        let wanted = further(&other);
        assert_eq!((wanted.zones.len(), wanted.name), (0, false), "{phase:?}");
    }
}

/// Whatever is asked for is refused in one way, and nothing of it is made.
#[test]
fn a_quota_that_is_used_up_ends_the_attempt_and_is_waited_for_in_the_same_zone() {
    let words = "Quota exceeded for instances";
    let used_up = |phase| {
        let mut seen = with_replacement(seen(phase), |replacement| {
            replacement.posted_at = Some(at(0));
        });
        seen.record.tried = had_no_host(None).record.tried;
        seen.record.tried[0].outcome = Outcome::Running;
        seen.used_up = Some(words.to_owned());
        seen
    };
    for phase in [Phase::CreatingPorts, Phase::CreatingServer] {
        let next = decide(&used_up(phase)).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::Discarding, Reason::UsedUp),
            "{phase:?}"
        );
        assert!(next.record.message.contains(words));
        // a post that may be under way is waited out, as ever
        let mut early = used_up(phase);
        early.now = at(59);
        let waits = phase == Phase::CreatingServer;
        assert_eq!(
            decide(&early).unwrap().record.phase == phase,
            waits,
            "{phase:?}"
        );
    }
    let mut made = used_up(Phase::CreatingPorts);
    edit(&mut made, |view| {
        view.ports = vec![PortSeen {
            id: crate::name::PortId::parse("p").unwrap(),
            name: "rectifier-repair-uid-1-0".to_owned(),
            device: None,
        }];
    });
    assert_eq!(
        decide(&made).unwrap().record.phase,
        Phase::CreatingServer,
        "all that is needed is there"
    );

    let mut full = had_no_host(None);
    full.record.tried[0].reason = Reason::UsedUp;
    full.more.bound = None;
    full.record.steps = vec![crate::repair::next::step(
        Phase::Discarding,
        at(0),
        Reason::UsedUp,
        words,
    )];
    assert!(
        further(&full).zones.is_empty(),
        "it is the project's, not a zone's"
    );
    let next = decide(&full).unwrap();
    assert_eq!(
        (next.record.phase, next.reason, next.detail.as_str()),
        (Phase::Discarding, Reason::UsedUp, words)
    );
    full.now = at(90 + 300);
    let next = decide(&full).unwrap();
    let replacement = next.record.replacement.unwrap();
    assert_eq!((replacement.zone, next.record.tried.len()), (None, 1));
}

#[test]
fn without_a_name_nothing_is_begun_and_why_is_told() {
    let mut cordoning = seen(Phase::Cordoning);
    cordoning.more.name = None;
    assert!(further(&cordoning).name);
    assert_eq!(step(&cordoning), (Phase::Cordoning, Reason::Naming, None));
    cordoning.more.name = Some(Err("the template has a typo".to_owned()));
    let next = decide(&cordoning).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Cordoning, Reason::Naming)
    );
    assert_eq!(next.detail, "the template has a typo");
    assert!(!further(&cordoning).name);
}
