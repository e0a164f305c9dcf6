//! A policy that takes long to compile, beside others.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::stat::Mode;
use rectifier_core::name::ConditionKind;
use rectifier_core::policy::{Advice, Remedy, SiteKind};
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_policy_host::{Options, Policies, Set, Status};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

use crate::reload::{advice, answering, remedy};
use crate::support::{
    Bench, ESCALATE, REBOOT, Small, answer, next, observation, on_node, on_one_thread, until,
};

/// The real compiler, but it waits for a word before it compiles a policy of the name [`SLOW`].
const SCRIPT: &str = r#"
PATH=/usr/bin:/bin
job=$(mktemp "$1/job.XXXXXX")
cat > "$job"
if grep -qa "slow-to-compile" "$job"; then
    exec 8> "$1/alive"
    echo began > "$1/began"
    read -r go < "$1/go"
fi
exec "$2" < "$job"
"#;
const SLOW: &str = "slow-to-compile";

struct SlowCompiler {
    folder: PathBuf,
    began: BufReader<pipe::Receiver>,
    alive: pipe::Receiver,
    go: File,
}

impl SlowCompiler {
    fn new(bench: &Bench) -> Result<Self> {
        let folder = bench.beside("compiler");
        std::fs::create_dir(&folder)?;
        for pipe in ["alive", "began", "go"] {
            nix::unistd::mkfifo(&folder.join(pipe), Mode::S_IRWXU)?;
        }
        let both_ends = |name: &str| {
            let path = folder.join(name);
            File::options().read(true).write(true).open(path)
        };
        let began = pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(folder.join("began"))?;
        // Ends when nobody writes any more: when the compiler is dead.
        let alive = pipe::OpenOptions::new().open_receiver(folder.join("alive"))?;
        Ok(Self {
            began: BufReader::new(began),
            alive,
            go: both_ends("go")?,
            folder,
        })
    }

    fn compiler(&self) -> Result<Compiler> {
        let script = self.folder.join("compiler.sh");
        std::fs::write(&script, SCRIPT)?;
        let folder = self.folder.to_str().context("no UTF-8")?;
        let arguments = [
            script.to_str().context("no UTF-8")?,
            folder,
            env!("CARGO_BIN_EXE_rectifier-compiler"),
        ];
        Ok(Compiler::new(
            "/bin/sh",
            &arguments,
            CompileLimits::default(),
        ))
    }

    async fn has_begun(&mut self) -> Result<()> {
        self.began.read_line(&mut String::new()).await?;
        Ok(())
    }

    async fn is_dead(&mut self) -> Result<()> {
        let mut said = Vec::new();
        let end = self.alive.read_to_end(&mut said);
        let end = tokio::time::timeout(Duration::from_secs(120), end);
        end.await.context("the compiler lives")??;
        Ok(())
    }

    fn go(&mut self) -> Result<()> {
        Ok(self.go.write_all(b"go\n")?)
    }
}

/// A directory with these files, its slow compiler, and its policies.
async fn open(files: &[(&str, Vec<u8>)]) -> Result<(Bench, SlowCompiler, Policies)> {
    let bench = Bench::new()?;
    for (name, bytes) in files {
        bench.put(name, bytes)?;
    }
    let compiler = SlowCompiler::new(&bench)?;
    let options = Options {
        compiler: compiler.compiler()?,
        ..bench.options()
    };
    let policies = Policies::open(options).await?;
    Ok((bench, compiler, policies))
}

fn slow(handles: &str, remedy: u8) -> Result<Vec<u8>> {
    Small {
        name: SLOW,
        handles,
        decide: &answer(remedy),
        ..Small::default()
    }
    .build()
}

fn handles(set: &Set, kind: &str) -> bool {
    ConditionKind::parse(kind).is_ok_and(|kind| set.handles(&kind, SiteKind::Node))
}

#[test]
fn a_policy_that_takes_long_to_compile_delays_no_other() -> Result<()> {
    on_one_thread(async {
        let (bench, mut compiler, policies) = open(&[]).await?;
        let mut changed = policies.changed();
        bench.put("slow.wasm", slow("Slow", ESCALATE)?)?;
        compiler.has_begun().await?;
        for remedy_now in [ESCALATE, REBOOT] {
            bench.put("quick.wasm", answering(remedy_now)?)?;
            next(&mut changed).await?;
        }
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        assert!(!handles(&policies.set(), "Slow"));
        std::fs::remove_file(bench.directory().join("quick.wasm"))?;
        next(&mut changed).await?;
        assert_eq!(advice(&policies).await?, Advice::None);
        compiler.go()?;
        until(&policies, &mut changed, |set| handles(set, "Slow")).await
    })
}

