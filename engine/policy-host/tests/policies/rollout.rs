//! A changed policy comes to enforce gradually, and the last good one is there after a restart.

mod held;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rectifier_core::policy::{Advice, FailureClass, Remedy};
use rectifier_policy_host::{Error, Mode, Options, Policies, Rollout, Set, Stage, Status};
use tokio::sync::watch::Receiver;

use crate::reload::{advice, answering, remedy};
use crate::support::{Bench, ESCALATE, Hands, REBOOT, Small, next, on_one_thread, until};

/// A node with policies, a clock and a state folder. It can be restarted.
struct Node {
    bench: Bench,
    clock: Arc<Hands>,
    over: u64,
}

/// A third of the time.
const STAGE: i64 = 100;

impl Node {
    fn new(over: u64) -> Result<Self> {
        Ok(Self {
            bench: Bench::new()?,
            clock: Arc::default(),
            over,
        })
    }

    fn options(&self, name: &str, state: &str) -> Options {
        Options {
            rollout: Some(Rollout {
                node: name.to_owned(),
                over: Duration::from_secs(self.over),
                state: self.bench.beside(state),
                clock: self.clock.clone(),
            }),
            ..self.bench.options()
        }
    }

    async fn start(&self) -> Result<(Policies, Receiver<u64>)> {
        let policies = Policies::open(self.options("node-1", "state")).await?;
        let changed = policies.changed();
        Ok((policies, changed))
    }

    /// Time passes, and something happens in the directory that makes the engine look at its clock.
    fn passes(&self, seconds: i64) -> Result<()> {
        self.clock.turn(seconds)?;
        self.bench.put("no-policy.yaml", "")
    }

    /// The engine remembers what the test is about. (It does so after it acts, and there is no event for it.)
    async fn remembers(&self, text: &str) -> Result<()> {
        let remembered = self.memory(|ledger| ledger.contains(text)).await;
        remembered.with_context(|| format!("{text:?} is not remembered"))
    }

    async fn forgets(&self, text: &str) -> Result<()> {
        let forgotten = self.memory(|ledger| !ledger.contains(text)).await;
        forgotten.with_context(|| format!("{text:?} is not forgotten"))
    }

