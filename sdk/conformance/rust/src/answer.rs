//! The answer that the settings ask for, in the contract's JSON form.

use rectifier_policy::prelude::*;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    remedy: Option<Value>,
    #[serde(default)]
    reason: String,
    settle: Option<u32>,
    /// It cannot decide, and says this.
    error: Option<String>,
    /// Its settings are refused, for this reason.
    refuse: Option<String>,
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
        let remedy = self.remedy.clone().ok_or("no remedy in the settings")?;
        let remedy = Remedy::from_json(remedy)?;
        let decision = remedy.because(&self.reason);
        Ok(match self.settle {
            Some(seconds) => decision.settle(seconds),
            None => decision,
        })
    }
}
