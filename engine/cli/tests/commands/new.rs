//! `rectifier policy new` and `build`: what is made builds, passes its own cases, and would be loaded.

use anyhow::{Context, Result, ensure};

use crate::support::{Desk, said};

/// New, build, check, test: in that order, as an author does.
fn makes(language: &str, form: &str) -> Result<()> {
    let desk = Desk::new()?;
    desk.call(&["policy", "new", "made", "--lang", language])?
        .ended(0)?
        .complains(&["next: cd made && rectifier policy test"])?;
    desk.call(&["policy", "new", "made", "--lang", language])?
        .ended(2)?
        .complains(&["already"])?;
    let built = desk.call(&["policy", "build", "made"])?.ended(0)?;
    assert_eq!(built.out, "made/made.wasm\n");
    // what Python becomes is larger than the engines take without being told
    desk.put(
        "node.yaml",
        "systemd: {units: [containerd.service]}\npolicies: {moduleMebibytes: 64}\n",
    )?;
    desk.call(&["policy", "check", "made", "--node-config", "node.yaml"])?
        .ended(0)?
        .shows(&["ContainerRuntimeUnhealthy@node", "well"])?;
    let json = desk
        .call(&["policy", "inspect", "made", "-o", "json"])?
        .ended(0)?
        .json()?;
    assert_eq!(
        (&json["form"], &json["metadata"]["name"]),
        (&form.into(), &"made".into())
    );
    let tested = desk.call(&["policy", "test", "made"])?.ended(0)?;
    tested.shows(&["made/made.cases.yaml", "6 cases, all as expected"])?;
    Ok(())
}

#[test]
fn a_policy_in_rust_from_the_template_passes_its_own_cases() -> Result<()> {
    makes("rust", "component")
}

#[test]
fn a_policy_in_go_from_the_template_passes_its_own_cases() -> Result<()> {
    makes("go", "command")
}

#[test]
fn a_policy_in_python_from_the_template_passes_its_own_cases() -> Result<()> {
    makes("python", "component")
}

#[test]
fn a_policy_in_javascript_from_the_template_passes_its_own_cases() -> Result<()> {
    makes("javascript", "component")
}

#[test]
fn a_policy_in_typescript_from_the_template_passes_its_own_cases() -> Result<()> {
    makes("typescript", "component")
}

#[test]
fn a_policy_in_c_from_the_template_passes_its_own_cases() -> Result<()> {
    makes("c", "component")
}

#[test]
fn a_policy_in_zig_from_the_template_passes_its_own_cases() -> Result<()> {
    makes("zig", "command")
}

#[test]
fn a_policy_in_assemblyscript_from_the_template_passes_its_own_cases() -> Result<()> {
    makes("assemblyscript", "command")
}

/// In every language, in sources, metadata, cases and tests.
#[test]
fn a_policy_for_another_condition_and_unit_is_about_these_alone() -> Result<()> {
    let desk = Desk::new()?;
    for language in [
        "rust",
        "go",
        "python",
        "javascript",
        "typescript",
        "c",
        "zig",
        "assemblyscript",
    ] {
        let about = ["--condition", "ProxyUnhealthy", "--unit", "proxy@1.service"];
        let new = ["policy", "new", language, "--lang", language];
        desk.call(&[&new[..], &about].concat())?.ended(0)?;
        let mut folders = vec![desk.path().join(language)];
        let (mut units, mut conditions) = (0, 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path)?;
                for other in ["containerd", "ContainerRuntime", "container runtime"] {
                    assert!(!text.contains(other), "{other} in {}", path.display());
                }
                units += text.matches("proxy@1.service").count();
                conditions += text.matches("ProxyUnhealthy").count();
            }
        }
        assert!(
            units > 5 && conditions > 1,
            "{language}: {units} {conditions}"
        );
    }
    for wrong in [
        ["--unit", "proxy"],
        ["--unit", "dev-disk\\x2d1.device"],
        ["--condition", "no condition"],
    ] {
        desk.call(&[&["policy", "new", "wrong"][..], &wrong].concat())?
            .ended(2)?
            .complains(&[wrong[0]])?;
    }
    Ok(())
}

#[test]
fn a_toolchain_that_is_missing_is_named_with_what_to_install() -> Result<()> {
    let desk = Desk::new()?;
    let nothing = desk.path().join("nothing");
    for (language, todo) in [
        ("rust", "https://rustup.rs"),
        ("go", "https://go.dev/dl"),
        ("python", "python3-venv"),
        ("javascript", "https://nodejs.org"),
        ("typescript", "https://nodejs.org"),
        ("c", "python3-venv"),
        ("zig", "python3-venv"),
        ("assemblyscript", "https://nodejs.org"),
    ] {
        desk.call(&["policy", "new", language, "--lang", language])?
            .ended(0)?;
        said(
            desk.command()
                .args(["policy", "build", language])
                .env("PATH", &nothing)
                // nothing that was fetched before
                .env("XDG_CACHE_HOME", &nothing),
        )?
        .ended(3)?
        .complains(&["is not installed: install", todo])?;
    }
    Ok(())
}

