//! What the operator writes.

use rectifier_policy::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::expression;

/// The sidecar's `settings`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// The first that holds says what is done. If none does, the policy declines.
    pub rules: Vec<Rule>,
}

/// When what is done.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// A CEL expression that is true or false.
    pub when: String,
    /// A remedy, as the contract's JSON form has it.
    then: Value,
    /// The rule is passed over once this remedy was tried so often in this episode, whichever rule had it tried. Refusals do not count.
    pub at_most: Option<usize>,
    /// The reason, for people. Without it the expression is.
    pub because: Option<String>,
    /// For how many seconds the remedy's effect is watched. Without it the engine decides.
    pub settle: Option<u32>,
}

impl Rule {
    /// # Errors
    /// `then` is no remedy.
    pub fn remedy(&self) -> Result<Remedy, String> {
        Remedy::from_json(self.then.clone())
    }
}

/// Where the rule stands.
pub fn place(at: usize) -> String {
    format!("settings.rules[{at}]")
}

impl Settings {
    /// # Errors
    /// What is wrong, naming the key, and in an expression the line and the column.
    pub fn check(&self) -> Result<(), String> {
        if self.rules.is_empty() {
            return Err("settings.rules is empty: nothing would ever be done".to_owned());
        }
        for (at, rule) in self.rules.iter().enumerate() {
            let place = place(at);
            expression::check(&rule.when).map_err(|why| format!("{place}.when: {why}"))?;
            let remedy = rule
                .remedy()
                .map_err(|why| format!("{place}.then: {why}"))?;
            if let Remedy::Unit(call) = &remedy
                && !call.name.contains('.')
            {
                return Err(format!("{place}.then.unit.name has no suffix, as .service"));
            }
        }
        Ok(())
    }
}
