//! The units of one machine, and the jobs of its systemd.

use rectifier_core::clock::Timestamp;
use rectifier_core::episode::UnitSeen;
use rectifier_core::policy::UnitVerb;
use tokio::time::Instant;

use super::{Guest, Power};
use crate::machine::{Cure, Moment, Options, draw};
use crate::record::OnMachine;

#[derive(Debug)]
pub(super) struct Unit {
    pub(super) is_active: bool,
    pub(super) since: Timestamp,
    pub(super) invocation: u64,
    pub(super) broken: Option<Cure>,
    pub(super) job: Option<Job>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) verb: UnitVerb,
    pub(super) ends: Instant,
}

impl Guest {
    pub(super) fn turn(&mut self, name: &str, runs: bool, now: Moment) {
        let Some(unit) = self.units.get_mut(name) else {
            return;
        };
        (unit.is_active, unit.since) = (runs, now.wall);
        unit.invocation += u64::from(runs);
        self.has_changed();
        // Nobody may listen.
        drop(self.turned.send(name.to_owned()));
        if runs {
            let what = OnMachine::UnitStarted(name.to_owned());
            self.record.machine(&self.server, what);
        }
    }

    pub(super) fn end_job(&mut self, name: &str, now: Moment) {
        let Some(unit) = self.units.get_mut(name) else {
            return;
        };
        unit.job = None;
        if unit.broken == Some(Cure::Restart) {
            unit.broken = None;
        }
        let runs = unit.broken.is_none();
        self.turn(name, runs, now);
        self.remedied();
        // Nobody may listen.
        drop(self.finished.send(name.to_owned()));
    }

    /// Begins a job for the unit; when it ends, and its number. `None`: no such unit, or the machine is not up.
    pub(in crate::machine) fn begin_job(
        &mut self,
        name: &str,
        verb: UnitVerb,
        now: Moment,
        options: &Options,
        chance: &mut fastrand::Rng,
    ) -> Option<Instant> {
        let unit = self.units.get_mut(name)?;
        if self.power != Power::Up {
            return None;
        }
        let ends = now.at + draw(chance, &options.job);
        unit.job = Some(Job { verb, ends });
        let what = OnMachine::UnitAsked(name.to_owned(), verb);
        self.record.machine(&self.server, what);
        if verb != UnitVerb::Start && unit.is_active {
            // It is stopped first.
            (unit.is_active, unit.since) = (false, now.wall);
            self.is_changed = true;
        }
        Some(ends)
    }

    /// Whether the unit runs.
    pub(in crate::machine) fn is_active(&self, name: &str) -> bool {
        self.units.get(name).is_some_and(|unit| unit.is_active)
    }

    pub(in crate::machine) fn unit(&self, name: &str) -> Option<UnitSeen> {
        let unit = self.units.get(name)?;
        let (active, sub) = match (unit.is_active, unit.job) {
            (true, _) => ("active", "running"),
            (false, Some(job)) if job.verb != UnitVerb::Start => ("deactivating", "stop-sigterm"),
            (false, Some(_)) => ("activating", "start"),
            (false, None) => ("failed", "failed"),
        };
        Some(UnitSeen {
            active_state: active.to_owned(),
            sub_state: sub.to_owned(),
            restarts: 0,
            since: Some(unit.since),
            invocation: match unit.invocation {
                0 => String::new(),
                number => format!("{number:032x}"),
            },
            busy: unit.job.is_some(),
        })
    }
}
