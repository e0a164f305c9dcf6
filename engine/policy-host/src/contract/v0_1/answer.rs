//! What is answered: this version's decision as the inner one, every name parsed. What breaks the contract is refused
//! whole: half an answer is none.

use std::collections::BTreeMap;

use rectifier_core::name::{FixName, UnitName};
use rectifier_core::policy as core;
use rectifier_core::policy::SiteKind;

use super::bindings::rectifier::policy::types as wit;
use crate::log::one_line;

/// # Errors
/// Why the answer is invalid, for people.
pub(super) fn decision(answer: wit::Decision, site: SiteKind) -> Result<core::Decision, String> {
    Ok(core::Decision {
        remedy: remedy(answer.remedy, site)?,
        reason: one_line(&answer.reason),
        settle: answer.settle,
        notes: map("notes", answer.notes)?,
    })
}

fn remedy(remedy: wit::Remedy, site: SiteKind) -> Result<core::Remedy, String> {
    let remedy = match remedy {
        wit::Remedy::Decline => core::Remedy::Decline,
        wit::Remedy::Wait(seconds) => core::Remedy::Wait(seconds),
        wit::Remedy::Unit(call) => core::Remedy::Unit(core::UnitCall {
            name: UnitName::parse(call.name).map_err(|error| error.to_string())?,
            verb: match call.verb {
                wit::UnitVerb::Restart => core::UnitVerb::Restart,
                wit::UnitVerb::Start => core::UnitVerb::Start,
                wit::UnitVerb::StopStart => core::UnitVerb::StopStart,
                wit::UnitVerb::ResetFailed => core::UnitVerb::ResetFailed,
            },
        }),
        wit::Remedy::Fix(call) => core::Remedy::Fix(core::FixCall {
            name: FixName::parse(call.name).map_err(|error| error.to_string())?,
            args: map("args", call.args)?,
        }),
        wit::Remedy::Reboot => core::Remedy::Reboot,
        wit::Remedy::Escalate => core::Remedy::Escalate,
        wit::Remedy::Replace => core::Remedy::Replace,
    };
    belongs(&remedy, site)?;
    Ok(remedy)
}

/// # Errors
/// The site that asked does not know this remedy.
pub(super) fn belongs(remedy: &core::Remedy, site: SiteKind) -> Result<(), String> {
    let home = match remedy {
        core::Remedy::Unit(_) | core::Remedy::Fix(_) => SiteKind::Node,
        core::Remedy::Replace => SiteKind::ControlPlane,
        core::Remedy::Decline
        | core::Remedy::Wait(_)
        | core::Remedy::Reboot
        | core::Remedy::Escalate => return Ok(()),
    };
    if site == home {
        return Ok(());
    }
    let (what, asked, known) = (remedy.label(), site.label(), home.label());
    Err(format!(
        "it answered {what}, which {asked} does not know ({known} does)"
    ))
}

fn map(what: &str, pairs: Vec<wit::Pair>) -> Result<BTreeMap<String, String>, String> {
    let mut map = BTreeMap::new();
    for wit::Pair { name, value } in pairs {
        if map.contains_key(&name) {
            return Err(format!("its {what} name {name:?} twice"));
        }
        map.insert(name, value);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(remedy: wit::Remedy) -> wit::Decision {
        wit::Decision {
            remedy,
            reason: "because".to_owned(),
            settle: None,
            notes: Vec::new(),
        }
    }

    fn restart(name: &str) -> wit::Remedy {
        wit::Remedy::Unit(wit::UnitCall {
            name: name.to_owned(),
            verb: wit::UnitVerb::Restart,
        })
    }

    #[test]
    fn a_remedy_of_the_other_site_is_refused() {
        let fix = wit::Remedy::Fix(wit::FixCall {
            name: "a".to_owned(),
            args: Vec::new(),
        });
        for node_only in [restart("a.service"), fix] {
            assert!(decision(answer(node_only.clone()), SiteKind::Node).is_ok());
            assert!(decision(answer(node_only), SiteKind::ControlPlane).is_err());
        }
        assert!(decision(answer(wit::Remedy::Replace), SiteKind::ControlPlane).is_ok());
        assert!(decision(answer(wit::Remedy::Replace), SiteKind::Node).is_err());
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        for name in ["--force", "../a.service", "", "a b.service"] {
            assert!(
                decision(answer(restart(name)), SiteKind::Node).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_note_that_stands_twice_is_refused() {
        let pair = || wit::Pair {
            name: "a".to_owned(),
            value: "b".to_owned(),
        };
        let twice = wit::Decision {
            notes: vec![pair(), pair()],
            ..answer(wit::Remedy::Escalate)
        };
        assert!(decision(twice, SiteKind::Node).is_err());
    }

    #[test]
    fn a_reason_is_one_line_of_at_most_1024_bytes() {
        let long = wit::Decision {
            reason: format!("a\nb{}", "ä".repeat(1000)),
            ..answer(wit::Remedy::Escalate)
        };
        let reason = decision(long, SiteKind::Node).unwrap().reason;
        assert!(reason.starts_with("a bä") && reason.len() <= 1024 && !reason.contains('\n'));
    }
}
