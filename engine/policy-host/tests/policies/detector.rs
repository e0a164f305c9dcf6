//! What Node Problem Detector can report, by the configuration that it ships, and whether a policy that ships answers it on purpose.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use rectifier_core::policy::{Advice, Remedy};
use rectifier_provision::{Cache, Silent};

use crate::support::{Bench, in_control_plane, observation, on_node, on_one_thread};

/// The kinds of conditions in the rules of all files below this folder. Read as text: one of the files is no JSON.
fn conditions(folder: &Path, into: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            conditions(&path, into)?;
        } else if path.extension().is_some_and(|ending| ending == "json") {
            let text = std::fs::read_to_string(&path)?;
            let named = text.split("\"condition\":").skip(1);
            into.extend(named.filter_map(|rest| Some(rest.split('"').nth(1)?.to_owned())));
        }
    }
    Ok(())
}

#[test]
fn every_condition_of_the_detector_is_answered_on_purpose() -> Result<()> {
    let cache = Cache::from_env()?;
    let mut kinds = BTreeSet::new();
    let detector = cache.go_module("k8s.io/node-problem-detector")?;
    conditions(&detector.join("config"), &mut kinds)?;
    ensure!(
        kinds.len() > 10 && kinds.contains("KernelDeadlock"),
        "{kinds:?} is hardly all"
    );
    let policy = cache.policy_component("default-ladder", &mut Silent)?;
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("default-ladder.wasm", std::fs::read(policy)?)?;
        let policies = bench.open().await?;
        let mut graver = 0;
        for kind in &kinds {
            let units = [
                "kubelet.service",
                "containerd.service",
                "chrony.service",
                "kube-proxy.service",
            ];
            for site in [on_node(&units)?, in_control_plane()] {
                let seen = observation(kind, site)?;
                let Advice::Decided { decision, .. } = policies.advise(&seen).await else {
                    bail!("{kind} is not answered");
                };
                ensure!(
                    !decision.reason.contains("no ladder names"),
                    "{kind}: {}",
                    decision.reason
                );
                graver += usize::from(decision.remedy == Remedy::Replace);
            }
        }
        ensure!(graver > 5, "hardly anything is replaced");
        // and what nobody has thought of is no detector's
        let seen = observation("GpuFellOff", in_control_plane())?;
        let advice = policies.advise(&seen).await;
        let Advice::Decided { decision, .. } = &advice else {
            bail!("{advice:?}");
        };
        ensure!(decision.reason.contains("no ladder names"), "{advice:?}");
        Ok(())
    })
}
