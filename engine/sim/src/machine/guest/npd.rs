//! Node Problem Detector on one machine: when it checks, what it finds, how it says so.

use rectifier_core::clock::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Guest;
use crate::machine::{Check, Moment, Options, Problem};

/// A condition as Node Problem Detector reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) kind: String,
    pub(crate) is_true: bool,
    pub(crate) since: Timestamp,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Condition {
    /// What a check says. `problem` is what is wrong, if it is known better than by a unit.
    pub(super) fn of(
        check: &Check,
        problem: Option<&Problem>,
        is_true: bool,
        since: Timestamp,
    ) -> Self {
        let (reason, message) = match (problem, &check.unit, is_true) {
            (Some(problem), _, true) => (problem.reason.clone(), problem.message.clone()),
            (_, Some(unit), true) => ("UnitNotActive".to_owned(), format!("{unit} does not run")),
            (_, Some(unit), false) => ("UnitActive".to_owned(), format!("{unit} runs")),
            (_, None, _) => (format!("No{}", check.kind), String::new()),
        };
        Self {
            kind: check.kind.clone(),
            is_true,
            since,
            reason,
            message,
        }
    }
}

/// The reasons of the temporary problems for which it looks.
pub(super) const COUNTED: [&str; 2] = ["OOMKilling", "TaskHung"];

impl Guest {
    /// Something happens that its log tells. False: nobody looks for that, or the machine is down.
    pub(in crate::machine) fn happen(&mut self, reason: &str) -> bool {
        let is_up = self.is_up();
        let count = self.counted.get_mut(reason).filter(|_| is_up);
        count.map(|count| *count += 1).is_some()
    }

    /// As Node Problem Detector's exporter for Prometheus gives its counters.
    pub(in crate::machine) fn counters(&self) -> Vec<u8> {
        let mut text = String::from("# TYPE problem_counter counter\n");
        for (reason, count) in &self.counted {
            text.push_str(&format!("problem_counter{{reason=\"{reason}\"}} {count}\n"));
        }
        text.into_bytes()
    }

    /// What is reported has to be compared anew.
    pub(super) fn has_changed(&mut self) {
        self.check = None;
        self.is_changed = true;
    }

    pub(super) fn tell_news(&mut self) {
        self.is_news = true;
        self.answer = None;
    }

    /// The next moment of its rhythm.
    pub(super) fn next_check(&self, now: Instant, options: &Options) -> Instant {
        let passed = now.saturating_duration_since(self.first_check);
        let rounds = passed
            .as_micros()
            .div_ceil(options.check.as_micros().max(1));
        self.first_check + options.check * u32::try_from(rounds).unwrap_or(u32::MAX)
    }

    pub(super) fn differs(&self) -> bool {
        let mut pairs = self.conditions.iter().zip(self.checks.iter());
        pairs.any(|(condition, check)| condition.is_true != self.fails(check))
    }

    fn fails(&self, check: &Check) -> bool {
        match &check.unit {
            Some(unit) => self.units.get(unit).is_some_and(|unit| !unit.is_active),
            None => self.problems.contains_key(&check.kind),
        }
    }

    pub(super) fn report(&mut self, now: Moment) -> bool {
        if !self.differs() {
            return false;
        }
        let checks = self.checks.clone();
        let found: Vec<bool> = checks.iter().map(|check| self.fails(check)).collect();
        let all = self.conditions.iter_mut().zip(checks.iter()).zip(found);
        for ((condition, check), is_true) in all {
            if condition.is_true != is_true {
                let problem = self.problems.get(&check.kind);
                *condition = Condition::of(check, problem, is_true, now.wall);
            }
        }
        self.tell_news();
        true
    }

    /// As Node Problem Detector's endpoint gives its conditions.
    pub(in crate::machine) fn npd(&mut self) -> Vec<u8> {
        let Self {
            answer, conditions, ..
        } = self;
        let make = || {
            let conditions = conditions.iter().map(|condition| {
                json!({
                    "type": condition.kind,
                    "status": if condition.is_true { "True" } else { "False" },
                    "transition": condition.since,
                    "reason": condition.reason,
                    "message": condition.message,
                })
            });
            Value::from_iter(conditions).to_string().into_bytes()
        };
        answer.get_or_insert_with(make).clone()
    }
}
