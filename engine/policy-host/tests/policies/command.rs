//! Policies that are WASI commands, and the ways in which one can go wrong.

use anyhow::{Result, bail, ensure};
use rectifier_core::policy::{FailureClass, Observation, Remedy};
use rectifier_policy_host::{Asked, Failure, Metering};

use crate::support::{Bench, observation, on_node, on_one_thread};

/// A command in text: `body` runs at its start. Address 64 holds `answer`, 16384 `complaint`.
fn command(body: &str, answer: &str, complaint: &str) -> Result<Vec<u8>> {
    let escape =
        |text: &str| -> String { text.bytes().map(|byte| format!("\\{byte:02x}")).collect() };
    let metadata = r#"{"name":"command","version":"1.0.0","contract":"0.1","handles":[{"conditions":["Sick"],"sites":["node"]}]}"#;
    let (answer_bytes, complaint_bytes) = (answer.len(), complaint.len());
    Ok(wat::parse_str(format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 2)
            (data (i32.const 64) "{answer}") (data (i32.const 16384) "{complaint}")
            (func $write (param $fd i32) (param $at i32) (param $bytes i32)
                (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $bytes))
                (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
            (func $answer (call $write (i32.const 1) (i32.const 64) (i32.const {answer_bytes})))
            (func $complain (call $write (i32.const 2) (i32.const 16384) (i32.const {complaint_bytes})))
            (func (export "_start") (local $n i32) {body})
            (@custom "rectifier:policy" "{metadata}"))"#,
        answer = escape(answer),
        complaint = escape(complaint),
        metadata = escape(metadata),
    ))?)
}

const ESCALATE: &str = r#"{"remedy": "escalate", "reason": "sick"}"#;
const ACCEPT_THEN: &str = "(call $answer)";

async fn ask(bytes: &[u8]) -> Result<Result<Asked, Failure>> {
    let bench = Bench::new()?;
    bench.put("command.wasm", bytes)?;
    let host = bench.host(Metering::Epoch)?;
    let seen: Observation = observation("Sick", on_node(&[])?)?;
    Ok(
        match host.load(&bench.directory().join("command.wasm")).await {
            Ok(policy) => Ok(host.ask(&policy, &seen).await),
            Err(failure) => Err(failure),
        },
    )
}

/// How it fails when it is asked, or when it checks its settings: a command cannot tell without reading its arguments.
async fn failure(bytes: &[u8]) -> Result<Failure> {
    Ok(match ask(bytes).await? {
        Err(failure) => failure,
        Ok(Asked {
            answer: Err(failure),
            ..
        }) => failure,
        Ok(Asked { answer, .. }) => bail!("{answer:?}"),
    })
}

#[test]
fn exit_code_0_without_a_word_accepts_any_settings_but_is_no_decision() -> Result<()> {
    on_one_thread(async {
        let failure = failure(&command("", "", "")?).await?;
        ensure!(failure.class == FailureClass::InvalidOutput, "{failure}");
        ensure!(failure.message.contains("no answer"), "{failure}");
        Ok(())
    })
}

#[test]
fn a_command_that_ends_badly_is_told_with_its_own_last_words() -> Result<()> {
    on_one_thread(async {
        let failing = command(
            "(call $complain) (call $exit (i32.const 2))",
            "",
            "panic: boom\n\tmain.go:7\n",
        )?;
        let failure_found = failure(&failing).await?;
        ensure!(failure_found.class == FailureClass::Exit, "{failure_found}");
        ensure!(
            failure_found.message.contains("exit code 2: panic: boom"),
            "{failure_found}"
        );
        let trapping = command("(call $complain) (unreachable)", "", "it is over")?;
        let failure_found = failure(&trapping).await?;
        ensure!(failure_found.class == FailureClass::Trap, "{failure_found}");
        ensure!(
            failure_found.message.contains("it is over"),
            "{failure_found}"
        );
        Ok(())
    })
}

#[test]
fn a_command_that_loops_is_stopped() -> Result<()> {
    on_one_thread(async {
        let failure = failure(&command("(loop (br 0))", "", "")?).await?;
        ensure!(failure.class == FailureClass::Timeout, "{failure}");
        Ok(())
    })
}

#[test]
fn an_answer_without_end_is_refused_and_a_complaint_without_end_is_cut() -> Result<()> {
    on_one_thread(async {
        let again = |what: &str| {
            format!(
                "(loop $again (call ${what}) (local.set $n (i32.add (local.get $n) (i32.const 1)))
                   (br_if $again (i32.lt_u (local.get $n) (i32.const 2000))))"
            )
        };
        let long = command(&again("answer"), &"x".repeat(4096), "")?;
        let failure = failure(&long).await?;
        ensure!(failure.class == FailureClass::InvalidOutput, "{failure}");
        ensure!(failure.message.contains("65536 bytes"), "{failure}");

        // The settings check takes an empty document for consent; so it must not decide there.
        let talkative = command(
            &format!("{} {ACCEPT_THEN}", again("complain")),
            "{}",
            &"y".repeat(4096),
        )?;
        match ask(&talkative).await? {
            Ok(Asked {
                answer: Err(failure),
                log,
                ..
            }) => {
                ensure!(failure.class == FailureClass::InvalidOutput, "{failure}");
                let bytes: usize = log.iter().map(|(_, line)| line.len()).sum();
                ensure!(bytes <= 64 << 10, "{bytes}");
            }
            other => bail!("{other:?}"),
        }
        Ok(())
    })
}

#[test]
fn a_decision_where_settings_were_to_be_checked_is_refused() -> Result<()> {
    on_one_thread(async {
        let failure = failure(&command(ACCEPT_THEN, ESCALATE, "")?).await?;
        ensure!(failure.class == FailureClass::InvalidOutput, "{failure}");
        ensure!(
            failure.message.contains("asked about its settings"),
            "{failure}"
        );
        Ok(())
    })
}

#[test]
fn imports_beyond_wasi_are_named() -> Result<()> {
    on_one_thread(async {
        let module = r#"(module (import "env" "system" (func)) (func (export "_start"))
            (@custom "rectifier:policy" "{\"name\":\"a\",\"version\":\"1\",\"contract\":\"0.1\",\"handles\":[]}"))"#;
        let failure = failure(&wat::parse_str(module)?).await?;
        ensure!(failure.class == FailureClass::Link, "{failure}");
        ensure!(failure.message.contains("env"), "{failure}");
        Ok(())
    })
}

#[test]
fn it_tells_deciding_from_checking_by_its_argument() -> Result<()> {
    on_one_thread(async {
        // Its arguments are "policy", "decide": 14 bytes with their ends; or "policy", "validate-settings": 25.
        let body = r#"
            (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
            (if (i32.eq (i32.load (i32.const 20)) (i32.const 14)) (then (call $answer)))"#;
        match ask(&command(body, ESCALATE, "")?).await? {
            Ok(Asked {
                answer: Ok(decision),
                usage,
                ..
            }) => {
                ensure!(decision.remedy == Remedy::Escalate);
                ensure!(
                    usage.output_bytes == ESCALATE.len() && usage.input_bytes > 100,
                    "{usage:?}"
                );
            }
            other => bail!("{other:?}"),
        }
        Ok(())
    })
}