    async fn memory(&self, is_so: impl Fn(&str) -> bool) -> Result<()> {
        let ledger = self.bench.beside("state/rollout.json");
        let mut tries = 0..10_000;
        while !std::fs::read_to_string(&ledger).is_ok_and(|ledger| is_so(&ledger)) {
            tries.next().context("in vain")?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

fn rolls_out(set: &Set) -> Option<(Stage, bool)> {
    match set.policies().first()?.status() {
        Status::RollingOut { stage, here, .. } => Some((stage, here)),
        Status::Loaded | Status::Loading | Status::KeptLastGood(_) | Status::Refused(_) => None,
    }
}

fn in_stage(stage: Stage) -> impl Fn(&Set) -> bool {
    move |set| rolls_out(set).is_some_and(|(now, _)| now == stage)
}

fn is_settled(set: &Set) -> bool {
    let first = set.policies().first();
    first.is_some_and(|loaded| loaded.status() == Status::Loaded)
}

/// A node on which `ESCALATE` is the baseline and `REBOOT` has come to the first stage.
async fn rolling(over: u64) -> Result<(Node, Policies, Receiver<u64>)> {
    let node = Node::new(over)?;
    node.bench.put("a.wasm", answering(ESCALATE)?)?;
    let (policies, mut changed) = node.start().await?;
    assert!(is_settled(&policies.set()));
    assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
    node.bench.put("a.wasm", answering(REBOOT)?)?;
    next(&mut changed).await?;
    Ok((node, policies, changed))
}

#[test]
fn a_changed_policy_monitors_first_and_enforces_in_the_end() -> Result<()> {
    on_one_thread(async {
        let (node, policies, mut changed) = rolling(3 * STAGE.unsigned_abs()).await?;
        {
            let set = policies.set();
            let loaded = set.policies().first().context("no policy")?;
            assert_eq!(rolls_out(&set), Some((Stage::Nobody, false)));
            let Status::RollingOut { digest, .. } = loaded.status() else {
                unreachable!()
            };
            assert_ne!(loaded.digest(), Some(digest));
            assert_eq!(loaded.mode(), Some(Mode::Enforce));
        }
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        for stage in [Stage::OneInHundred, Stage::OneInTen] {
            node.passes(STAGE)?;
            until(&policies, &mut changed, in_stage(stage)).await?;
            let here = rolls_out(&policies.set()).is_some_and(|(_, here)| here);
            let expected = if here {
                Remedy::Reboot
            } else {
                Remedy::Escalate
            };
            assert_eq!(remedy(&policies).await?, Some(expected));
        }
        node.passes(STAGE)?;
        until(&policies, &mut changed, is_settled).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        Ok(())
    })
}

#[test]
fn a_sidecar_that_changes_is_a_changed_policy() -> Result<()> {
    on_one_thread(async {
        let node = Node::new(300)?;
        node.bench.put("a.wasm", answering(ESCALATE)?)?;
        let (policies, mut changed) = node.start().await?;
        node.bench.put("a.yaml", "handles: []")?;
        next(&mut changed).await?;
        assert_eq!(rolls_out(&policies.set()), Some((Stage::Nobody, false)));
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        Ok(())
    })
}

#[test]
fn a_restart_in_the_middle_goes_on_where_it_was() -> Result<()> {
    on_one_thread(async {
        let (node, policies, mut changed) = rolling(3 * STAGE.unsigned_abs()).await?;
        node.passes(STAGE)?;
        until(&policies, &mut changed, in_stage(Stage::OneInHundred)).await?;
        node.remembers("oneInHundred").await?;
        drop(policies);
        let (policies, mut changed) = node.start().await?;
        let (stage, here) = rolls_out(&policies.set()).context("no rollout")?;
        assert_eq!(stage, Stage::OneInHundred);
        let expected = if here {
            Remedy::Reboot
        } else {
            Remedy::Escalate
        };
        assert_eq!(remedy(&policies).await?, Some(expected));
        for _ in 0..2 {
            node.passes(STAGE)?;
            next(&mut changed).await?;
        }
        until(&policies, &mut changed, is_settled).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        Ok(())
    })
}

#[test]
fn a_restart_with_a_broken_file_enforces_the_last_good_version() -> Result<()> {
    on_one_thread(async {
        for over in [0, 300] {
            let node = Node::new(over)?;
            node.bench.put("a.wasm", answering(ESCALATE)?)?;
            node.bench.put("a.yaml", "onFailure: escalate")?;
            drop(node.start().await?);
            node.bench.put("a.wasm", "rubbish")?;
            let (policies, mut changed) = node.start().await?;
            {
                let set = policies.set();
                let status = set.policies().first().context("no policy")?.status();
                assert!(
                    matches!(status, Status::KeptLastGood(failure) if failure.class == FailureClass::Load),
                    "{status:?}"
                );
            }
            assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
            // Whole again: it is the version that enforced, or a new one.
            node.bench.put("a.wasm", answering(ESCALATE)?)?;
            until(&policies, &mut changed, is_settled).await?;
            assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        }
        Ok(())
    })
}

#[test]
fn a_broken_version_does_not_end_the_rollout_but_holds_it_up() -> Result<()> {
    on_one_thread(async {
        let (node, policies, mut changed) = rolling(3 * STAGE.unsigned_abs()).await?;
        node.bench.put("a.wasm", "rubbish")?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        for name in ["one", "two", "three"] {
            node.clock.turn(STAGE)?;
            // What makes the engine look at its clock, and shows that it did.
            let other = Small {
                name,
                handles: "Other",
                ..Small::default()
            };
            node.bench.put("b.wasm", other.build()?)?;
            let is_here = |set: &Set| {
                let other = set.policies().get(1).and_then(|loaded| loaded.name());
                other.is_some_and(|other| other.as_str() == name)
            };
            until(&policies, &mut changed, is_here).await?;
        }
        node.bench.put("a.wasm", answering(REBOOT)?)?;
        until(&policies, &mut changed, |set| rolls_out(set).is_some()).await?;
        let (stage, _) = rolls_out(&policies.set()).context("no rollout")?;
        assert!(stage <= Stage::OneInHundred, "{stage:?}");
        Ok(())
    })
}

#[test]
fn going_back_is_at_once() -> Result<()> {
    on_one_thread(async {
        let (node, policies, mut changed) = rolling(3 * STAGE.unsigned_abs()).await?;
        node.bench.put("a.wasm", answering(ESCALATE)?)?;
        until(&policies, &mut changed, is_settled).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        Ok(())
    })
}

#[test]
fn monitoring_and_removal_take_effect_at_once() -> Result<()> {
    on_one_thread(async {
        let (node, policies, mut changed) = rolling(3 * STAGE.unsigned_abs()).await?;
        node.bench.put("a.yaml", "mode: monitor")?;
        until(&policies, &mut changed, is_settled).await?;
        let mode = policies
            .set()
            .policies()
            .first()
            .and_then(|loaded| loaded.mode());
        assert_eq!(mode, Some(Mode::Monitor));
        assert_eq!(advice(&policies).await?, Advice::None);
        std::fs::remove_file(bench_file(&node, "a.yaml"))?;
        until(&policies, &mut changed, |set| rolls_out(set).is_some()).await?;
        std::fs::remove_file(bench_file(&node, "a.wasm"))?;
        until(&policies, &mut changed, |set| set.policies().is_empty()).await
    })
}

fn bench_file(node: &Node, name: &str) -> std::path::PathBuf {
    node.bench.directory().join(name)
}

#[test]
fn each_node_knows_by_itself_whether_it_is_one_in_ten() -> Result<()> {
    on_one_thread(async {
        let (node, policies, mut changed) = rolling(3 * STAGE.unsigned_abs()).await?;
        for (stage, name) in [
            (Stage::OneInHundred, "oneInHundred"),
            (Stage::OneInTen, "oneInTen"),
        ] {
            node.passes(STAGE)?;
            until(&policies, &mut changed, in_stage(stage)).await?;
            node.remembers(name).await?;
        }
        drop(policies);
        let mut seen = [false, false];
        for number in 0..300 {
            let name = format!("node-{number}");
            copy(&node.bench.beside("state"), &node.bench.beside(&name))?;
            let policies = Policies::open(node.options(&name, &name)).await?;
            let (stage, here) = rolls_out(&policies.set()).context("no rollout")?;
            assert_eq!(stage, Stage::OneInTen);
            let expected = if here {
                Remedy::Reboot
            } else {
                Remedy::Escalate
            };
            assert_eq!(remedy(&policies).await?, Some(expected), "{name}");
            seen[usize::from(here)] = true;
            if seen == [true, true] {
                return Ok(());
            }
        }
        anyhow::bail!("all nodes do the same")
    })
}

/// As if it were another node's, with the same story.
fn copy(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

#[test]
fn a_new_policy_beside_others_monitors_first() -> Result<()> {
    on_one_thread(async {
        let node = Node::new(300)?;
        let other = Small {
            name: "other",
            handles: "Other",
            ..Small::default()
        };
        node.bench.put("z.wasm", other.build()?)?;
        let (policies, mut changed) = node.start().await?;
        node.bench.put("a.wasm", answering(REBOOT)?)?;
        next(&mut changed).await?;
        assert_eq!(rolls_out(&policies.set()), Some((Stage::Nobody, false)));
        assert_eq!(advice(&policies).await?, Advice::None);
        assert_eq!(
            policies
                .set()
                .policies()
                .first()
                .and_then(|loaded| loaded.mode()),
            Some(Mode::Monitor)
        );
        Ok(())
    })
}

#[test]
fn what_is_remembered_and_kept_is_private_and_bounded() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    on_one_thread(async {
        let node = Node::new(0)?;
        let state = node.bench.beside("state");
        let (policies, mut changed) = {
            node.bench.put("a.wasm", answering(ESCALATE)?)?;
            node.start().await?
        };
        let mode = std::fs::metadata(&state)?.permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        node.bench.put("a.wasm", "rubbish")?;
        next(&mut changed).await?;
        node.bench.put("a.wasm", answering(REBOOT)?)?;
        until(&policies, &mut changed, is_settled).await?;
        std::fs::remove_file(bench_file(&node, "a.wasm"))?;
        until(&policies, &mut changed, |set| set.policies().is_empty()).await?;
        node.remembers("\"policies\": {}").await?;
        drop(policies);
        // Whatever a kill prevented is made up for at the next start.
        let policies = node.start().await?;
        let files: Vec<_> = std::fs::read_dir(&state)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<std::io::Result<_>>()?;
        assert_eq!(files, ["rollout.json"]);
        drop(policies);

        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o770))?;
        let refused = Policies::open(node.options("node-1", "state")).await.err();
        assert!(matches!(refused, Some(Error::State { .. })), "{refused:?}");
        Ok(())
    })
}

#[test]
fn a_torn_memory_is_none_and_what_is_there_enforces() -> Result<()> {
    on_one_thread(async {
        let (node, policies, _) = rolling(300).await?;
        node.remembers("nobody").await?;
        drop(policies);
        std::fs::write(node.bench.beside("state/rollout.json"), "{\"torn")?;
        let (policies, _) = node.start().await?;
        assert!(is_settled(&policies.set()));
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        Ok(())
    })
}

#[test]
fn a_clock_that_is_set_back_does_not_hold_it_up_for_ever() -> Result<()> {
    on_one_thread(async {
        let (node, policies, mut changed) = rolling(3 * STAGE.unsigned_abs()).await?;
        node.passes(-365 * 86_400)?;
        node.remembers("1969-01-01").await?;
        for stage in [Stage::OneInHundred, Stage::OneInTen] {
            node.passes(STAGE)?;
            until(&policies, &mut changed, in_stage(stage)).await?;
        }
        Ok(())
    })
}
