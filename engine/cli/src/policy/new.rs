//! `rectifier policy new`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rectifier_core::name::PolicyName;

use super::metadata;
use crate::verdict::{Verdict, usage};

const EXAMPLES: &str = "\
Examples:
  rectifier policy new restart-once                  a component in Rust
  rectifier policy new restart-once --lang go        a WASI command in Go; no tools but Go itself
  rectifier policy new restart-once --sdk ~/rectifier/sdk/rust";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The policy's name, and its folder's: lower-case letters, digits and -
    #[arg(value_parser = name)]
    name: PolicyName,
    /// In which language
    #[arg(long, value_enum, default_value_t)]
    lang: Language,
    /// The crate rectifier-policy [default: sdk/rust of the checkout around the new folder or the present one]
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    #[default]
    Rust,
    Go,
}

macro_rules! template {
    ($($path:literal from $file:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../templates/", $file)))),*]
    };
}

impl Language {
    /// Path and content; `@NAME@` and `@SDK@` are replaced in both.
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Language::Rust => template![
                "Cargo.toml" from "rust/Cargo.toml.in",
                ".cargo/config.toml" from "rust/config.toml.in",
                ".gitignore" from "rust/gitignore.in",
                "src/lib.rs" from "rust/lib.rs.in",
                "@NAME@.yaml" from "sidecar.yaml.in",
                "@NAME@.cases.yaml" from "cases.yaml.in",
            ],
            Language::Go => template![
                "go.mod" from "go/go.mod.in",
                ".gitignore" from "go/gitignore.in",
                "main.go" from "go/main.go.in",
                "policy.yaml" from "go/policy.yaml.in",
                "@NAME@.yaml" from "sidecar.yaml.in",
                "@NAME@.cases.yaml" from "cases.yaml.in",
            ],
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let Arguments {
        name,
        lang,
        sdk,
        folder,
    } = arguments;
    let folder = folder.unwrap_or_else(|| PathBuf::from(name.as_str()));
    if folder.exists() {
        return Err(usage(format!("{} is there already", folder.display())));
    }
    let sdk = match lang {
        Language::Rust => find_sdk(sdk, &folder)?,
        Language::Go => String::new(),
    };
    let fill = |text: &str| text.replace("@NAME@", name.as_str()).replace("@SDK@", &sdk);
    for (path, content) in lang.files() {
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

/// The crate's folder, as a manifest in `folder` has to name it.
fn find_sdk(given: Option<PathBuf>, folder: &Path) -> anyhow::Result<String> {
    let is_sdk = |path: &Path| path.join("Cargo.toml").is_file();
    let here = std::env::current_dir().context("there is no present folder")?;
    let folder = here.join(folder);
    let sdk = match given {
        Some(given) if is_sdk(&given) => given.canonicalize()?,
        Some(given) => {
            return Err(usage(format!("there is no crate in {}", given.display())));
        }
        None => folder
            .ancestors()
            .chain(here.ancestors())
            .map(|above| above.join("sdk/rust"))
            .find(|sdk| is_sdk(sdk))
            .ok_or_else(|| {
                usage("this is no checkout of rectifier: say with --sdk DIR where its sdk/rust is")
            })?,
    };
    // Within one checkout both move together.
    let common = folder
        .ancestors()
        .skip(1)
        .enumerate()
        .find_map(|(up, above)| {
            let rest = sdk.strip_prefix(above).ok()?;
            let shared = above.join(".git").exists() || above.join("sdk/rust") == sdk;
            shared.then(|| format!("{}{}", "../".repeat(up + 1), rest.display()))
        });
    Ok(common.unwrap_or_else(|| sdk.display().to_string()))
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
        let sdk = checkout.path().join("sdk/rust");
        std::fs::create_dir_all(&sdk).unwrap();
        std::fs::write(sdk.join("Cargo.toml"), "").unwrap();
        let found = find_sdk(None, &checkout.path().join("policies/new")).unwrap();
        assert_eq!(found, "../../sdk/rust");
        let elsewhere = tempfile::tempdir().unwrap();
        let found = find_sdk(Some(sdk.clone()), &elsewhere.path().join("new")).unwrap();
        assert_eq!(found, sdk.display().to_string());
        assert!(find_sdk(Some(elsewhere.path().to_owned()), Path::new("new")).is_err());
    }
}
