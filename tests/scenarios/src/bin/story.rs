//! Tells the stories on real parts, as timelines.
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use rectifier_provision::{Report, Stderr};
use rectifier_scenarios::timeline::Timeline;
use rectifier_scenarios::{World, scenario};
use rectifier_story::Story;

/// The whole loop on real parts: breaks a node, and tells what repaired it
///
/// All seven stories are told, one after the other, in one world: a control plane, an OpenStack, and a machine with
/// systemd, containerd, kubelet and Node Problem Detector. It stands after a minute; the stories take some ten more.
/// A node that was replaced is followed by a fresh one of the same name. Each timeline is drawn from the world's own
/// records, and each story ends with what these have proven; if they do not, the command fails.
#[derive(Parser)]
struct Arguments {
    /// Only these, in this order
    #[arg(value_enum)]
    stories: Vec<Story>,
    /// As JSON, a line an event
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let Arguments { stories, json } = Arguments::parse();
    let stories = match stories.as_slice() {
        [] => Story::ALL.to_vec(),
        chosen => chosen.to_vec(),
    };
    let mut report = Stderr::default();
    let world = World::start("story", &mut report).await?;
    let mut told = Vec::new();
    for (number, story) in stories.iter().enumerate() {
        if number > 0 {
            report.step("making the world well again for the next story");
            world.make_well().await?;
        }
        if !json {
            let title = format!("{} of {}: {}", number + 1, stories.len(), story.title());
            println!("\n{title}\n{}", "─".repeat(title.chars().count()));
        }
        let timeline = scenario::play(*story, &world).await?;
        if json {
            println!("{}", timeline.json()?);
        } else {
            println!("{timeline}\n  proven   {}", story.proves());
        }
        told.push((*story, timeline));
    }
    if !json && told.len() > 1 {
        println!("\n{}", summary(&told));
    }
    Ok(ExitCode::SUCCESS)
}

/// A line a story.
fn summary(told: &[(Story, Timeline)]) -> String {
    let line = |(story, timeline): &(Story, Timeline)| {
        format!(
            "{:>7.1} {:>7.1}  {}",
            timeline.took().as_secs_f64(),
            timeline.added_by_us().as_secs_f64(),
            story.title()
        )
    };
    let lines: Vec<String> = told.iter().map(line).collect();
    format!("seconds    ours  story\n{}", lines.join("\n"))
}
