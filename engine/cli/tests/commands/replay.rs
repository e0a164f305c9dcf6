//! `rectifier policy replay`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams};
use rectifier_policy_host::Advisor;
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::machine::{Break, Cure};
use rectifier_sim::scene::{self, Scene};
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

/// A node whose problem stays is replaced in the world; the evidence that the engine kept.
async fn evidence(policies: Arc<dyn Advisor>) -> Result<ConfigMap> {
    let scene = Scene::set(scene::Options::default(), policies);
    let mut engine = tokio::task::JoinSet::new();
    let ctx = scene.controller("controller-0");
    engine.spawn(async move { format!("{:?}", rectifier_controller::run(ctx).await) });
    let broken = Break::Unit("proxy.service".to_owned(), Cure::Never);
    ensure!(scene.machines.break_it("worker-1", &broken));
    let maps: Api<ConfigMap> = Api::namespaced(scene.api.client("witness"), scene::NAMESPACE);
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=rectifier-controller");
    for _ in 0..1800 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let kept = maps.list(&ours).await?.items.into_iter().next();
        let is_whole = |map: &ConfigMap| {
            let data = map.data.as_ref();
            data.is_some_and(|data| data.contains_key("repair.json"))
        };
        if let Some(kept) = kept.filter(is_whole) {
            return Ok(kept);
        }
    }
    anyhow::bail!(
        "no evidence was kept within an hour: {:?}",
        engine.try_join_next()
    )
}

#[test]
fn the_evidence_of_a_repair_is_a_record_that_gives_the_same_decision() -> Result<()> {
    let desk = Desk::with_shipped()?;
    let sidecar = checkout().join("engine/sim/tests/policy/restart-then-replace.yaml");
    desk.put("restart-then-replace.yaml", std::fs::read(sidecar)?)?;
    let cache = tempfile::tempdir()?;
    let policies = rectifier_sim::policies::load(
        &[desk.path().join("restart-then-replace.wasm")],
        Compiler::new(
            env!("CARGO_BIN_EXE_rectifier"),
            &["policy-compile"],
            CompileLimits::default(),
        ),
        &cache.path().join("cache"),
    )?;
    let kept = in_virtual_time(evidence(policies))??;
    let name = kept.metadata.name.clone().unwrap_or_default();
    let json = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": kept.metadata, "data": kept.data,
    });
    desk.put("evidence.json", serde_json::to_string_pretty(&json)?)?;
    desk.put("evidence.yaml", serde_saphyr::to_string(&json)?)?;
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [json]});
    desk.put("list.json", list.to_string())?;
    // a sidecar that was changed since does not matter: the settings are in the record
    desk.put("restart-then-replace.yaml", "settings: {rules: []}\n")?;
    let replay = |file: &str, more: &[&str]| {
        let words = [
            "policy",
            "replay",
            file,
            "--policy",
            "restart-then-replace.wasm",
        ];
        desk.call(&[&words[..], more].concat())
    };
    for file in ["evidence.json", "evidence.yaml", "list.json"] {
        let answer = replay(file, &["-o", "json"])?.ended(0)?.json()?;
        assert_eq!(answer["compared"], 1, "{file}: {answer}");
        assert_eq!(
            answer["decidedByAnotherFile"],
            json!([]),
            "{file}: the same digest"
        );
    }

    // another file, and another decision: both are said
    let decision: Value =
        serde_json::from_str(json["data"]["decision.json"].as_str().unwrap_or_default())?;
    let mut other = decision.clone();
    other["policy"]["digest"] = "sha256:0".into();
    other["decision"]["remedy"] = "escalate".into();
    let mut forged = json.clone();
    forged["data"]["decision.json"] = other.to_string().into();
    desk.put("forged.yaml", serde_saphyr::to_string(&forged)?)?;
    replay("forged.yaml", &[])?.ended(1)?.shows(&[
        &name,
        "another file decided then, sha256:0",
        "- remedy: escalate",
        "+ remedy: reboot",
    ])?;

    for (file, text, why) in [
        ("secret.yaml", "kind: Secret\n", "a \"Secret\" is none"),
        (
            "empty.yaml",
            "kind: ConfigMap\nmetadata: {name: x}\n",
            "holds no decision.json",
        ),
        ("words.yaml", "just words\n", "neither JSON nor a ConfigMap"),
        ("broken.json", "{\"kind\": \"ConfigMap\"", "is no record"),
    ] {
        desk.put(file, text)?;
        replay(file, &[])?.ended(3)?.complains(&[file, why])?;
    }
    Ok(())
}
