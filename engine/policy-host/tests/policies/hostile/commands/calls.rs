//! WASI commands that do wrong through what WASI offers: they sleep in the host, and ask it for files, sockets and
//! random numbers.
//!
//! A command's clock stands still, but a sleep takes its real time, as a component's does (`sleep`): the runtime's
//! timeout ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use rectifier_core::policy::FailureClass;
use rectifier_policy_host::Limits;
use tracing::span;

use super::{Sick, all};
use crate::command::Command;
use crate::hostile::alone::alone;
use crate::hostile::host::{are_refused, fail_when_asked, still_answers};
use crate::support::times;

const WASI: &str = r#"
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sock_recv"
        (func $receive (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sock_send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sock_shutdown" (func $shutdown (param i32 i32) (result i32)))"#;

fn decides<'a>(name: &'a str, decide: &'a str) -> Command<'a> {
    Command {
        name,
        imports: WASI,
        pages: 40,
        decide,
        ..Command::default()
    }
}

fn timeout<'a>(name: &'a str, decide: &'a str) -> Sick<'a> {
    Sick::timeout(decides(name, decide))
}

/// Waits for one thing: the monotonic clock, by so many nanoseconds or until it shows them.
fn sleep(nanoseconds: &str, is_until: bool) -> String {
    let flags = u8::from(is_until);
    format!(
        "(i32.store (i32.const 65552) (i32.const 1))
         (i64.store (i32.const 65560) (i64.const {nanoseconds}))
         (i32.store16 (i32.const 65576) (i32.const {flags}))
         (if (call $poll (i32.const 65536) (i32.const 131072) (i32.const 1) (i32.const 8))
             (then (unreachable)))"
    )
}

const FIVE_SECONDS: &str = "5_000_000_000";
/// All the nanoseconds that there are: 584 years.
const FOR_EVER: &str = "-1";

#[test]
fn a_command_that_sleeps_is_ended_at_its_limit() -> Result<()> {
    alone(|| async {
        let naps = format!("(loop {} (br 0))", sleep("0", false));
        let (long, for_ever) = (sleep(FIVE_SECONDS, false), sleep(FOR_EVER, false));
        // its clock never shows that
        let until = sleep(FIVE_SECONDS, true);
        let sick = [
            timeout("Long", &long),
            timeout("ForEver", &for_ever),
            timeout("Until", &until),
            timeout("Naps", &naps),
        ];
        all(&sick, fail_when_asked).await?;
        let always = Command {
            always: &long,
            ..decides("Always", "")
        };
        all(&[Sick::timeout(always)], are_refused).await
    })
}

#[test]
fn a_command_that_sleeps_within_its_limit_still_answers() -> Result<()> {
    alone(|| async {
        let naps = decides("Naps", &(sleep("1_000_000", false) + "(call $answer)")).build()?;
        still_answers("Naps", &naps).await
    })
}

/// Each thing to wait for is the host's own memory.
#[test]
fn a_command_that_waits_for_a_crowd_is_stopped() -> Result<()> {
    alone(|| async {
        let crowd = "(drop (call $poll
            (i32.const 65536) (i32.const 131072) (i32.const 1001) (i32.const 8)))";
        let crowd = decides("Crowd", crowd);
        let sick = Sick::new(FailureClass::Oom, &["1000 things"], crowd);
        all(&[sick], fail_when_asked).await
    })
}

/// 48 is WASI's word for too little memory.
fn is_too_much(call: &str) -> String {
    format!("(if (i32.ne {call} (i32.const 48)) (then (unreachable)))")
}

#[test]
fn what_is_more_than_one_call_may_move_is_not_moved() -> Result<()> {
    alone(|| async {
        let vector = "(i32.store (i32.const 0) (i32.const 65536))
            (i32.store (i32.const 4) (i32.const 2000000))";
        let calls = [
            "(call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))",
            "(call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))",
            // as many vectors, and as many things to wait for
            "(call $fd_write (i32.const 1) (i32.const 65536) (i32.const 200000) (i32.const 8))",
            "(call $poll (i32.const 65536) (i32.const 65536) (i32.const 20000) (i32.const 8))",
            "(call $open (i32.const 3) (i32.const 0) (i32.const 65536) (i32.const 2000000)
                (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 8))",
        ];
        let decide: String = calls.map(is_too_much).concat();
        let decide = format!("{vector} {decide} (call $answer)");
        still_answers("Much", &decides("Much", &decide).build()?).await
    })
}