#[test]
fn a_project_in_go_becomes_a_component_too_and_one_in_c_no_command() -> Result<()> {
    let desk = Desk::new()?;
    desk.call(&["policy", "new", "made", "--lang", "go"])?
        .ended(0)?;
    desk.call(&["policy", "build", "made", "--form", "component"])?
        .ended(0)?;
    desk.call(&["policy", "inspect", "made/made.wasm"])?
        .ended(0)?
        .shows(&["component"])?;
    // the same cases, and no file is left beside the source but the policy
    desk.call(&["policy", "test", "made/made.wasm"])?.ended(0)?;
    let left = std::fs::read_dir(desk.path().join("made"))?;
    let left: Vec<_> = left
        .map(|entry| Ok(entry?.file_name()))
        .collect::<std::io::Result<_>>()?;
    ensure!(
        !left.iter().any(|name| name == "rectifier_component.go"),
        "{left:?}"
    );
    desk.call(&["policy", "new", "plain", "--lang", "c"])?
        .ended(0)?;
    desk.call(&["policy", "build", "plain", "--form", "command"])?
        .ended(2)?
        .complains(&["becomes no command"])?;
    Ok(())
}

/// Takes the SDK's name for its own, is called by a name, draws a number, and says what is no text.
const IN_GO: &str = r#"package main

import (
	"fmt"
	"math/rand/v2"
	"os"

	sdk "rectifier.dev/policy"
)

var policy = sdk.Policy[sdk.NoSettings]{Decide: decide}

func main() { policy.Main() }

func decide(_ *sdk.Observation, _ sdk.NoSettings) (sdk.Decision, error) {
	fmt.Fprintln(os.Stderr, "torn \xff line")
	return sdk.Escalate.Because(fmt.Sprint(os.Args[0], " ", rand.Uint64())), nil
}
"#;

#[test]
fn in_both_forms_a_policy_in_go_draws_by_the_observation_and_says_what_it_likes() -> Result<()> {
    let desk = Desk::new()?;
    desk.call(&["policy", "new", "made", "--lang", "go"])?
        .ended(0)?;
    desk.put("made/main.go", IN_GO)?;
    desk.put("made/made.yaml", "settings: {}\n")?;
    for form in ["command", "component"] {
        desk.call(&["policy", "build", "made", "--form", form])?
            .ended(0)?;
        let decided = |id: &str| {
            let id = format!("id={id}");
            let run = [
                "policy",
                "run",
                "made/made.wasm",
                "-o",
                "json",
                "--set",
                &id,
            ];
            let said = desk.call(&run)?.ended(0)?.json()?;
            let reason = said["decision"]["reason"].as_str().map(str::to_owned);
            reason.with_context(|| format!("{form}: {said:#}"))
        };
        let first = decided("a")?;
        ensure!(first.starts_with("policy "), "{form}: {first}");
        ensure!(first == decided("a")?, "{form}: another number");
        ensure!(first != decided("b")?, "{form}: the same number: {first}");
    }
    Ok(())
}

#[test]
fn a_source_that_does_not_compile_or_says_nothing_of_itself_is_told() -> Result<()> {
    let desk = Desk::new()?;
    desk.call(&["policy", "new", "made", "--lang", "go"])?
        .ended(0)?;
    std::fs::rename(
        desk.path().join("made/policy.yaml"),
        desk.path().join("kept.yaml"),
    )?;
    desk.call(&["policy", "build", "made"])?
        .ended(3)?
        .complains(&["what was built is no policy", "made/policy.yaml"])?;
    desk.put(
        "made/policy.yaml",
        "name: made\nversion: 1\nhandles:\n  - {conditons: [A], sites: [node]}\n",
    )?;
    desk.call(&["policy", "build", "made"])?
        .ended(3)?
        .complains(&["made/policy.yaml:4:", "conditons"])?;
    desk.put("made/main.go", "package main\nfunc main() { oops }\n")?;
    desk.call(&["policy", "build", "made"])?
        .ended(3)?
        .complains(&["undefined: oops", "go says above"])?;
    desk.call(&["policy", "build", "."])?
        .ended(2)?
        .complains(&["Cargo.toml, go.mod, pyproject.toml"])?;
    Ok(())
}
