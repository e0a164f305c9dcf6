//! WASI commands that end badly, or cannot even be started.

use anyhow::Result;
use rectifier_core::policy::FailureClass;

use super::{Sick, all};
use crate::command::Command;
use crate::hostile::alone::alone;
use crate::hostile::guest::metadata;
use crate::hostile::host::{Case, are_refused, fail_when_asked};

#[test]
fn a_command_that_ends_badly_is_told_with_its_own_last_words() -> Result<()> {
    alone(|| async {
        let trap = "(call $complain) (unreachable)";
        let exit = "(call $complain) (call $exit (i32.const 2))";
        let traps = |name, always, decide| {
            let command = Command {
                name,
                always,
                decide,
                complaint: "it is over",
                ..Command::default()
            };
            Sick::new(FailureClass::Trap, &["unreachable", "it is over"], command)
        };
        let exits = |name, always, decide| {
            let command = Command {
                name,
                always,
                decide,
                complaint: "panic: boom\n\tmain.go:7\n",
                ..Command::default()
            };
            let says = &["exit code 2: panic: boom", "main.go:7"];
            Sick::new(FailureClass::Exit, says, command)
        };
        // before anybody called it
        let starts = Command {
            name: "Starts",
            fields: "(func $begin (if (call $deciding) (then (call $exit (i32.const 3))))) (start $begin)",
            ..Command::default()
        };
        let starts = Sick::new(FailureClass::Exit, &["exit(3)"], starts);
        let when_asked = [traps("Traps", "", trap), exits("Exits", "", exit), starts];
        all(&when_asked, fail_when_asked).await?;
        let always = [traps("Traps", trap, ""), exits("Exits", exit, "")];
        all(&always, are_refused).await
    })
}

/// WASI has no word for a code above 125; languages end with one all the same.
#[test]
fn whatever_its_exit_code_is_a_command_that_exits_is_told_so() -> Result<()> {
    alone(|| async {
        let exits = |name, decide| {
            let command = Command {
                name,
                decide,
                ..Command::default()
            };
            Sick::new(FailureClass::Exit, &["exit"], command)
        };
        let high = exits("High", "(call $exit (i32.const 255))");
        let negative = exits("Negative", "(call $exit (i32.const -1))");
        all(&[high, negative], fail_when_asked).await
    })
}

#[test]
fn a_command_that_imports_more_than_wasi_is_refused() -> Result<()> {
    alone(|| async {
        let links = |name, imports, says| {
            let command = Command {
                name,
                imports,
                ..Command::default()
            };
            Sick::new(FailureClass::Link, says, command)
        };
        let sick = [
            links(
                "Foreign",
                r#"(import "env" "system" (func))"#,
                &["env::system"],
            ),
            links(
                "Invented",
                r#"(import "wasi_snapshot_preview1" "proc_spawn" (func))"#,
                &["proc_spawn"],
            ),
            links(
                "OtherType",
                r#"(import "wasi_snapshot_preview1" "random_get" (func (param i64)))"#,
                &["random_get", "incompatible"],
            ),
            // what a component has
            links(
                "Log",
                r#"(import "rectifier:policy/log@0.1.0" "write" (func (param i32 i32 i32)))"#,
                &["rectifier:policy/log"],
            ),
            links(
                "Memory",
                r#"(import "env" "memory" (memory 1))"#,
                &["env::memory"],
            ),
        ];
        all(&sick, are_refused).await
    })
}

#[test]
fn a_module_that_only_looks_like_a_command_is_refused() -> Result<()> {
    alone(|| async {
        let module = |name: &str, fields: &str| {
            let metadata = metadata(name).replace('"', "\\\"");
            let text = format!(r#"(module {fields} (@custom "rectifier:policy" "{metadata}"))"#);
            wat::parse_str(text)
        };
        let parameter = module("Parameter", r#"(func (export "_start") (param i32))"#)?;
        let no_function = module("NoFunction", r#"(memory (export "_start") 1)"#)?;
        let no_memory = module(
            "NoMemory",
            r#"(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
               (func (export "_start")
                   (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"#,
        )?;
        let case = |name, bytes, class, says| Case {
            name,
            bytes,
            sidecar: "",
            class,
            says,
        };
        are_refused(&[
            case("Parameter", &parameter, FailureClass::Link, &["_start"]),
            case("NoFunction", &no_function, FailureClass::Link, &["_start"]),
            case(
                "NoMemory",
                &no_memory,
                FailureClass::InvalidOutput,
                &["memory export"],
            ),
        ])
        .await
    })
}
