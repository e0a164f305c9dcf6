//! What nearly every policy does: nothing on a ground that is not certain, and otherwise one remedy after the other, from mild to grave.

use crate::types::{Decision, Observation, Outcome, Remedy, Site};

/// Seconds after which something may have changed by itself. Every change of what is observed asks the policy anyway.
const SOON: u32 = 30;

impl Observation {
    /// Why nothing is to be done at this moment, whatever the problem is: it is not certainly there, what is known is not fresh, or a
    /// remedy is under way. `None`: decide.
    pub fn not_now(&self) -> Option<Decision> {
        let problem = self.problem();
        if !self.problem_is_there() {
            let why = format!("{problem} is not reported as there at present");
            return Some(Remedy::Wait(SOON).because(why));
        }
        if !self.is_fresh() {
            return Some(Remedy::Wait(SOON).because("what is known here is not fresh"));
        }
        self.episode.running()?;
        Some(Remedy::Wait(SOON).because("a remedy is still under way"))
    }

    /// A ladder of remedies, to climb from the mildest. It never comes down within one episode: what was tried is not tried more often
    /// than its rung says, however often the problem came back meanwhile.
    ///
    /// ```
    /// # use rectifier_policy::prelude::*;
    /// # fn decide(seen: &Observation) -> Decision {
    /// seen.ladder()
    ///     .rung(Rung::of(Remedy::restart("containerd.service")).times(3).resting(60))
    ///     .rung(Rung::of(Remedy::Reboot))
    ///     .or(Remedy::Escalate)
    /// # }
    /// ```
    pub fn ladder(&self) -> Ladder<'_> {
        Ladder {
            seen: self,
            decided: self.not_now(),
            behind: Vec::new(),
        }
    }
}

/// A remedy, and how often it is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    remedy: Remedy,
    times: usize,
    rest: u32,
    settle: Option<u32>,
    patience: Option<u32>,
}

impl Rung {
    /// It is tried once.
    pub fn of(remedy: Remedy) -> Self {
        Self {
            remedy,
            times: 1,
            rest: 0,
            settle: None,
            patience: None,
        }
    }

    /// It is tried so often in one episode; 0 leaves it out.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Before it is tried a second time so many seconds go by, twice as many before the third, and so on.
    #[must_use]
    pub fn resting(self, seconds: u32) -> Self {
        Self {
            rest: seconds,
            ..self
        }
    }

    /// Its effect is watched for so many seconds; the engine's default if that is not said.
    #[must_use]
    pub fn settling(self, seconds: u32) -> Self {
        Self {
            settle: Some(seconds),
            ..self
        }
    }

    /// A guard rail that is closed is waited for while the episode is younger than so many seconds, then the rung is passed; for ever if
    /// that is not said.
    #[must_use]
    pub fn patient(self, seconds: u32) -> Self {
        Self {
            patience: Some(seconds),
            ..self
        }
    }
}

/// What has been decided so far, going up.
#[derive(Debug)]
pub struct Ladder<'a> {
    seen: &'a Observation,
    decided: Option<Decision>,
    /// Of each rung that lies behind: why.
    behind: Vec<String>,
}

