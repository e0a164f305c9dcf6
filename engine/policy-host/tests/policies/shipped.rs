//! The policy that ships, from its source to its advice.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rectifier_core::name::UnitName;
use rectifier_core::policy::{
    Advice, Attempt, Decision, FailureClass, Outcome, Remedy, Site, UnitCall, UnitVerb,
};
use rectifier_policy_host::{Policies, Status};

use crate::support::{Bench, in_control_plane, observation, on_node, on_one_thread, shipped};

fn bench() -> Result<Bench> {
    let bench = Bench::new()?;
    bench.put("restart-then-replace.wasm", shipped()?)?;
    Ok(bench)
}

async fn decide(policies: &Policies, site: Site, attempts: &[Attempt]) -> Result<Decision> {
    let mut seen = observation("KubeletUnhealthy", site)?;
    seen.episode.attempts = attempts.to_vec();
    match policies.advise(&seen).await {
        Advice::Decided { decision, .. } => Ok(decision),
        other => bail!("{other:?}"),
    }
}

fn restart() -> Result<Remedy> {
    let name = UnitName::parse("kubelet.service")?;
    Ok(Remedy::Unit(UnitCall {
        name,
        verb: UnitVerb::Restart,
    }))
}

#[test]
fn it_restarts_then_escalates_and_has_the_node_replaced() -> Result<()> {
    on_one_thread(async {
        let policies = bench()?.open().await?;
        let node = || on_node(&["kubelet.service"]);
        let first = decide(&policies, node()?, &[]).await?;
        assert_eq!((&first.remedy, first.settle), (&restart()?, Some(30)));
        let attempt = Attempt {
            remedy: restart()?,
            age: 40,
            outcome: Outcome::NoEffect,
            detail: String::new(),
        };
        let attempts = [attempt.clone(), attempt];
        assert_eq!(
            decide(&policies, node()?, &attempts[..1]).await?.remedy,
            restart()?
        );
        assert_eq!(
            decide(&policies, node()?, &attempts).await?.remedy,
            Remedy::Escalate
        );
        assert_eq!(
            decide(&policies, in_control_plane(), &attempts)
                .await?
                .remedy,
            Remedy::Replace
        );
        Ok(())
    })
}

#[test]
fn the_sidecar_that_ships_is_accepted_and_another_units_rule_is_followed() -> Result<()> {
    on_one_thread(async {
        let bench = bench()?;
        bench.put(
            "restart-then-replace.yaml",
            include_str!("../../../../policies/restart-then-replace/restart-then-replace.yaml"),
        )?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        assert_eq!(
            decide(&policies, on_node(&["kubelet.service"])?, &[])
                .await?
                .remedy,
            restart()?
        );
        bench.put(
            "restart-then-replace.yaml",
            "settings: {rules: [{condition: KubeletUnhealthy, unit: other.service, attempts: 1, settleSeconds: 5}]}",
        )?;
        crate::support::next(&mut changed).await?;
        let decision = decide(
            &policies,
            on_node(&["other.service", "kubelet.service"])?,
            &[],
        )
        .await?;
        assert_eq!(
            (decision.remedy.to_string().as_str(), decision.settle),
            ("restart other.service", Some(5))
        );
        Ok(())
    })
}

#[test]
fn settings_that_it_does_not_know_are_refused_and_the_last_good_ones_hold() -> Result<()> {
    on_one_thread(async {
        let bench = bench()?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        bench.put(
            "restart-then-replace.yaml",
            "settings: {rules: [{condition: KubeletUnhealthy, atempts: 9}]}",
        )?;
        crate::support::next(&mut changed).await?;
        let set = policies.set();
        let loaded = set.policies().first().context("no policy")?;
        let Status::KeptLastGood(failure) = loaded.status() else {
            bail!("{:?}", loaded.status())
        };
        assert_eq!(failure.class, FailureClass::Settings);
        assert!(failure.message.contains("atempts"), "{failure}");
        assert_eq!(
            decide(&policies, on_node(&["kubelet.service"])?, &[])
                .await?
                .remedy,
            restart()?
        );
        Ok(())
    })
}

#[test]
fn it_imports_nothing_but_the_contract() -> Result<()> {
    use wasmparser::{Parser, Payload};
    for payload in Parser::new(0).parse_all(shipped()?) {
        if let Payload::ComponentImportSection(imports) = payload? {
            for import in imports {
                let name = import?.name.name;
                // Imports inside, from one part of the component to another, have plain names.
                assert!(
                    !name.contains(':') || name.starts_with("rectifier:policy/"),
                    "{name}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn the_same_observation_gives_the_same_decision() -> Result<()> {
    on_one_thread(async {
        let seen = observation("KubeletUnhealthy", on_node(&["kubelet.service"])?)?;
        let (one, other) = (bench()?.open().await?, bench()?.open().await?);
        let first = one.advise(&seen).await;
        assert!(matches!(first, Advice::Decided { .. }));
        for policies in [&one, &other, &one] {
            assert_eq!(policies.advise(&seen).await, first);
        }
        Ok(())
    })
}

/// No assertion on time: it prints what a decision and a compilation cost on this machine.
#[test]
fn what_it_costs() -> Result<()> {
    on_one_thread(async {
        let bench = bench()?;
        let began = Instant::now();
        let policies = bench.open().await?;
        let cold = began.elapsed();
        let began = Instant::now();
        let _again = bench.open().await?;
        let warm = began.elapsed();

        let units: Vec<String> = (0..25).map(|n| format!("unit-{n}.service")).collect();
        let units: Vec<&str> = units
            .iter()
            .map(String::as_str)
            .chain(["kubelet.service"])
            .collect();
        let mut seen = observation("KubeletUnhealthy", on_node(&units)?)?;
        seen.conditions = vec![seen.episode.problem.clone(); 25];
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..300 {
            let began = Instant::now();
            policies.advise(&seen).await;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let at = |share: usize| times[times.len() * share / 100];
        println!("open, nothing compiled yet: {cold:?}; compiled before: {warm:?}");
        println!(
            "decide with 26 units and 25 conditions: p50 {:?}, p99 {:?}",
            at(50),
            at(99)
        );
        Ok(())
    })
}
