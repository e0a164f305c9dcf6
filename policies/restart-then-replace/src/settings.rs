//! What the operator may set.

use serde::Deserialize;

/// The sidecar's `settings`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// What to do about which condition.
    #[serde(default = "Settings::rules")]
    pub rules: Vec<Rule>,
}

/// What to do about one kind of condition. One that no rule names is declined.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The condition's type.
    pub condition: String,
    /// The systemd unit behind it. Without one there is nothing to restart.
    pub unit: Option<String>,
    /// How many restarts of the unit in one episode. Default 2: one may have come too early.
    #[serde(default = "Rule::attempts")]
    pub attempts: usize,
    /// Reboot the node once, if the restarts did not help? Default no.
    #[serde(default)]
    pub reboot: bool,
    /// How long to watch after a remedy. Default 30 s.
    #[serde(default = "Rule::settle_seconds")]
    pub settle_seconds: u32,
    /// How long the control plane may be kept from replacing the node before a person is asked. Default 3600 s.
    #[serde(default = "Rule::patience_seconds")]
    pub patience_seconds: u32,
}

impl Settings {
    /// The two services without which no node works, by the conditions that Node Problem Detector ships; and a node that is
    /// not Ready, which the cloud boots before it is replaced.
    fn rules() -> Vec<Rule> {
        vec![
            Rule::new("KubeletUnhealthy", "kubelet.service"),
            Rule::new("ContainerRuntimeUnhealthy", "containerd.service"),
            Rule {
                unit: None,
                reboot: true,
                ..Rule::new("NotReady", "")
            },
        ]
    }

    /// The rule for this kind of condition.
    pub fn rule(&self, condition: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.condition == condition)
    }

    /// # Errors
    /// What is wrong, naming the key.
    pub fn check(&self) -> Result<(), String> {
        for (at, rule) in self.rules.iter().enumerate() {
            let condition = &rule.condition;
            if condition.is_empty() {
                return Err(format!("settings.rules[{at}].condition is empty"));
            }
            if self.rules[..at]
                .iter()
                .any(|other| other.condition == *condition)
            {
                return Err(format!(
                    "settings.rules[{at}].condition: there are two rules for {condition}"
                ));
            }
            if rule.unit.as_ref().is_some_and(|unit| !unit.contains('.')) {
                return Err(format!(
                    "settings.rules[{at}].unit has no suffix, as .service"
                ));
            }
        }
        Ok(())
    }
}

impl Rule {
    fn new(condition: &str, unit: &str) -> Self {
        Self {
            condition: condition.to_owned(),
            unit: Some(unit.to_owned()),
            attempts: Self::attempts(),
            reboot: false,
            settle_seconds: Self::settle_seconds(),
            patience_seconds: Self::patience_seconds(),
        }
    }

    fn attempts() -> usize {
        2
    }

    fn settle_seconds() -> u32 {
        30
    }

    fn patience_seconds() -> u32 {
        3600
    }
}
