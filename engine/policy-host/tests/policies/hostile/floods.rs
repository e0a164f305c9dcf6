//! Policies that pour out more than anybody wants: into the log, and into the host's calls.

use anyhow::Result;
use rectifier_core::policy::FailureClass;

use super::alone::alone;
use super::guest::Guest;
use super::host::{Case, fail_when_asked, still_answers};
use crate::support::{ESCALATE, answer, times};

#[test]
fn a_policy_that_logs_a_gigabyte_still_answers() -> Result<()> {
    alone(|| async {
        // nearly 1 MiB of zero bytes, which are text
        let log = "(call $log (i32.const 1) (i32.const 8192) (i32.const 1000000))";
        let talks = Guest {
            name: "Talks",
            pages: 17,
            decide: &(times(1100, log) + &answer(ESCALATE)),
            ..Guest::default()
        }
        .build()?;
        still_answers("Talks", &talks).await
    })
}

#[test]
fn a_line_of_log_that_is_too_long_or_no_text_ends_the_call() -> Result<()> {
    alone(|| async {
        let build = |name, decide| {
            Guest {
                name,
                pages: 40,
                decide,
                ..Guest::default()
            }
            .build()
        };
        let long = build(
            "Long",
            "(call $log (i32.const 1) (i32.const 8192) (i32.const 2000000))",
        )?;
        let outside = build(
            "Outside",
            "(call $log (i32.const 1) (i32.const 8192) (i32.const -8193))",
        )?;
        let no_text = build(
            "NoText",
            "(i32.store (i32.const 2048) (i32.const -1))
             (call $log (i32.const 1) (i32.const 2048) (i32.const 4))",
        )?;
        let no_level = build(
            "NoLevel",
            "(call $log (i32.const 77) (i32.const 2048) (i32.const 4))",
        )?;
        let invalid = |name, bytes, says| Case {
            name,
            bytes,
            sidecar: "",
            class: FailureClass::InvalidOutput,
            says,
        };
        fail_when_asked(&[
            invalid("Long", &long, &["1048576 bytes in one host call"]),
            invalid("Outside", &outside, &["string"]),
            invalid("NoText", &no_text, &["utf-8"]),
            invalid("NoLevel", &no_level, &["discriminant"]),
        ])
        .await
    })
}

const RANDOM: &str =
    r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))"#;

#[test]
fn more_random_bytes_than_one_call_may_move_are_not_made() -> Result<()> {
    alone(|| async {
        let wants = Guest {
            name: "Wants",
            imports: RANDOM,
            decide: "(call $random (i64.const 1_000_000_000_000) (i32.const 512))",
            ..Guest::default()
        }
        .build()?;
        let case = Case {
            name: "Wants",
            bytes: &wants,
            sidecar: "",
            class: FailureClass::InvalidOutput,
            says: &["1000000000000", "1048576"],
        };
        fail_when_asked(&[case]).await
    })
}

/// Each random number is made by the host, and none of it is the guest's own work.
#[test]
fn a_policy_that_has_the_host_work_without_end_is_stopped() -> Result<()> {
    alone(|| async {
        let wants = Guest {
            name: "Wants",
            imports: RANDOM,
            // 4096 is where they are put; there are two pages
            decide: "(loop (call $random (i64.const 65536) (i32.const 512)) (br 0))",
            ..Guest::default()
        }
        .build()?;
        let case = Case {
            name: "Wants",
            bytes: &wants,
            sidecar: "limits: {milliseconds: 200}",
            class: FailureClass::Timeout,
            says: &["200 ms"],
        };
        fail_when_asked(&[case]).await
    })
}

#[test]
fn a_policy_gets_no_socket() -> Result<()> {
    alone(|| async {
        // the first one that it got would be an answer that it must not give
        let socket = "(call $socket (i32.const 0) (i32.const 512))
            (if (i32.eqz (i32.load8_u (i32.const 512))) (then (unreachable)))";
        let asks = Guest {
            name: "Asks",
            imports: r#"(import "wasi:sockets/udp-create-socket@0.2.0" "create-udp-socket" (func $socket (param i32 i32)))"#,
            decide: &(times(10_000, socket) + &answer(ESCALATE)),
            ..Guest::default()
        }
        .build()?;
        still_answers("Asks", &asks).await
    })
}

const CLOCK: &str = r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $after (param i64) (result i32)))"#;

/// What the host keeps for a guest (here things to wait for) is the host's own memory, which no linear memory shows.
#[test]
fn a_policy_that_has_the_host_keep_things_without_end_is_stopped() -> Result<()> {
    alone(|| async {
        let keeps = Guest {
            name: "Keeps",
            imports: CLOCK,
            decide: "(loop (drop (call $after (i64.const -1))) (br 0))",
            ..Guest::default()
        }
        .build()?;
        let case = Case {
            name: "Keeps",
            bytes: &keeps,
            sidecar: "",
            class: FailureClass::Oom,
            says: &[],
        };
        fail_when_asked(&[case]).await
    })
}
