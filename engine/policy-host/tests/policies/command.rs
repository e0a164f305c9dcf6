//! Policies that are WASI commands. What one can do wrong is in `hostile`.

use anyhow::{Result, ensure};
use rectifier_core::policy::Remedy;
use rectifier_policy_host::{Asked, Metering};

use crate::support::{Bench, metadata, observation, on_node, on_one_thread, times};

/// A command in text, any part of which can be hostile. Addresses below 64 are its own functions'; from 65536 on there
/// are zeros.
pub(crate) struct Command<'a> {
    /// Its name, and the condition that it answers for.
    pub(crate) name: &'a str,
    /// More imports in text.
    pub(crate) imports: &'a str,
    /// More fields of the module.
    pub(crate) fields: &'a str,
    /// Pages of memory that it has from the start.
    pub(crate) pages: u32,
    /// Instructions whenever it is started: to check its settings, and to decide.
    pub(crate) always: &'a str,
    /// Instructions after these if it is to decide, which it finds out with `$deciding`.
    pub(crate) decide: &'a str,
    /// What `$answer` writes to standard output. It lies at 64.
    pub(crate) answer: &'a [u8],
    /// What `$complain` writes to standard error. It lies at 32768.
    pub(crate) complaint: &'a str,
}

impl Default for Command<'_> {
    fn default() -> Self {
        Self {
            name: "command",
            imports: "",
            fields: "",
            pages: 2,
            always: "",
            decide: "",
            answer: ESCALATE,
            complaint: "",
        }
    }
}

const ESCALATE: &[u8] = br#"{"remedy": "escalate", "reason": "sick"}"#;

impl Command<'_> {
    pub(crate) fn build(&self) -> Result<Vec<u8>> {
        let Self {
            name,
            imports,
            fields,
            pages,
            always,
            decide,
            answer,
            complaint,
        } = self;
        let escape =
            |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("\\{byte:02x}")).collect() };
        let (answer_bytes, complaint_bytes) = (answer.len(), complaint.len());
        // Its arguments are "policy", "decide": 14 bytes with their ends; or "policy", "validate-settings": 25.
        Ok(wat::parse_str(format!(
            r#"(module
                (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                {imports}
                (memory (export "memory") {pages})
                (data (i32.const 64) "{answer}") (data (i32.const 32768) "{complaint}")
                {fields}
                (func $deciding (result i32)
                    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
                    (i32.eq (i32.load (i32.const 20)) (i32.const 14)))
                (func $write (param $fd i32) (param $at i32) (param $bytes i32)
                    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $bytes))
                    (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
                        (then (unreachable))))
                (func $answer (call $write (i32.const 1) (i32.const 64) (i32.const {answer_bytes})))
                (func $complain (call $write (i32.const 2) (i32.const 32768) (i32.const {complaint_bytes})))
                (func $always {always})
                (func $decide {decide})
                (func (export "_start") (call $always) (if (call $deciding) (then (call $decide))))
                (@custom "rectifier:policy" "{metadata}"))"#,
            answer = escape(answer),
            complaint = escape(complaint.as_bytes()),
            metadata = escape(metadata(&name.to_lowercase(), name).as_bytes()),
        ))?)
    }
}

async fn ask(command: Command<'_>) -> Result<Asked> {
    let bench = Bench::new()?;
    bench.put("command.wasm", command.build()?)?;
    let host = bench.host(Metering::Epoch)?;
    let policy = host.load(&bench.directory().join("command.wasm")).await?;
    let seen = observation(command.name, on_node(&[])?)?;
    Ok(host.ask(&policy, &seen).await)
}

#[test]
fn it_tells_deciding_from_checking_by_its_argument() -> Result<()> {
    on_one_thread(async {
        let command = Command {
            decide: "(call $answer)",
            ..Command::default()
        };
        let Asked { answer, usage, .. } = ask(command).await?;
        ensure!(answer?.remedy == Remedy::Escalate);
        ensure!(
            usage.output_bytes == ESCALATE.len() && usage.input_bytes > 100,
            "{usage:?}"
        );
        Ok(())
    })
}

#[test]
fn of_a_complaint_without_end_the_log_has_the_beginning() -> Result<()> {
    on_one_thread(async {
        let command = Command {
            always: &times(2000, "(call $complain)"),
            decide: "(call $answer)",
            complaint: &"y".repeat(4096),
            ..Command::default()
        };
        let Asked { answer, log, .. } = ask(command).await?;
        ensure!(answer?.remedy == Remedy::Escalate);
        let lines: Vec<_> = log.iter().map(|(_, line)| line.as_str()).collect();
        ensure!(lines == ["y".repeat(64 << 10)], "{} lines", lines.len());
        Ok(())
    })
}
