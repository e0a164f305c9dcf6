//! `rectifier explain NODE`: what is wrong with it, what is done about that and why, or why not, and what one can do.

use std::io::Write;

use kube::ResourceExt;
use rectifier_api::{BreakerStatus, NodeRepair, RepairPool, SIGNED};
use rectifier_core::acknowledged::{ACKNOWLEDGED, Acknowledged};
use rectifier_core::clock::Timestamp;
use rectifier_core::reason::Reason;
use rectifier_core::repair::{PAUSED, Phase, Problem, Record, approval_asked};
use serde::Serialize;

use super::history::{Past, outcome, past};
use super::ill::{last_word, problems};
use super::look::{Look, node_name, pool_of};
use crate::clock::{between, now, span};
use crate::cluster::ClusterArguments;
use crate::output::{self, BAD, FAINT, GOOD, HEAD, ODD, OutputArguments, Table, out, paint};
use crate::verdict::{Verdict, usage};

/// So many earlier repairs are told here.
const EARLIER: usize = 5;

/// How it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The node (or its repair)
    node: String,
    #[command(flatten)]
    of: ClusterArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The answer, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    node: String,
    /// Its Node object is there.
    exists: bool,
    cordoned: bool,
    problems: Vec<Problem>,
    /// Which problems count as gone by a person's word, each up to when.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<String>,
    pool: Option<String>,
    mode: Option<rectifier_api::Mode>,
    no_pool: Option<String>,
    breaker: Option<BreakerStatus>,
    stopped: Option<String>,
    paused: Option<String>,
    reason: Option<Reason>,
    /// In a sentence.
    says: String,
    /// What a person can do about it now.
    hands: Vec<String>,
    repair: Option<NodeRepair>,
    earlier: Vec<Past>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let look = Look {
        client: arguments.of.client().await?,
    };
    let name = node_name(&arguments.node)?;
    let nodes: kube::Api<k8s_openapi::api::core::v1::Node> = kube::Api::all(look.client.clone());
    let node = nodes.get_opt(name.as_str()).await?;
    let open = look.open(&name).await?;
    let earlier = past(&look.repairs(Some(&name)).await?);
    if node.is_none() && open.is_none() && earlier.is_empty() {
        return Err(usage(format!(
            "there is no node {name}, and no repair of one of that name is remembered"
        )));
    }
    let pools = look.pools().await?;
    let events = look.events(Some(&name)).await?;
    let pool = match &node {
        Some(node) => pool_of(&pools, node),
        None => {
            let named = open
                .as_ref()
                .and_then(|open| open.status.as_ref()?.pool.clone());
            let mut pools = pools.iter();
            pools
                .find(|pool| Some(pool.name_any()) == named)
                .ok_or_else(|| "the node is gone".to_owned())
        }
    };
    let problems = node.as_ref().map(problems).unwrap_or_default();
    let record = open
        .as_ref()
        .map(|open| open.status.clone().unwrap_or_default());
    let spec = node.as_ref().and_then(|node| node.spec.as_ref());
    let stopped = look.stop().await.ok().flatten();
    let pool_name = pool.as_ref().ok().map(|pool| pool.name_any());
    let of_node = node
        .as_ref()
        .and_then(|node| node.annotations().get(PAUSED).cloned());
    let of_pool = pool
        .as_ref()
        .ok()
        .and_then(|pool| pool.annotations().get(PAUSED).cloned());
    let resume = [
        stopped.as_ref().map(|_| "--all".to_owned()),
        of_node.as_ref().map(|_| name.to_string()),
        of_pool
            .as_ref()
            .and(pool_name.as_ref())
            .map(|pool| format!("--pool {pool}")),
    ];
    let resume = resume.into_iter().flatten();
    let resume = resume
        .map(|what| format!("rectifier resume {what}"))
        .collect();
    let told = last_word(&events, name.as_str());
    let (reason, says) = says(record.as_ref(), &problems, told, node.is_some());
    let explained = Explained {
        exists: node.is_some(),
        cordoned: spec.and_then(|spec| spec.unschedulable) == Some(true),
        pool: pool_name.clone(),
        mode: pool.as_ref().ok().map(|pool| pool.spec.mode),
        no_pool: pool.as_ref().err().cloned(),
        breaker: breaker(pool.as_ref().ok().copied()),
        stopped,
        paused: of_node.or(of_pool),
        acknowledged: node.as_ref().and_then(acknowledged),
        hands: hands(name.as_str(), record.as_ref(), reason, pool_name, resume),
        node: name.to_string(),
        problems,
        reason,
        says,
        repair: open,
        earlier,
    };
    match arguments.output.is_json() {
        true => output::json(&explained)?,
        false => print(&explained, record.as_ref())?,
    }
    Ok(Verdict::Well)
}

