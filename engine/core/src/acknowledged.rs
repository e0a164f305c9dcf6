//! Problems that a person has seen to, though their detector goes on reporting them: what it once read in a log it never takes
//! back.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::clock::seconds_between;
use crate::name::ConditionKind;
use crate::policy::Seconds;
use crate::repair::told::is_detectors;

/// Set by a person on a Node: `KernelDeadlock=2026-11-28T22:10:00Z`, more of them with commas between. A problem detector's
/// condition of that type that has been True since then, or since before, counts as False. The time is the condition's own
/// `lastTransitionTime`, or a later one: whatever is reported anew has another, and counts.
pub const ACKNOWLEDGED: &str = "rectifier.dev/acknowledged";

/// Clocks differ. Arbitrary: five minutes.
const AHEAD: Seconds = 300;

/// What stands there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acknowledged(BTreeMap<ConditionKind, Timestamp>);

impl Acknowledged {
    /// Reads the annotation. What is no `TYPE=TIME`, or lies in the future (whatever came until then would be hidden), is left out,
    /// and returned beside the others: a slip in one takes nothing from another.
    pub fn read(text: &str, now: Timestamp) -> (Self, Vec<&str>) {
        let mut known: BTreeMap<ConditionKind, Timestamp> = BTreeMap::new();
        let mut unreadable = Vec::new();
        let entries = text.split(',').map(str::trim);
        for entry in entries.filter(|entry| !entry.is_empty()) {
            let read = entry.split_once('=').and_then(|(kind, at)| {
                let kind = ConditionKind::parse(kind.trim()).ok()?;
                let at: Timestamp = at.trim().parse().ok()?;
                (seconds_between(now, at) <= AHEAD).then_some((kind, at))
            });
            match read {
                Some((kind, at)) => {
                    let last = known.entry(kind).or_insert(at);
                    *last = at.max(*last);
                }
                None => unreadable.push(entry),
            }
        }
        (Self(known), unreadable)
    }

    /// Is a condition of this type acknowledged that has been True since then, by its reporter's word? One that does not say
    /// since when is not, and the kubelet's own never are: they end by themselves.
    pub fn covers(&self, kind: &str, since: Option<Timestamp>) -> bool {
        let upto = self.0.iter().find(|(known, _)| known.as_str() == kind);
        // an API server keeps whole seconds
        let is_upto = |(_, upto): (_, &Timestamp)| {
            since.is_some_and(|since| since.as_second() <= upto.as_second())
        };
        is_detectors(kind) && upto.is_some_and(is_upto)
    }

    /// This one, too.
    pub fn with(mut self, kind: ConditionKind, since: Timestamp) -> Self {
        self.0.insert(kind, since);
        self
    }

    /// All but this one; and whether it was there.
    pub fn without(mut self, kind: &ConditionKind) -> (Self, bool) {
        let was = self.0.remove(kind).is_some();
        (self, was)
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// As it is read.
impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (kind, upto)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{kind}={upto}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn kind(text: &str) -> ConditionKind {
        ConditionKind::parse(text).unwrap()
    }

    #[test]
    fn it_covers_what_is_reported_since_then_or_before_and_nothing_newer() {
        let text = format!("KernelDeadlock={}", at(0));
        let (known, unreadable) = Acknowledged::read(&text, at(0));
        assert!(unreadable.is_empty());
        for (since, covered) in [(-9, true), (0, true), (1, false)] {
            assert_eq!(known.covers("KernelDeadlock", Some(at(since))), covered);
        }
        // as the detector itself has it
        let within = at(0) + jiff::SignedDuration::from_millis(900);
        assert!(known.covers("KernelDeadlock", Some(within)));
        assert!(!known.covers("KernelDeadlock", None));
        assert!(!known.covers("ReadonlyFilesystem", Some(at(0))));
    }

    #[test]
    fn what_a_kubelet_reports_is_never_covered() {
        for own in ["Ready", "NotReady", "MemoryPressure", "NetworkUnavailable"] {
            let known = Acknowledged::default().with(kind(own), at(0));
            assert!(!known.covers(own, Some(at(0))), "{own}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_lies_ahead_is_named_and_takes_nothing_from_the_others() {
        let text = format!(
            " A={} ,, B , C=yesterday, -={}, D = {},A={}, E={}",
            at(1),
            at(1),
            at(300),
            at(0),
            at(301)
        );
        let (known, unreadable) = Acknowledged::read(&text, at(0));
        let (no_name, ahead) = (format!("-={}", at(1)), format!("E={}", at(301)));
        assert_eq!(
            unreadable,
            ["B", "C=yesterday", no_name.as_str(), ahead.as_str()]
        );
        assert!(known.covers("A", Some(at(1))), "the later one counts");
        assert!(known.covers("D", Some(at(300))));
        let written = known.to_string();
        assert_eq!(written, format!("A={},D={}", at(1), at(300)));
        let again = Acknowledged::read(&written, at(0));
        assert_eq!(again, (known.clone(), Vec::new()));
        let (known, was) = known.without(&kind("A"));
        assert!(was && !known.clone().without(&kind("A")).1);
        assert_eq!(known.to_string(), format!("D={}", at(300)));
        assert!(!known.is_empty() && known.without(&kind("D")).0.is_empty());
    }
}
