//! Policies in text, any part of which can be hostile.

use std::path::Path;

use anyhow::{Context, Result};
use wasm_encoder::{
    ComponentSection, ComponentSectionId, InstanceSection, Module, ModuleArg, RawSection,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What [`crate::support::Small`] keeps fixed.
pub(super) struct Guest<'a> {
    /// Its name, and the condition that it answers for.
    pub(super) name: &'a str,
    /// Imports in text.
    pub(super) imports: &'a str,
    /// More fields of the module.
    pub(super) fields: &'a str,
    /// Pages of memory that it has from the start.
    pub(super) pages: u32,
    /// Instructions of `cabi_realloc`, before it returns 4096.
    pub(super) realloc: &'a str,
    /// Instructions of `validate-settings`, before it returns 1024, where zeros say that they are well.
    pub(super) validate: &'a str,
    /// Instructions of `decide`, before it returns 1024, where zeros say `decline`.
    pub(super) decide: &'a str,
    /// Instructions that are run when the answer has been read.
    pub(super) clean_up: &'a str,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        Self {
            name: "guest",
            imports: "",
            fields: "",
            pages: 2,
            realloc: "",
            validate: "",
            decide: "",
            clean_up: "",
        }
    }
}

/// The world that policies live in, and as much of WASI as guests here use.
const WORLD: &str = r#"
package test:hostile;

world guest {
  include rectifier:policy/policy@0.1.0;
  import wasi:cli/exit@0.2.0;
  import wasi:clocks/monotonic-clock@0.2.0;
  import wasi:io/poll@0.2.0;
  import wasi:random/random@0.2.0;
  import wasi:sockets/udp-create-socket@0.2.0;
}

package wasi:cli@0.2.0 {
  interface exit { exit: func(status: result); }
}
package wasi:io@0.2.0 {
  interface poll { resource pollable { block: func(); } }
}
package wasi:clocks@0.2.0 {
  interface monotonic-clock {
    use wasi:io/poll@0.2.0.{pollable};
    subscribe-duration: func(when: u64) -> pollable;
  }
}
package wasi:random@0.2.0 {
  interface random { get-random-bytes: func(len: u64) -> list<u8>; }
}
package wasi:sockets@0.2.0 {
  interface network {
    enum error-code {
      unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout, concurrency-conflict,
      not-in-progress, would-block, invalid-state, new-socket-limit, address-not-bindable, address-in-use,
      remote-unreachable, connection-refused, connection-reset, connection-aborted, datagram-too-large,
      name-unresolvable, temporary-resolver-failure, permanent-resolver-failure,
    }
    enum ip-address-family { ipv4, ipv6 }
  }
  interface udp { resource udp-socket; }
  interface udp-create-socket {
    use network.{error-code, ip-address-family};
    use udp.{udp-socket};
    create-udp-socket: func(address-family: ip-address-family) -> result<udp-socket, error-code>;
  }
}
"#;

impl Guest<'_> {
    /// The core module in text.
    pub(super) fn text(&self) -> String {
        let Self {
            name,
            imports,
            fields,
            pages,
            realloc,
            validate,
            decide,
            clean_up,
        } = self;
        let metadata = metadata(name).replace('"', "\\\"");
        format!(
            r#"(module
                (import "rectifier:policy/log@0.1.0" "write" (func $log (param i32 i32 i32)))
                {imports}
                (memory (export "memory") {pages})
                {fields}
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    {realloc} (i32.const 4096))
                (func (export "rectifier:policy/decider@0.1.0#validate-settings")
                    (param i32 i32) (result i32) {validate} (i32.const 1024))
                (func (export "rectifier:policy/decider@0.1.0#decide") (param i32) (result i32)
                    {decide} (i32.const 1024))
                (func (export "cabi_post_rectifier:policy/decider@0.1.0#decide") (param i32)
                    {clean_up})
                (@custom "rectifier:policy" "{metadata}"))"#
        )
    }

    pub(super) fn build(&self) -> Result<Vec<u8>> {
        component(&wat::parse_str(self.text())?)
    }
}

/// What a policy of that name, for the condition of that name, says of itself.
pub(super) fn metadata(name: &str) -> String {
    crate::support::metadata(&name.to_lowercase(), name)
}

/// A component of a core module.
pub(super) fn component(module: &[u8]) -> Result<Vec<u8>> {
    let mut module = module.to_vec();
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/wit/policy.wit");
    resolve.push_str("policy.wit", &std::fs::read_to_string(wit)?)?;
    let package = resolve.push_str("world.wit", WORLD)?;
    let world = resolve.select_world(&[package], Some("guest"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default()
        .module(&module)?
        .validate(true)
        .encode()
}

/// A component that also has this core module in it, so many times over.
pub(super) fn with_instances(component: &[u8], module: &[u8], count: usize) -> Result<Vec<u8>> {
    let sections = sections(component)?;
    let modules = sections.iter().filter(|(id, _)| *id == MODULE).count();
    let mut bytes = component.to_vec();
    let data = module;
    RawSection { id: MODULE, data }.append_to_component(&mut bytes);
    let mut instances = InstanceSection::new();
    for _ in 0..count {
        instances.instantiate(u32::try_from(modules)?, None::<(&str, ModuleArg)>);
    }
    instances.append_to_component(&mut bytes);
    Ok(bytes)
}

/// The core module that is a policy's own: the first one.
pub(super) fn core_module(component: &[u8]) -> Result<&[u8]> {
    let mut sections = sections(component)?.into_iter();
    let first = sections.find(|(id, _)| *id == MODULE);
    Ok(first.context("no core module")?.1)
}

/// The component with another core module in the place of its own, whether that makes sense or not.
pub(super) fn with_core_module(component: &[u8], module: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = component.get(..8).context("no header")?.to_vec();
    let mut other = Some(module);
    for (id, data) in sections(component)? {
        let own = if id == MODULE { other.take() } else { None };
        let data = own.unwrap_or(data);
        RawSection { id, data }.append_to_component(&mut bytes);
    }
    Ok(bytes)
}

const MODULE: u8 = ComponentSectionId::CoreModule as u8;

/// A component's own sections, as they are: number and content.
fn sections(component: &[u8]) -> Result<Vec<(u8, &[u8])>> {
    let mut sections = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        if let (0, Some((id, range))) = (depth, payload.as_section()) {
            sections.push((id, component.get(range).context("no such range")?));
        }
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    Ok(sections)
}

/// A module in which there is nothing.
pub(super) fn nothing() -> Vec<u8> {
    Module::new().finish()
}
