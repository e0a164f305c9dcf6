//! `rectifier policy new` and `build`: what is made builds, passes its own cases, and would be loaded.

use anyhow::Result;

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
    desk.call(&["policy", "check", "made"])?
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
fn a_toolchain_that_is_missing_is_named_with_what_to_install() -> Result<()> {
    let desk = Desk::new()?;
    let nothing = desk.path().join("nothing");
    for (language, todo) in [("rust", "https://rustup.rs"), ("go", "https://go.dev/dl")] {
        desk.call(&["policy", "new", language, "--lang", language])?
            .ended(0)?;
        said(
            desk.command()
                .args(["policy", "build", language])
                .env("PATH", &nothing),
        )?
        .ended(3)?
        .complains(&["is not installed: install", todo])?;
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
        .complains(&["no Cargo.toml and no go.mod"])?;
    Ok(())
}
