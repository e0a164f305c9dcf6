//! What is read before a decision. What a phase decides by and was not read would be taken for what is not there.

use super::*;

/// What is read, by name.
fn read(needs: Needs) -> Vec<&'static str> {
    let Needs {
        pods,
        cloud,
        actions,
        server_ports,
        attempt_ports,
        heartbeat,
        advice,
        archive,
        evidence,
    } = needs;
    [
        (pods, "pods"),
        (cloud, "cloud"),
        (actions, "actions"),
        (server_ports, "server's ports"),
        (attempt_ports, "attempt's ports"),
        (heartbeat, "heartbeat"),
        (advice, "advice"),
        (archive, "archive"),
        (evidence, "evidence"),
    ]
    .into_iter()
    .filter_map(|(is, name)| is.then_some(name))
    .collect()
}

fn expected(phase: Phase) -> &'static [&'static str] {
    match phase {
        Phase::HealingInNode
        | Phase::Cordoning
        | Phase::GrantOffered
        | Phase::Rebooting
        | Phase::Settling
        | Phase::Uncordoning
        | Phase::NeedsHuman
        | Phase::Recovered
        | Phase::Replaced
        | Phase::Cancelled => &[],
        Phase::Judging => &["cloud", "actions", "heartbeat", "advice", "archive"],
        Phase::RebootDraining => &["pods"],
        Phase::HardRebooting | Phase::DeletingServer => &["cloud", "actions", "evidence"],
        Phase::CreatingPorts | Phase::CreatingServer | Phase::Joining | Phase::RollingBack => {
            &["cloud", "attempt's ports"]
        }
        Phase::Discarding => &["cloud", "attempt's ports", "archive"],
        Phase::Committed | Phase::DeletingNode => &["cloud"],
        Phase::Draining => &["pods", "cloud", "actions", "heartbeat"],
        Phase::Stopping => &["cloud", "actions", "heartbeat", "evidence"],
        Phase::Detaching => &["pods", "cloud"],
        Phase::AwaitingOwners => &["pods", "cloud", "server's ports"],
    }
}

#[test]
fn each_phase_reads_what_it_decides_by_and_nothing_more() {
    for phase in Phase::ALL {
        for rung in [None, Some(Rung::Reboot), Some(Rung::Replace)] {
            let record = Record {
                rung,
                ..seen(phase).record
            };
            assert_eq!(read(needs(&record)), expected(phase), "{phase:?}");
        }
    }
}

#[test]
fn the_cloud_is_read_before_a_reboot_that_it_is_to_do() {
    let mut record = seen(Phase::RebootDraining).record;
    record.rung = Some(Rung::HardReboot);
    assert_eq!(read(needs(&record)), ["pods", "cloud", "actions"]);
}
