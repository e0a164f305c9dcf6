//! A component of a core module that has the contract's exports: what a C compiler makes knows nothing of components.

use anyhow::Context;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../../../sdk/wit/policy.wit");

/// # Errors
/// It is no module, it has not the contract's exports, or it imports what the contract does not give.
pub(super) fn of_module(mut module: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut contract = Resolve::default();
    let package = contract.push_str("policy.wit", CONTRACT)?;
    let world = contract.select_world(&[package], Some("policy"))?;
    embed_component_metadata(&mut module, &contract, world, StringEncoding::UTF8)?;
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .context("what was compiled does not fit the contract")
}
