//! A repair as it goes on, step by step, until it is over or needs a person.

use std::io::Write;
use std::time::Duration;

use rectifier_core::clock::Timestamp;
use rectifier_core::name::NodeName;
use rectifier_core::repair::{Phase, Record};

use super::look::Look;
use crate::output::{BAD, FAINT, GOOD, out, paint};
use crate::progress::Progress;
use crate::verdict::Verdict;

/// Between two looks. Steps are seconds apart, and nobody waits for this.
const PAUSE: Duration = Duration::from_secs(2);

/// Tells each step since then. Well: it recovered, or was replaced.
pub(super) async fn until_over(
    look: &Look,
    node: &NodeName,
    since: Timestamp,
) -> anyhow::Result<Verdict> {
    let shown = Progress::start(format!("{node}: waiting for the controller"));
    let mut told = since;
    let mut handed_over = false;
    loop {
        let record = newest(look, node, since).await?;
        if let Some(record) = record {
            shown.say(format!("{node}: {:?}: {}", record.phase, record.message));
            for step in record.steps.iter().filter(|step| step.at > told) {
                writeln!(
                    out(),
                    "{}  {:<15} {} {}",
                    paint(FAINT, step.at),
                    format!("{:?}", step.phase),
                    step.reason,
                    paint(FAINT, &step.detail)
                )?;
            }
            told = record.steps.last().map_or(told, |step| step.at.max(told));
            // what stood there before the word was heard is no end
            let is_new = record.since.is_some_and(|entered| entered > since);
            handed_over |= record.phase != Phase::NeedsHuman;
            if record.phase.is_final()
                || (record.phase == Phase::NeedsHuman && (is_new || handed_over))
            {
                let well = matches!(record.phase, Phase::Recovered | Phase::Replaced);
                let style = if well { GOOD } else { BAD };
                let end = paint(style, format!("{:?}", record.phase));
                writeln!(out(), "{node}: {end}: {}", record.message)?;
                return Ok(Verdict::of(well));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The open repair; or, once that is over, its archived copy.
async fn newest(look: &Look, node: &NodeName, since: Timestamp) -> anyhow::Result<Option<Record>> {
    if let Some(open) = look.open(node).await? {
        return Ok(open.status);
    }
    let over = look.repairs(Some(node)).await?;
    let records = over.into_iter().filter_map(|repair| repair.status);
    let ended = records.filter(|record| record.since.is_some_and(|ended| ended >= since));
    Ok(ended.max_by_key(|record| record.since))
}
