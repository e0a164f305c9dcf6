//! `rectifier policy check`: what an engine would say.

use anyhow::Result;

use crate::support::{Desk, shipped};

#[test]
fn a_policy_that_an_engine_would_load_is_well() -> Result<()> {
    let desk = Desk::with_shipped()?;
    desk.call(&["policy", "check", "restart-then-replace.wasm"])?
        .ended(0)?
        .shows(&[
            "restart-then-replace",
            "enforce",
            "KubeletUnhealthy",
            "@node,control-plane",
            "well",
        ])?;
    let json = desk
        .call(&["policy", "check", ".", "-o", "json"])?
        .ended(0)?
        .json()?;
    assert_eq!(json["policies"][0]["well"], true);
    assert_eq!(json["policies"][0]["form"], "component");
    Ok(())
}

#[test]
fn what_an_engine_would_refuse_is_refused_with_its_reason_and_exit_code_1() -> Result<()> {
    let desk = Desk::with_shipped()?;
    let refused = |sidecar: &str, why: &[&str]| -> Result<()> {
        desk.put("restart-then-replace.yaml", sidecar)?;
        desk.call(&["policy", "check", "."])?
            .ended(1)?
            .shows(&["refused"])?
            .shows(why)?;
        Ok(())
    };
    refused(
        "mode: enforce\nsetings: {}\n",
        &["restart-then-replace.yaml:2:1", "setings"],
    )?;
    refused("sha256: 00ff\n", &["pins sha256 00ff"])?;
    refused(
        "limits: {milliseconds: 5000}\n",
        &["limits.milliseconds is 5000; 1 to 1000"],
    )?;
    refused(
        "settings: {rules: [{condition: A, atempts: 1}]}\n",
        &["settings: ", "atempts"],
    )?;
    desk.put("restart-then-replace.yaml", "")?;
    desk.put("restart-then-replace.wasm", "rubbish")?;
    let said = desk.call(&["policy", "check", "."])?.ended(1)?;
    let said = said.shows(&["it is no WebAssembly"])?;
    assert!(!said.out.contains("rectifier policy check"), "{}", said.out);
    Ok(())
}

#[test]
fn needs_are_held_against_the_node_engines_configuration() -> Result<()> {
    let desk = Desk::with_shipped()?;
    desk.put(
        "restart-then-replace.yaml",
        "needs: {units: [kubelet.service]}\n",
    )?;
    let check = |config: &str| {
        desk.put("node.yaml", config)?;
        desk.call(&[
            "policy",
            "check",
            "restart-then-replace.wasm",
            "--node-config",
            "node.yaml",
        ])
    };
    check("systemd: {units: [kubelet.service]}\nnpd: {interval: 3}\n")?.ended(0)?;
    check("systemd: {units: [containerd.service]}\n")?
        .ended(1)?
        .shows(&["it needs the unit kubelet.service; allowed here: containerd.service"])?;
    check("systemd: {units: [kubelet.service]}\npolicies: {limits: {memoryMebibytes: 1}, ceiling: {memoryMebibytes: 1}}\n")?
        .ended(1)?
        .shows(&["oom"])?;
    check("systemd: {units: kubelet}\n")?
        .ended(3)?
        .complains(&["node.yaml:1:"])?;
    Ok(())
}

#[test]
fn two_policies_of_a_directory_that_enforce_the_same_are_told() -> Result<()> {
    let desk = Desk::with_shipped()?;
    desk.put("another.wasm", shipped()?)?;
    desk.call(&["policy", "check", "."])?.ended(1)?.shows(&[
        "restart-then-replace.wasm and another.wasm both answer for KubeletUnhealthy at node",
    ])?;
    // Named one by one they are no directory.
    desk.call(&[
        "policy",
        "check",
        "another.wasm",
        "restart-then-replace.wasm",
    ])?
    .ended(0)?;
    desk.put("another.yaml", "mode: monitor\n")?;
    desk.call(&["policy", "check", "."])?
        .ended(0)?
        .shows(&["monitor"])?;
    Ok(())
}

#[test]
fn wrong_usage_says_what_would_be_right() -> Result<()> {
    let desk = Desk::new()?;
    desk.call(&["policy", "check"])?
        .ended(2)?
        .complains(&["Usage: rectifier policy check"])?;
    desk.call(&["policy", "check", "none.wasm"])?
        .ended(2)?
        .complains(&["there is no none.wasm"])?;
    desk.call(&["policy", "check", "."])?
        .ended(2)?
        .complains(&["no policy in ."])?;
    desk.put("go.mod", "module a")?;
    desk.call(&["policy", "run"])?
        .ended(2)?
        .complains(&["rectifier policy build"])?;
    Ok(())
}
