//! The configuration file. All of the node engine's defaults stand here and in `rectifier_core::episode::Limits`.

mod fix;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rectifier_core::episode::{Causes, Evidence, FixRule, Limits};
use rectifier_core::name::{ConditionKind, FixName, UnitName};
use rectifier_policy_host::{LimitRefused, Limits as PolicyLimits, LimitsChoice, LimitsPatch};
use serde::{Deserialize, Serialize};

pub use fix::{FixCommand, FixConfig, shipped};

/// The conditions that kubelet and the network's plugin write.
pub(crate) const KUBELETS: [&str; 5] = [
    "Ready",
    "MemoryPressure",
    "DiskPressure",
    "PIDPressure",
    "NetworkUnavailable",
];

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be; the text names line and column.
    #[error("{path}: {message}")]
    Parse {
        /// Which.
        path: PathBuf,
        /// Where, and what.
        message: String,
    },
    /// A value makes no sense.
    #[error("{path}: {message}")]
    Value {
        /// Which.
        path: PathBuf,
        /// What.
        message: String,
    },
}

/// The node engine's configuration. Unknown keys are refused: a misspelt guard rail is none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Where Node Problem Detector is asked.
    pub npd: NpdConfig,
    /// What may be touched.
    pub systemd: SystemdConfig,
    /// Problems that nobody reports as a condition, and what makes each of them.
    pub problems: BTreeMap<ConditionKind, Evidence>,
    /// By problem, those that it causes: they wait until it is healed. What stands here takes the place of the default.
    pub causes: Causes,
    /// How often, and how long it is watched.
    pub limits: LimitsConfig,
    /// Where the policies are.
    pub policies: PoliciesConfig,
    /// The namespace of the stop switch, the ConfigMap `rectifier-stop`: the controller's, so that one switch halts both.
    pub stop_namespace: String,
    /// The folder of the journal, on the host: it must outlive pod and boot.
    pub state_dir: PathBuf,
    /// The file with the boot id. In a container on a machine that is itself a container, `/proc` names the outer
    /// machine's boot: mount the node's own file, and name it here.
    pub boot_id_file: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            npd: NpdConfig::default(),
            systemd: SystemdConfig::default(),
            problems: BTreeMap::new(),
            causes: Causes::default(),
            limits: LimitsConfig::default(),
            policies: PoliciesConfig::default(),
            stop_namespace: "rectifier-system".to_owned(),
            state_dir: "/var/lib/rectifier".into(),
            boot_id_file: "/proc/sys/kernel/random/boot_id".into(),
        }
    }
}

/// Node Problem Detector's own endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NpdConfig {
    /// `HOST:PORT` of its health server.
    pub address: String,
    /// `HOST:PORT` where it tells what it counts (its `--prometheus-address` and `--prometheus-port`). Absent: it is not asked.
    pub counters: Option<String>,
    /// Seconds between two readings; a signal leads to one at once.
    pub interval: u32,
}

impl Default for NpdConfig {
    /// NPD's own default address. 3 s: it keeps the answer in memory, and a problem should not wait longer for us than
    /// NPD's checks, every 30 s, let it wait anyway.
    fn default() -> Self {
        Self {
            address: "127.0.0.1:20256".to_owned(),
            counters: None,
            interval: 3,
        }
    }
}

/// What may be touched through systemd.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SystemdConfig {
    /// The D-Bus address of the system bus.
    pub address: String,
    /// The units that may be touched. None unless they are named.
    pub units: BTreeSet<UnitName>,
    /// Those of which one like it is on every node, in place of the usual ones (kubelet, container runtimes, network): what is
    /// done to them is spread over `limits.jitter`.
    pub wide: Option<BTreeSet<UnitName>>,
    /// The fixes that may be run: the operator's own and, once the file is read, those of `shipped`.
    pub fixes: BTreeMap<FixName, FixConfig>,
    /// Those of the fixes that ship that may be run, too.
    pub shipped: BTreeSet<FixName>,
    /// Seconds until a job of systemd's that does not end is given up.
    pub job_within: u32,
}

impl Default for SystemdConfig {
    /// 240 s: systemd's own 90 s for stopping and 90 s for starting a unit, and some rest.
    fn default() -> Self {
        Self {
            address: "unix:path=/run/dbus/system_bus_socket".to_owned(),
            units: BTreeSet::new(),
            wide: None,
            fixes: BTreeMap::new(),
            shipped: BTreeSet::new(),
            job_within: 240,
        }
    }
}

/// The guard rails' times and counts; see [`Limits`] for what they mean and where the defaults come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each field is the field of the same name in core::episode::Limits"
)]
pub struct LimitsConfig {
    pub jitter: u32,
    pub min_uptime: u32,
    pub min_interval: u32,
    pub max_attempts: u32,
    pub daily: u32,
    pub quarantine: u32,
    pub settle: u32,
    pub quiet: u32,
    pub ask_again: u32,
    pub announce: u32,
    pub heal_within: u32,
    pub reboot_within: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let Limits {
            units: _,
            fixes: _,
            wide: _,
            causes: _,
            jitter,
            min_uptime,
            min_interval,
            max_attempts,
            daily,
            quarantine,
            settle,
            quiet,
            ask_again,
            announce,
            heal_within,
            reboot_within,
        } = Limits::default();
        Self {
            jitter,
            min_uptime,
            min_interval,
            max_attempts,
            daily,
            quarantine,
            settle,
            quiet,
            ask_again,
            announce,
            heal_within,
            reboot_within,
        }
    }
}

