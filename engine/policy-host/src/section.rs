//! The custom section that holds a policy's metadata: found in its bytes, and put into them, without running any of them.
//!
//! It may stand at the outermost level, or in a module inside a component (where a guest's linker puts it).

use std::ops::Range;

use rectifier_core::policy::FailureClass;
use serde::Serialize;
use wasmparser::{Parser, Payload};

use crate::contract::Version;
use crate::log::one_line;
use crate::{Failure, Metadata};

/// The custom section's name.
const SECTION: &str = "rectifier:policy";

/// How a policy speaks the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The typed world of `sdk/wit`.
    Component,
    /// JSON on standard input and output, for languages without tools for components.
    Command,
}

/// Reads what a policy says about itself, from its bytes.
///
/// # Errors
/// [`FailureClass::Load`]: the bytes are no policy, or their metadata are absent, double or unusable.
pub fn read(bytes: &[u8]) -> Result<Metadata, Failure> {
    let json = section(bytes)?.ok_or_else(|| {
        refuse(format!(
            "it has no custom section {SECTION} that says what it handles: write one with \
             `rectifier policy annotate` (sdk/README.md)"
        ))
    })?;
    let metadata: Metadata = serde_json::from_slice(json)
        .map_err(|error| refuse(format!("its custom section {SECTION} is unusable: {error}")))?;
    if Version::from_label(&metadata.contract).is_none() {
        let (theirs, served) = (&metadata.contract, Version::labels());
        return Err(refuse(format!(
            "it speaks contract {theirs}; this engine serves {served}"
        )));
    }
    Ok(metadata)
}

/// Writes metadata into a policy's bytes, in place of those that stand there at the outermost level. (What a guest's
/// linker put further inside stays, and counts no more.)
///
/// # Errors
/// [`FailureClass::Load`]: the bytes are no WebAssembly.
pub fn annotate(bytes: &[u8], metadata: &Metadata) -> Result<Vec<u8>, Failure> {
    let json = serde_json::to_vec(metadata)
        .map_err(|error| refuse(format!("metadata cannot be written: {error}")))?;
    let mut annotated = bytes.to_vec();
    for found in sections(bytes)?
        .iter()
        .rev()
        .filter(|found| found.depth == 0)
    {
        annotated.drain(found.range.clone());
    }
    let mut name = Vec::new();
    leb128(&mut name, SECTION.len());
    name.extend_from_slice(SECTION.as_bytes());
    annotated.push(0);
    leb128(&mut annotated, name.len() + json.len());
    annotated.extend_from_slice(&name);
    annotated.extend_from_slice(&json);
    Ok(annotated)
}

/// A length as WebAssembly writes it: seven bits a byte, the last one without the high bit.
fn leb128(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push((length & 0x7f) as u8);
}

/// The JSON of the metadata. What stands at the outermost level counts before what a linker left further inside.
fn section(bytes: &[u8]) -> Result<Option<&[u8]>, Failure> {
    let found = sections(bytes)?;
    let Some(depth) = found.iter().map(|found| found.depth).min() else {
        return Ok(None);
    };
    let mut nearest = found.iter().filter(|found| found.depth == depth);
    match (nearest.next(), nearest.next()) {
        (Some(_), Some(_)) => Err(refuse(format!("it has two custom sections {SECTION}"))),
        (only, _) => Ok(only.map(|found| found.json)),
    }
}

struct Found<'a> {
    /// 0 for the outermost level.
    depth: usize,
    /// The whole section's bytes.
    range: Range<usize>,
    json: &'a [u8],
}

/// All of the metadata's sections, in the order in which they stand.
fn sections(bytes: &[u8]) -> Result<Vec<Found<'_>>, Failure> {
    if form(bytes)? == Form::Command && !has_start(bytes)? {
        return Err(refuse(
            "it is a core module without _start: neither a component nor a WASI command".to_owned(),
        ));
    }
    let (mut found, mut depth) = (Vec::new(), 0_usize);
    // Where the section before ended: a custom section's own range begins behind its header.
    let mut end = 8;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| {
            refuse(format!(
                "it is no WebAssembly: {}",
                one_line(&error.to_string())
            ))
        })?;
        match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if section.name() == SECTION => found.push(Found {
                depth,
                range: end..section.range().end,
                json: section.data(),
            }),
            _ => {}
        }
        end = end_of(&payload).unwrap_or(end);
    }
    Ok(found)
}

