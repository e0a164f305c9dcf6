//! A repair as it goes on, step by step, until it is over or needs a person.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use kube::ResourceExt;
use rectifier_api::NodeRepair;
use rectifier_core::clock::Timestamp;
use rectifier_core::name::NodeName;
use rectifier_core::repair::{Phase, Record};

use super::look::Look;
use crate::output::{BAD, FAINT, GOOD, out, paint};
use crate::progress::Progress;
use crate::verdict::Verdict;

/// Between two looks. Steps are seconds apart, and nobody waits for this.
const PAUSE: Duration = Duration::from_secs(2);

/// How it stood before the word was said, by the controller's own times: this machine's clock may be another.
pub(super) struct Before {
    steps: usize,
    since: Option<Timestamp>,
    /// Those that were over by then.
    over: BTreeSet<String>,
}

impl Before {
    pub(super) async fn of(
        look: &Look,
        node: &NodeName,
        open: Option<&NodeRepair>,
    ) -> anyhow::Result<Self> {
        let record = open.and_then(|open| open.status.as_ref());
        let all = look.repairs(Some(node)).await?;
        let is_over = |repair: &&NodeRepair| !repair.name_any().ends_with(".repair");
        Ok(Self {
            steps: record.map_or(0, |record| record.steps.len()),
            since: record.and_then(|record| record.since),
            over: all
                .iter()
                .filter(is_over)
                .map(ResourceExt::name_any)
                .collect(),
        })
    }
}

/// Tells each step from then on, if it `tells`. Well: it recovered, or was replaced.
pub(super) async fn until_over(
    look: &Look,
    node: &NodeName,
    before: &Before,
    tells: bool,
) -> anyhow::Result<Verdict> {
    let shown = Progress::start(format!("{node}: waiting for the controller"));
    let mut told = before.steps;
    loop {
        if let Some(record) = newest(look, node, before).await? {
            shown.say(format!("{node}: {:?}: {}", record.phase, record.message));
            for step in record.steps.iter().skip(told).filter(|_| tells) {
                writeln!(
                    out(),
                    "{}  {:<15} {} {}",
                    paint(FAINT, step.at),
                    format!("{:?}", step.phase),
                    step.reason,
                    paint(FAINT, &step.detail)
                )?;
            }
            told = record.steps.len();
            // what stood there before the word was heard is no end
            let is_new = record.since != before.since || record.steps.len() > before.steps;
            if record.phase.is_final() || (record.phase == Phase::NeedsHuman && is_new) {
                return end(node, &record, tells);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn end(node: &NodeName, record: &Record, tells: bool) -> anyhow::Result<Verdict> {
    let well = matches!(record.phase, Phase::Recovered | Phase::Replaced);
    if tells {
        let style = if well { GOOD } else { BAD };
        let end = paint(style, format!("{:?}", record.phase));
        writeln!(out(), "{node}: {end}: {}", record.message)?;
    }
    Ok(Verdict::of(well))
}

/// The open repair; or, once that is over, its archived copy.
async fn newest(look: &Look, node: &NodeName, before: &Before) -> anyhow::Result<Option<Record>> {
    if let Some(open) = look.open(node).await? {
        return Ok(open.status);
    }
    let all = look.repairs(Some(node)).await?;
    let new = all
        .into_iter()
        .filter(|repair| !before.over.contains(&repair.name_any()));
    let records = new.filter_map(|repair| repair.status);
    Ok(records.max_by_key(|record| record.since))
}