/// What is acknowledged of the node, by whom, and what of that cannot be read.
fn acknowledged(node: &k8s_openapi::api::core::v1::Node) -> Option<String> {
    let text = node.annotations().get(ACKNOWLEDGED)?;
    let by = node.annotations().get(&format!("{ACKNOWLEDGED}{SIGNED}"));
    let by = by.map(|by| format!(", by {by}")).unwrap_or_default();
    let (known, unreadable) = Acknowledged::read(text, now());
    let mut words = match known.is_empty() {
        true => String::new(),
        false => format!("{known}{by}: counts as gone until it is reported anew"),
    };
    if !unreadable.is_empty() {
        let comma = if words.is_empty() { "" } else { "; " };
        let unreadable = unreadable.join(", ");
        words += &format!(
            "{comma}{unreadable:?} in {ACKNOWLEDGED} is no TYPE=TIME until now, and counts for nothing"
        );
    }
    Some(words)
}

fn breaker(pool: Option<&RepairPool>) -> Option<BreakerStatus> {
    pool?.status.as_ref()?.breaker.clone()
}

/// The reason that stands on the node, and the sentence.
fn says(
    record: Option<&Record>,
    problems: &[Problem],
    told: Option<(Reason, String)>,
    exists: bool,
) -> (Option<Reason>, String) {
    if let Some(record) = record {
        return (
            record.reason,
            format!("{:?}: {}", record.phase, record.message),
        );
    }
    if !exists {
        return (
            None,
            "its Node is gone, and no repair of it is open".to_owned(),
        );
    }
    if problems.is_empty() {
        return (
            None,
            "nothing is reported about it, and no repair of it is open".to_owned(),
        );
    }
    match told {
        Some((reason, words)) => (Some(reason), format!("no repair is open: {words}")),
        None => (None, "no repair is open, and the controller has not said anything about it yet: does it run, and does its policy name this condition?".to_owned()),
    }
}

/// What a person can do now, most likely first.
fn hands(
    node: &str,
    record: Option<&Record>,
    reason: Option<Reason>,
    pool: Option<String>,
    resume: Vec<String>,
) -> Vec<String> {
    let asks = format!("rectifier repair {node} --reboot|--hard-reboot|--replace --reason WHY");
    let pool = pool.unwrap_or_else(|| "POOL".to_owned());
    let mut hands = resume;
    if let Some((_, approval)) = record.and_then(approval_asked) {
        hands.push(format!("rectifier approve {node}            {approval}; --dry-run shows what it would do to its pods"));
        hands.push(format!("rectifier reject {node} --reason WHY"));
        return hands;
    }
    let committed = record.is_some_and(|record| record.no_way_back().is_some());
    match reason {
        Some(Reason::CordonedByOther) => hands.push(format!("kubectl uncordon {node}   (whoever cordoned it has a plan)")),
        Some(Reason::PoolObserves) => hands.push(format!(
            "kubectl patch repairpool {pool} --type merge -p '{{\"spec\":{{\"mode\":\"Approve\"}}}}'"
        )),
        Some(Reason::HostUnreachable) => {
            let server = record.and_then(|record| record.server_id.clone()).unwrap_or_else(|| "SERVER-ID".to_owned());
            hands.push(format!("rectifier retry {node} --confirmed-dead {server}   once you have SEEN the machine without power"));
        }
        Some(
            Reason::BreakerOpen | Reason::Vetoed | Reason::NoPolicy | Reason::AwaitingWindow,
        ) => hands.push(asks.clone()),
        _ => {}
    }
    if record.is_some_and(|record| record.phase == Phase::NeedsHuman) {
        hands.push(format!("rectifier retry {node}"));
        if !committed {
            hands.push(asks);
            hands.push(format!(
                "rectifier reject {node} --reason WHY   takes everything back"
            ));
        }
    } else if record.is_some_and(|record| !record.phase.is_final()) && !committed {
        hands.push(format!(
            "rectifier reject {node} --reason WHY   takes everything back"
        ));
    }
    hands
}

