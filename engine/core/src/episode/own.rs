//! Problems that nobody reports as a condition, and that the node engine tells by itself: each by an operator's rule. They are
//! handled, judged and verified as any other; another reporter's condition of the same type goes before one of these.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::counts::{Anew, Counts, WINDOW};
use super::seen::{SeenCondition, UnitSeen};
use crate::name::{ConditionKind, UnitName};
use crate::policy::{EventCount, Seconds, Status};

/// Who tells of what is counted.
const COUNTER: &str = "npd-counter";
/// Who tells of units.
const SYSTEMD: &str = "systemd";

/// Is a problem from this source one that the engine made, and no condition of the Node?
pub fn is_own(source: &str) -> bool {
    [COUNTER, SYSTEMD].contains(&source)
}

/// What makes a problem.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Evidence {
    /// Something that Node Problem Detector counts happens often.
    Events {
        /// Its reason, e.g. `TaskHung`.
        reason: String,
        /// So often ...
        count: u32,
        /// ... within so many seconds.
        within: Seconds,
    },
    /// systemd has given the unit up: it is in the state `failed`.
    Failed(UnitName),
    /// systemd restarts a service again and again.
    Restarts {
        /// Which.
        unit: UnitName,
        /// So often ...
        count: u32,
        /// ... within so many seconds.
        within: Seconds,
    },
}

impl Evidence {
    /// The unit that has to be watched for it.
    pub fn unit(&self) -> Option<&UnitName> {
        match self {
            Evidence::Failed(unit) | Evidence::Restarts { unit, .. } => Some(unit),
            Evidence::Events { .. } => None,
        }
    }

    /// For so many seconds its absence must be watched before that means anything.
    fn tells_after(&self) -> Seconds {
        match self {
            Evidence::Failed(_) => 0,
            Evidence::Events { within, .. } | Evidence::Restarts { within, .. } => *within,
        }
    }

    /// Why it makes no sense, if it does not.
    pub fn nonsense(&self) -> Option<String> {
        if let Some(unit) = self.unit().filter(|unit| unit.as_str().contains("@.")) {
            return Some(format!("{unit} is a template, not a unit"));
        }
        let (count, within) = match self {
            Evidence::Failed(_) => return None,
            Evidence::Events { reason, .. } if reason.is_empty() => {
                return Some("reason is empty".to_owned());
            }
            Evidence::Restarts { unit, .. } if !unit.as_str().ends_with(".service") => {
                return Some(format!(
                    "{unit} is no service: systemd restarts nothing else"
                ));
            }
            Evidence::Events { count, within, .. } | Evidence::Restarts { count, within, .. } => {
                (*count, *within)
            }
        };
        if count == 0 {
            return Some("count is 0: that would always be so".to_owned());
        }
        if !(1..=WINDOW).contains(&within) {
            return Some(format!("within is {within}, not 1 to {WINDOW} seconds"));
        }
        None
    }
}

/// What was looked at for these rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Own {
    events: Counts,
    restarts: Counts,
    /// None: systemd, or the detector, could not be asked when it was asked last.
    units: Option<BTreeMap<UnitName, UnitSeen>>,
    is_counted: bool,
}

impl Own {
    /// Takes in what Node Problem Detector has counted since it began, by reason. `None`: it could not be asked.
    pub fn counted(&mut self, now: Timestamp, totals: Option<&BTreeMap<String, u64>>) {
        self.is_counted = totals.is_some();
        if let Some(totals) = totals {
            self.events.take_in(now, totals, Anew::Recounted);
        }
    }

    /// Takes in how the watched units are. `None`: systemd could not be asked.
    pub fn units(&mut self, now: Timestamp, units: Option<BTreeMap<UnitName, UnitSeen>>) {
        if let Some(units) = &units {
            let total = |(name, unit): (&UnitName, &UnitSeen)| {
                (name.as_str().to_owned(), u64::from(unit.restarts))
            };
            let totals: BTreeMap<String, u64> = units.iter().map(total).collect();
            self.restarts.take_in(now, &totals, Anew::Since);
        }
        self.units = units;
    }

    /// A remedy for the problem that this rule makes was carried out. What was counted before it is no word against it.
    pub fn remedied(&mut self, kind: &ConditionKind, rule: &Evidence, now: Timestamp) {
        match rule {
            Evidence::Events { reason, .. } => self.events.remedied(reason, kind, now),
            Evidence::Restarts { unit, .. } => self.restarts.remedied(unit.as_str(), kind, now),
            Evidence::Failed(_) => {}
        }
    }

