//! The directory changes while policies are asked.

use anyhow::{Context, Result};
use rectifier_core::name::ConditionKind;
use rectifier_core::policy::{Advice, FailureClass, Remedy, SiteKind};
use rectifier_policy_host::{Policies, Status};

use crate::support::{
    Bench, ESCALATE, REBOOT, Small, answer, next, observation, on_node, on_one_thread,
};

async fn advice(policies: &Policies) -> Result<Advice> {
    Ok(policies.advise(&observation("Sick", on_node(&[])?)?).await)
}

/// The remedy, if a policy decided.
async fn remedy(policies: &Policies) -> Result<Option<Remedy>> {
    Ok(match advice(policies).await? {
        Advice::Decided { decision, .. } => Some(decision.remedy),
        Advice::Unavailable { .. } | Advice::None => None,
    })
}

fn answering(remedy: u8) -> Result<Vec<u8>> {
    Small {
        decide: &answer(remedy),
        ..Small::default()
    }
    .build()
}

#[test]
fn a_new_a_changed_a_broken_and_a_removed_file_take_effect() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        assert_eq!(advice(&policies).await?, Advice::None);

        bench.put("a.wasm", answering(ESCALATE)?)?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));

        bench.put("a.wasm", answering(REBOOT)?)?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));

        bench.put("a.wasm", "rubbish")?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        let set = policies.set();
        let loaded = set.policies().first().context("no policy")?;
        assert!(
            matches!(loaded.status(), Status::KeptLastGood(failure) if failure.class == FailureClass::Load)
        );

        std::fs::remove_file(bench.directory().join("a.wasm"))?;
        next(&mut changed).await?;
        assert_eq!(advice(&policies).await?, Advice::None);
        Ok(())
    })
}

#[test]
fn a_sidecar_that_changes_takes_effect() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        bench.put("a.yaml", "handles: [{conditions: [Other], sites: [node]}]")?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        let handles = |kind: &str, site| {
            Ok::<_, anyhow::Error>(policies.set().handles(&ConditionKind::parse(kind)?, site))
        };
        assert!(!handles("Sick", SiteKind::Node)? && handles("Other", SiteKind::Node)?);
        assert!(!handles("Other", SiteKind::ControlPlane)?);
        bench.put("a.yaml", "mode: enforce")?;
        next(&mut changed).await?;
        assert!(handles("Sick", SiteKind::Node)? && handles("Sick", SiteKind::ControlPlane)?);
        assert!(!handles("Other", SiteKind::Node)?);
        Ok(())
    })
}

#[test]
fn a_call_under_way_keeps_the_policy_with_which_it_began() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put(
            "a.wasm",
            Small {
                decide: "(loop (br 0))",
                ..Small::default()
            }
            .build()?,
        )?;
        // The file changes while it loops: its time is longer than any reload.
        let mut options = bench.options();
        options.limits.decision = std::time::Duration::from_secs(10);
        let policies = Policies::open(options).await?;
        let mut changed = policies.changed();
        let set = policies.set();
        let digest = set
            .policies()
            .first()
            .and_then(|loaded| loaded.digest())
            .context("no policy")?;
        let under_way = advice(&policies);
        let change = async {
            bench.put("a.wasm", answering(REBOOT)?)?;
            next(&mut changed).await?;
            remedy(&policies).await
        };
        let (old, new) = tokio::join!(under_way, change);
        assert_eq!(new?, Some(Remedy::Reboot));
        assert!(
            matches!(old?, Advice::Unavailable { class: FailureClass::Timeout, policy, .. } if policy.digest == digest)
        );
        Ok(())
    })
}

#[test]
fn a_config_maps_swap_takes_effect_as_one() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        let path = |name: &str| bench.directory().join(name);
        for (generation, remedy) in [("..1", ESCALATE), ("..2", REBOOT)] {
            std::fs::create_dir(path(generation))?;
            std::fs::write(path(generation).join("a.wasm"), answering(remedy)?)?;
        }
        std::os::unix::fs::symlink("..1", path("..data"))?;
        std::os::unix::fs::symlink("..data/a.wasm", path("a.wasm"))?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        std::os::unix::fs::symlink("..2", path("..data_tmp"))?;
        std::fs::rename(path("..data_tmp"), path("..data"))?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        Ok(())
    })
}

#[test]
fn the_most_specific_answers_and_what_it_declines_goes_to_the_next() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put(
            "any.wasm",
            Small {
                name: "any",
                handles: "*",
                decide: &answer(REBOOT),
                ..Small::default()
            }
            .build()?,
        )?;
        bench.put(
            "some.wasm",
            Small {
                name: "some",
                handles: "S*",
                decide: &answer(ESCALATE),
                ..Small::default()
            }
            .build()?,
        )?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        // as it is built, it declines
        bench.put(
            "one.wasm",
            Small {
                name: "one",
                ..Small::default()
            }
            .build()?,
        )?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        bench.put(
            "one.wasm",
            Small {
                name: "one",
                decide: &answer(REBOOT),
                ..Small::default()
            }
            .build()?,
        )?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        Ok(())
    })
}

#[test]
fn of_two_equally_specific_one_is_refused_naming_both_unless_it_only_monitors() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        bench.put("b.wasm", answering(REBOOT)?)?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        {
            let set = policies.set();
            let second = set.policies().get(1).context("no second policy")?;
            let Status::Refused(failure) = second.status() else {
                panic!("{:?}", second.status())
            };
            assert!(
                failure.message.contains("a.wasm") && failure.message.contains("b.wasm"),
                "{failure}"
            );
        }
        bench.put("b.yaml", "mode: monitor")?;
        next(&mut changed).await?;
        let set = policies.set();
        assert!(
            set.policies()
                .iter()
                .all(|loaded| loaded.status() == Status::Loaded)
        );
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        Ok(())
    })
}