fn print(explained: &Explained, record: Option<&Record>) -> anyhow::Result<()> {
    let mut to = out();
    let cordoned = if explained.cordoned { ", cordoned" } else { "" };
    let pool = match (&explained.pool, &explained.no_pool) {
        (Some(pool), _) => format!("pool {pool} ({:?})", explained.mode.unwrap_or_default()),
        (None, Some(why)) => why.clone(),
        (None, None) => String::new(),
    };
    writeln!(to, "{}   {pool}{cordoned}", paint(HEAD, &explained.node))?;
    let mut table = Table::default();
    for problem in &explained.problems {
        let text = format!(
            "{} for {}: {} {}",
            problem.kind,
            between(problem.since, now()),
            problem.reason,
            problem.message
        );
        table.entry("problem", text.trim_end());
    }
    if let Some(what) = &explained.acknowledged {
        table.entry("acknowledged", what);
    }
    if let Some(why) = &explained.stopped {
        table.entry("stopped", why);
    }
    if let Some(why) = &explained.paused {
        table.entry("paused", why);
    }
    if let Some(breaker) = explained
        .breaker
        .as_ref()
        .filter(|breaker| !breaker.message.is_empty())
    {
        table.entry("breaker", &breaker.message);
    }
    table.entry("now", &explained.says);
    if let Some(record) = record {
        if let Some(since) = record.since {
            table.entry("since", format!("{since} ({})", between(since, now())));
        }
        if let Some(verdict) = &record.verdict {
            table.entry(
                "policy",
                format!(
                    "{} said {}: {} (at {}, {})",
                    verdict.policy, verdict.remedy, verdict.reason, verdict.at, verdict.digest
                ),
            );
        }
        if let Some(made) = &record.replacement {
            let server = made.server_id.as_deref().unwrap_or("no server yet");
            table.entry(
                "made",
                format!("{} (attempt {}, {server})", made.name, made.attempt),
            );
        }
        if let Some(drain) = &record.drain {
            table.entry("drain", serde_json::to_string(drain)?);
        }
        if let Some(evidence) = &record.evidence {
            table.entry("evidence", serde_json::to_string(evidence)?);
        }
    }
    table.print(&mut to)?;
    if let Some(record) = record {
        story(record, &mut to)?;
    }
    if !explained.hands.is_empty() {
        writeln!(to, "\n{}", paint(HEAD, "you can"))?;
        for hand in &explained.hands {
            writeln!(to, "  {hand}")?;
        }
    }
    if !explained.earlier.is_empty() {
        writeln!(to, "\n{}", paint(HEAD, "before"))?;
        let mut table = Table::default();
        for past in explained.earlier.iter().take(EARLIER) {
            table.row([
                format!("  {}", past.ended),
                past.problem.clone(),
                outcome(past),
                span(past.seconds.into()),
                past.rungs(),
            ]);
        }
        table.print(&mut to)?;
        if explained.earlier.len() > EARLIER {
            writeln!(to, "  more: rectifier history {}", explained.node)?;
        }
    }
    Ok(())
}

/// Steps and people's words, in their order.
fn story(record: &Record, to: &mut impl Write) -> anyhow::Result<()> {
    let steps = record.steps.iter().map(|step| {
        let words = match step.detail.is_empty() {
            true => step.reason.to_string(),
            false => format!("{}: {}", step.reason, step.detail),
        };
        (step.at, format!("{:?}", step.phase), words, FAINT)
    });
    let said = record.said.iter().map(|said| {
        let by = said.by.as_deref().unwrap_or("somebody (unsigned)");
        (
            said.at,
            format!("{:?}", said.hand),
            format!("{by}: {}", said.words),
            ODD,
        )
    });
    let tried = record.tried.iter().map(|tried| {
        (
            tried.since,
            format!("{:?}", tried.rung),
            format!("{:?}, {}", tried.outcome, tried.reason),
            GOOD,
        )
    });
    let mut all: Vec<(Timestamp, String, String, anstyle::Style)> =
        said.chain(steps).chain(tried).collect();
    if all.is_empty() {
        return Ok(());
    }
    all.sort_by_key(|(at, ..)| *at);
    writeln!(to, "\n{}", paint(HEAD, "so far"))?;
    let mut table = Table::default();
    for (at, what, words, style) in all {
        table.row([format!("  {at}"), what, words]);
        table.style(1, style);
    }
    table.print(to)?;
    if record.phase == Phase::NeedsHuman {
        writeln!(to, "  {}", paint(BAD, "it waits for a person"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rectifier_core::repair::Side;

    use super::*;

    #[test]
    fn whatever_stands_there_a_person_is_told_what_they_can_do() {
        for phase in Phase::ALL {
            let committed = (!phase.fits(Side::Before)).then_some(Timestamp::UNIX_EPOCH);
            let record = Record {
                phase,
                committed_at: committed,
                reason: Some(Reason::Overdue),
                ..Record::default()
            };
            let hands = hands("worker-1", Some(&record), record.reason, None, Vec::new());
            let can = !phase.is_final() && committed.is_none() || phase == Phase::NeedsHuman;
            assert_eq!(!hands.is_empty(), can, "{phase:?}: {hands:?}");
        }
    }

    #[test]
    fn a_healthy_node_a_silent_controller_and_a_told_reason_are_three_things() {
        let problem = Problem {
            kind: "KernelDeadlock".to_owned(),
            reason: String::new(),
            message: String::new(),
            since: Timestamp::UNIX_EPOCH,
            source: None,
        };
        let problems = [problem];
        let told = Some((Reason::NoPolicy, "no policy".to_owned()));
        assert_eq!(
            says(None, &problems, told.clone(), true).0,
            Some(Reason::NoPolicy)
        );
        assert!(says(None, &problems, None, true).1.contains("does it run"));
        assert!(
            says(None, &[], told, true)
                .1
                .starts_with("nothing is reported")
        );
    }
}
