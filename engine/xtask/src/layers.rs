//! `cargo xtask check-layers`: dependencies run one way.
//!
//! That is what the manifests say, and a manifest is easily changed. So the intended shape stands
//! here once more, in one table, and is compared with what cargo resolves.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rectifier_provision::{Cache, cargo};
use serde_json::Value;

use crate::table::Verdict;

/// Each crate of the workspace, and the others that it may depend on.
const MAY: &[(&str, &[&str])] = &[
    ("rectifier-core", &[]),
    ("rectifier-api", &["core"]),
    ("rectifier-policy-host", &["core"]),
    ("rectifier-cloud", &["core"]),
    ("rectifier-node", &["core", "api", "policy-host"]),
    (
        "rectifier-controller",
        &["core", "api", "policy-host", "cloud"],
    ),
    (
        "rectifier-daemon",
        &["core", "api", "policy-host", "cloud", "node", "controller"],
    ),
    ("rectifier-story", &["core"]),
    (
        "rectifier-sim",
        &[
            "core",
            "api",
            "policy-host",
            "cloud",
            "node",
            "controller",
            "story",
        ],
    ),
    ("rectifier-view", &["core", "api"]),
    (
        "rectifier-cli",
        &[
            "core",
            "api",
            "policy-host",
            "cloud",
            "controller",
            "sim",
            "story",
            "view",
        ],
    ),
    ("rectifier-provision", &[]),
    ("rectifier-xtask", &["provision"]),
    ("rectifier-bed", &["provision"]),
    (
        "rectifier-scenarios",
        &["core", "api", "cloud", "provision", "bed", "story"],
    ),
];

/// What any crate's tests may use besides.
const TESTS_MAY: &[&str] = &["provision", "bed"];

/// Purity by manifest: not even by a detour does `core` reach a clock, a socket, a thread or
/// chance. (`jiff` has its clock behind a feature that is off; `getrandom` would be the first sign
/// of chance.)
const NOT_FROM_CORE: &[&str] = &[
    "getrandom",
    "hyper",
    "k8s-openapi",
    "kube",
    "mio",
    "nix",
    "notify",
    "openstack",
    "rand",
    "redb",
    "reqwest",
    "rustix",
    "socket2",
    "tokio",
    "wasmtime",
    "zbus",
];

/// Dependencies that one crate of the engines knows, so that one crate changes with them.
const KNOWN_TO: &[(&str, &[&str])] = &[
    ("openstack", &["cloud"]),
    ("osauth", &["cloud"]),
    ("redb", &["node"]),
    ("wasmtime", &["policy-host"]),
    ("wasmtime-wasi", &["policy-host"]),
    ("zbus", &["node"]),
    ("zbus_systemd", &["node"]),
];

/// These stand outside the engines and look at the world by every means.
const OUTSIDE: &[&str] = &["xtask", "provision", "bed", "scenarios"];

pub(crate) fn command(cache: &Cache) -> Result<ExitCode> {
    check(cache)?;
    println!("every dependency is one that its crate may have");
    Ok(ExitCode::SUCCESS)
}

/// # Errors
/// Names every dependency that should not be.
pub(crate) fn check(cache: &Cache) -> Result<Verdict> {
    let mut metadata = cargo(cache);
    metadata.args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--all-features",
    ]);
    let output = metadata.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let wrong = Graph::read(&serde_json::from_slice(&output.stdout)?)?.wrong();
    if !wrong.is_empty() {
        bail!("dependencies that should not be:\n  {}", wrong.join("\n  "));
    }
    Ok(Verdict::Well(String::new()))
}

/// Who depends on whom, by name: that two versions of a crate are one here errs on the safe side.
#[derive(Default)]
struct Graph {
    /// Crates of the workspace.
    ours: BTreeSet<String>,
    /// What a crate's program or library is built from.
    builds: BTreeMap<String, BTreeSet<String>>,
    /// What only its tests are built from.
    tests: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn read(metadata: &Value) -> Result<Self> {
        let list = |value: &Value| value.as_array().cloned().context("not cargo's metadata");
        let mut names = BTreeMap::new();
        for package in list(&metadata["packages"])? {
            names.insert(text(&package["id"])?, text(&package["name"])?);
        }
        let name = |id: &Value| {
            names
                .get(&text(id)?)
                .cloned()
                .context("a package has no name")
        };
        let mut graph = Self::default();
        for id in list(&metadata["workspace_members"])? {
            graph.ours.insert(name(&id)?);
        }
        for node in list(&metadata["resolve"]["nodes"])? {
            let from = name(&node["id"])?;
            for dependency in list(&node["deps"])? {
                let to = name(&dependency["pkg"])?;
                // cargo says null for a plain dependency, `dev` or `build`
                for kind in list(&dependency["dep_kinds"])? {
                    let of = if kind["kind"] == "dev" {
                        &mut graph.tests
                    } else {
                        &mut graph.builds
                    };
                    of.entry(from.clone()).or_default().insert(to.clone());
                }
            }
        }
        Ok(graph)
    }

