//! Short ways to answer.

use crate::types::{Decision, FixCall, Pair, Remedy, UnitCall, UnitVerb};

impl Remedy {
    /// Restart a systemd unit.
    pub fn restart(unit: impl Into<String>) -> Self {
        Remedy::unit_verb(unit, UnitVerb::Restart)
    }

    /// Do something to a systemd unit.
    pub fn unit_verb(unit: impl Into<String>, verb: UnitVerb) -> Self {
        Remedy::Unit(UnitCall {
            name: unit.into(),
            verb,
        })
    }

    /// Run a fix with its arguments.
    pub fn run_fix<'a>(
        name: impl Into<String>,
        args: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let pair = |(name, value): (&str, &str)| Pair {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        Remedy::Fix(FixCall {
            name: name.into(),
            args: args.into_iter().map(pair).collect(),
        })
    }

    /// This remedy, and why: one line for people.
    pub fn because(self, reason: impl Into<String>) -> Decision {
        Decision {
            remedy: self,
            reason: reason.into(),
            settle: None,
            notes: Vec::new(),
        }
    }
}

impl Decision {
    /// Watch for so many seconds after the remedy before judging it.
    #[must_use]
    pub fn settle(self, seconds: u32) -> Self {
        Decision {
            settle: Some(seconds),
            ..self
        }
    }

    /// Adds a note for the record. A name may be used once.
    #[must_use]
    pub fn note(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.notes.push(Pair {
            name: name.into(),
            value: value.into(),
        });
        self
    }
}
