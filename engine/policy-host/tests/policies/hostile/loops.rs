//! Policies that never come back.

use anyhow::{Result, bail};
use rectifier_core::policy::FailureClass;

use super::alone::alone;
use super::guest::Guest;
use super::host::{Case, Host, are_refused, fail_when_asked};

/// A fifth of a second, so that a case can be repeated. In the messages it is this.
const SHORT: &str = "limits: {milliseconds: 200}";
const SAYS: &[&str] = &["200 ms"];

const FOR_EVER: &str = "(loop (br 0))";

fn timeout<'a>(name: &'a str, bytes: &'a [u8]) -> Case<'a> {
    Case {
        name,
        bytes,
        sidecar: SHORT,
        class: FailureClass::Timeout,
        says: SAYS,
    }
}

#[test]
fn a_policy_that_loops_is_stopped_at_its_limit() -> Result<()> {
    alone(|| async {
        let decides = Guest {
            name: "Decides",
            decide: FOR_EVER,
            ..Guest::default()
        }
        .build()?;
        // without a loop: calls alone
        let calls = Guest {
            name: "Calls",
            fields: "(func $a (param i32) (return_call $b (local.get 0)))
                     (func $b (param i32) (return_call $a (local.get 0)))",
            decide: "(call $a (i32.const 0))",
            ..Guest::default()
        }
        .build()?;
        // after the answer has been read
        let cleans_up = Guest {
            name: "CleansUp",
            clean_up: FOR_EVER,
            ..Guest::default()
        }
        .build()?;
        // each turn of it is long: 64 KiB are filled without a break
        let fills = Guest {
            name: "Fills",
            decide: "(loop (memory.fill (i32.const 65536) (i32.const 7) (i32.const 65536)) (br 0))",
            ..Guest::default()
        }
        .build()?;
        fail_when_asked(&[
            timeout("Decides", &decides),
            timeout("Calls", &calls),
            timeout("CleansUp", &cleans_up),
            timeout("Fills", &fills),
        ])
        .await
    })
}

#[test]
fn a_policy_that_loops_before_it_is_ever_asked_is_refused() -> Result<()> {
    alone(|| async {
        let starts = Guest {
            name: "Starts",
            fields: "(func $start (loop (br 0))) (start $start)",
            ..Guest::default()
        }
        .build()?;
        let validates = Guest {
            name: "Validates",
            validate: FOR_EVER,
            ..Guest::default()
        }
        .build()?;
        // while it is given its settings
        let allocates = Guest {
            name: "Allocates",
            realloc: FOR_EVER,
            ..Guest::default()
        }
        .build()?;
        are_refused(&[
            timeout("Starts", &starts),
            timeout("Validates", &validates),
            timeout("Allocates", &allocates),
        ])
        .await
    })
}

#[test]
fn a_policy_that_breaks_while_it_checks_its_settings_is_refused() -> Result<()> {
    alone(|| async {
        let traps = Guest {
            name: "Traps",
            validate: "(unreachable)",
            ..Guest::default()
        }
        .build()?;
        let starts = Guest {
            name: "Starts",
            fields: "(func $start (unreachable)) (start $start)",
            ..Guest::default()
        }
        .build()?;
        let trap = |name, bytes| Case {
            name,
            bytes,
            sidecar: "",
            class: FailureClass::Trap,
            says: &["unreachable"],
        };
        are_refused(&[trap("Traps", &traps), trap("Starts", &starts)]).await
    })
}

#[test]
fn while_three_policies_loop_a_good_one_is_not_kept_waiting() -> Result<()> {
    alone(|| async {
        let host = Host::new().await?;
        let names = ["LoopA", "LoopB", "LoopC"];
        host.after(|| {
            names.iter().try_for_each(|name| {
                let decide = FOR_EVER;
                let guest = Guest {
                    name,
                    decide,
                    ..Guest::default()
                };
                // as the engines have it
                host.bench
                    .put(&format!("{name}.yaml"), "limits: {milliseconds: 1000}")?;
                host.bench.put(&format!("{name}.wasm"), guest.build()?)
            })
        })
        .await?;
        let looping = async {
            let [a, b, c] = names.map(|name| host.failure(name));
            tokio::join!(a, b, c)
        };
        // The loops are polled first, so they have the thread; the answer comes before any of them ends all the same.
        tokio::pin!(looping);
        tokio::select! {
            biased;
            ended = &mut looping => bail!("the good policy was kept waiting for {ended:?}"),
            well = host.is_well() => well?,
        }
        for ended in <[_; 3]>::from(looping.await) {
            let (class, message) = ended?;
            assert_eq!(class, FailureClass::Timeout, "{message}");
            assert!(message.contains("1000 ms"), "{message}");
        }
        host.is_well().await
    })
}

/// They are asked after the answer; one that never ends must not keep the next question waiting either.
#[test]
fn while_a_monitoring_policy_loops_a_good_one_is_not_kept_waiting() -> Result<()> {
    alone(|| async {
        let host = Host::new().await?;
        let before = super::vitals::Vitals::at_rest().await?;
        host.after(|| {
            let guest = Guest {
                name: "Good",
                decide: FOR_EVER,
                ..Guest::default()
            };
            host.bench.put(
                "monitors.yaml",
                "mode: monitor\nlimits: {milliseconds: 200}",
            )?;
            host.bench.put("monitors.wasm", guest.build()?)
        })
        .await?;
        // more than can wait for a monitoring policy
        for _ in 0..100 {
            host.is_well().await?;
        }
        host.after(|| {
            let path = host.bench.directory().join("monitors.wasm");
            Ok(std::fs::remove_file(path)?)
        })
        .await?;
        host.is_well().await?;
        before.are_back().await
    })
}
