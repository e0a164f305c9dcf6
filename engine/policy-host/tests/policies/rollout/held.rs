//! What holds a rollout up: a version that fails, or that would answer for what another policy answers for.

use anyhow::Result;
use rectifier_core::policy::{Advice, Remedy};
use rectifier_policy_host::{Policies, Set, Stage, Status};
use tokio::sync::watch::Receiver;

use super::{Node, STAGE, bench_file, in_stage};
use crate::reload::{answering, remedy};
use crate::support::{ESCALATE, REBOOT, Small, answer, observation, on_node, on_one_thread, until};

fn stands(set: &Set, file: &str) -> Option<(bool, String)> {
    let loaded = set.policies().iter().find(|loaded| loaded.file() == file)?;
    match loaded.status() {
        Status::RollingOut { held, stage, .. } => Some((held, format!("{stage:?}"))),
        Status::Refused(failure) => Some((false, failure.to_string())),
        Status::Loaded | Status::Loading | Status::KeptLastGood(_) => None,
    }
}

/// Something else happens: a policy for another condition comes.
async fn another_comes(
    node: &Node,
    policies: &Policies,
    changed: &mut Receiver<u64>,
) -> Result<()> {
    let other = Small {
        name: "other",
        handles: "Other",
        ..Small::default()
    };
    node.bench.put("b.wasm", other.build()?)?;
    until(policies, changed, |set| stands(set, "b.wasm").is_some()).await
}

#[test]
fn a_version_that_fails_while_it_monitors_goes_no_further_until_it_answers() -> Result<()> {
    on_one_thread(async {
        let node = Node::new(3 * STAGE.unsigned_abs())?;
        node.bench.put("a.wasm", answering(ESCALATE)?)?;
        let (policies, mut changed) = node.start().await?;
        // The first field of what it is shown is the id: it traps at one of a single letter.
        let trapping = Small {
            fields: "(global $free (mut i32) (i32.const 4096))",
            realloc: "(global.get $free)
                (global.set $free (i32.and (i32.const -8)
                    (i32.add (global.get $free) (i32.add (local.get 3) (i32.const 7)))))",
            decide: &format!(
                "(if (i32.eq (i32.load offset=4 (local.get 0)) (i32.const 1)) (then (unreachable))) {}",
                answer(REBOOT)
            ),
            ..Small::default()
        };
        node.bench.put("a.wasm", trapping.build()?)?;
        until(&policies, &mut changed, in_stage(Stage::Nobody)).await?;
        let mut seen = observation("Sick", on_node(&[])?)?;
        seen.id = "x".to_owned();
        let is = |stands_so: (bool, &str)| {
            let expected = (stands_so.0, stands_so.1.to_owned());
            move |set: &Set| stands(set, "a.wasm").as_ref() == Some(&expected)
        };
        assert!(matches!(
            policies.advise(&seen).await,
            Advice::Decided { .. }
        ));
        node.remembers("\"held\": true").await?;
        // Much later.
        node.clock.turn(STAGE)?;
        another_comes(&node, &policies, &mut changed).await?;
        assert!(is((true, "Nobody"))(&policies.set()));
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        // That one it could answer; its stage begins anew.
        node.forgets("\"held\": true").await?;
        node.passes(STAGE)?;
        until(&policies, &mut changed, is((false, "OneInHundred"))).await
    })
}

#[test]
fn a_new_policy_that_clashes_in_the_end_is_refused_from_the_beginning() -> Result<()> {
    on_one_thread(async {
        let node = Node::new(3 * STAGE.unsigned_abs())?;
        node.bench.put("z.wasm", answering(ESCALATE)?)?;
        let (policies, mut changed) = node.start().await?;
        node.bench.put("a.wasm", answering(REBOOT)?)?;
        let is_refused = |set: &Set| {
            stands(set, "a.wasm").is_some_and(|(_, why)| why.contains("a.wasm and z.wasm both"))
        };
        until(&policies, &mut changed, is_refused).await?;
        node.clock.turn(STAGE)?;
        another_comes(&node, &policies, &mut changed).await?;
        assert!(is_refused(&policies.set()));
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        // Nobody stands in its way any more.
        std::fs::remove_file(bench_file(&node, "z.wasm"))?;
        let comes = |stage: &'static str| {
            move |set: &Set| stands(set, "a.wasm") == Some((false, stage.to_owned()))
        };
        until(&policies, &mut changed, comes("Nobody")).await?;
        node.passes(STAGE)?;
        until(&policies, &mut changed, comes("OneInHundred")).await
    })
}

#[test]
fn a_restart_is_no_answer_of_a_version_that_fails() -> Result<()> {
    on_one_thread(async {
        let node = Node::new(3 * STAGE.unsigned_abs())?;
        node.bench.put("a.wasm", answering(ESCALATE)?)?;
        let (policies, mut changed) = node.start().await?;
        let trapping = Small {
            decide: "(unreachable)",
            ..Small::default()
        };
        node.bench.put("a.wasm", trapping.build()?)?;
        until(&policies, &mut changed, in_stage(Stage::Nobody)).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        node.remembers("\"held\": true").await?;
        drop(policies);
        node.clock.turn(10 * STAGE)?;
        let (policies, _) = node.start().await?;
        assert_eq!(
            stands(&policies.set(), "a.wasm"),
            Some((true, "Nobody".to_owned()))
        );
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        Ok(())
    })
}

#[test]
fn two_policies_may_exchange_what_they_answer_for() -> Result<()> {
    on_one_thread(async {
        let node = Node::new(3 * STAGE.unsigned_abs())?;
        let answers = |name, handles, remedy| {
            Small {
                name,
                handles,
                decide: &answer(remedy),
                ..Small::default()
            }
            .build()
        };
        node.bench.put("a.wasm", answers("a", "Sick", ESCALATE)?)?;
        node.bench.put("b.wasm", answers("b", "Other", ESCALATE)?)?;
        let (policies, mut changed) = node.start().await?;
        node.bench.put("a.wasm", answers("a", "Other", REBOOT)?)?;
        node.bench.put("b.wasm", answers("b", "Sick", REBOOT)?)?;
        let both = |stage: &'static str| {
            move |set: &Set| {
                let stands = |file| stands(set, file).map(|(_, stage)| stage);
                let wanted = Some(stage.to_owned());
                stands("a.wasm") == wanted && stands("b.wasm") == wanted
            }
        };
        until(&policies, &mut changed, both("Nobody")).await?;
        for stage in ["OneInHundred", "OneInTen"] {
            node.passes(STAGE)?;
            until(&policies, &mut changed, both(stage)).await?;
            assert!(remedy(&policies).await?.is_some());
        }
        node.passes(STAGE)?;
        let settled = |set: &Set| {
            let mut policies = set.policies().iter();
            policies.all(|loaded| loaded.status() == Status::Loaded)
        };
        until(&policies, &mut changed, settled).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        Ok(())
    })
}
