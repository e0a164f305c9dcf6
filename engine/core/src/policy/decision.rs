//! What a policy may answer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Seconds;
use crate::name::{FixName, UnitName};

/// What to do to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UnitVerb {
    /// `RestartUnit`.
    Restart,
    /// `StartUnit`.
    Start,
    /// `StopUnit`, then `StartUnit`.
    StopStart,
    /// `ResetFailedUnit`, then `StartUnit`.
    ResetFailed,
}

/// A verb and its unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnitCall {
    /// The unit.
    pub name: UnitName,
    /// What to do to it.
    pub verb: UnitVerb,
}

/// A fix and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FixCall {
    /// The fix.
    pub name: FixName,
    /// By parameter.
    #[serde(default, deserialize_with = "super::pairs::unique")]
    pub args: BTreeMap<String, String>,
}

/// What a policy may advise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Remedy {
    /// Not mine: the next less specific policy is asked.
    Decline,
    /// Nothing now; look again then.
    Wait(Seconds),
    /// Node only.
    Unit(UnitCall),
    /// Node only.
    Fix(FixCall),
    /// Node: asks for the grant. Control plane: out of band, or a start if the server is shut off.
    Reboot,
    /// Node: to the control plane. Control plane: to a human.
    Escalate,
    /// Control plane only.
    Replace,
}

impl Remedy {
    /// For messages and metric labels: the remedy without its arguments.
    pub fn label(&self) -> &'static str {
        match self {
            Remedy::Decline => "decline",
            Remedy::Wait(_) => "wait",
            Remedy::Unit(_) => "unit",
            Remedy::Fix(_) => "fix",
            Remedy::Reboot => "reboot",
            Remedy::Escalate => "escalate",
            Remedy::Replace => "replace",
        }
    }
}

impl std::fmt::Display for Remedy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Remedy::Unit(call) => {
                let verb = match call.verb {
                    UnitVerb::Restart => "restart",
                    UnitVerb::Start => "start",
                    UnitVerb::StopStart => "stop and start",
                    UnitVerb::ResetFailed => "reset and start",
                };
                write!(f, "{verb} {}", call.name)
            }
            Remedy::Fix(call) => write!(f, "run fix {}", call.name),
            Remedy::Wait(seconds) => write!(f, "wait {seconds} s"),
            Remedy::Decline | Remedy::Reboot | Remedy::Escalate | Remedy::Replace => {
                f.write_str(self.label())
            }
        }
    }
}

/// A policy's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decision {
    /// What to do.
    pub remedy: Remedy,
    /// Why, for people.
    pub reason: String,
    /// How long to watch after the remedy; the site's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Seconds>,
    /// For the record.
    #[serde(default, deserialize_with = "super::pairs::unique")]
    pub notes: BTreeMap<String, String>,
}
