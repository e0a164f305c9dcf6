//! What goes wrong on one machine, and what makes it go away.

use super::npd::Condition;
use super::{Guest, Power};
use crate::machine::{Break, Cure, Moment, Options, Problem, draw};

impl Guest {
    pub(in crate::machine) fn break_it(
        &mut self,
        what: &Break,
        now: Moment,
        options: &Options,
        chance: &mut fastrand::Rng,
    ) -> bool {
        if self.power != Power::Up {
            return false;
        }
        match what {
            Break::Unit(name, cure) => {
                let Some(unit) = self.units.get_mut(name) else {
                    return false;
                };
                unit.broken = Some((*cure).max(unit.broken.unwrap_or(*cure)));
                self.turn(name, false, now);
            }
            Break::Machine(cure) => {
                self.down();
                self.power = Power::Hung;
                self.hangs = *cure == Cure::Never;
            }
            Break::AgentSilent => self.is_silent = true,
            Break::AgentKilled => {
                self.engine += 1;
                self.engine_from = now.at + draw(chance, &options.restart);
            }
            Break::DiskFull => self.disk.fill(true),
            Break::Rebooted => self.reboot(now, options, chance),
        }
        true
    }

    pub(in crate::machine) fn mend(
        &mut self,
        now: Moment,
        options: &Options,
        chance: &mut fastrand::Rng,
    ) {
        (self.is_silent, self.hangs) = (false, false);
        self.disk.fill(false);
        match self.power {
            Power::Up => {}
            Power::Hung => return self.reboot(now, options, chance),
            Power::Off | Power::Booting(_) => return,
        }
        self.problems.clear();
        self.has_changed();
        let names: Vec<String> = self.units.keys().cloned().collect();
        for name in names {
            let unit = self.units.get_mut(&name);
            if unit.and_then(|unit| unit.broken.take()).is_some() {
                self.turn(&name, true, now);
            }
        }
    }

    /// Something is wrong with it from now on, or, if the problem says since when, was and is known already.
    pub(in crate::machine) fn ail(&mut self, problem: &Problem, now: Moment) {
        self.has_changed();
        let at = self
            .checks
            .iter()
            .position(|check| check.kind == problem.kind);
        let check = at.and_then(|at| self.checks.get(at)).cloned();
        match check.as_ref().and_then(|check| check.unit.clone()) {
            Some(unit) => {
                if let Some(unit) = self.units.get_mut(&unit) {
                    unit.broken = Some(problem.cure);
                }
                self.turn(&unit, false, now);
            }
            None => drop(self.problems.insert(problem.kind.clone(), problem.clone())),
        }
        let known = at.and_then(|at| self.conditions.get_mut(at));
        if let (Some(condition), Some(check), Some(since)) = (known, check, problem.since) {
            *condition = Condition::of(&check, Some(problem), true, since);
            self.answer = None;
        }
    }

    /// A remedy was carried out that is good for what is behind no unit.
    pub(in crate::machine) fn remedied(&mut self) {
        self.problems
            .retain(|_, problem| problem.cure != Cure::Restart);
        self.has_changed();
    }
}
