//! The policies that ship: each decides what its cases expect, and what its guide and its sidecar say is accepted.

use anyhow::{Context, Result};

use crate::support::{Desk, checkout};

/// As it ships, before all its cases.
fn plays(name: &str) -> Result<Desk> {
    let desk = Desk::with_policy(name)?;
    // what Python becomes is larger than the engines take without being told
    desk.put("node.yaml", "policies: {moduleMebibytes: 64}\n")?;
    desk.call(&["policy", "check", ".", "--node-config", "node.yaml"])?
        .ended(0)?;
    let folder = checkout().join("policies").join(name).join("cases");
    let (file, folder) = (format!("{name}.wasm"), folder.display().to_string());
    desk.call(&["policy", "test", &file, "--cases", &folder])?
        .ended(0)?
        .shows(&["steps", "cases, all as expected"])?;
    Ok(desk)
}

#[test]
fn restart_then_replace_decides_what_its_cases_expect() -> Result<()> {
    plays("restart-then-replace").map(drop)
}

#[test]
fn cel_decides_what_its_cases_expect_and_finds_a_misspelt_name_before_the_night() -> Result<()> {
    let desk = plays("cel")?;
    let sidecar = std::fs::read_to_string(checkout().join("policies/cel/cel.yaml"))?;
    desk.put("cel.yaml", sidecar.replace("problem.kind", "problm.kind"))?;
    desk.call(&["policy", "check", "."])?
        .ended(1)?
        .shows(&["settings.rules[0].when: line 1, column 19: there is no problm"])?;
    Ok(())
}

#[test]
fn default_ladder_decides_what_its_cases_expect_and_takes_the_settings_that_its_guide_shows()
-> Result<()> {
    let desk = plays("default-ladder")?;
    let guide = std::fs::read_to_string(checkout().join("policies/default-ladder/README.md"))?;
    let shown = guide
        .split("```yaml\n")
        .find(|part| part.contains("restSeconds"));
    let shown = shown.and_then(|part| part.split("```").next());
    desk.put("default-ladder.yaml", shown.context("an example")?)?;
    desk.call(&["policy", "check", "."])?.ended(0)?;
    Ok(())
}

#[test]
fn readonly_filesystem_in_go_decides_what_its_cases_expect() -> Result<()> {
    plays("readonly-filesystem").map(drop)
}

#[test]
fn kernel_deadlock_in_c_decides_what_its_cases_expect() -> Result<()> {
    plays("kernel-deadlock").map(drop)
}

#[test]
fn kubelet_and_runtime_in_typescript_decides_what_its_cases_expect() -> Result<()> {
    plays("kubelet-and-runtime").map(drop)
}

#[test]
fn flapping_in_python_decides_what_its_cases_expect() -> Result<()> {
    plays("flapping").map(drop)
}
