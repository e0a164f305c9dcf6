//! `rectifier policy replay`.

use anyhow::Result;
use serde_json::{Value, json};

use crate::support::{Desk, checkout, command_in_go};

fn record(desk: &Desk, words: &[&str], decision: Option<Value>) -> Result<String> {
    let print = [
        "policy",
        "run",
        "--print-observation",
        "--condition",
        "KubeletUnhealthy",
    ];
    let observation = desk.call(&[&print[..], words].concat())?.ended(0)?.json()?;
    let mut record = json!({ "observation": observation });
    if let Some(decision) = decision {
        record["decision"] = decision;
    }
    Ok(format!("{record}\n"))
}

#[test]
fn decisions_that_would_differ_are_told_and_exit_code_1() -> Result<()> {
    let desk = Desk::with_shipped()?;
    let same =
        json!({"remedy": "replace", "reason": "nothing less has healed the node", "notes": {}});
    let control_plane = record(&desk, &["--site", "control-plane"], Some(same))?;
    desk.put("seen.jsonl", &control_plane)?;
    let replay = [
        "policy",
        "replay",
        "seen.jsonl",
        "--policy",
        "restart-then-replace.wasm",
    ];
    desk.call(&replay)?
        .ended(0)?
        .shows(&["1 record, 1 compared", "no decision differs"])?;
    let other = record(
        &desk,
        &[],
        Some(json!({"remedy": "reboot", "reason": "it was so"})),
    )?;
    desk.put("seen.jsonl", format!("{control_plane}\n{other}"))?;
    desk.call(&replay)?.ended(1)?.shows(&[
        "seen.jsonl:3",
        "- remedy: reboot",
        "+ remedy: escalate",
        "1 decision differs",
    ])?;
    let json = desk
        .call(&[&replay[..], &["-o", "json"]].concat())?
        .ended(1)?
        .json()?;
    assert_eq!(json["differing"][0]["record"], "seen.jsonl:3");
    Ok(())
}

#[test]
fn two_versions_are_compared_whatever_was_decided_then() -> Result<()> {
    let desk = Desk::with_shipped()?;
    desk.put(
        "seen.jsonl",
        record(&desk, &["--unit", "kubelet.service=failed"], None)?,
    )?;
    let replay = [
        "policy",
        "replay",
        "seen.jsonl",
        "--policy",
        "restart-then-replace.wasm",
    ];
    desk.call(&replay)?.ended(3)?.complains(&["--against"])?;
    let new = std::fs::read(desk.path().join("restart-then-replace.wasm"))?;
    desk.put("new.wasm", new)?;
    let compare = [&replay[..], &["--against", "new.wasm"]].concat();
    desk.call(&compare)?.ended(0)?;
    desk.put("new.yaml", "settings: {rules: []}")?;
    desk.call(&compare)?
        .ended(1)?
        .shows(&["+ remedy: decline"])?;
    Ok(())
}

#[test]
fn the_golden_cases_are_records_too() -> Result<()> {
    let desk = Desk::new()?;
    desk.put("go.wasm", command_in_go()?)?;
    desk.call(&[
        "policy",
        "annotate",
        "go.wasm",
        "--name",
        "conformance-go",
        "--handles",
        "*@node,control-plane",
        "--needs-unit",
        "all",
        "--needs-fix",
        "all",
        "--needs-fact",
        "all",
    ])?
    .ended(0)?;
    let cases = checkout()
        .join("sdk/conformance/cases")
        .display()
        .to_string();
    desk.call(&["policy", "replay", &cases, "--policy", "go.wasm"])?
        .ended(0)?
        .shows(&["no decision differs"])?;
    Ok(())
}
