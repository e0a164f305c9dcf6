//! `rectifier policy new`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rectifier_core::name::{ConditionKind, PolicyName, UnitName};

use super::language::Language;
use super::metadata;
use crate::verdict::{Verdict, usage};

const EXAMPLES: &str = "\
Examples:
  rectifier policy new restart-once                  a component in Rust
  rectifier policy new restart-once --lang python
  rectifier policy new restart-proxy --lang go --condition ProxyUnhealthy --unit proxy.service
  rectifier policy new restart-once --lang go --sdk ~/rectifier/sdk";

/// What the templates are about.
const CONDITION: &str = "ContainerRuntimeUnhealthy";
const UNIT: &str = "containerd.service";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The policy's name, and its folder's: lower-case letters, digits and -
    #[arg(value_parser = name)]
    name: PolicyName,
    /// In which language
    #[arg(long, value_enum, default_value_t)]
    lang: Language,
    /// The condition that it answers for, as Node Problem Detector names it
    #[arg(long, value_name = "TYPE", default_value = CONDITION, value_parser = condition)]
    condition: ConditionKind,
    /// The systemd unit that it restarts
    #[arg(long, value_name = "UNIT", default_value = UNIT, value_parser = unit)]
    unit: UnitName,
    /// The language's folder of Rectifier's sdk, or sdk itself [default: that of the checkout around the new folder or the present one]
    #[arg(
        long,
        value_name = "DIR",
        env = "RECTIFIER_SDK",
        hide_env_values = true
    )]
    sdk: Option<PathBuf>,
    /// The folder to make [default: the name]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

macro_rules! template {
    ($language:literal: $($path:literal from $file:literal),* $(,)?) => {
        &[
            ("@NAME@.yaml", include_str!("../../templates/sidecar.yaml.in")),
            ("@NAME@.cases.yaml", include_str!("../../templates/cases.yaml.in")),
            (".gitignore", include_str!(concat!("../../templates/", $language, "/gitignore.in"))),
            ("README.md", include_str!(concat!("../../templates/", $language, "/README.md.in"))),
            $(($path, include_str!(concat!("../../templates/", $language, "/", $file)))),*
        ]
    };
}

