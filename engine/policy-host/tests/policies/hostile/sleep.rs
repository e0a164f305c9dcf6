//! Policies that sleep in the host, where no epoch wakes them.
//!
//! A policy's clock stands still, but it can wait in real time: WASI's `monotonic-clock` hands out a thing to wait for
//! that comes after so many real nanoseconds, whatever the clock says. So a sleep neither returns at once nor lasts
//! for ever: it lasts, and the runtime's timeout ends it.

use anyhow::Result;
use rectifier_core::policy::FailureClass;

use super::alone::alone;
use super::guest::Guest;
use super::host::{Case, Host, are_refused, fail_when_asked, still_answers};
use super::vitals::Vitals;
use crate::support::{ESCALATE, answer};

const IMPORTS: &str = r#"
    (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $after (param i64) (result i32)))
    (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop (param i32)))"#;

fn sleeping(nanoseconds: &str) -> String {
    format!("(call $block (call $after (i64.const {nanoseconds})))")
}

const FIVE_SECONDS: &str = "5_000_000_000";
/// All the nanoseconds that there are: 584 years.
const FOR_EVER: &str = "-1";

fn case<'a>(name: &'a str, bytes: &'a [u8]) -> Case<'a> {
    Case {
        name,
        bytes,
        sidecar: "limits: {milliseconds: 200}",
        class: FailureClass::Timeout,
        says: &["200 ms"],
    }
}

#[test]
fn a_policy_that_sleeps_is_ended_at_its_limit() -> Result<()> {
    alone(|| async {
        let build = |name, decide: &str| {
            Guest {
                name,
                imports: IMPORTS,
                decide,
                ..Guest::default()
            }
            .build()
        };
        let long = build("Long", &sleeping(FIVE_SECONDS))?;
        let for_ever = build("ForEver", &sleeping(FOR_EVER))?;
        // wakes up all the time: each sleep is over at once
        let naps = "(local $nap i32)
            (loop (local.set $nap (call $after (i64.const 0)))
                  (call $block (local.get $nap)) (call $drop (local.get $nap)) (br 0))";
        let naps = build("Naps", naps)?;
        fail_when_asked(&[
            case("Long", &long),
            case("ForEver", &for_ever),
            case("Naps", &naps),
        ])
        .await
    })
}

#[test]
fn a_policy_that_sleeps_while_it_checks_its_settings_is_refused() -> Result<()> {
    alone(|| async {
        let sleeps = Guest {
            name: "Sleeps",
            imports: IMPORTS,
            validate: &sleeping(FIVE_SECONDS),
            ..Guest::default()
        }
        .build()?;
        are_refused(&[case("Sleeps", &sleeps)]).await
    })
}

/// The limit is on the whole, not on each sleep, and a sleep within it is none of our business.
#[test]
fn a_policy_that_sleeps_within_its_limit_still_answers() -> Result<()> {
    alone(|| async {
        let naps = Guest {
            name: "Naps",
            imports: IMPORTS,
            decide: &(sleeping("1_000_000") + &answer(ESCALATE)),
            ..Guest::default()
        }
        .build()?;
        still_answers("Naps", &naps).await
    })
}

#[test]
fn whoever_gives_up_on_a_call_leaves_nothing_behind() -> Result<()> {
    alone(|| async {
        let host = Host::new().await?;
        let sleeps = Guest {
            name: "Sleeps",
            imports: IMPORTS,
            decide: &sleeping(FOR_EVER),
            ..Guest::default()
        }
        .build()?;
        let loops = Guest {
            name: "Loops",
            decide: "(loop (br 0))",
            ..Guest::default()
        }
        .build()?;
        host.after(|| {
            host.bench.put("sleeps.wasm", &sleeps)?;
            host.bench.put("loops.wasm", &loops)
        })
        .await?;
        let before = Vitals::at_rest().await?;
        for _ in 0..10 {
            for kind in ["Sleeps", "Loops"] {
                // it has been begun when its first turn is over, and is dropped then
                let call = host.failure(kind);
                tokio::select! {
                    biased;
                    ended = call => panic!("{kind} ended: {ended:?}"),
                    () = tokio::task::yield_now() => {}
                }
            }
            host.is_well().await?;
        }
        before.are_back().await
    })
}
