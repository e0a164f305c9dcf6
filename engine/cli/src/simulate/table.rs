//! The answer for people.

use std::io::Write;

use super::answer::{Answer, Ended, Outcome};
use crate::output::{BAD, FAINT, GOOD, HEAD, ODD, Table, out, paint, plural};

pub(super) fn print(answer: &Answer) -> anyhow::Result<()> {
    let mut out = out();
    let from = &answer.dump;
    let pools = from
        .pools
        .iter()
        .map(|(pool, mode)| format!("{pool} ({mode})"));
    let pools: Vec<String> = pools.collect();
    writeln!(
        out,
        "{}, {}, pools: {}; of {}",
        plural(from.nodes, "node", "nodes"),
        plural(from.pods, "pod", "pods"),
        if pools.is_empty() {
            "none".to_owned()
        } else {
            pools.join(", ")
        },
        from.taken_at,
    )?;
    for file in &answer.policies {
        if let Some(why) = &file.refused {
            writeln!(out, "{} is refused: {why}", paint(BAD, &file.file))?;
        }
    }
    writeln!(out)?;
    let mut table = Table::with_head(&["AFTER", "NODE", "WHO", "STEP", "WHY"]);
    for step in &answer.steps {
        let who = match step.who {
            "node-engine" => "node engine",
            other => other,
        };
        table.row([
            clock(step.seconds),
            step.node.clone(),
            who.to_owned(),
            step.step.replace('-', " "),
            step.why.clone(),
        ]);
        if step.who == "question" {
            table.style(3, ODD);
        } else if step.warns {
            table.style(3, BAD);
        }
    }
    if !answer.steps.is_empty() {
        table.print(&mut out)?;
        writeln!(out)?;
    }
    nodes(&mut out, &answer.nodes)?;
    summary(&mut out, answer)?;
    writeln!(out, "\n{}", paint(HEAD, "Assumed"))?;
    for line in &answer.assumed {
        writeln!(out, "{}", paint(FAINT, format!("- {line}")))?;
    }
    Ok(())
}

fn nodes(out: &mut impl Write, nodes: &[Ended]) -> anyhow::Result<()> {
    if nodes.is_empty() {
        writeln!(
            out,
            "no node is sick: name what is to break, with --condition or --zone-dark"
        )?;
        return Ok(());
    }
    let mut table = Table::with_head(&["SICK NODE", "END", ""]);
    for node in nodes {
        let (word, style) = match node.outcome {
            Outcome::HealedInNode => ("healed in node", GOOD),
            Outcome::Rebooted => ("rebooted", GOOD),
            Outcome::Replaced => ("replaced", GOOD),
            Outcome::NeedsHuman => ("needs a person", BAD),
            Outcome::LeftAlone => ("left alone", BAD),
        };
        table.row([node.node.as_str(), word, node.why.as_str()]);
        table.style(1, style);
    }
    table.print(out)?;
    Ok(())
}

fn summary(out: &mut impl Write, answer: &Answer) -> anyhow::Result<()> {
    let sum = &answer.summary;
    writeln!(
        out,
        "\n{} sick: {} healed in node, {} rebooted, {} replaced, {} for a person, {} left alone",
        sum.sick, sum.healed_in_node, sum.rebooted, sum.replaced, sum.needs_human, sum.left_alone
    )?;
    writeln!(
        out,
        "{} at once at most, {}, {}, over after {}{}",
        plural(sum.most_at_once, "repair", "repairs"),
        plural(sum.servers_created, "server created", "servers created"),
        plural(sum.pods_evicted, "pod evicted", "pods evicted"),
        clock(sum.seconds),
        match sum.was_cut_off {
            true => " and not at its end: give it more time with --for",
            false => "",
        },
    )?;
    Ok(())
}

/// `1:02:03`
fn clock(seconds: u64) -> String {
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    match minutes {
        0..60 => format!("{minutes}:{seconds:02}"),
        _ => format!("{}:{:02}:{seconds:02}", minutes / 60, minutes % 60),
    }
}
