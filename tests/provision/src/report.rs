//! How making a part is told to whoever waits for it.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Hears what is being done. Nothing is reported for a part that is already there.
pub trait Report: Send {
    /// Something has begun that takes a while: one line, for a person.
    fn step(&mut self, what: &str);

    /// The step goes on; `what` is the latest that is known of it. Called about once a second.
    fn progress(&mut self, what: &str) {
        let _ = what;
    }
}

/// Says nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Report for Silent {
    fn step(&mut self, _: &str) {}
}

/// Tells it on standard error: each step a line, and under a long one, on a terminal, a line that
/// changes; elsewhere a line every half minute, so that a log shows that it lives.
#[derive(Debug)]
pub struct Stderr {
    started: Instant,
    step: Instant,
    told: Instant,
    terminal: bool,
    steps: usize,
}

/// Where no line can be overwritten, this often. Arbitrary: seldom enough for a log of an hour.
const QUIET: Duration = Duration::from_secs(30);

impl Default for Stderr {
    fn default() -> Self {
        let now = Instant::now();
        let terminal = std::io::stderr().is_terminal();
        Self {
            started: now,
            step: now,
            told: now,
            terminal,
            steps: 0,
        }
    }
}

impl Stderr {
    /// How many steps were told so far: none means that all was there already.
    pub fn steps(&self) -> usize {
        self.steps
    }

    fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

impl Report for Stderr {
    fn step(&mut self, what: &str) {
        self.clear();
        self.step = Instant::now();
        self.told = self.step;
        self.steps += 1;
        eprintln!("[{:5.1} s] {what}", self.started.elapsed().as_secs_f64());
    }

    fn progress(&mut self, what: &str) {
        let elapsed = self.step.elapsed().as_secs();
        let what: String = what.chars().take(90).collect();
        if self.terminal {
            eprint!("\r\x1b[K          {elapsed} s  {what}");
            // a line that cannot be shown is no reason to stop
            let _ = std::io::stderr().flush();
        } else if self.told.elapsed() >= QUIET {
            self.told = Instant::now();
            eprintln!("          {elapsed} s  {what}");
        }
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        if self.steps > 0 {
            self.clear();
        }
    }
}

/// Tells a step only when it turns out to take time: for what is asked each time, and is mostly
/// quick.
pub(crate) struct Late<'a> {
    report: &'a mut dyn Report,
    what: Option<&'a str>,
}

impl<'a> Late<'a> {
    pub(crate) fn new(report: &'a mut dyn Report, what: &'a str) -> Self {
        Self {
            report,
            what: Some(what),
        }
    }
}

impl Report for Late<'_> {
    fn step(&mut self, what: &str) {
        self.report.step(what);
    }

    fn progress(&mut self, what: &str) {
        match self.what.take() {
            Some(step) => self.report.step(step),
            None => self.report.progress(what),
        }
    }
}
