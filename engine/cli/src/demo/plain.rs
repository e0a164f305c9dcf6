//! Lines, one an event: for people whose output is no terminal, and for programs.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use rectifier_story::{Story, World};
use rectifier_view::{Line, Speaker};
use serde_json::json;
use tokio::sync::watch;

use super::world::Now;
use crate::output::{BAD, FAINT, GOOD, HEAD, ODD, out, paint};

/// What has been shown already.
#[derive(Default)]
struct Told {
    lines: std::collections::BTreeSet<Line>,
    ended: usize,
    story: Option<Story>,
}

impl Told {
    fn news(&mut self, now: &Now) -> Vec<Line> {
        let story = now.model.iter().flat_map(|model| &model.story);
        let new: Vec<Line> = story
            .filter(|line| !self.lines.contains(*line))
            .cloned()
            .collect();
        self.lines.extend(new.iter().cloned());
        new
    }
}

pub(super) async fn lines(
    seen: &mut watch::Receiver<Now>,
    page: Option<SocketAddr>,
    policies: &Path,
) -> anyhow::Result<()> {
    let mut told = Told::default();
    writeln!(
        out(),
        "everything here happens in one process: an embedded cluster, both real engines, real policies, virtual time"
    )?;
    if let Some(page) = page {
        writeln!(out(), "the page is at http://{page}/")?;
    }
    writeln!(out(), "the policies are in {}", policies.display())?;
    let mut began = None;
    loop {
        let now = seen.borrow_and_update().clone();
        if let Some(model) = &now.model {
            began.get_or_insert(model.at);
        }
        if now.story != told.story {
            told.story = now.story;
            if let Some(story) = now.story {
                writeln!(out(), "\n{}", paint(HEAD, story.title()))?;
            }
        }
        for line in told.news(&now) {
            let passed = began.map_or(0.0, |began| line.at.duration_since(began).as_secs_f64());
            let world = paint(FAINT, World::Embedded);
            writeln!(out(), "{passed:>8.1} s  {world}  {}", shown(&line))?;
        }
        for ended in now.ended.iter().skip(told.ended) {
            let seconds = ended.seconds;
            let words = match ended.is_well {
                true => paint(GOOD, format!("over, and all is well, after {seconds} s")),
                false => paint(BAD, format!("not over as it should be, after {seconds} s")),
            };
            writeln!(out(), "{:>8}    {words}", "")?;
            if ended.is_proven {
                writeln!(out(), "{:>8}    proven: {}", "", ended.story.proves())?;
            }
        }
        told.ended = now.ended.len();
        if now.is_over || seen.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Who, of which node, what.
pub(super) fn shown(line: &Line) -> String {
    let who = match line.who {
        Speaker::Person => paint(ODD, format!("{:<12}", "(somebody)")),
        Speaker::NodeEngine => format!("{:<12}", "node engine"),
        Speaker::Controller => format!("{:<12}", "controller"),
    };
    format!(
        "{who} {} {}",
        paint(FAINT, format!("{:<10}", line.node)),
        line.text
    )
}

pub(super) async fn json(seen: &mut watch::Receiver<Now>) -> anyhow::Result<()> {
    let mut told = Told::default();
    loop {
        let now = seen.borrow_and_update().clone();
        for line in told.news(&now) {
            let mut document = serde_json::to_value(&line)?;
            document["world"] = serde_json::to_value(World::Embedded)?;
            document["story"] = serde_json::to_value(now.story)?;
            writeln!(out(), "{document}")?;
        }
        for ended in now.ended.iter().skip(told.ended) {
            writeln!(
                out(),
                "{}",
                json!({"world": World::Embedded, "ended": ended})
            )?;
        }
        told.ended = now.ended.len();
        if now.is_over || seen.changed().await.is_err() {
            return Ok(());
        }
    }
}