/// Path and content; `@NAME@` and `@SDK@` are replaced in both.
fn template(language: Language) -> &'static [(&'static str, &'static str)] {
    match language {
        Language::Rust => template!["rust":
            "Cargo.toml" from "Cargo.toml.in",
            ".cargo/config.toml" from "config.toml.in",
            "src/lib.rs" from "lib.rs.in",
        ],
        Language::Go => template!["go":
            "go.mod" from "go.mod.in",
            "main.go" from "main.go.in",
            "main_test.go" from "main_test.go.in",
            "policy.yaml" from "policy.yaml.in",
        ],
        Language::Python => template!["python":
            "pyproject.toml" from "pyproject.toml.in",
            "policy.py" from "policy.py.in",
            "tests/__init__.py" from "tests_init.py.in",
            "tests/test_policy.py" from "test_policy.py.in",
            "policy.yaml" from "policy.yaml.in",
        ],
        Language::JavaScript => template!["javascript":
            "package.json" from "package.json.in",
            "package-lock.json" from "package-lock.json.in",
            ".npmrc" from "npmrc.in",
            "src/policy.js" from "policy.js.in",
            "test/policy.test.js" from "policy.test.js.in",
            "policy.yaml" from "policy.yaml.in",
        ],
        Language::TypeScript => template!["typescript":
            "package.json" from "package.json.in",
            "package-lock.json" from "package-lock.json.in",
            ".npmrc" from "npmrc.in",
            "tsconfig.json" from "tsconfig.json.in",
            "src/policy.ts" from "policy.ts.in",
            "test/policy.test.ts" from "policy.test.ts.in",
            "test/tsconfig.json" from "test.tsconfig.json.in",
            "policy.yaml" from "policy.yaml.in",
        ],
        Language::C => template!["c":
            "policy.c" from "policy.c.in",
            "sdk.c" from "sdk.c.in",
            "compile_flags.txt" from "compile_flags.txt.in",
            "policy_test.c" from "policy_test.c.in",
            "Makefile" from "Makefile.in",
            "policy.yaml" from "policy.yaml.in",
        ],
        Language::Zig => template!["zig":
            "build.zig" from "build.zig.in",
            "src/policy.zig" from "policy.zig.in",
            "policy.yaml" from "policy.yaml.in",
        ],
        Language::AssemblyScript => template!["assemblyscript":
            "package.json" from "package.json.in",
            "package-lock.json" from "package-lock.json.in",
            ".npmrc" from "npmrc.in",
            "asconfig.json" from "asconfig.json.in",
            "assembly/tsconfig.json" from "tsconfig.json.in",
            "assembly/index.ts" from "index.ts.in",
            "assembly/policy.ts" from "policy.ts.in",
            "test/policy.test.ts" from "policy.test.ts.in",
            "test/policy.test.js" from "policy.test.js.in",
            "policy.yaml" from "policy.yaml.in",
        ],
    }
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let Arguments {
        name,
        lang,
        condition,
        unit,
        sdk,
        folder,
    } = arguments;
    let folder = folder.unwrap_or_else(|| PathBuf::from(name.as_str()));
    if folder.exists() {
        return Err(usage(format!("{} is there already", folder.display())));
    }
    let sdk = find_sdk(lang, sdk, &folder)?;
    let fill = |text: &str| {
        let text = match unit.as_str() {
            UNIT => text.to_owned(),
            // as the first line of each source has it
            unit => text
                .replace(UNIT, unit)
                .replace("the container runtime", unit),
        };
        let text = text.replace(CONDITION, condition.as_str());
        text.replace("@NAME@", name.as_str()).replace("@SDK@", &sdk)
    };
    for (path, content) in template(lang) {
        let path = folder.join(fill(path));
        let cannot = || format!("cannot write {}", path.display());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(cannot)?;
        }
        std::fs::write(&path, fill(content)).with_context(cannot)?;
    }
    if lang == Language::Rust {
        // The versions with which the SDK itself is tested. Without them cargo would ask for the newest.
        let from = folder.join(&sdk).join("Cargo.lock");
        if from.is_file() {
            std::fs::copy(&from, folder.join("Cargo.lock"))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    println!("{}", folder.display());
    eprintln!("next: cd {} && rectifier policy test", folder.display());
    Ok(Verdict::Well)
}

/// The language's folder of the SDK, as a manifest in `folder` has to name it.
fn find_sdk(lang: Language, given: Option<PathBuf>, folder: &Path) -> anyhow::Result<String> {
    let own = lang.sdk();
    // beside the contract, so that no other folder of that name passes for it
    let is_sdk = |path: &Path| path.ends_with(own) && path.join("../wit/policy.wit").is_file();
    let here = std::env::current_dir().context("there is no present folder")?;
    let folder = without_links(&here.join(folder))?;
    let sdk = match given {
        Some(given) => [given.clone(), given.join(own)]
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .find(|path| is_sdk(path))
            .ok_or_else(|| usage(format!("there is no sdk/{own} in {}", given.display())))?,
        None => folder
            .ancestors()
            .chain(here.ancestors())
            .map(|above| above.join("sdk").join(own))
            .find(|sdk| is_sdk(sdk))
            .and_then(|sdk| sdk.canonicalize().ok())
            .ok_or_else(|| {
                usage("this is no checkout of rectifier: say with --sdk DIR where its sdk is")
            })?,
    };
    if lang == Language::C && sdk.to_string_lossy().contains(char::is_whitespace) {
        return Err(usage(format!(
            "a C project names the SDK in compile_flags.txt, in which a path cannot have spaces: {}",
            sdk.display()
        )));
    }
    // Within one checkout both move together.
    let common = folder
        .ancestors()
        .skip(1)
        .enumerate()
        .find_map(|(up, above)| {
            let rest = sdk.strip_prefix(above).ok()?;
            let shared = above.join(".git").exists() || above.join("sdk").join(own) == sdk;
            shared.then(|| format!("{}{}", "../".repeat(up + 1), rest.display()))
        });
    Ok(common.unwrap_or_else(|| sdk.display().to_string()))
}

/// The path of what may not be there yet: what of it is there without links and `..`.
fn without_links(path: &Path) -> anyhow::Result<PathBuf> {
    let there = path.ancestors().find_map(|above| {
        let rest = path.strip_prefix(above).ok()?;
        Some((above.canonicalize().ok()?, rest))
    });
    let (there, rest) = there.context("not even / is there")?;
    Ok(there.join(rest))
}

fn condition(text: &str) -> Result<ConditionKind, String> {
    ConditionKind::parse(text).map_err(|error| error.to_string())
}

/// One that stands between quotation marks in every language as it is.
fn unit(text: &str) -> Result<UnitName, String> {
    match text.contains('\\') {
        true => Err("one with a backslash is to be put into the source by hand".to_owned()),
        false => UnitName::parse(text).map_err(|error| error.to_string()),
    }
}

/// A name that can be one of a crate, of a file and of a policy.
fn name(text: &str) -> Result<PolicyName, String> {
    let rule = "lower-case letters, digits and -, beginning with a letter";
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.bytes().all(plain) || !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Err(rule.to_owned());
    }
    if format!("{text}.yaml") == metadata::FILE {
        return Err(format!(
            "{} is the file of a policy's metadata",
            metadata::FILE
        ));
    }
    PolicyName::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_crate_a_file_and_a_policy() {
        assert!(name("restart-once2").is_ok());
        for wrong in [
            "", "Restart", "2nd", "a.b", "a_b", "-a", "a-", "policy", "../a",
        ] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_sdk_of_the_checkout_around_the_new_folder_is_named_by_a_path_that_moves_with_it() {
        let checkout = tempfile::tempdir().unwrap();
        let sdk = checkout.path().join("sdk");
        for folder in ["rust", "wit"] {
            std::fs::create_dir_all(sdk.join(folder)).unwrap();
        }
        std::fs::write(sdk.join("wit/policy.wit"), "").unwrap();
        let find = |given, folder: &Path| find_sdk(Language::Rust, given, folder);
        for new in ["policies/new", "sdk/../policies/new"] {
            let found = find(None, &checkout.path().join(new)).unwrap();
            assert_eq!(found, "../../sdk/rust");
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let new = elsewhere.path().join("new");
        let rust = sdk.join("rust").canonicalize().unwrap();
        for given in [&sdk, &rust] {
            let found = find(Some(given.clone()), &new).unwrap();
            assert_eq!(found, rust.display().to_string());
        }
        assert!(find(Some(elsewhere.path().to_owned()), Path::new("new")).is_err());
        assert!(find_sdk(Language::Go, Some(sdk), &new).is_err());
    }
}
