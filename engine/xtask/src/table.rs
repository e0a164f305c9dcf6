//! The table at the end of a run: what was done, how it went, how long it took.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How a part of a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Well; and what there is to say of it.
    Well(String),
    /// It failed.
    Failed,
}

/// Rows in the order in which they were done.
#[derive(Default)]
pub(crate) struct Table(Vec<(String, Duration, Verdict)>);

impl Table {
    /// Does a part and notes its time. An error is told at once, and the run goes on: it is the
    /// table that knows in the end.
    pub(crate) fn part(&mut self, name: &str, part: impl FnOnce() -> Result<Verdict>) {
        let started = Instant::now();
        let verdict = part().unwrap_or_else(|error| {
            eprintln!("error: {name}: {error:#}");
            Verdict::Failed
        });
        self.0.push((name.to_owned(), started.elapsed(), verdict));
    }

    /// As [`Table::part`], for one that prints what it does: with a line above it.
    pub(crate) fn loud_part(&mut self, name: &str, part: impl FnOnce() -> Result<Verdict>) {
        eprintln!("\n== {name}");
        self.part(name, part);
    }

    /// Did anything fail?
    pub(crate) fn failed(&self) -> bool {
        self.0
            .iter()
            .any(|(_, _, verdict)| *verdict == Verdict::Failed)
    }

    /// The rows, and below them the sum.
    pub(crate) fn show(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|(name, _, _)| name.len())
            .max()
            .unwrap_or(0)
            .max(5);
        let mut text = format!("{:width$}  {:>8}\n", "part", "seconds");
        for (name, time, verdict) in &self.0 {
            let said = match verdict {
                Verdict::Well(said) => said,
                Verdict::Failed => "FAILED",
            };
            let line = format!("{name:width$}  {:8.1}  {said}", time.as_secs_f64());
            text += line.trim_end();
            text.push('\n');
        }
        let sum: Duration = self.0.iter().map(|(_, time, _)| time).sum();
        text + &format!("{:width$}  {:8.1}\n", "total", sum.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_part_that_fails_does_not_end_the_run_and_is_not_forgotten() {
        let mut table = Table::default();
        table.part("format", || bail!("one file is not formatted"));
        table.part("unit tests", || Ok(Verdict::Well("3 passed".to_owned())));
        assert!(table.failed());
        let shown = table.show();
        let ends: Vec<_> = shown
            .lines()
            .map(|line| line.split("  ").last().unwrap())
            .collect();
        assert_eq!(ends[1..3], ["FAILED", "3 passed"]);
    }
}
