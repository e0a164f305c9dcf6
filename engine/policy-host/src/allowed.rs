//! What the operator's configuration lets policies touch: a policy that needs more is refused when it is loaded, by
//! day, and not found wanting at night.

use std::collections::BTreeSet;

use rectifier_core::name::{FixName, UnitName};
use rectifier_core::policy::FailureClass;

use crate::metadata::Needed;
use crate::{Failure, Needs};

/// The names that `sdk/facts.md` lists.
pub const FACTS: &[&str] = &["agent"];

/// What a policy may need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Units that may be touched; `None` if this engine touches none and every policy's wish is another engine's matter.
    pub units: Option<BTreeSet<UnitName>>,
    /// Fixes that may be run; likewise.
    pub fixes: Option<BTreeSet<FixName>>,
}

impl Allowed {
    /// Refuses needs that will never be met. `place` says where they stand.
    ///
    /// # Errors
    /// [`FailureClass::Load`]: what is not allowed, and what is.
    pub(crate) fn check(&self, needs: &Needs, place: &str) -> Result<(), Failure> {
        within(&needs.units, self.units.as_ref(), place, "unit")?;
        within(&needs.fixes, self.fixes.as_ref(), place, "fix")?;
        let known: BTreeSet<String> = FACTS.iter().map(|&name| name.to_owned()).collect();
        within(&needs.facts, Some(&known), place, "fact")
    }
}

fn within<T: Ord + Clone + AsRef<str>>(
    needed: &Needed<T>,
    allowed: Option<&BTreeSet<T>>,
    place: &str,
    what: &str,
) -> Result<(), Failure> {
    let (Needed::Only(names), Some(allowed)) = (needed, allowed) else {
        return Ok(());
    };
    let Some(missing) = names.difference(allowed).next() else {
        return Ok(());
    };
    let allowed: Vec<&str> = allowed.iter().map(AsRef::as_ref).collect();
    let allowed = match allowed.as_slice() {
        [] => "none is allowed here".to_owned(),
        names => format!("allowed here: {}", names.join(", ")),
    };
    Err(Failure::new(
        FailureClass::Load,
        format!(
            "{place}: it needs the {what} {}; {allowed}",
            missing.as_ref()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(json: &str) -> Needs {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_unit_that_is_not_allowed_is_refused_naming_those_that_are() {
        let allowed = Allowed {
            units: Some(BTreeSet::from(
                [UnitName::parse("kubelet.service").unwrap()],
            )),
            fixes: Some(BTreeSet::new()),
        };
        let refused = |json: &str| {
            allowed
                .check(&needs(json), "a.yaml:3:8")
                .unwrap_err()
                .message
        };
        assert_eq!(
            refused(r#"{"units": ["kubelet.service", "sshd.service"]}"#),
            "a.yaml:3:8: it needs the unit sshd.service; allowed here: kubelet.service"
        );
        assert!(refused(r#"{"fixes": ["vacuum"]}"#).ends_with("none is allowed here"));
        assert!(refused(r#"{"facts": ["agnet"]}"#).contains("the fact agnet"));
        for fine in [r#"{"units": "all", "facts": ["agent"]}"#, "{}"] {
            assert!(allowed.check(&needs(fine), "").is_ok());
        }
        let elsewhere = Allowed::default();
        assert!(
            elsewhere
                .check(&needs(r#"{"units": ["sshd.service"]}"#), "")
                .is_ok()
        );
    }

    #[test]
    fn every_fact_is_in_the_authors_reference() {
        let reference = include_str!("../../../sdk/facts.md");
        let listed: Vec<&str> = reference
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        assert_eq!(listed, FACTS);
    }
}
