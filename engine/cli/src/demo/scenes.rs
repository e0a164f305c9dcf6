//! The stories, one after the other, each on another node, told as they go.

use std::time::Duration;

use rectifier_sim::story::Embedded;
use rectifier_story::{Story, act, play};
use rectifier_view::{Health, Model};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::world::{Ended, Now, Stage};

/// In the world's time: so long it may take until all is well before the first story.
const PATIENCE: Duration = Duration::from_secs(5400);
/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Between two stories, so that one sees that all is well.
const PAUSE: Duration = Duration::from_secs(20);

/// Plays them. Whether all ended as they should.
pub(super) async fn all(stage: &Stage, stories: Vec<Story>, now: &watch::Sender<Now>) -> bool {
    let mut all_well = becomes_well(stage).await;
    let first = stage.running.scene.nodes();
    for (number, story) in stories.into_iter().enumerate() {
        now.send_modify(|now| now.story = Some(story));
        let began = Instant::now();
        let is_well = one(stage, story, &first, number).await;
        all_well &= is_well;
        let ended = Ended {
            story,
            is_well,
            is_proven: is_well && stage.policies.takes_rules(),
            seconds: began.elapsed().as_secs(),
        };
        // What was said last is told before its end is.
        sleep(PAUSE).await;
        now.send_modify(|now| {
            now.story = None;
            now.ended.push(ended);
        });
    }
    all_well
}

async fn becomes_well(stage: &Stage) -> bool {
    let end = Instant::now() + PATIENCE;
    while !stage.running.scene.is_well() {
        if Instant::now() >= end {
            return false;
        }
        sleep(LOOK).await;
    }
    true
}

/// By a policy that takes the stories' rules it is proven from the world's records, too; by another it is only played.
async fn one(stage: &Stage, story: Story, first: &[String], number: usize) -> bool {
    let Some(node) = a_well_node(&stage.model(), first, number) else {
        return false;
    };
    let ended = {
        let embedded = Embedded::new(&stage.running, stage, &node);
        match stage.policies.takes_rules() {
            true => play(&story.script(), &embedded).await,
            false => act(&story.script(), &embedded).await,
        }
    };
    let restored = stage.policies.restore();
    let ended = ended.map_err(anyhow::Error::from).and(restored);
    if let Err(error) = &ended {
        stage.say(&node, "Unmet", format!("{error:#}"));
    }
    ended.is_ok()
}

/// Another one for each story, with pods on it.
/// Of those that were there from the beginning: a replacement that falls sick of the same is not replaced in its turn.
fn a_well_node(model: &Model, first: &[String], number: usize) -> Option<String> {
    let well: Vec<&str> = model
        .nodes()
        .filter(|node| node.health == Health::Well && node.pods > 0)
        .filter(|node| first.contains(&node.name))
        .map(|node| node.name.as_str())
        .collect();
    let at = (number * 4 + 1) % well.len().max(1);
    well.get(at).map(|name| (*name).to_owned())
}
