//! The keys of the node engine's configuration that decide whether a policy is loaded there. All others are the
//! engine's matter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, ensure};
use rectifier_core::name::{FixName, UnitName};
use rectifier_policy_host::{Allowed, LimitRefused, Limits, LimitsChoice, LimitsPatch};
use rectifier_sim::scene::shipped_fixes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::diagnostic::Source;

/// What the file says. Without a file every unit and fix is somebody else's matter, and the usual limits hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeConfig {
    systemd: Option<Systemd>,
    policies: Policies,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Systemd {
    units: BTreeSet<UnitName>,
    fixes: BTreeMap<FixName, IgnoredAny>,
    shipped: BTreeSet<FixName>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Policies {
    limits: LimitsPatch,
    ceiling: LimitsPatch,
    module_mebibytes: Option<u32>,
}

impl NodeConfig {
    /// # Errors
    /// It cannot be read; it says where.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
        Self::parse(Source { name, text })
    }

    fn parse(source: Source) -> anyhow::Result<Self> {
        let config: Option<Self> =
            serde_saphyr::from_str(&source.text).map_err(|error| source.unreadable(&error))?;
        let config = config.unwrap_or_default();
        let chosen = config.systemd.iter().flat_map(|systemd| &systemd.shipped);
        for name in chosen {
            ensure!(
                shipped_fixes().contains_key(name),
                "{}: systemd.shipped: there is no {name}",
                source.name
            );
        }
        // A file that allows nothing allows nothing.
        Ok(Self {
            systemd: Some(config.systemd.unwrap_or_default()),
            ..config
        })
    }

    pub(crate) fn allowed(&self) -> Allowed {
        let Some(systemd) = &self.systemd else {
            return Allowed::default();
        };
        Allowed {
            units: Some(systemd.units.clone()),
            fixes: Some(
                systemd
                    .fixes
                    .keys()
                    .chain(&systemd.shipped)
                    .cloned()
                    .collect(),
            ),
        }
    }

    /// # Errors
    /// One of them is out of all proportion.
    pub(crate) fn limits(&self) -> Result<(Limits, Limits), LimitRefused> {
        let Policies {
            limits,
            ceiling,
            module_mebibytes,
        } = &self.policies;
        let choice = LimitsChoice {
            usual: limits.clone(),
            ceiling: ceiling.clone(),
            module_mebibytes: *module_mebibytes,
        };
        choice.resolve()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<NodeConfig> {
        NodeConfig::parse(Source {
            name: "node.yaml".to_owned(),
            text: text.to_owned(),
        })
    }

    #[test]
    fn a_fix_that_does_not_ship_is_named() {
        let error = parse("systemd: {shipped: [dns-flsh]}").err().unwrap();
        assert!(error.to_string().contains("no dns-flsh"), "{error}");
    }

    #[test]
    fn units_fixes_and_limits_are_read_and_all_the_rest_is_left_alone() {
        let config = parse(
            "npd: {interval: 3}\n\
             systemd: {units: [kubelet.service], fixes: {vacuum: {command: [/bin/true]}}, shipped: [dns-flush], jobWithin: 9}\n\
             policies: {dir: /etc/p, limits: {milliseconds: 200}, moduleMebibytes: 16}\n\
             whateverIsNew: 1\n",
        )
        .unwrap();
        let allowed = config.allowed();
        assert_eq!(allowed.units.unwrap().len(), 1);
        assert_eq!(allowed.fixes.unwrap().len(), 2);
        let (limits, _) = config.limits().unwrap();
        assert_eq!(
            (limits.decision.as_millis(), limits.module_bytes),
            (200, 16 << 20)
        );
    }

    #[test]
    fn a_file_that_names_no_unit_allows_none_and_no_file_leaves_it_open() {
        for text in ["", "npd: {interval: 3}"] {
            assert_eq!(parse(text).unwrap().allowed().units, Some(BTreeSet::new()));
        }
        assert_eq!(NodeConfig::default().allowed(), Allowed::default());
    }

    #[test]
    fn a_unit_that_is_none_is_shown_where_it_stands() {
        let error = parse("systemd:\n  units: [kubelet]\n").unwrap_err();
        let located = error.downcast_ref::<crate::diagnostic::Located>().unwrap();
        assert!(located.label.contains("kubelet"), "{}", located.label);
    }
}
