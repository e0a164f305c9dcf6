//! `rectifier policy run` and `bench`.

use anyhow::Result;
use serde_json::json;

use crate::support::Desk;

#[test]
fn it_tells_the_decision_and_what_it_cost() -> Result<()> {
    let desk = Desk::with_shipped()?;
    desk.call(&["policy", "run", ".", "--unit", "kubelet.service=failed"])?
        .ended(0)?
        .shows(&[
            "restart kubelet.service",
            "attempt 1 of 2",
            "30 s",
            "memory",
            "64 MiB",
            "work",
            "1 000 000 000",
        ])?;
    let words = [
        "policy",
        "run",
        ".",
        "--unit",
        "kubelet.service=failed",
        "--attempt",
        "restart:kubelet.service=noEffect@90",
        "--attempt",
        "restart:kubelet.service=failed@40",
        "-o",
        "json",
    ];
    let [first, second] =
        [desk.call(&words)?, desk.call(&words)?].map(|said| said.ended(0)?.json());
    let (first, second) = (first?, second?);
    assert_eq!(first["decision"]["remedy"], "escalate");
    assert!(first["usage"]["work"].as_u64() > Some(1000), "{first}");
    assert_eq!(first["usage"]["work"], second["usage"]["work"]);
    assert_eq!(first["remarks"], json!([]));
    Ok(())
}

#[test]
fn what_an_engine_would_do_otherwise_is_remarked() -> Result<()> {
    let desk = Desk::with_shipped()?;
    desk.put(
        "restart-then-replace.yaml",
        "needs: {units: [kubelet.service]}",
    )?;
    desk.call(&[
        "policy",
        "run",
        "--condition",
        "KernelDeadlock",
        "--unit",
        "other.service=failed",
    ])?
    .ended(0)?
    .shows(&[
        "decline",
        "does not handle KernelDeadlock at node",
        "not shown other.service",
    ])?;
    Ok(())
}

#[test]
fn an_observation_can_be_printed_changed_and_asked_again() -> Result<()> {
    let desk = Desk::with_shipped()?;
    let printed = desk
        .call(&[
            "policy",
            "run",
            "--print-observation",
            "--condition",
            "KubeletUnhealthy",
            "--site",
            "control-plane",
        ])?
        .ended(0)?;
    desk.put("seen.json", &printed.out)?;
    let ask = |words: &[&str]| {
        let words = [&["policy", "run", "--observation", "seen.json"], words].concat();
        desk.call(&words)
    };
    ask(&[])?.ended(0)?.shows(&["replace"])?;
    ask(&["--closed", "replace=budget"])?
        .ended(0)?
        .shows(&["wait 30 s", "budget"])?;
    desk.put(
        "seen.json",
        "episode: {problem: {kind: KubeletUnhealthy}}\nnode: {redy: no}\n",
    )?;
    ask(&[])?
        .ended(3)?
        .complains(&["seen.json:2:", "observation.node.redy"])?;
    Ok(())
}

#[test]
fn a_policy_that_is_refused_or_fails_is_an_answer() -> Result<()> {
    let desk = Desk::with_shipped()?;
    desk.put("restart-then-replace.yaml", "settings: {rule: []}")?;
    desk.call(&["policy", "run"])?
        .ended(1)?
        .shows(&["refused", "settings: restart-then-replace.wasm"])?;
    desk.put("restart-then-replace.yaml", "limits: {inputKibibytes: 1}")?;
    let long = format!("node.name={}", "n".repeat(240));
    let labels: Vec<String> = (0..20)
        .map(|n| format!("node.labels.{n}{}=x", "l".repeat(60)))
        .collect();
    let mut words = vec!["policy", "run", "--set", &long];
    labels
        .iter()
        .for_each(|label| words.extend(["--set", label]));
    desk.call(&words)?
        .ended(1)?
        .shows(&["oom", "limits.inputKibibytes"])?;
    Ok(())
}

#[test]
fn a_bench_tells_cold_and_warm_times_and_asserts_none() -> Result<()> {
    let desk = Desk::with_shipped()?;
    let words = [
        "policy",
        "bench",
        "--unit",
        "kubelet.service=failed",
        "--calls",
        "20",
    ];
    desk.call(&words)?.ended(0)?.shows(&[
        "nothing compiled",
        "from the cache",
        "p99",
        "a second",
    ])?;
    let json = desk
        .call(&[&words[..], &["-o", "json"]].concat())?
        .ended(0)?
        .json()?;
    assert_eq!(json["calls"], 20);
    assert!(json["p50"].as_u64() <= json["p99"].as_u64(), "{json}");
    Ok(())
}
