//! Which languages' tests a run passes over: those that passed on the very same files.
//!
//! To build a policy in each language takes minutes, and comes out the same until somebody changes an SDK, a policy, the
//! contract or a toolchain's pin. So what a language's tests passed on is written down, and committed: as long as it is that,
//! Rust, C and Go (in both forms) answer for the host, and `--full` asks all of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rectifier_provision::Cache;

/// By language, the digest of what its tests passed on.
const PASSED: &str = "sdk/conformance/passed.json";

/// What every language's tests stand on.
const COMMON: &[&str] = &[
    "sdk/wit",
    "sdk/schema/v0.1",
    "sdk/conformance/cases",
    "sdk/requirements.txt",
    "engine/cli/templates/cases.yaml.in",
    "engine/cli/templates/sidecar.yaml.in",
    "engine/cli/src/policy/language",
];

/// A language that is passed over while nothing of it changes.
struct Language {
    /// Tests of it, or their modules, have `in_NAME` in their names.
    names: &'static [&'static str],
    /// What is its own. Folders below these are tested by its own test tool.
    folders: &'static [&'static str],
}

const LANGUAGES: &[Language] = &[
    Language {
        names: &["python"],
        folders: &[
            "sdk/python",
            "sdk/conformance/python",
            "engine/cli/templates/python",
            "policies/flapping",
        ],
    },
    Language {
        names: &["javascript", "typescript"],
        folders: &[
            "sdk/javascript",
            "sdk/conformance/typescript",
            "engine/cli/templates/javascript",
            "engine/cli/templates/typescript",
            "policies/kubelet-and-runtime",
        ],
    },
    Language {
        names: &["zig"],
        folders: &["sdk/zig", "sdk/conformance/zig", "engine/cli/templates/zig"],
    },
    Language {
        names: &["assemblyscript"],
        folders: &[
            "sdk/assemblyscript",
            "sdk/conformance/assemblyscript",
            "engine/cli/templates/assemblyscript",
        ],
    },
];

/// What one run does of them.
pub(crate) struct Languages {
    unchanged: Vec<&'static Language>,
    /// What is written down if all goes well.
    digests: BTreeMap<String, String>,
}

impl Languages {
    /// What changed since it passed, or everything.
    pub(crate) fn due(cache: &Cache, everything: bool) -> Result<Self> {
        let file = cache.checkout().join(PASSED);
        let passed: BTreeMap<String, String> = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{PASSED} is not what this program writes"))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {PASSED}")),
        };
        let mut due = Self {
            unchanged: Vec::new(),
            digests: BTreeMap::new(),
        };
        for language in LANGUAGES {
            let name = language.names[0];
            let digest = cache.digest(&[COMMON, language.folders].concat())?;
            if !everything && passed.get(name) == Some(&digest) {
                due.unchanged.push(language);
            }
            due.digests.insert(name.to_owned(), digest);
        }
        Ok(due)
    }

    /// Is this folder, by its path in the checkout, passed over?
    pub(crate) fn pass_over(&self, folder: &str) -> bool {
        let mut unchanged = self.unchanged.iter();
        unchanged.any(|language| language.folders.contains(&folder))
    }

    /// nextest's expression for the tests that are passed over.
    pub(crate) fn tests(&self) -> Option<String> {
        let names = self.names();
        (!names.is_empty()).then(|| format!("test(/in_({})(_|::)/)", names.join("|")))
    }

    /// For people: what is passed over; empty if nothing is.
    pub(crate) fn told(&self) -> String {
        match self.names() {
            names if names.is_empty() => String::new(),
            names => format!("; as they passed: {}", names.join(", ")),
        }
    }

    /// All tests of all that is due went well: written down for the next run.
    pub(crate) fn passed(&self, cache: &Cache) -> Result<()> {
        if self.unchanged.len() == LANGUAGES.len() {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(&self.digests)? + "\n";
        std::fs::write(cache.checkout().join(PASSED), text)
            .with_context(|| format!("cannot write {PASSED}"))
    }

    fn names(&self) -> Vec<&str> {
        let names = self.unchanged.iter().flat_map(|language| language.names);
        names.copied().collect()
    }
}
