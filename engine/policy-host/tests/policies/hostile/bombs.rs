//! Policies that want all there is: memory, tables, instances, stack.

use anyhow::Result;
use rectifier_core::policy::FailureClass;

use super::alone::alone;
use super::guest::{Guest, nothing, with_instances};
use super::host::{Case, are_refused, fail_when_asked};

/// 64 MiB, the engines' limit.
const MEMORY: &[&str] = &["67108864 bytes of memory"];

fn oom<'a>(name: &'a str, bytes: &'a [u8], says: &'a [&'a str]) -> Case<'a> {
    Case {
        name,
        bytes,
        sidecar: "",
        class: FailureClass::Oom,
        says,
    }
}

/// Sixteen memories of 8 MiB each, every page of them written: none is too large, all of them are.
fn spread() -> (String, String) {
    let memories: String = (1..16).map(|n| format!("(memory $m{n} 0)")).collect();
    let fills = (1..16).map(|n| {
        format!(
            "(drop (memory.grow $m{n} (i32.const 128)))
             (memory.fill $m{n} (i32.const 0) (i32.const 7) (i32.const 8388608))"
        )
    });
    (memories, fills.collect())
}

#[test]
fn a_policy_that_takes_all_memory_is_stopped_at_its_limit() -> Result<()> {
    alone(|| async {
        // 1 MiB at a time, every page of it written
        let grows = Guest {
            name: "Grows",
            decide: "(local $at i32)
                (loop (local.set $at (i32.mul (memory.grow (i32.const 16)) (i32.const 65536)))
                      (memory.fill (local.get $at) (i32.const 7) (i32.const 1048576)) (br 0))",
            ..Guest::default()
        }
        .build()?;
        let (fields, decide) = spread();
        let spreads = Guest {
            name: "Spreads",
            fields: &fields,
            decide: &decide,
            ..Guest::default()
        }
        .build()?;
        // all that can be addressed, at once
        let leaps = Guest {
            name: "Leaps",
            decide: "(drop (memory.grow (i32.const 65000)))",
            ..Guest::default()
        }
        .build()?;
        let leaps_far = Guest {
            name: "LeapsFar",
            fields: "(memory $far i64 0)",
            decide: "(drop (memory.grow $far (i64.const 0xffff_ffff)))",
            ..Guest::default()
        }
        .build()?;
        fail_when_asked(&[
            oom("Grows", &grows, MEMORY),
            oom("Spreads", &spreads, MEMORY),
            oom("Leaps", &leaps, MEMORY),
            oom("LeapsFar", &leaps_far, MEMORY),
        ])
        .await
    })
}

#[test]
fn a_policy_that_has_too_much_memory_from_the_start_is_refused() -> Result<()> {
    alone(|| async {
        let large = Guest {
            name: "Large",
            pages: 1025,
            ..Guest::default()
        }
        .build()?;
        let starts = Guest {
            name: "Starts",
            fields: "(func $start (loop (drop (memory.grow (i32.const 16))) (br 0))) (start $start)",
            ..Guest::default()
        }
        .build()?;
        are_refused(&[oom("Large", &large, MEMORY), oom("Starts", &starts, MEMORY)]).await
    })
}

#[test]
fn a_policy_that_fills_tables_is_stopped_at_its_limit() -> Result<()> {
    alone(|| async {
        let elements: &[&str] = &["100000 table elements"];
        let grow =
            |table: &str| format!("(drop (table.grow {table} (ref.null func) (i32.const 9999)))");
        let one = Guest {
            name: "One",
            fields: "(table $t 1 funcref)",
            decide: &format!("(loop {} (br 0))", grow("$t")),
            ..Guest::default()
        }
        .build()?;
        let numbers = 0..20;
        let tables: String = numbers
            .clone()
            .map(|n| format!("(table $t{n} 1 funcref)"))
            .collect();
        let grows: String = numbers.map(|n| grow(&format!("$t{n}"))).collect();
        let many = Guest {
            name: "Many",
            fields: &tables,
            decide: &grows,
            ..Guest::default()
        }
        .build()?;
        let cases = [oom("One", &one, elements), oom("Many", &many, elements)];
        fail_when_asked(&cases).await?;
        let large = Guest {
            name: "Large",
            fields: "(table 100001 funcref)",
            ..Guest::default()
        }
        .build()?;
        are_refused(&[oom("Large", &large, elements)]).await
    })
}

#[test]
fn a_policy_of_too_many_instances_memories_or_tables_is_refused() -> Result<()> {
    alone(|| async {
        let guest = |name, fields: &str| {
            Guest {
                name,
                fields,
                ..Guest::default()
            }
            .build()
        };
        let instances = with_instances(&guest("Instances", "")?, &nothing(), 300)?;
        let memories = guest("Memories", &"(memory 0)".repeat(20))?;
        let tables = guest("Tables", &"(table 0 funcref)".repeat(99))?;
        let table = wat::parse_str(format!("(module {})", "(table 0 funcref)".repeat(99)))?;
        let tables = with_instances(&tables, &table, 2)?;
        let too_many = |name, bytes, says| Case {
            class: FailureClass::Link,
            ..oom(name, bytes, says)
        };
        are_refused(&[
            too_many("Instances", &instances, &["instance count too high at 257"]),
            too_many("Memories", &memories, &["memory count too high at 21"]),
            too_many("Tables", &tables, &["table count too high at 298"]),
        ])
        .await
    })
}

#[test]
fn a_policy_that_recurses_is_stopped_at_the_end_of_its_stack() -> Result<()> {
    alone(|| async {
        let deep = Guest {
            name: "Deep",
            fields: "(func $f (param i32) (call $f (local.get 0)) (call $f (local.get 0)))",
            decide: "(call $f (i32.const 0))",
            ..Guest::default()
        }
        .build()?;
        // few calls, each with a frame of hundreds of KiB: it must not step over the guard
        let locals = "i64 ".repeat(40_000);
        let uses: String = (0..40_000)
            .step_by(100)
            .map(|n| format!("(local.set {n} (i64.load (i32.const {n})))"))
            .collect();
        let keeps: String = (0..40_000)
            .step_by(100)
            .map(|n| format!("(i64.store (i32.const {n}) (local.get {n}))"))
            .collect();
        let wide = Guest {
            name: "Wide",
            fields: &format!("(func $f (local {locals}) {uses} (call $f) {keeps})"),
            decide: "(call $f)",
            ..Guest::default()
        }
        .build()?;
        // through a table, so that no compiler sees it
        let indirect = Guest {
            name: "Indirect",
            fields: "(type $t (func (param i32) (result i32))) (table 1 1 funcref) (elem (i32.const 0) $f)
                (func $f (param i32) (result i32)
                    (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i32.const 1)))",
            decide: "(drop (call $f (i32.const 0)))",
            ..Guest::default()
        }
        .build()?;
        let stack = |name, bytes| Case {
            class: FailureClass::Stack,
            ..oom(name, bytes, &["call stack exhausted", "KiB"])
        };
        fail_when_asked(&[
            stack("Deep", &deep),
            stack("Wide", &wide),
            stack("Indirect", &indirect),
        ])
        .await
    })
}

/// The engine gives a policy its observation by calling it back: there too.
#[test]
fn a_policy_that_recurses_while_it_is_given_its_settings_is_refused() -> Result<()> {
    alone(|| async {
        let allocates = Guest {
            name: "Allocates",
            fields: "(func $f (param i32) (call $f (local.get 0)) (call $f (local.get 0)))",
            realloc: "(call $f (i32.const 0))",
            ..Guest::default()
        }
        .build()?;
        let case = Case {
            class: FailureClass::Stack,
            ..oom("Allocates", &allocates, &["call stack exhausted", "KiB"])
        };
        are_refused(&[case]).await
    })
}