impl Ladder<'_> {
    /// The next rung.
    ///
    /// It is passed when it was tried as often as it may be, when the operator does not allow it on this node, and, for a reboot, when a
    /// guard rail is closed: the next rung may be another way. For a unit, a fix or a replacement a closed guard rail is waited for, and so is
    /// the end of a rest.
    #[must_use]
    pub fn rung(mut self, rung: Rung) -> Self {
        if self.decided.is_some() || rung.times == 0 {
            return self;
        }
        let what = name(&rung.remedy);
        let tried = self.seen.episode.tried(&rung.remedy);
        if tried >= rung.times {
            self.behind
                .push(format!("{what}: tried {tried} of {} times", rung.times));
            return self;
        }
        let wait = |seconds: u32, why: String| Some(Remedy::Wait(seconds).because(why));
        match self.gate(&rung.remedy) {
            Gate::Open => {}
            Gate::NotOffered => {
                self.behind.push(format!("{what}: not allowed here"));
                return self;
            }
            Gate::Passed(rail) => {
                self.behind.push(format!("{what}: not now: {rail}"));
                return self;
            }
            Gate::WaitedFor(rail)
                if rung
                    .patience
                    .is_some_and(|most| self.seen.episode.age >= most) =>
            {
                self.behind
                    .push(format!("{what}: waited for too long: {rail}"));
                return self;
            }
            Gate::WaitedFor(rail) => {
                self.decided = wait(SOON, format!("{what} must wait: {rail}"));
                return self;
            }
        }
        if let Some(last) = self.seen.episode.attempts_at(&rung.remedy).next() {
            // A guard rail refused it a moment ago; asked again at once it would only be refused again.
            let rest = match last.outcome {
                Outcome::Refused => SOON,
                _ => doubled(rung.rest, tried),
            };
            if last.age < rest {
                self.decided = wait(rest - last.age, format!("{what} rests after the last time"));
                return self;
            }
        }
        let why = format!("{what}: attempt {} of {}", tried + 1, rung.times);
        let why = match self.behind.last() {
            Some(behind) => format!("{why}; before it {behind}"),
            None => why,
        };
        let mut decision = rung.remedy.because(why);
        decision.settle = rung.settle;
        self.decided = Some(decision);
        self
    }

    /// What is left when all rungs lie behind.
    pub fn or(self, last: Remedy) -> Decision {
        let Self {
            decided, behind, ..
        } = self;
        decided.unwrap_or_else(|| match behind.is_empty() {
            true => last.because("nothing else may be tried"),
            false => last.because(behind.join("; ")),
        })
    }

    fn gate(&self, remedy: &Remedy) -> Gate {
        let closed = |rail: Option<&str>, otherwise: fn(String) -> Gate| match rail {
            None => Gate::Open,
            Some(rail) => otherwise(rail.to_owned()),
        };
        match (remedy, &self.seen.site) {
            (Remedy::Unit(call), Site::Node(view)) => match view.unit(&call.name) {
                Some(unit) => closed(unit.gate.closed_by(), Gate::WaitedFor),
                None => Gate::NotOffered,
            },
            (Remedy::Fix(call), Site::Node(view)) => match view.fix(&call.name) {
                Some(fix) => closed(fix.gate.closed_by(), Gate::WaitedFor),
                None => Gate::NotOffered,
            },
            (Remedy::Reboot, Site::Node(view)) => closed(view.reboot.closed_by(), Gate::Passed),
            (Remedy::Reboot, Site::ControlPlane(view)) => {
                closed(view.reboot.closed_by(), Gate::Passed)
            }
            (Remedy::Replace, Site::ControlPlane(view)) => {
                closed(view.replace.closed_by(), Gate::WaitedFor)
            }
            (Remedy::Unit(_) | Remedy::Fix(_), Site::ControlPlane(_))
            | (Remedy::Replace, Site::Node(_)) => Gate::NotOffered,
            (Remedy::Decline | Remedy::Wait(_) | Remedy::Escalate, _) => Gate::Open,
        }
    }
}

/// May it be done, and what follows if not?
enum Gate {
    Open,
    /// This site, or the operator, does not offer it.
    NotOffered,
    /// Closed, and the next rung is as good.
    Passed(String),
    /// Closed for now.
    WaitedFor(String),
}

/// `rest` before the second try, and twice as long before each one after it.
fn doubled(rest: u32, tried: usize) -> u32 {
    let doublings = u32::try_from(tried.saturating_sub(1)).unwrap_or(u32::MAX);
    rest.saturating_mul(2_u32.saturating_pow(doublings))
}

fn name(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Unit(call) => call.name.clone(),
        Remedy::Fix(call) => format!("fix {}", call.name),
        Remedy::Reboot => "a reboot".to_owned(),
        Remedy::Replace => "a replacement".to_owned(),
        Remedy::Escalate => "the next level".to_owned(),
        Remedy::Decline => "another policy".to_owned(),
        Remedy::Wait(_) => "waiting".to_owned(),
    }
}