    /// What the rules make of it. What could not be asked for is not reported.
    pub fn conditions<'a>(
        &self,
        rules: impl IntoIterator<Item = (&'a ConditionKind, &'a Evidence)>,
        now: Timestamp,
    ) -> Vec<SeenCondition> {
        let rules = rules.into_iter();
        rules
            .filter_map(|(kind, rule)| self.condition(kind, rule, now))
            .collect()
    }

    /// What happened lately, by Node Problem Detector's count.
    pub fn happened(&self, now: Timestamp) -> Vec<EventCount> {
        match self.is_counted {
            true => self.events.events(now),
            false => Vec::new(),
        }
    }

    /// What the rules rest on and nobody knows, most likely for a slip of the pen: reasons that Node Problem Detector, which was
    /// asked, does not count, and units that systemd, which was asked, does not have.
    pub fn unknown<'a>(&self, rules: impl IntoIterator<Item = &'a Evidence>) -> Vec<&'a str> {
        let is_there = |unit: &UnitName| match &self.units {
            Some(units) => units.contains_key(unit),
            None => true,
        };
        let unknown = |rule: &'a Evidence| match rule {
            Evidence::Events { reason, .. } => {
                let is_known = !self.is_counted || self.events.knows(reason);
                (!is_known).then_some(reason.as_str())
            }
            Evidence::Failed(unit) | Evidence::Restarts { unit, .. } => {
                (!is_there(unit)).then_some(unit.as_str())
            }
        };
        rules.into_iter().filter_map(unknown).collect()
    }

    fn condition(
        &self,
        kind: &ConditionKind,
        rule: &Evidence,
        now: Timestamp,
    ) -> Option<SeenCondition> {
        let told = match rule {
            Evidence::Events {
                reason,
                count,
                within,
            } => {
                let events = self.is_counted.then_some(&self.events)?;
                let status = events.is_often(reason, (*count, *within), kind, now)?;
                Told {
                    status,
                    reason: reason.clone(),
                    message: often(reason, status, *count, *within),
                    transition: None,
                    source: COUNTER,
                }
            }
            Evidence::Failed(unit) => failed(unit, self.units.as_ref()?.get(unit)?),
            Evidence::Restarts {
                unit,
                count,
                within,
            } => {
                self.units.as_ref()?.get(unit)?;
                let status = self
                    .restarts
                    .is_often(unit.as_str(), (*count, *within), kind, now)?;
                Told {
                    status,
                    reason: "UnitRestarts".to_owned(),
                    message: often(&format!("restart of {unit}"), status, *count, *within),
                    transition: None,
                    source: SYSTEMD,
                }
            }
        };
        Some(SeenCondition {
            kind: kind.clone(),
            status: told.status,
            reason: told.reason,
            message: told.message,
            transition: told.transition,
            source: told.source.to_owned(),
            tells_after: rule.tells_after(),
            seen_to: false,
        })
    }
}

struct Told {
    status: Status,
    reason: String,
    message: String,
    transition: Option<Timestamp>,
    source: &'static str,
}

/// The same words as long as it is so: what is told of it is told once.
fn often(what: &str, status: Status, count: u32, within: Seconds) -> String {
    match status {
        Status::Yes => format!("{what}: {count} times or more within {within} s"),
        Status::No => format!("{what}: less than {count} times within {within} s"),
        Status::Unknown => format!("{what}: counted for less than {within} s"),
    }
}

