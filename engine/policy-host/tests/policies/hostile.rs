//! Policies that would hurt their host, and files that are none.

use anyhow::{Result, bail};
use rectifier_core::policy::{Advice, FailureClass, Remedy};
use rectifier_policy_host::compile::CompileLimits;
use rectifier_policy_host::{Policies, Set, Status};

use crate::support::{
    Bench, ESCALATE, REPLACE, Small, answer, observation, on_node, on_one_thread,
};

/// Asks about a condition; how the policy failed.
async fn failure(policies: &Policies, kind: &str) -> Result<(FailureClass, String)> {
    match policies.advise(&observation(kind, on_node(&[])?)?).await {
        Advice::Unavailable { class, message, .. } => Ok((class, message)),
        other => bail!("{other:?}"),
    }
}

/// How the only policy of a directory fails.
async fn fails(small: Small<'_>, sidecar: &str) -> Result<(FailureClass, String)> {
    let bench = Bench::new()?;
    bench.put("hostile.wasm", small.build()?)?;
    bench.put("hostile.yaml", sidecar)?;
    failure(&bench.open().await?, "Sick").await
}

/// Why a file was refused.
fn refused(set: &Set, file: &str) -> Result<(FailureClass, String)> {
    let loaded = set.policies().iter().find(|loaded| loaded.file() == file);
    match loaded.map(rectifier_policy_host::Loaded::status) {
        Some(Status::Refused(failure)) => Ok((failure.class, failure.message.clone())),
        other => bail!("{file}: {other:?}"),
    }
}

#[test]
fn a_policy_that_loops_is_stopped_and_keeps_nobody_waiting() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        for (name, kind) in [
            ("loop-a", "SickA"),
            ("loop-b", "SickB"),
            ("loop-c", "SickC"),
        ] {
            let small = Small {
                name,
                handles: kind,
                decide: "(loop (br 0))",
                ..Small::default()
            };
            bench.put(&format!("{name}.wasm"), small.build()?)?;
        }
        let good = Small {
            name: "good",
            decide: &answer(ESCALATE),
            ..Small::default()
        };
        bench.put("good.wasm", good.build()?)?;
        let policies = bench.open().await?;
        let looping = async {
            tokio::join!(
                failure(&policies, "SickA"),
                failure(&policies, "SickB"),
                failure(&policies, "SickC")
            )
        };
        let answered = async {
            Ok::<_, anyhow::Error>(policies.advise(&observation("Sick", on_node(&[])?)?).await)
        };
        // The loops are polled first, so they have the thread; the answer comes before any of them ends all the same.
        tokio::pin!(looping, answered);
        let answer = tokio::select! {
            biased;
            _ = &mut looping => bail!("the good policy was kept waiting"),
            answer = &mut answered => answer?,
        };
        assert!(
            matches!(answer, Advice::Decided { decision, .. } if decision.remedy == Remedy::Escalate)
        );
        for (class, message) in <[_; 3]>::from(looping.await)
            .into_iter()
            .collect::<Result<Vec<_>>>()?
        {
            assert_eq!(class, FailureClass::Timeout);
            assert!(
                message.contains("1000 ms") && message.contains("loop-"),
                "{message}"
            );
        }
        Ok(())
    })
}

#[test]
fn a_start_function_that_loops_is_stopped_before_it_is_ever_asked() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        let fields = "(func $start (loop (br 0))) (start $start)";
        bench.put(
            "start.wasm",
            Small {
                fields,
                ..Small::default()
            }
            .build()?,
        )?;
        bench.put("start.yaml", "limits: {milliseconds: 50}")?;
        let policies = bench.open().await?;
        let (class, message) = refused(&policies.set(), "start.wasm")?;
        assert_eq!(class, FailureClass::Timeout, "{message}");
        Ok(())
    })
}

#[test]
fn a_trap_a_recursion_and_a_bomb_of_memory_are_told_apart() -> Result<()> {
    on_one_thread(async {
        let (class, message) = fails(
            Small {
                decide: "(unreachable)",
                ..Small::default()
            },
            "",
        )
        .await?;
        assert_eq!(class, FailureClass::Trap);
        assert!(message.contains("hostile.wasm (sha256:"), "{message}");

        let fields =
            "(func $deeper (param i32) (call $deeper (local.get 0)) (call $deeper (local.get 0)))";
        let decide = "(call $deeper (i32.const 0))";
        assert_eq!(
            fails(
                Small {
                    decide,
                    fields,
                    ..Small::default()
                },
                ""
            )
            .await?
            .0,
            FailureClass::Stack
        );

        let decide = "(loop (drop (memory.grow (i32.const 16))) (br 0))";
        let (class, message) = fails(
            Small {
                decide,
                ..Small::default()
            },
            "limits: {memoryMebibytes: 8}",
        )
        .await?;
        assert_eq!(class, FailureClass::Oom);
        assert!(message.contains("8388608 bytes of memory"), "{message}");

        let (decide, fields) = (
            "(loop (drop (table.grow (ref.null func) (i32.const 9999))) (br 0))",
            "(table 1 funcref)",
        );
        assert_eq!(
            fails(
                Small {
                    decide,
                    fields,
                    ..Small::default()
                },
                ""
            )
            .await?
            .0,
            FailureClass::Oom
        );
        Ok(())
    })
}