    /// A line for each dependency that should not be.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for from in &self.ours {
            let Some((_, may)) = MAY.iter().find(|(name, _)| name == from) else {
                wrong.push(format!(
                    "{from} is not in the table of engine/xtask/src/layers.rs"
                ));
                continue;
            };
            let tests_may = [may, TESTS_MAY].concat();
            for (edges, may) in [(&self.builds, *may), (&self.tests, &tests_may[..])] {
                for to in edges.get(from).into_iter().flatten() {
                    let allowed = match self.ours.contains(to) {
                        true => may.contains(&short(to)),
                        false => known(to, from),
                    };
                    if !allowed {
                        wrong.push(format!("{from} must not depend on {to}"));
                    }
                }
            }
        }
        let reached = self.reached("rectifier-core");
        let impure = NOT_FROM_CORE.iter().filter(|name| reached.contains(**name));
        wrong
            .extend(impure.map(|name| format!("rectifier-core reaches {name}, and is to be pure")));
        wrong
    }

    /// All that the crate is built from, by however many steps.
    fn reached(&self, from: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut next = vec![from];
        while let Some(name) = next.pop() {
            for to in self.builds.get(name).into_iter().flatten() {
                if reached.insert(to.as_str()) {
                    next.push(to);
                }
            }
        }
        reached
    }
}

fn known(dependency: &str, to: &str) -> bool {
    let owners = KNOWN_TO.iter().find(|(name, _)| *name == dependency);
    owners.is_none_or(|(_, owners)| [owners, OUTSIDE].concat().contains(&short(to)))
}

fn short(name: &str) -> &str {
    name.strip_prefix("rectifier-").unwrap_or(name)
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("not cargo's metadata")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `from to` for a dependency of the build, `from to dev` for one of the tests.
    fn wrong(edges: &[&str]) -> Vec<String> {
        let mut graph = Graph::default();
        for edge in edges {
            let words: Vec<&str> = edge.split(' ').collect();
            let of = if words.len() == 3 {
                &mut graph.tests
            } else {
                &mut graph.builds
            };
            of.entry(words[0].to_owned())
                .or_default()
                .insert(words[1].to_owned());
            graph.ours.extend(
                words[..2]
                    .iter()
                    .filter(|name| name.starts_with("rectifier-"))
                    .map(ToString::to_string),
            );
        }
        graph.wrong()
    }

    #[test]
    fn what_the_table_allows_is_well() {
        let edges = [
            "rectifier-node rectifier-core",
            "rectifier-node zbus",
            "rectifier-api kube",
        ];
        assert!(wrong(&edges).is_empty());
    }

    #[test]
    fn an_engine_does_not_depend_on_what_stands_above_it_or_on_the_test_bed() {
        assert_eq!(
            wrong(&[
                "rectifier-core rectifier-api",
                "rectifier-daemon rectifier-bed"
            ]),
            [
                "rectifier-core must not depend on rectifier-api",
                "rectifier-daemon must not depend on rectifier-bed"
            ]
        );
    }

    #[test]
    fn tests_may_use_the_bed() {
        assert!(wrong(&["rectifier-cloud rectifier-bed dev"]).is_empty());
        assert_eq!(wrong(&["rectifier-cloud rectifier-node dev"]).len(), 1);
    }

    #[test]
    fn core_reaches_no_clock_or_socket_by_a_detour() {
        let edges = ["rectifier-core innocent", "innocent tokio"];
        assert_eq!(
            wrong(&edges),
            ["rectifier-core reaches tokio, and is to be pure"]
        );
    }

    #[test]
    fn only_the_policy_host_knows_wasmtime() {
        assert_eq!(
            wrong(&["rectifier-node wasmtime"]),
            ["rectifier-node must not depend on wasmtime"]
        );
    }

    #[test]
    fn a_new_crate_is_put_into_the_table() {
        assert!(wrong(&["rectifier-novelty anyhow"])[0].contains("not in the table"));
    }

    #[test]
    fn cargos_metadata_is_read() {
        let metadata = serde_json::json!({
            "packages": [{"id": "a 1", "name": "rectifier-core"}, {"id": "b 1", "name": "tokio"}],
            "workspace_members": ["a 1"],
            "resolve": {"nodes": [
                {"id": "a 1", "deps": [{"pkg": "b 1", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "b 1", "deps": []},
            ]},
        });
        let graph = Graph::read(&metadata).unwrap();
        assert!(graph.tests["rectifier-core"].contains("tokio"));
        assert!(graph.wrong().is_empty());
    }
}
