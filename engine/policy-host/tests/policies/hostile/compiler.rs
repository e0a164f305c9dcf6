//! Policies that are too much for a compiler. It is another process with limits of its own: what it cannot do in
//! these is refused, by their name, and the engine is none the worse.

use std::time::Duration;

use anyhow::{Result, ensure};
use rectifier_core::policy::{Advice, FailureClass, Remedy};
use rectifier_policy_host::Options;
use rectifier_policy_host::compile::CompileLimits;
use wasm_encoder::{
    CodeSection, Component, CustomSection, FunctionSection, Module, ModuleSection, TypeSection,
    ValType,
};

use super::alone::alone;
use super::guest::{Guest, core_module, metadata, with_instances};
use super::host::{Case, Host, are_refused, are_refused_by};
use super::vitals::Vitals;
use crate::support::{ESCALATE, answer, compiler, observation, on_node};

/// A compiler that has less than the engines' has: no test should take a minute, or a gigabyte.
async fn tight(time: Duration, address_space: u64) -> Result<Host> {
    let limits = CompileLimits {
        time,
        address_space,
    };
    Host::with(|options| Options {
        compiler: compiler(limits),
        ..options
    })
    .await
}

/// However busy the machine.
const PATIENT: Duration = Duration::from_secs(480);

fn compile<'a>(name: &'a str, bytes: &'a [u8], says: &'a [&'a str]) -> Case<'a> {
    Case {
        name,
        bytes,
        sidecar: "",
        class: FailureClass::Compile,
        says,
    }
}

/// A component that is nothing but a core module of functions with these bodies.
fn functions<'a>(name: &str, bodies: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut types, mut declared, mut code) = (
        TypeSection::new(),
        FunctionSection::new(),
        CodeSection::new(),
    );
    types.ty().function([ValType::I32], []);
    for body in bodies {
        declared.function(0);
        code.raw(body);
    }
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component.section(&CustomSection {
        name: "rectifier:policy".into(),
        data: metadata(name).into_bytes().into(),
    });
    component.finish()
}

/// A function without locals, of these instructions so many times over.
fn body(parts: &[(&[u8], usize)]) -> Vec<u8> {
    let mut body = vec![0];
    for (instructions, times) in parts {
        body.extend(instructions.repeat(*times));
    }
    body.push(END);
    body
}

const NOP: u8 = 0x01;
const END: u8 = 0x0b;
/// `block`, of no type.
const BLOCK: &[u8] = &[0x02, 0x40];
/// `local.get 0`, `i32.const 1`, `i32.add`, `local.set 0`.
const STEP: &[u8] = &[0x20, 0, 0x41, 1, 0x6a, 0x21, 0];

#[test]
fn a_module_of_100_000_functions_is_compiled_like_any_other() -> Result<()> {
    alone(|| async {
        let host = tight(PATIENT, CompileLimits::default().address_space).await?;
        let before = Vitals::at_rest().await?;
        let good = Guest {
            name: "Many",
            decide: &answer(ESCALATE),
            ..Guest::default()
        }
        .build()?;
        let empty = body(&[]);
        let many = functions("Many", std::iter::repeat_n(&empty[..], 100_000));
        let many = with_instances(&good, core_module(&many)?, 1)?;
        host.after(|| host.bench.put("many.wasm", &many)).await?;
        let status = format!("{:?}", host.loaded("many.wasm")?.status());
        ensure!(status == "Loaded", "{status}");
        let seen = observation("Many", on_node(&[])?)?;
        let advice = host.policies.advise(&seen).await;
        ensure!(
            matches!(&advice, Advice::Decided { decision, .. } if decision.remedy == Remedy::Escalate),
            "{advice:?}"
        );
        host.is_well().await?;
        host.after(|| {
            Ok(std::fs::remove_file(
                host.bench.directory().join("many.wasm"),
            )?)
        })
        .await?;
        before.are_back().await
    })
}

/// A component in a component, each level of which is there ten times in the one around it: a few hundred bytes, and
/// ten to the tenth instances.
fn nested() -> Result<Vec<u8>> {
    let mut text = "(core module $m)".to_owned();
    let ten = |what: &str| what.repeat(10);
    text += &ten("(core instance (instantiate $m))");
    for level in 0..10 {
        let instances = ten(&format!("(instance (instantiate $c{level}))"));
        text = format!("(component $c{level} {text}) {instances}");
    }
    let json = metadata("Nested").replace('"', "\\\"");
    Ok(wat::parse_str(format!(
        r#"(component {text} (@custom "rectifier:policy" "{json}"))"#
    ))?)
}

#[test]
fn a_module_that_takes_the_compiler_too_long_is_refused_naming_the_limit() -> Result<()> {
    alone(|| async {
        let host = tight(
            Duration::from_secs(2),
            CompileLimits::default().address_space,
        )
        .await?;
        // half a million blocks, each in the last: work that grows with their square
        let deep = body(&[(BLOCK, 500_000), (&[END], 500_000)]);
        let deep = functions("Deep", std::iter::once(&deep[..]));
        are_refused_by(&host, &[compile("Deep", &deep, &["2 s"])]).await
    })
}

#[test]
fn a_module_that_takes_the_compiler_too_much_memory_is_refused_naming_the_limit() -> Result<()> {
    alone(|| async {
        let host = tight(PATIENT, 256 << 20).await?;
        // one function of seven megabytes, each step needing the last
        let long = body(&[(STEP, 1_000_000)]);
        let long = functions("Long", std::iter::once(&long[..]));
        // few bytes that stand for much
        let nested = nested()?;
        are_refused_by(
            &host,
            &[
                compile("Long", &long, &["256 MiB"]),
                compile("Nested", &nested, &["256 MiB"]),
            ],
        )
        .await
    })
}

/// No compiler is asked how large: the reader of the format itself draws the line.
#[test]
fn a_function_of_more_bytes_than_any_has_is_refused() -> Result<()> {
    alone(|| async {
        let huge = body(&[(&[NOP], 7_700_000)]);
        let huge = functions("Huge", std::iter::once(&huge[..]));
        let case = Case {
            class: FailureClass::Load,
            ..compile("Huge", &huge, &["7654321"])
        };
        are_refused(&[case]).await
    })
}

#[test]
fn a_compiler_without_memory_refuses_by_name() -> Result<()> {
    alone(|| async {
        let host = tight(PATIENT, 1 << 20).await?;
        let small = Guest::default().build()?;
        are_refused_by(&host, &[compile("Small", &small, &["1 MiB"])]).await
    })
}
