//! Fixes: commands that the operator's configuration declares, and those that ship.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rectifier_core::name::FixName;
use serde::Deserialize;

/// A command that systemd runs as a transient unit of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FixConfig {
    /// Program, by its full path, and arguments. An argument `{NAME}` is replaced by the parameter's value; there is
    /// no shell.
    pub command: Vec<String>,
    /// A command of the same form that must end well before; else nothing is done. Empty: there is none.
    #[serde(default)]
    pub precondition: Vec<String>,
    /// By parameter, the values that it takes.
    #[serde(default)]
    pub params: BTreeMap<String, Vec<String>>,
    /// Seconds until it is killed; its precondition likewise, after 30 s at the latest.
    #[serde(default = "a_minute")]
    pub timeout: u32,
    /// Its memory limit in MiB.
    #[serde(default = "mebibytes")]
    pub memory: u32,
}

fn a_minute() -> u32 {
    60
}

/// 256 MiB: arbitrary, and little beside any node's reserve.
fn mebibytes() -> u32 {
    256
}

/// What systemd is to run for one call of a fix: no parameters any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixCommand {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Likewise; empty: there is none.
    pub precondition: Vec<String>,
    /// Seconds until the command is killed; the precondition after 30 s at the latest.
    pub timeout: u32,
    /// The memory of each in MiB.
    pub memory: u32,
}

static SHIPPED: LazyLock<BTreeMap<FixName, FixConfig>> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("fixes.yaml")).unwrap_or_default());

/// The fixes that ship, whether they are allowed or not.
pub fn shipped() -> &'static BTreeMap<FixName, FixConfig> {
    &SHIPPED
}

impl FixConfig {
    /// With its parameters' values. `core` has checked the arguments; one that is missing all the same gives none.
    pub fn filled(&self, args: &BTreeMap<String, String>) -> Option<FixCommand> {
        let word = |word: &String| match parameter(word) {
            Some(name) => args.get(name).cloned(),
            None => Some(word.clone()),
        };
        Some(FixCommand {
            command: self.command.iter().map(word).collect::<Option<_>>()?,
            precondition: self.precondition.iter().map(word).collect::<Option<_>>()?,
            timeout: self.timeout,
            memory: self.memory,
        })
    }

    /// Why it makes no sense, if it does not; it begins with the key.
    pub(super) fn nonsense(&self) -> Option<String> {
        let is_used = |name: &String| {
            let mut words = self.command.iter().chain(&self.precondition);
            words.any(|word| parameter(word) == Some(name))
        };
        for name in self.params.keys() {
            if !is_name(name) {
                return Some(format!(
                    "params has {name:?}: letters, digits, - and _ make a name"
                ));
            }
            if !is_used(name) {
                return Some(format!("params has {name}, and no word is {{{name}}}"));
            }
        }
        let lines = [
            ("command", &self.command),
            ("precondition", &self.precondition),
        ];
        for (key, line) in lines {
            let first = line.first().map(String::as_str);
            let is_none = key == "precondition" && first.is_none();
            if !is_none && !first.is_some_and(|program| program.starts_with('/')) {
                return Some(format!("{key} does not begin with a full path"));
            }
            let mut names = line.iter().filter_map(|word| parameter(word));
            if let Some(unknown) = names.find(|name| !self.params.contains_key(*name)) {
                return Some(format!(
                    "{key} uses {{{unknown}}}, which is no parameter of it"
                ));
            }
        }
        None
    }
}

/// The name in `{NAME}`, if the whole word is one.
fn parameter(word: &str) -> Option<&str> {
    let name = word.strip_prefix('{')?.strip_suffix('}')?;
    is_name(name).then_some(name)
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.chars().all(fits)
}
