//! What the operator may set.

use serde::Deserialize;

/// The sidecar's `settings`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How long to watch after each remedy.
    pub settle_seconds: u32,
    /// Before a unit is restarted a second time; twice as long before each restart after it.
    pub rest_seconds: u32,
    /// How old a problem gets while its replacement is held back, before a person is asked.
    pub patience_seconds: u32,
    /// What to do about which conditions. One that none names is told to a person.
    pub ladders: Vec<Steps>,
}

/// What to do about some conditions, from mild to grave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Steps {
    /// Their types; `Frequent*` for all that begin so, `*` for all. The most specific ladder counts.
    pub conditions: Vec<String>,
    /// Units to restart, one after the other.
    #[serde(default)]
    pub units: Vec<String>,
    /// How often each of them in one episode. One restart may have come too early, hence 2.
    #[serde(default = "two")]
    pub attempts: usize,
    /// Fixes to run, once each, after the restarts.
    #[serde(default)]
    pub fixes: Vec<Fix>,
    /// Reboot once: on the node by itself, in the control plane by the cloud?
    #[serde(default)]
    pub reboot: bool,
    /// Have the node replaced?
    #[serde(default)]
    pub replace: bool,
}

/// A fix of the node engine's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// Its name there.
    pub name: String,
    /// Its arguments.
    #[serde(default)]
    pub args: std::collections::BTreeMap<String, String>,
}

fn two() -> usize {
    2
}

impl Default for Settings {
    fn default() -> Self {
        let steps = |conditions: &[&str]| Steps {
            conditions: conditions.iter().map(|&kind| kind.to_owned()).collect(),
            attempts: two(),
            ..Steps::default()
        };
        let restart = |condition, unit: &str| Steps {
            units: vec![unit.to_owned()],
            ..steps(&[condition])
        };
        let boot = |steps: Steps| Steps {
            reboot: true,
            ..steps
        };
        let replace = |steps: Steps| Steps {
            replace: true,
            ..steps
        };
        Self {
            settle_seconds: 60,
            rest_seconds: 60,
            patience_seconds: 86_400,
            ladders: vec![
                replace(boot(restart("KubeletUnhealthy", "kubelet.service"))),
                replace(boot(restart(
                    "ContainerRuntimeUnhealthy",
                    "containerd.service",
                ))),
                // it was restarted too often already
                replace(boot(steps(&[
                    "FrequentKubeletRestart",
                    "FrequentContainerdRestart",
                    "FrequentDockerRestart",
                ]))),
                // only a boot gets a kernel out of it
                replace(boot(steps(&[
                    "KernelDeadlock",
                    "FrequentUnregisterNetDevice",
                ]))),
                // what a disk or a memory has lost no boot brings back
                replace(steps(&[
                    "ReadonlyFilesystem",
                    "XfsShutdown",
                    "DiskBadBlock",
                    "CorruptDockerOverlay2",
                    "CperHardwareErrorFatal",
                ])),
                // the control plane's: the node itself is not heard of
                replace(boot(steps(&["NotReady"]))),
                // a wrong clock is nothing that pods are taken from a node for
                restart("NTPProblem", "chrony.service"),
                restart("KubeProxyUnhealthy", "kube-proxy.service"),
            ],
        }
    }
}

impl Settings {
    /// The most specific ladder for this kind of condition.
    pub fn steps(&self, kind: &str) -> Option<&Steps> {
        self.ladders
            .iter()
            .filter_map(|steps| {
                let fits = steps
                    .conditions
                    .iter()
                    .filter_map(|pattern| specific(pattern, kind));
                Some((fits.max()?, steps))
            })
            .max_by_key(|(specific, _)| *specific)
            .map(|(_, steps)| steps)
    }

    /// # Errors
    /// What is wrong, naming the key.
    pub fn check(&self) -> Result<(), String> {
        let mut named = std::collections::BTreeSet::new();
        for (at, steps) in self.ladders.iter().enumerate() {
            let place = format!("settings.ladders[{at}]");
            if steps.conditions.is_empty() {
                return Err(format!(
                    "{place}.conditions is empty: it would never be climbed"
                ));
            }
            for condition in &steps.conditions {
                let stem = condition.strip_suffix('*').unwrap_or(condition);
                if stem.contains('*') || condition.is_empty() {
                    return Err(format!(
                        "{place}.conditions: {condition:?} is no condition, and no beginning of some with * at its end"
                    ));
                }
                if !named.insert(condition) {
                    return Err(format!(
                        "{place}.conditions: there are two ladders for {condition}"
                    ));
                }
            }
            if let Some(unit) = steps.units.iter().find(|unit| !unit.contains('.')) {
                return Err(format!(
                    "{place}.units: {unit:?} has no suffix, as .service"
                ));
            }
            if steps.attempts == 0 && !steps.units.is_empty() {
                return Err(format!(
                    "{place}.attempts is 0: then no unit is ever restarted; leave out units"
                ));
            }
            if let Some(fix) = steps.fixes.iter().find(|fix| fix.name.is_empty()) {
                return Err(format!("{place}.fixes: one has no name: {:?}", fix.args));
            }
        }
        Ok(())
    }
}

/// How specific this pattern is for this kind; `None` if it does not fit. What has no `*` is more specific than what has one.
fn specific(pattern: &str, kind: &str) -> Option<usize> {
    match pattern.strip_suffix('*') {
        Some(stem) => kind.starts_with(stem).then_some(stem.len()),
        None => (pattern == kind).then_some(usize::MAX),
    }
}