#[test]
fn what_changes_together_takes_effect_without_waiting_for_the_slowest() -> Result<()> {
    on_one_thread(async {
        let files = [("slow.wasm", answering(ESCALATE)?)];
        let (bench, mut compiler, policies) = open(&files).await?;
        let mut changed = policies.changed();
        let other = Small {
            name: "other",
            handles: "Other",
            ..Small::default()
        };
        bench.put("slow.wasm", slow("Sick", REBOOT)?)?;
        bench.put("other.wasm", other.build()?)?;
        until(&policies, &mut changed, |set| handles(set, "Other")).await?;
        // Meanwhile the slow one's last version decides.
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        compiler.has_begun().await?;
        compiler.go()?;
        while remedy(&policies).await? != Some(Remedy::Reboot) {
            next(&mut changed).await?;
        }
        Ok(())
    })
}

#[test]
fn a_newer_version_ends_the_compilation_of_the_one_before() -> Result<()> {
    on_one_thread(async {
        let files = [("a.wasm", answering(ESCALATE)?)];
        let (bench, mut compiler, policies) = open(&files).await?;
        let mut changed = policies.changed();
        bench.put("a.wasm", slow("Sick", ESCALATE)?)?;
        compiler.has_begun().await?;
        bench.put("a.wasm", answering(REBOOT)?)?;
        compiler.is_dead().await?;
        while remedy(&policies).await? != Some(Remedy::Reboot) {
            next(&mut changed).await?;
        }
        let set = policies.set();
        let statuses: Vec<_> = set
            .policies()
            .iter()
            .map(|loaded| loaded.status())
            .collect();
        assert_eq!(statuses, [Status::Loaded]);
        Ok(())
    })
}

#[test]
fn going_back_to_the_version_that_is_loaded_ends_the_compilation_too() -> Result<()> {
    on_one_thread(async {
        let files = [("a.wasm", answering(ESCALATE)?)];
        let (bench, mut compiler, policies) = open(&files).await?;
        bench.put("a.wasm", slow("Sick", REBOOT)?)?;
        compiler.has_begun().await?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        compiler.is_dead().await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        Ok(())
    })
}

#[test]
fn a_file_that_is_removed_or_policies_that_are_dropped_end_the_compilation() -> Result<()> {
    on_one_thread(async {
        let (bench, mut compiler, policies) = open(&[]).await?;
        bench.put("a.wasm", slow("Sick", REBOOT)?)?;
        compiler.has_begun().await?;
        std::fs::remove_file(bench.directory().join("a.wasm"))?;
        compiler.is_dead().await?;
        let fifo = compiler.folder.join("alive");
        compiler.alive = pipe::OpenOptions::new().open_receiver(fifo)?;
        bench.put("b.wasm", slow("Sick", REBOOT)?)?;
        compiler.has_begun().await?;
        drop(policies);
        compiler.is_dead().await
    })
}

/// No assertion on time: it prints how long a new version takes from its rename to its first decision.
#[test]
fn what_a_reload_costs_while_another_policy_is_compiled() -> Result<()> {
    on_one_thread(async {
        let (bench, mut compiler, policies) = open(&[]).await?;
        let mut changed = policies.changed();
        bench.put("slow.wasm", slow("Slow", ESCALATE)?)?;
        compiler.has_begun().await?;
        let mut times = Vec::new();
        for number in 0..30_u32 {
            // Another module each time, so that none is compiled yet.
            let small = Small {
                decide: &format!("(drop (i32.const {number})) {}", answer(ESCALATE)),
                handles: &format!("Sick{number}"),
                ..Small::default()
            };
            let module = small.build()?;
            let seen = observation(&format!("Sick{number}"), on_node(&[])?)?;
            let began = Instant::now();
            bench.put("a.wasm", module)?;
            while !matches!(policies.advise(&seen).await, Advice::Decided { .. }) {
                next(&mut changed).await?;
            }
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let at = |share: usize| times[times.len() * share / 100];
        println!(
            "rename to first decision, a small policy not compiled yet, another one under way: p50 {:?}, p90 {:?}",
            at(50),
            at(90)
        );
        Ok(())
    })
}
