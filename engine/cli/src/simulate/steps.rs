//! What the engines said, as steps: each in a word for programs, with the engine's own text as its reason.

use rectifier_core::repair::Phase;
use rectifier_view::{Line, Speaker};
use serde::Serialize;

use super::play::Played;
use super::question::Breaks;

/// Something that was done, or was not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Step {
    /// Since the beginning, in the world's time.
    pub(super) seconds: u64,
    pub(super) node: String,
    /// `question`, `node-engine`, `controller`
    pub(super) who: &'static str,
    pub(super) step: &'static str,
    /// The engine's reason, as its Event and its metrics have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// In words.
    pub(super) why: String,
    /// Somebody should look at it.
    pub(super) warns: bool,
}

/// All of them, in order; first what was broken, and what was sick before.
pub(super) fn all(played: &Played, breaks: &Breaks, sick: &[(String, String)]) -> Vec<Step> {
    let first = |node: &String, step, why: String| Step {
        seconds: 0,
        node: node.clone(),
        who: "question",
        step,
        reason: None,
        why,
        warns: false,
    };
    let sick = sick
        .iter()
        .map(|(node, why)| first(node, "sick", why.clone()));
    let broken = played.broken.iter().map(|node| {
        let why = match breaks {
            Breaks::Zone(zone) => format!("zone {zone} goes dark"),
            Breaks::Condition { kind, unit, .. } => match unit {
                Some(unit) => format!("{unit} fails: {kind}"),
                None => format!("{kind} becomes True"),
            },
            Breaks::Nothing => String::new(),
        };
        first(node, "break", why)
    });
    let mut latest = 0;
    let told = played.lines.iter().map(|line| {
        let since = line.at.duration_since(played.began).as_secs();
        // Some are told by the second; none was told before the one above it.
        latest = latest.max(u64::try_from(since).unwrap_or(0));
        of_line(line, latest)
    });
    let before: Vec<Step> = sick.chain(broken).collect();
    before.into_iter().chain(told).collect()
}

fn of_line(line: &Line, seconds: u64) -> Step {
    let (who, step, why) = match line.who {
        Speaker::NodeEngine => ("node-engine", by_node_engine(line), line.text.as_str()),
        Speaker::Controller | Speaker::Person => {
            let (step, why) = by_controller(line);
            ("controller", step, why)
        }
    };
    Step {
        seconds,
        node: line.node.clone(),
        who,
        step,
        reason: Some(line.reason.clone()),
        why: why.to_owned(),
        warns: line.warns,
    }
}

fn by_node_engine(line: &Line) -> &'static str {
    match line.reason.as_str() {
        "ProblemSeen" => "problem",
        "RemedyBegun" => "remedy",
        "RemedyRefused" => "refused",
        "RemedyRunning" | "RemedyRecovered" | "RemedyNoEffect" | "RemedyFailed"
        | "RemedyUnknown" => "outcome",
        "ProblemGone" => "gone",
        "HandedBack" => "handed-back",
        "HealingInNode" => "ask",
        "Settling" => "watch",
        // What it asks of the control plane somebody should know; all else is a reason for not acting.
        _ if line.warns => "ask",
        _ => "hold",
    }
}

/// Its words begin with the phase of the repair, if there is one.
fn by_controller(line: &Line) -> (&'static str, &str) {
    let parts = line.text.split_once(": ");
    let phase = parts.and_then(|(phase, _)| {
        let mut all = Phase::ALL.iter();
        all.find(|known| format!("{known:?}") == phase)
    });
    match (phase, parts) {
        (Some(_), Some((_, why))) if line.reason == "PoolObserves" => ("observe", why),
        (Some(phase), Some((_, why))) => (of_phase(*phase), why),
        _ if line.reason == "ActFailed" => ("failed", line.text.as_str()),
        _ => ("hold", line.text.as_str()),
    }
}

fn of_phase(phase: Phase) -> &'static str {
    match phase {
        Phase::HealingInNode => "heal-in-node",
        Phase::Judging => "judge",
        Phase::Cordoning => "cordon",
        Phase::RebootDraining | Phase::Draining => "drain",
        Phase::GrantOffered => "offer-reboot",
        Phase::Rebooting | Phase::HardRebooting => "reboot",
        Phase::Settling => "watch",
        Phase::Uncordoning => "uncordon",
        Phase::CreatingPorts => "create-ports",
        Phase::CreatingServer => "create-server",
        Phase::Joining => "join",
        Phase::Discarding => "discard",
        Phase::Committed => "commit",
        Phase::Stopping => "stop-server",
        Phase::Detaching => "detach",
        Phase::AwaitingOwners => "await-owners",
        Phase::DeletingServer => "delete-server",
        Phase::DeletingNode => "delete-node",
        Phase::RollingBack => "roll-back",
        Phase::NeedsHuman => "needs-human",
        Phase::Recovered => "recovered",
        Phase::Replaced => "replaced",
        Phase::Cancelled => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use rectifier_core::clock::Timestamp;

    use super::*;

    fn step(reason: &str, text: &str) -> (&'static str, String) {
        let line = Line {
            at: Timestamp::UNIX_EPOCH,
            order: 1,
            who: Speaker::Controller,
            node: "worker-1".to_owned(),
            reason: reason.to_owned(),
            text: text.to_owned(),
            warns: false,
        };
        let step = of_line(&line, 0);
        (step.step, step.why)
    }

    #[test]
    fn a_phase_is_a_step_and_what_it_says_the_reason() {
        assert_eq!(
            step("Cordoning", "Cordoning: cordoning: a: b"),
            ("cordon", "cordoning: a: b".to_owned())
        );
        assert_eq!(step("PoolObserves", "Judging: it would").0, "observe");
        assert_eq!(
            step("NoPool", "no repair pool selects this node: KernelDeadlock"),
            (
                "hold",
                "no repair pool selects this node: KernelDeadlock".to_owned()
            )
        );
    }
}
