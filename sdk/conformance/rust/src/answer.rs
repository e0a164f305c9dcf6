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
    /// It fails in the language's own way, with this text.
    panic: Option<String>,
    /// It never ends.
    #[serde(default)]
    r#loop: bool,
    /// It takes memory until there is none.
    #[serde(default)]
    allocate: bool,
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
        if let Some(text) = &self.panic {
            panic!("{text}");
        }
        while self.r#loop {
            std::hint::spin_loop();
        }
        let mut taken = Vec::new();
        while self.allocate {
            taken.push(vec![1_u8; 1 << 20]);
            std::hint::black_box(&taken);
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
