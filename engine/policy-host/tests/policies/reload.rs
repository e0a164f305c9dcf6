//! The directory changes while policies are asked.

use anyhow::{Context, Result};
use rectifier_core::name::ConditionKind;
use rectifier_core::policy::{Advice, FailureClass, Remedy, SiteKind};
use rectifier_policy_host::{Policies, Status};

use crate::support::{
    Bench, ESCALATE, REBOOT, Small, answer, next, observation, on_node, on_one_thread, until,
};

pub(crate) async fn advice(policies: &Policies) -> Result<Advice> {
    Ok(policies.advise(&observation("Sick", on_node(&[])?)?).await)
}

/// The remedy, if a policy decided.
pub(crate) async fn remedy(policies: &Policies) -> Result<Option<Remedy>> {
    Ok(match advice(policies).await? {
        Advice::Decided { decision, .. } => Some(decision.remedy),
        Advice::Unavailable { .. } | Advice::None => None,
    })
}

pub(crate) fn answering(remedy: u8) -> Result<Vec<u8>> {
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
fn what_a_file_answered_for_is_taken_back_when_it_goes_and_not_while_another_is_unusable()
-> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        bench.put("b.wasm", "rubbish")?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        let sick = ConditionKind::parse("Sick")?;
        let is_withdrawn = || policies.set().is_withdrawn(&sick, SiteKind::Node);
        assert!(!is_withdrawn());
        std::fs::remove_file(bench.directory().join("a.wasm"))?;
        next(&mut changed).await?;
        assert!(!policies.set().handles(&sick, SiteKind::Node));
        assert!(!is_withdrawn(), "b may be what takes its place");
        std::fs::remove_file(bench.directory().join("b.wasm"))?;
        // nobody is told: no policy answers otherwise than before
        while !is_withdrawn() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
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

#[test]
fn an_unchanged_policy_stays_as_it_is_when_others_change() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        let fails = Small {
            decide: "(unreachable)",
            ..Small::default()
        };
        bench.put("a.wasm", fails.build()?)?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        let class = async || match advice(&policies).await? {
            Advice::Unavailable { class, .. } => Ok(class),
            other => anyhow::bail!("{other:?}"),
        };
        for _ in 0..3 {
            assert_eq!(class().await?, FailureClass::Trap);
        }
        assert_eq!(class().await?, FailureClass::BreakerOpen);
        let other = Small {
            name: "other",
            handles: "Other",
            ..Small::default()
        };
        bench.put("b.wasm", other.build()?)?;
        next(&mut changed).await?;
        assert_eq!(policies.set().policies().len(), 2);
        // Loaded anew, its breaker would be closed.
        assert_eq!(class().await?, FailureClass::BreakerOpen);
        // As it is when another version was tried in between.
        bench.put("a.wasm", "rubbish")?;
        next(&mut changed).await?;
        bench.put("a.wasm", fails.build()?)?;
        until(&policies, &mut changed, all_loaded).await?;
        assert_eq!(class().await?, FailureClass::BreakerOpen);
        Ok(())
    })
}

fn all_loaded(set: &rectifier_policy_host::Set) -> bool {
    let mut policies = set.policies().iter();
    policies.all(|loaded| loaded.status() == Status::Loaded)
}

#[test]
fn a_renamed_policy_is_never_missing() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        for (from, to) in [("a.wasm", "b.wasm"), ("b.wasm", "c.wasm")] {
            let path = |name| bench.directory().join(name);
            std::fs::rename(path(from), path(to))?;
            // It is compiled already: the first set without the old name has the new one.
            next(&mut changed).await?;
            let set = policies.set();
            let files: Vec<_> = set.policies().iter().map(|loaded| loaded.file()).collect();
            assert_eq!(files, [to]);
            assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        }
        Ok(())
    })
}

