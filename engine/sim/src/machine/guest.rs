//! One machine: its power and its boots; its units ([`unit`]), what is broken ([`trouble`]), what Node Problem Detector
//! reports ([`npd`]).

mod npd;
mod trouble;
mod unit;

use std::collections::BTreeMap;
use std::sync::Arc;

use rectifier_core::clock::{SignedDuration, Timestamp};
use rectifier_node::Running;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::{CHECKED, Check, Cure, Disk, Moment, Options, Problem, Seen, draw};
use crate::openstack;
use crate::record::{OnMachine, Record};
pub(crate) use npd::Condition;
use unit::Unit;

/// So long a machine has been up that was there before the world began.
const RUN_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Jobs whose end a slow listener may have missed.
const JOBS_KEPT: usize = 64;

pub(super) struct Guest {
    pub(super) name: String,
    server: String,
    power: Power,
    /// By the cloud's count.
    powered: u32,
    boots: u32,
    since: Timestamp,
    goes_down: Option<Instant>,
    /// It hangs at every boot.
    hangs: bool,
    units: BTreeMap<String, Unit>,
    pub(super) finished: broadcast::Sender<String>,
    /// Units that began to run, or ended.
    pub(super) turned: broadcast::Sender<String>,
    /// The times at which it checks are this, and every so many seconds later.
    first_check: Instant,
    check: Option<Instant>,
    /// Something has changed since it was compared with what is reported.
    is_changed: bool,
    checks: Arc<[Check]>,
    /// One for each check.
    conditions: Vec<Condition>,
    /// What is wrong and behind no unit, by its condition.
    problems: BTreeMap<String, Problem>,
    /// Node Problem Detector's answer, unless a condition has changed since it gave one.
    answer: Option<Vec<u8>>,
    is_news: bool,
    /// What Node Problem Detector has counted since it began, by reason.
    counted: BTreeMap<String, u64>,
    has_booted: bool,
    /// The number of the node's engine that runs, and since when one does.
    engine: u64,
    engine_from: Instant,
    is_silent: bool,
    is_reachable: bool,
    pub(super) disk: Disk,
    record: Record,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    Off,
    Booting(Instant),
    Up,
    Hung,
}

impl Guest {
    /// The machine of a server that was just made; it does not run yet.
    pub(super) fn new(
        server: &openstack::Machine,
        now: Moment,
        options: &Options,
        chance: &mut fastrand::Rng,
    ) -> Self {
        let unit = |name: &str| {
            let unit = Unit {
                is_active: false,
                since: now.wall,
                invocation: 0,
                broken: None,
                job: None,
            };
            (name.to_owned(), unit)
        };
        let units = CHECKED.iter().map(|(unit, _)| *unit);
        let units = units.chain(options.units.iter().map(String::as_str));
        let checks = options.checks.clone();
        let conditions = checks
            .iter()
            .map(|check| Condition::of(check, None, false, now.wall));
        Self {
            name: server.name.clone(),
            server: server.id.clone(),
            power: Power::Off,
            powered: 0,
            boots: 0,
            since: now.wall,
            goes_down: None,
            hangs: false,
            units: units.map(unit).collect(),
            finished: broadcast::Sender::new(JOBS_KEPT),
            turned: broadcast::Sender::new(JOBS_KEPT),
            first_check: now.at + draw(chance, &(std::time::Duration::ZERO..=options.check)),
            check: None,
            is_changed: true,
            conditions: conditions.collect(),
            checks,
            problems: BTreeMap::new(),
            answer: None,
            is_news: true,
            counted: npd::COUNTED.map(|reason| (reason.to_owned(), 0)).into(),
            has_booted: false,
            engine: 0,
            engine_from: now.at,
            is_silent: false,
            is_reachable: true,
            disk: Disk::default(),
            record: options.record.clone(),
        }
    }

    pub(super) fn never_ran(&self) -> bool {
        self.boots == 0
    }

    /// A machine that runs already, as one does that was there before the world began.
    pub(super) fn runs(&mut self, server: &openstack::Machine, now: Moment) {
        self.powered = server.boots;
        self.boots += 1;
        self.up(now);
        self.has_booted = false;
        self.since = now.wall - RUN_FOR;
    }

    /// What the cloud has done to its power.
    pub(super) fn powered(
        &mut self,
        server: &openstack::Machine,
        now: Moment,
        options: &Options,
        chance: &mut fastrand::Rng,
    ) {
        self.is_reachable = server.is_reachable;
        if !server.is_running {
            if self.power != Power::Off {
                self.down();
                self.power = Power::Off;
            }
            return;
        }
        if self.powered < server.boots || self.power == Power::Off {
            self.powered = server.boots;
            self.reboot(now, options, chance);
        }
    }

    fn reboot(&mut self, now: Moment, options: &Options, chance: &mut fastrand::Rng) {
        self.record.machine(&self.server, OnMachine::GoesDown);
        self.down();
        self.boots += 1;
        self.power = Power::Booting(now.at + draw(chance, &options.boot));
    }