#[test]
fn an_answer_that_breaks_the_contract_is_none() -> Result<()> {
    on_one_thread(async {
        let other_site = answer(REPLACE);
        let no_such_remedy = answer(99);
        let store = |address: u32, value: u32| {
            format!("(i32.store (i32.const {address}) (i32.const {value}))")
        };
        // 100 KB of zero bytes are text, but too much of it
        let too_long = store(1048 + 4, 100_000);
        let out_of_memory = store(1048, 0x7fff_0000) + &store(1048 + 4, 10);
        let no_utf8 = store(2048, 0xffff_ffff) + &store(1048, 2048) + &store(1048 + 4, 4);
        let many_notes = store(1064, 0) + &store(1064 + 4, 5000);
        for decide in [
            other_site,
            no_such_remedy,
            too_long,
            out_of_memory,
            no_utf8,
            many_notes,
        ] {
            let (class, message) = fails(
                Small {
                    decide: &decide,
                    ..Small::default()
                },
                "",
            )
            .await?;
            assert_eq!(class, FailureClass::InvalidOutput, "{decide}: {message}");
        }
        Ok(())
    })
}

#[test]
fn a_policy_that_talks_without_end_still_answers() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        let decide = format!(
            "(local $n i32)
             (loop $again
                (call $log (i32.const 1) (i32.const 8192) (i32.const 50000))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $n) (i32.const 200))))
             {}",
            answer(ESCALATE)
        );
        bench.put(
            "talks.wasm",
            Small {
                decide: &decide,
                ..Small::default()
            }
            .build()?,
        )?;
        let advice = bench
            .open()
            .await?
            .advise(&observation("Sick", on_node(&[])?)?)
            .await;
        assert!(matches!(advice, Advice::Decided { .. }), "{advice:?}");
        Ok(())
    })
}

#[test]
fn three_failures_open_the_breaker_of_that_policy_alone() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        let bad = Small {
            name: "bad",
            handles: "Bad",
            decide: "(unreachable)",
            ..Small::default()
        };
        bench.put("bad.wasm", bad.build()?)?;
        bench.put(
            "worse.wasm",
            Small {
                name: "worse",
                handles: "Worse",
                ..bad
            }
            .build()?,
        )?;
        let policies = bench.open().await?;
        for _ in 0..3 {
            assert_eq!(failure(&policies, "Bad").await?.0, FailureClass::Trap);
        }
        assert_eq!(
            failure(&policies, "Bad").await?.0,
            FailureClass::BreakerOpen
        );
        assert_eq!(failure(&policies, "Worse").await?.0, FailureClass::Trap);
        Ok(())
    })
}

#[test]
fn a_file_that_is_no_policy_is_refused_by_name_and_the_others_answer() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        let good = Small {
            decide: &answer(ESCALATE),
            ..Small::default()
        }
        .build()?;
        bench.put("good.wasm", &good)?;
        bench.put("rubbish.wasm", "rubbish")?;
        bench.put("half.wasm", &good[..good.len() / 2])?;
        bench.put("core.wasm", wat::parse_str("(module)")?)?;
        bench.put("nameless.wasm", wat::parse_str("(component)")?)?;
        let metadata = r#"(@custom "rectifier:policy" "{\"name\":\"a\",\"version\":\"1\",\"contract\":\"0.1\",\"handles\":[]}")"#;
        bench.put(
            "empty.wasm",
            wat::parse_str(format!("(component {metadata})"))?,
        )?;
        let import = r#"(import "wasi:nn/graph@0.2.0" (instance (export "load" (func))))"#;
        bench.put(
            "imports.wasm",
            wat::parse_str(format!("(component {import} {metadata})"))?,
        )?;
        bench.put("settings.wasm", &good)?;
        bench.put("settings.yaml", "mode: enforce\nsettigns: {}\n")?;
        bench.put("pinned.wasm", &good)?;
        bench.put("pinned.yaml", "sha256: abc\n")?;
        let policies = bench.open().await?;
        let set = policies.set();
        for (file, class, why) in [
            ("rubbish.wasm", FailureClass::Load, "no WebAssembly"),
            ("half.wasm", FailureClass::Load, "no WebAssembly"),
            (
                "core.wasm",
                FailureClass::Load,
                "core module without _start",
            ),
            ("nameless.wasm", FailureClass::Load, "custom section"),
            ("empty.wasm", FailureClass::Link, "decider"),
            ("imports.wasm", FailureClass::Link, "wasi:nn/graph"),
            ("settings.wasm", FailureClass::Settings, "settings.yaml:2:1"),
            ("pinned.wasm", FailureClass::Load, "pinned.yaml:1:9 pins"),
        ] {
            let (found, message) = refused(&set, file)?;
            assert_eq!(found, class, "{message}");
            assert!(
                message.starts_with(file) && message.contains(why),
                "{message}"
            );
        }
        let advice = policies.advise(&observation("Sick", on_node(&[])?)?).await;
        assert!(matches!(advice, Advice::Decided { .. }), "{advice:?}");
        Ok(())
    })
}

#[test]
fn a_module_too_much_for_the_compilers_memory_or_time_is_refused_by_name() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("large.wasm", Small::default().build()?)?;
        let tight = CompileLimits {
            address_space: 1 << 20,
            ..CompileLimits::default()
        };
        let options = rectifier_policy_host::Options {
            compiler: crate::support::compiler(tight),
            ..bench.options()
        };
        let (class, message) = refused(&Policies::open(options).await?.set(), "large.wasm")?;
        assert_eq!(class, FailureClass::Compile);
        assert!(message.contains("1 MiB"), "{message}");
        Ok(())
    })
}