/// Where the policies are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PoliciesConfig {
    /// The folder that is watched, e.g. a mounted ConfigMap.
    pub dir: PathBuf,
    /// The folder of what was compiled from them; only this engine may write there.
    pub cache: PathBuf,
    /// What each of them may use.
    pub limits: LimitsPatch,
    /// The most that a policy's sidecar may ask for.
    pub ceiling: LimitsPatch,
    /// How large a policy's file may be, in MiB.
    pub module_mebibytes: Option<u32>,
    /// Seconds over which a changed policy comes to enforce: a third on no node, a third on one in a hundred, a third on
    /// one in ten, then on all. 0: at once. What it needs to remember lies in the state folder.
    pub rollout: u32,
}

impl Default for PoliciesConfig {
    fn default() -> Self {
        Self {
            dir: "/etc/rectifier/policies".into(),
            cache: "/var/lib/rectifier/policy-cache".into(),
            limits: LimitsPatch::default(),
            ceiling: LimitsPatch::default(),
            module_mebibytes: None,
            rollout: 0,
        }
    }
}

impl SystemdConfig {
    fn add_shipped(&mut self) {
        let chosen = shipped()
            .iter()
            .filter(|(name, _)| self.shipped.contains(*name));
        let chosen: Vec<_> = chosen
            .map(|(name, fix)| (name.clone(), fix.clone()))
            .collect();
        self.fixes.extend(chosen);
    }
}

impl PoliciesConfig {
    /// The usual limits of a policy, and the most that a sidecar may ask for.
    ///
    /// # Errors
    /// One of them is out of all proportion.
    pub(crate) fn limits(&self) -> Result<(PolicyLimits, PolicyLimits), LimitRefused> {
        let choice = LimitsChoice {
            usual: self.limits.clone(),
            ceiling: self.ceiling.clone(),
            module_mebibytes: self.module_mebibytes,
        };
        choice.resolve()
    }
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// It cannot be read, has a key or value that is not known, or a value that makes no sense.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        // An empty file is a configuration: all defaults, and no unit allowed.
        let config: Option<Self> =
            serde_saphyr::from_str(text).map_err(|error| ConfigError::Parse {
                path: path.into(),
                message: error.to_string(),
            })?;
        let mut config = config.unwrap_or_default();
        match config.nonsense() {
            Some(message) => Err(ConfigError::Value {
                path: path.into(),
                message,
            }),
            None => {
                config.systemd.add_shipped();
                Ok(config)
            }
        }
    }

    fn nonsense(&self) -> Option<String> {
        if !(1..=60).contains(&self.npd.interval) {
            return Some(format!(
                "npd.interval is {}, not 1 to 60 seconds",
                self.npd.interval
            ));
        }
        if self.limits.max_attempts == 0 {
            return Some("limits.maxAttempts is 0: allow no unit and no fix instead".to_owned());
        }
        if self.limits.jitter > 3600 {
            return Some(format!(
                "limits.jitter is {}: more than an hour keeps nodes ill for nothing",
                self.limits.jitter
            ));
        }
        if let Some(kind) = self.causes.circle() {
            return Some(format!("causes.{kind}: it would cause itself"));
        }
        for (kind, rule) in &self.problems {
            if KUBELETS.contains(&kind.as_str()) {
                return Some(format!("problems.{kind}: the kubelet reports that itself"));
            }
            if let Some(nonsense) = rule.nonsense() {
                return Some(format!("problems.{kind}: {nonsense}"));
            }
            if matches!(rule, Evidence::Events { .. }) && self.npd.counters.is_none() {
                return Some(format!(
                    "problems.{kind} rests on what Node Problem Detector counts, and npd.counters does not say where it tells that"
                ));
            }
        }
        for (name, fix) in &self.systemd.fixes {
            if let Some(nonsense) = fix.nonsense() {
                return Some(format!("systemd.fixes.{name}.{nonsense}"));
            }
        }
        for name in &self.systemd.shipped {
            if !shipped().contains_key(name) {
                let all: Vec<&str> = shipped().keys().map(FixName::as_str).collect();
                let all = all.join(", ");
                return Some(format!("systemd.shipped: there is no {name}, only {all}"));
            }
            if self.systemd.fixes.contains_key(name) {
                return Some(format!(
                    "systemd.fixes.{name} is another fix than the one of systemd.shipped: give it another name"
                ));
            }
        }
        None
    }

    /// The guard rails, as `core` takes them.
    pub fn limits(&self) -> Limits {
        let LimitsConfig {
            jitter,
            min_uptime,
            min_interval,
            max_attempts,
            daily,
            quarantine,
            settle,
            quiet,
            ask_again,
            announce,
            heal_within,
            reboot_within,
        } = self.limits.clone();
        Limits {
            units: self.systemd.units.clone(),
            fixes: self
                .systemd
                .fixes
                .iter()
                .map(|(name, fix)| {
                    (
                        name.clone(),
                        FixRule {
                            params: fix.params.clone(),
                        },
                    )
                })
                .collect(),
            wide: self
                .systemd
                .wide
                .clone()
                .unwrap_or_else(|| Limits::default().wide),
            causes: self.causes.clone(),
            jitter,
            min_uptime,
            min_interval,
            max_attempts,
            daily,
            quarantine,
            settle,
            quiet,
            ask_again,
            announce,
            heal_within,
            reboot_within,
        }
    }

    /// The units that rules of problems are about.
    pub(crate) fn watched(&self) -> BTreeSet<UnitName> {
        let units = self.problems.values().filter_map(Evidence::unit);
        units.cloned().collect()
    }

    /// Between two readings of NPD.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(self.npd.interval.into())
    }
}

#[cfg(test)]
mod tests;