#[test]
fn a_file_written_in_place_is_loaded_when_it_is_whole() -> Result<()> {
    use std::io::Write;
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        let new = answering(REBOOT)?;
        let (one, other) = new.split_at(new.len() / 2);
        let mut file = std::fs::File::create(bench.directory().join("a.wasm"))?;
        file.write_all(one)?;
        // What was there before decides, whether the half was looked at or not.
        tokio::task::yield_now().await;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        file.write_all(other)?;
        drop(file);
        while remedy(&policies).await? != Some(Remedy::Reboot) {
            next(&mut changed).await?;
        }
        assert!(all_loaded(&policies.set()));
        Ok(())
    })
}

#[test]
fn a_directory_that_goes_away_and_comes_back_keeps_the_policies() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        std::fs::rename(bench.directory(), bench.beside("away"))?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        // It comes back as another directory with another policy: one change, from the one to the other.
        std::fs::create_dir(bench.beside("new"))?;
        std::fs::write(bench.beside("new/a.wasm"), answering(REBOOT)?)?;
        std::fs::rename(bench.beside("new"), bench.directory())?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        // And it is watched as the first one was.
        bench.put("a.wasm", answering(ESCALATE)?)?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        Ok(())
    })
}

#[test]
fn a_directory_that_is_a_link_may_be_swapped() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        for (name, remedy) in [("one", ESCALATE), ("two", REBOOT)] {
            std::fs::create_dir(bench.beside(name))?;
            std::fs::write(bench.beside(name).join("a.wasm"), answering(remedy)?)?;
        }
        let link = bench.beside("link");
        std::os::unix::fs::symlink("one", &link)?;
        let options = rectifier_policy_host::Options {
            directory: link.clone(),
            ..bench.options()
        };
        let policies = Policies::open(options).await?;
        let mut changed = policies.changed();
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        std::os::unix::fs::symlink("two", bench.beside("next"))?;
        std::fs::rename(bench.beside("next"), &link)?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        Ok(())
    })
}

#[test]
fn two_hundred_policies_at_once_are_two_hundred_policies() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        let put = |remedy| {
            for number in 0..200 {
                let small = Small {
                    name: "many",
                    handles: &format!("Sick{number}"),
                    decide: &answer(remedy),
                    ..Small::default()
                };
                bench.put(&format!("{number}.wasm"), small.build()?)?;
            }
            Ok::<_, anyhow::Error>(())
        };
        put(ESCALATE)?;
        let complete =
            |set: &rectifier_policy_host::Set| set.policies().len() == 200 && all_loaded(set);
        until(&policies, &mut changed, complete).await?;
        for number in 0..200 {
            let seen = observation(&format!("Sick{number}"), on_node(&[])?)?;
            assert!(matches!(
                policies.advise(&seen).await,
                Advice::Decided { .. }
            ));
        }
        for number in 0..200 {
            std::fs::remove_file(bench.directory().join(format!("{number}.wasm")))?;
        }
        until(&policies, &mut changed, |set| set.policies().is_empty()).await
    })
}

#[test]
fn a_change_during_the_first_loading_is_not_missed() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        let open = bench.open();
        let change = async {
            tokio::task::yield_now().await;
            bench.put("a.wasm", answering(REBOOT)?)
        };
        let (policies, put) = tokio::join!(open, change);
        let policies = policies?;
        put?;
        let mut changed = policies.changed();
        while remedy(&policies).await? != Some(Remedy::Reboot) {
            next(&mut changed).await?;
        }
        Ok(())
    })
}

#[test]
fn a_directory_that_is_never_quiet_is_read_all_the_same() -> Result<()> {
    use std::sync::atomic::{AtomicBool, Ordering};
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        let noise_ends = std::sync::Arc::new(AtomicBool::new(false));
        let noise = tokio::task::spawn_blocking({
            let (path, ends) = (bench.directory().join("noise.yaml"), noise_ends.clone());
            move || {
                while !ends.load(Ordering::Relaxed) {
                    std::fs::write(&path, "")?;
                }
                Ok::<_, std::io::Error>(())
            }
        });
        bench.put("a.wasm", answering(REBOOT)?)?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        noise_ends.store(true, Ordering::Relaxed);
        Ok(noise.await??)
    })
}