/// Where a payload that is a whole section ends.
fn end_of(payload: &Payload<'_>) -> Option<usize> {
    match payload {
        Payload::Version { range, .. } => Some(range.end),
        Payload::End(at) => Some(*at),
        Payload::CodeSectionEntry(body) => Some(body.range().end),
        Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => None,
        other => other.as_section().map(|(_, range)| range.end),
    }
}

/// Is it a component, or a command?
///
/// # Errors
/// [`FailureClass::Load`]: neither.
pub(crate) fn form(bytes: &[u8]) -> Result<Form, Failure> {
    if Parser::is_component(bytes) {
        return Ok(Form::Component);
    }
    if Parser::is_core_wasm(bytes) {
        return Ok(Form::Command);
    }
    Err(refuse("it is no WebAssembly".to_owned()))
}

/// Does a core module export the entry point of a WASI command?
fn has_start(bytes: &[u8]) -> Result<bool, Failure> {
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| {
            refuse(format!(
                "it is no WebAssembly: {}",
                one_line(&error.to_string())
            ))
        })?;
        if let Payload::ExportSection(exports) = payload {
            return Ok(exports
                .into_iter()
                .flatten()
                .any(|export| export.name == "_start"));
        }
    }
    Ok(false)
}

fn refuse(why: String) -> Failure {
    Failure::new(FailureClass::Load, why)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rectifier_core::name::PolicyName;
    use rectifier_core::policy::SiteKind;

    use super::*;
    use crate::{Handles, Needed, Needs, Pattern};

    #[test]
    fn what_is_no_component_or_says_nothing_of_itself_is_refused() {
        let message = |bytes: &[u8]| read(bytes).unwrap_err().message;
        assert!(message(b"").contains("no WebAssembly"));
        assert!(message(b"rubbish").contains("no WebAssembly"));
        assert!(message(b"\0asm\x01\0\0\0").contains("core module without _start"));
        assert!(message(b"\0asm\x0d\0\x01\0").contains("custom section"));
    }

    #[test]
    fn what_is_written_into_a_policy_is_read_from_it_and_replaces_what_was_there() {
        let metadata = |name: &str| Metadata {
            name: PolicyName::parse(name).unwrap(),
            version: "1.0.0".to_owned(),
            contract: "0.1".to_owned(),
            handles: vec![Handles {
                conditions: vec![Pattern::try_from("Frequent*".to_owned()).unwrap()],
                sites: BTreeSet::from([SiteKind::Node]),
            }],
            needs: Needs {
                units: Needed::All,
                // long enough for a length of two bytes
                facts: Needed::Only((0..50).map(|n| format!("fact-{n}")).collect()),
                ..Needs::default()
            },
        };
        let inner =
            wat::parse_str("(component (core module (@custom \"rectifier:policy\" \"{}\")))");
        for bare in [b"\0asm\x0d\0\x01\0".to_vec(), inner.unwrap()] {
            let once = annotate(&bare, &metadata("first")).unwrap();
            assert_eq!(read(&once).unwrap(), metadata("first"));
            let twice = annotate(&once, &metadata("second")).unwrap();
            assert_eq!(read(&twice).unwrap(), metadata("second"));
            let lengthened = "second".len() - "first".len();
            assert_eq!(twice.len(), once.len() + lengthened);
        }
        let command = wat::parse_str(r#"(module (func (export "_start")))"#).unwrap();
        let annotated = annotate(&command, &metadata("command")).unwrap();
        assert_eq!(read(&annotated).unwrap(), metadata("command"));
    }

    #[test]
    fn two_sections_side_by_side_are_refused() {
        let section = r#"(@custom "rectifier:policy" "{}")"#;
        let bytes = wat::parse_str(format!("(component {section} {section})")).unwrap();
        assert!(
            read(&bytes)
                .unwrap_err()
                .message
                .contains("two custom sections")
        );
    }
}