/// What is on its way up or down is neither well nor ill.
fn failed(name: &UnitName, unit: &UnitSeen) -> Told {
    let (status, reason, message) = match unit.active_state.as_str() {
        "failed" => (Status::Yes, "UnitFailed", format!("{name} has failed")),
        "active" | "inactive" | "reloading" => (
            Status::No,
            "UnitNotFailed",
            format!("{name} has not failed"),
        ),
        state => (Status::Unknown, "UnitChanges", format!("{name} is {state}")),
    };
    Told {
        status,
        reason: reason.to_owned(),
        message,
        // each of many tries to start is no news
        transition: unit.since.filter(|_| status != Status::Unknown),
        source: SYSTEMD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn unit(state: &str, restarts: u32) -> BTreeMap<UnitName, UnitSeen> {
        let seen = UnitSeen {
            active_state: state.to_owned(),
            sub_state: String::new(),
            restarts,
            since: Some(at(5)),
            invocation: String::new(),
            busy: false,
        };
        [(UnitName::parse("proxy.service").unwrap(), seen)].into()
    }

    fn rules() -> BTreeMap<ConditionKind, Evidence> {
        let text = r#"{
            "ProxyFailed": {"failed": "proxy.service"},
            "ProxyRestarts": {"restarts": {"unit": "proxy.service", "count": 2, "within": 60}},
            "TasksHang": {"events": {"reason": "TaskHung", "count": 1, "within": 60}}
        }"#;
        serde_json::from_str(text).unwrap()
    }

    fn told(own: &Own, second: i64) -> Vec<(String, Status)> {
        let conditions = own.conditions(&rules(), at(second));
        let told = conditions.into_iter();
        told.map(|told| (told.message, told.status)).collect()
    }

    #[test]
    fn each_rule_tells_its_problem() {
        let mut own = Own::default();
        assert_eq!(told(&own, 0), []);
        for second in [0, 30, 60] {
            own.units(at(second), Some(unit("active", 4)));
            own.counted(at(second), Some(&[("TaskHung".to_owned(), 1)].into()));
        }
        let well = [
            ("proxy.service has not failed".to_owned(), Status::No),
            (
                "restart of proxy.service: less than 2 times within 60 s".to_owned(),
                Status::No,
            ),
            (
                "TaskHung: less than 1 times within 60 s".to_owned(),
                Status::No,
            ),
        ];
        assert_eq!(told(&own, 60), well);
        own.units(at(63), Some(unit("failed", 6)));
        own.counted(at(63), Some(&[("TaskHung".to_owned(), 2)].into()));
        let ill: Vec<Status> = told(&own, 63)
            .into_iter()
            .map(|(_, status)| status)
            .collect();
        assert_eq!(ill, [Status::Yes; 3]);
        assert_eq!(own.happened(at(64))[0].count, 1);
    }

    #[test]
    fn what_cannot_be_asked_for_is_not_reported() {
        let mut own = Own::default();
        own.units(at(0), Some(unit("failed", 0)));
        own.counted(at(0), Some(&[("TaskHung".to_owned(), 1)].into()));
        assert_eq!(told(&own, 0).len(), 3);
        own.units(at(3), None);
        own.counted(at(3), None);
        assert_eq!(told(&own, 3), []);
        assert_eq!(own.happened(at(3)), []);
        own.units(at(6), Some(BTreeMap::new()));
        assert_eq!(told(&own, 6), [], "there is no such unit");
    }

    #[test]
    fn a_unit_that_is_started_again_is_neither_well_nor_ill() {
        let mut own = Own::default();
        for (state, status) in [
            ("failed", Status::Yes),
            ("activating", Status::Unknown),
            ("deactivating", Status::Unknown),
            ("active", Status::No),
            ("inactive", Status::No),
        ] {
            own.units(at(0), Some(unit(state, 0)));
            assert_eq!(told(&own, 0)[0].1, status, "{state}");
        }
    }

    #[test]
    fn a_rule_that_could_never_or_always_hold_is_none() {
        let of = |text: &str| -> Evidence { serde_json::from_str(text).unwrap() };
        for (rule, why) in [
            (
                r#"{"events": {"reason": "", "count": 1, "within": 1}}"#,
                "reason",
            ),
            (
                r#"{"events": {"reason": "A", "count": 0, "within": 1}}"#,
                "count",
            ),
            (
                r#"{"events": {"reason": "A", "count": 1, "within": 3601}}"#,
                "within",
            ),
            (
                r#"{"events": {"reason": "A", "count": 1, "within": 0}}"#,
                "within",
            ),
            (r#"{"failed": "a@.service"}"#, "template"),
            (
                r#"{"restarts": {"unit": "a.timer", "count": 1, "within": 1}}"#,
                "no service",
            ),
        ] {
            let nonsense = of(rule).nonsense().unwrap();
            assert!(nonsense.contains(why), "{nonsense}");
        }
        assert!(rules().values().all(|rule| rule.nonsense().is_none()));
    }

    #[test]
    fn what_nobody_knows_is_named() {
        let mut own = Own::default();
        assert!(own.unknown(rules().values()).is_empty());
        own.counted(at(0), Some(&[("OOMKilling".to_owned(), 1)].into()));
        assert_eq!(own.unknown(rules().values()), ["TaskHung"]);
        own.counted(at(0), None);
        own.units(at(0), Some(BTreeMap::new()));
        assert_eq!(own.unknown(rules().values()), ["proxy.service"; 2]);
    }
}
