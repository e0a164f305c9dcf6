//! What is read before a decision. What a phase decides by and was not read would be taken for what is not there.

use super::*;

/// What is read, by name.
fn read(needs: Needs) -> Vec<&'static str> {
    let Needs {
        pods,
        cloud,
        server,
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
        (server, "server"),
        (actions, "actions"),
        (server_ports, "its ports"),
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
        Phase::Judging => &[
            "cloud",
            "server",
            "actions",
            "heartbeat",
            "advice",
            "archive",
        ],
        Phase::RebootDraining => &["pods"],
        Phase::HardRebooting | Phase::DeletingServer => &["cloud", "server", "actions", "evidence"],
        Phase::CreatingPorts | Phase::CreatingServer | Phase::Joining | Phase::RollingBack => {
            &["cloud", "attempt's ports"]
        }
        Phase::Discarding => &["cloud", "attempt's ports", "archive"],
        Phase::Committed | Phase::DeletingNode => &["cloud"],
        Phase::Draining => &["pods", "cloud", "server", "actions", "heartbeat"],
        Phase::Stopping => &["cloud", "server", "actions", "heartbeat", "evidence"],
        Phase::Detaching => &["pods", "cloud", "server"],
        Phase::AwaitingOwners => &["pods", "cloud", "server", "its ports"],
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
    assert_eq!(read(needs(&record)), ["pods", "cloud", "server", "actions"]);
}