#[test]
fn a_command_that_has_the_host_work_without_end_is_stopped() -> Result<()> {
    alone(|| async {
        let reads = "(i32.store (i32.const 0) (i32.const 65536))
            (i32.store (i32.const 4) (i32.const 65536))
            (loop (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0))";
        let sick = [
            timeout(
                "Random",
                "(loop (drop (call $random (i32.const 65536) (i32.const 65536))) (br 0))",
            ),
            timeout("Reads", reads),
            timeout(
                "Complains",
                "(loop (call $write (i32.const 2) (i32.const 65536) (i32.const 65536)) (br 0))",
            ),
            timeout(
                "Answers",
                "(loop (call $write (i32.const 1) (i32.const 65536) (i32.const 65536)) (br 0))",
            ),
        ];
        all(&sick, fail_when_asked).await
    })
}

#[test]
fn more_random_bytes_than_one_call_may_move_are_not_made() -> Result<()> {
    alone(|| async {
        let wants = decides(
            "Wants",
            "(drop (call $random (i32.const 65536) (i32.const -1)))",
        );
        let says = &["4294967295", "1048576"];
        let sick = Sick::new(FailureClass::InvalidOutput, says, wants);
        all(&[sick], fail_when_asked).await
    })
}

/// Makes these calls, and traps at the first one that succeeds. `$fd` goes from 0 to 7: standard input, output and error,
/// and five that are not there.
fn gets_nothing(calls: &[&str]) -> String {
    let gets_none = |call: &&str| format!("(if (i32.eqz {call}) (then (unreachable)))");
    let calls: String = calls.iter().map(gets_none).collect();
    times(10_000, &calls).replace("$fd", "(i32.and (local.get $n) (i32.const 7))")
}

const SOCKETS: &[&str] = &[
    "(call $accept $fd (i32.const 0) (i32.const 8))",
    "(call $receive $fd (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 8) (i32.const 12))",
    "(call $send $fd (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 8))",
    "(call $shutdown $fd (i32.const 3))",
];

#[test]
fn a_command_gets_no_file_and_no_socket() -> Result<()> {
    alone(|| async {
        let open = "(call $open $fd (i32.const 0) (i32.const 32768) (i32.const 11)
            (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 8))";
        let decide = gets_nothing(&[&[open], SOCKETS].concat()) + "(call $answer)";
        let asks = Command {
            complaint: "/etc/passwd",
            ..decides("Asks", &decide)
        };
        still_answers("Asks", &asks.build()?).await
    })
}

#[test]
fn a_command_that_reads_on_behind_the_end_gets_nothing() -> Result<()> {
    alone(|| async {
        let read = "(call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))";
        let reads_nothing =
            format!("(if (i32.or {read} (i32.load (i32.const 8))) (then (unreachable)))");
        let decide = times(10_000, &reads_nothing) + "(call $answer)";
        let always = format!(
            "(i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 65536))
             (loop (if {read} (then (unreachable))) (br_if 0 (i32.load (i32.const 8))))"
        );
        let reads = Command {
            always: &always,
            ..decides("Reads", &decide)
        };
        still_answers("Reads", &reads.build()?).await
    })
}

/// Counts what an engine would write into its log: events that matter more than debugging.
struct Told(Arc<AtomicUsize>);

impl tracing::Subscriber for Told {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= tracing::Level::INFO
    }

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Besides the lines that a call may write, there are some of the host's own: that a policy was loaded, and the like.
#[test]
fn a_command_fills_no_log_through_what_wasi_says_of_it() -> Result<()> {
    alone(|| async {
        let decide = gets_nothing(SOCKETS) + "(call $answer)";
        let asks = decides("Asks", &decide).build()?;
        let told = Arc::default();
        let guard = tracing::subscriber::set_default(Told(Arc::clone(&told)));
        still_answers("Asks", &asks).await?;
        drop(guard);
        let (lines, limit) = (told.load(Ordering::Relaxed), Limits::default().log_lines);
        ensure!(
            lines > 0 && lines <= 2 * limit,
            "{lines} lines; a call may write {limit}"
        );
        Ok(())
    })
}
