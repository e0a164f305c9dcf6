//! A component of a core module that has the contract's exports: what a C or a Go compiler makes knows nothing of components.

use anyhow::Context;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../../../sdk/wit/policy.wit");

/// What stands in for WASI may write into the log, and draw numbers.
const STUB_WORLD: &str = "\nworld stub { import log; import wasi:random/random@0.2.0; }\n";
const RANDOM: &str =
    "package wasi:random@0.2.0; interface random { get-random-u64: func() -> u64; }";

/// # Errors
/// It is no module, it has not the contract's exports, or it imports what the contract does not give.
pub(super) fn of_module(mut module: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    embed(&mut module, "policy")?;
    encode(&module, ComponentEncoder::default())
}

/// Of a module that imports WASI's preview 1 as well. It gets that of `stub`, a module in text, which may import the contract's log,
/// WASI's random numbers and the memory of `module` (as `env.memory`), and cannot have data of its own.
///
/// # Errors
/// As those of [`of_module`]; or it imports of WASI what the stub does not have.
pub(super) fn of_module_over(mut module: Vec<u8>, stub: &str) -> anyhow::Result<Vec<u8>> {
    embed(&mut module, "policy")?;
    let mut stub = wat::parse_str(stub)?;
    embed(&mut stub, "stub")?;
    let encoder = ComponentEncoder::default().adapter("wasi_snapshot_preview1", &stub)?;
    encode(&module, encoder)
}

/// Writes into a module which world it is of.
fn embed(module: &mut Vec<u8>, world: &str) -> anyhow::Result<()> {
    let mut contract = Resolve::default();
    contract.push_str("random.wit", RANDOM)?;
    let package = contract.push_str("policy.wit", &format!("{CONTRACT}{STUB_WORLD}"))?;
    let world = contract.select_world(&[package], Some(world))?;
    embed_component_metadata(module, &contract, world, StringEncoding::UTF8)
}

fn encode(module: &[u8], encoder: ComponentEncoder) -> anyhow::Result<Vec<u8>> {
    encoder
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .context("what was compiled does not fit the contract")
}
