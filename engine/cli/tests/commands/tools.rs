//! The smaller commands: annotate, inspect, schema, completion, help.

use anyhow::Result;

use crate::support::{Desk, command_in_go};

#[test]
fn a_command_is_annotated_and_then_says_what_it_is() -> Result<()> {
    let desk = Desk::new()?;
    desk.put("built.wasm", command_in_go()?)?;
    desk.call(&["policy", "inspect", "built.wasm"])?
        .ended(1)?
        .shows(&[
            "command",
            "wasi_snapshot_preview1.fd_write",
            "_start",
            "rectifier policy annotate",
        ])?;
    desk.call(&[
        "policy",
        "annotate",
        "built.wasm",
        "-o",
        "mine.wasm",
        "--name",
        "mine",
        "--handles",
        "Kernel*,DiskFull@node",
        "--handles",
        "*@control-plane",
        "--needs-unit",
        "kubelet.service",
        "--policy-version",
        "1.2.3",
    ])?
    .ended(0)?
    .shows(&["mine.wasm"])?;
    desk.call(&["policy", "inspect", "mine.wasm"])?
        .ended(0)?
        .shows(&[
            "mine",
            "1.2.3",
            "0.1",
            "Kernel*,DiskFull@node",
            "*@control-plane",
            "kubelet.service",
            "gzip",
        ])?;
    desk.put(
        "all.yaml",
        "name: other\nversion: 2.0.0\nhandles: [{conditions: [A], sites: [node]}]\n",
    )?;
    desk.call(&["policy", "annotate", "mine.wasm", "--metadata", "all.yaml"])?
        .ended(0)?;
    let json = desk
        .call(&["policy", "inspect", "mine.wasm", "-o", "json"])?
        .ended(0)?
        .json()?;
    assert_eq!(json["metadata"]["name"], "other");
    assert_eq!(json["metadata"]["needs"], serde_json::json!({}));
    Ok(())
}

#[test]
fn what_cannot_be_annotated_is_told() -> Result<()> {
    let desk = Desk::new()?;
    desk.put("a.wasm", "rubbish")?;
    let words = ["policy", "annotate", "a.wasm", "--name", "a"];
    desk.call(&words)?.ended(2)?.complains(&["--handles"])?;
    let words = [&words[..], &["--handles", "A@node"]].concat();
    desk.call(&words)?
        .ended(3)?
        .complains(&["no WebAssembly"])?;
    desk.call(&[&words[..], &["--needs-unit", "kubelet"]].concat())?
        .ended(2)?
        .complains(&["unit name"])?;
    Ok(())
}

#[test]
fn a_sidecar_is_shown_beside_what_it_overrides() -> Result<()> {
    let desk = Desk::with_shipped()?;
    desk.put(
        "restart-then-replace.yaml",
        "mode: monitor\nhandles: [{conditions: [A], sites: [node]}]\n",
    )?;
    desk.call(&["policy", "inspect"])?.ended(0)?.shows(&[
        "component",
        "rectifier:policy/types@0.1.0",
        "rectifier:policy/decider@0.1.0",
        "mode: monitor",
        "all that are allowed",
    ])?;
    Ok(())
}

#[test]
fn schemas_are_printed_by_name() -> Result<()> {
    let desk = Desk::new()?;
    let names = desk.call(&["policy", "schema"])?.ended(0)?.out;
    assert_eq!(
        names,
        "question\nsettings-question\nanswer\nmetadata\nsidecar\n"
    );
    for name in names.lines() {
        let schema = desk.call(&["policy", "schema", name])?.ended(0)?.json()?;
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
    }
    desk.call(&["policy", "schema", "decision"])?
        .ended(2)?
        .complains(&["answer"])?;
    Ok(())
}

#[test]
fn every_command_has_help_with_examples_and_shells_can_complete_it() -> Result<()> {
    let desk = Desk::new()?;
    let verbs = [
        "new", "build", "check", "run", "test", "bench", "inspect", "annotate", "replay", "schema",
    ];
    for verb in verbs {
        desk.call(&["policy", verb, "--help"])?
            .ended(0)?
            .shows(&["xamples:", "rectifier policy "])?;
    }
    for shell in ["bash", "zsh", "fish"] {
        desk.call(&["completion", shell])?.ended(0)?.shows(&verbs)?;
    }
    let help = desk
        .call(&["--help"])?
        .ended(0)?
        .shows(&["Exit codes", "policy", "completion"])?;
    assert!(!help.out.contains("policy-compile"), "{}", help.out);
    desk.call(&["--version"])?
        .ended(0)?
        .shows(&["rectifier 0.1.0"])?;
    Ok(())
}