    fn down(&mut self) {
        self.goes_down = None;
        for unit in self.units.values_mut() {
            unit.job = None;
            unit.is_active = false;
        }
        self.has_changed();
    }

    fn up(&mut self, now: Moment) {
        self.since = now.wall;
        self.has_booted = true;
        self.engine += 1;
        self.engine_from = now.at;
        if self.hangs {
            self.power = Power::Hung;
            return;
        }
        self.power = Power::Up;
        self.record.machine(&self.server, OnMachine::Booted);
        let names: Vec<String> = self.units.keys().cloned().collect();
        for name in names {
            if let Some(unit) = self.units.get_mut(&name) {
                if unit.broken != Some(Cure::Never) {
                    unit.broken = None;
                }
                let runs = unit.broken.is_none();
                self.turn(&name, runs, now);
            }
        }
        self.problems
            .retain(|_, problem| problem.cure == Cure::Never);
        // Node Problem Detector begins anew, and knows nothing of before.
        for (condition, check) in self.conditions.iter_mut().zip(self.checks.iter()) {
            *condition = Condition::of(check, None, false, now.wall);
        }
        self.counted.values_mut().for_each(|count| *count = 0);
        self.tell_news();
    }

    pub(super) fn is_well(&self) -> bool {
        let is_good = |unit: &Unit| unit.is_active && unit.broken.is_none();
        self.is_up()
            && !self.is_silent
            && !self.disk.is_full()
            && self.problems.is_empty()
            && self.units.values().all(is_good)
    }

    /// Which engine runs on it now.
    pub(super) fn agent(&self) -> Option<u64> {
        let runs = self.is_up() && !self.is_silent && self.engine_from <= Instant::now();
        runs.then_some(self.engine)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        let booted = match self.power {
            Power::Booting(at) => Some(at),
            Power::Off | Power::Up | Power::Hung => None,
        };
        let jobs = self
            .units
            .values()
            .filter_map(|unit| unit.job.map(|job| job.ends));
        let engine = (self.engine_from > Instant::now()).then_some(self.engine_from);
        jobs.chain(booted)
            .chain(self.goes_down)
            .chain(self.check)
            .chain(engine)
            .min()
    }

    /// Lets happen what was due. Whether anything did that concerns others.
    pub(super) fn settle(
        &mut self,
        now: Moment,
        options: &Options,
        chance: &mut fastrand::Rng,
    ) -> bool {
        let mut changed = false;
        if self.goes_down.is_some_and(|at| at <= now.at) {
            self.reboot(now, options, chance);
            changed = true;
        }
        if let Power::Booting(at) = self.power
            && at <= now.at
        {
            self.up(now);
            changed = true;
        }
        if self.power != Power::Up {
            return changed;
        }
        let is_over = |unit: &Unit| unit.job.is_some_and(|job| job.ends <= now.at);
        let over = self.units.iter().filter(|(_, unit)| is_over(unit));
        let over: Vec<String> = over.map(|(name, _)| name.clone()).collect();
        for name in over {
            self.end_job(&name, now);
            changed = true;
        }
        // What has changed is seen at the next check.
        if std::mem::take(&mut self.is_changed) && self.differs() {
            self.check = Some(self.next_check(now.at, options));
        }
        if self.check.is_some_and(|at| at <= now.at) {
            self.check = None;
            changed |= self.report(now);
        }
        changed
    }

    /// It runs, and is not cut off.
    pub(super) fn is_up(&self) -> bool {
        self.power == Power::Up && self.is_reachable
    }

    pub(super) fn running(&self) -> Running {
        Running {
            since: Some(self.since),
            goes_down: self.goes_down.is_some(),
        }
    }

    pub(super) fn boot_id(&self) -> String {
        format!(
            "{}-boot-{}",
            &self.server[..8.min(self.server.len())],
            self.boots
        )
    }

    /// It goes down in a moment.
    pub(super) fn shut_down_at(
        &mut self,
        now: Moment,
        options: &Options,
        chance: &mut fastrand::Rng,
    ) {
        let at = now.at + draw(chance, &options.shutdown);
        self.goes_down.get_or_insert(at);
        self.record.machine(&self.server, OnMachine::RebootAsked);
    }

    /// How the cluster's own parts see it.
    pub(super) fn look(&mut self, server: &openstack::Machine) -> Seen {
        let is_up = self.is_up();
        let is_news = std::mem::take(&mut self.is_news);
        // A machine that is not up reports nothing.
        self.is_news = is_news && !is_up;
        Seen {
            server: server.id.clone(),
            name: server.name.clone(),
            zone: server.zone.clone(),
            user_data: server.user_data.clone(),
            address: server.address.clone(),
            boot_id: self.boot_id(),
            has_booted: is_up && std::mem::take(&mut self.has_booted),
            is_heard: is_up && self.is_active("kubelet.service"),
            runs_pods: is_up && self.is_active("containerd.service"),
            news: (is_news && is_up).then(|| self.conditions.clone()),
        }
    }
}
