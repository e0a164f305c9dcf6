//! WASI commands that never come back, and those that want all there is: stack, memory, tables.

use anyhow::Result;
use rectifier_core::policy::FailureClass;

use super::{Sick, all};
use crate::command::Command;
use crate::hostile::alone::alone;
use crate::hostile::host::{are_refused, fail_when_asked};

const FOR_EVER: &str = "(loop (br 0))";

#[test]
fn a_command_that_loops_is_stopped_at_its_limit() -> Result<()> {
    alone(|| async {
        let decides = Command {
            name: "Decides",
            decide: FOR_EVER,
            ..Command::default()
        };
        // without a loop: calls alone
        let calls = Command {
            name: "Calls",
            fields: "(func $a (return_call $b)) (func $b (return_call $a))",
            decide: "(call $a)",
            ..Command::default()
        };
        // while its instance is made
        let starts = Command {
            name: "Starts",
            fields: "(func $begin (if (call $deciding) (then (loop (br 0))))) (start $begin)",
            ..Command::default()
        };
        let sick = [decides, calls, starts].map(Sick::timeout);
        all(&sick, fail_when_asked).await
    })
}

#[test]
fn a_command_that_loops_whenever_it_is_started_is_refused() -> Result<()> {
    alone(|| async {
        let always = Command {
            name: "Always",
            always: FOR_EVER,
            ..Command::default()
        };
        let starts = Command {
            name: "Starts",
            fields: "(func $begin (loop (br 0))) (start $begin)",
            ..Command::default()
        };
        all(&[always, starts].map(Sick::timeout), are_refused).await
    })
}

#[test]
fn a_command_that_recurses_is_stopped_at_the_end_of_its_stack() -> Result<()> {
    alone(|| async {
        let stack = |command| {
            let says = &["call stack exhausted", "KiB"];
            Sick::new(FailureClass::Stack, says, command)
        };
        let fields = "(func $f (param i32) (call $f (local.get 0)) (call $f (local.get 0)))";
        let deep = Command {
            name: "Deep",
            fields,
            decide: "(call $f (i32.const 0))",
            ..Command::default()
        };
        // through a table, so that no compiler sees it
        let indirect = Command {
            name: "Indirect",
            fields: "(type $t (func (param i32) (result i32))) (table 1 1 funcref) (elem (i32.const 0) $f)
                (func $f (param i32) (result i32)
                    (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i32.const 1)))",
            decide: "(drop (call $f (i32.const 0)))",
            ..Command::default()
        };
        all(&[deep, indirect].map(stack), fail_when_asked).await?;
        let always = Command {
            name: "Always",
            fields,
            always: "(call $f (i32.const 0))",
            ..Command::default()
        };
        all(&[stack(always)], are_refused).await
    })
}

#[test]
fn a_command_that_takes_all_memory_is_stopped_at_its_limit() -> Result<()> {
    alone(|| async {
        // 64 MiB, the engines' limit
        let oom = |command| Sick::new(FailureClass::Oom, &["67108864 bytes of memory"], command);
        // 1 MiB at a time, every page of it written
        let grow = "(local $at i32)
            (loop (local.set $at (i32.mul (memory.grow (i32.const 16)) (i32.const 65536)))
                  (memory.fill (local.get $at) (i32.const 7) (i32.const 1048576)) (br 0))";
        let grows = Command {
            name: "Grows",
            decide: grow,
            ..Command::default()
        };
        // all that can be addressed, at once
        let leaps = Command {
            name: "Leaps",
            decide: "(drop (memory.grow (i32.const 65000)))",
            ..Command::default()
        };
        all(&[grows, leaps].map(oom), fail_when_asked).await?;
        let always = Command {
            name: "Always",
            always: grow,
            ..Command::default()
        };
        let large = Command {
            name: "Large",
            pages: 1025,
            ..Command::default()
        };
        all(&[always, large].map(oom), are_refused).await
    })
}

#[test]
fn a_command_that_fills_tables_is_stopped_at_its_limit() -> Result<()> {
    alone(|| async {
        let oom = |command| Sick::new(FailureClass::Oom, &["100000 table elements"], command);
        let fields = "(table $t 1 funcref)";
        let grow = "(loop (drop (table.grow $t (ref.null func) (i32.const 9999))) (br 0))";
        let decides = Command {
            name: "Decides",
            fields,
            decide: grow,
            ..Command::default()
        };
        all(&[oom(decides)], fail_when_asked).await?;
        let always = Command {
            name: "Always",
            fields,
            always: grow,
            ..Command::default()
        };
        let large = Command {
            name: "Large",
            fields: "(table 100001 funcref)",
            ..Command::default()
        };
        all(&[always, large].map(oom), are_refused).await
    })
}
