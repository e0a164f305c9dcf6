//! The answer that the settings ask for, in the contract's JSON form.

use std::collections::BTreeMap;

use rectifier_policy::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    remedy: Option<Wanted>,
    #[serde(default)]
    reason: String,
    settle: Option<u32>,
    /// It cannot decide, and says this.
    error: Option<String>,
    /// Its settings are refused, for this reason.
    refuse: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Wanted {
    Decline,
    Wait(u32),
    Unit { name: String, verb: Verb },
    Fix { name: String, args: BTreeMap<String, String> },
    Reboot,
    Escalate,
    Replace,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Verb {
    Restart,
    Start,
    StopStart,
    ResetFailed,
}

impl Settings {
    pub fn check(&self) -> Result<(), String> {
        match &self.refuse {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }

    pub fn decision(&self) -> Result<Decision, String> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let remedy = match self.remedy.as_ref().ok_or("no remedy in the settings")? {
            Wanted::Decline => Remedy::Decline,
            Wanted::Wait(seconds) => Remedy::Wait(*seconds),
            Wanted::Unit { name, verb } => Remedy::unit_verb(
                name,
                match verb {
                    Verb::Restart => UnitVerb::Restart,
                    Verb::Start => UnitVerb::Start,
                    Verb::StopStart => UnitVerb::StopStart,
                    Verb::ResetFailed => UnitVerb::ResetFailed,
                },
            ),
            Wanted::Fix { name, args } => {
                Remedy::run_fix(name, args.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            }
            Wanted::Reboot => Remedy::Reboot,
            Wanted::Escalate => Remedy::Escalate,
            Wanted::Replace => Remedy::Replace,
        };
        let decision = remedy.because(&self.reason);
        Ok(match self.settle {
            Some(seconds) => decision.settle(seconds),
            None => decision,
        })
    }
}
