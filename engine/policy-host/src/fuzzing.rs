//! What a stranger's bytes meet first, for the targets in `fuzz/`: the readers, and what must hold of their result
//! whatever the bytes are. A panic is a finding.
//!
//! Behind the feature `fuzzing`, and part of no interface.

use rectifier_core::policy::{FailureClass, SiteKind};

use crate::contract::v0_1::json;
use crate::sidecar::Sidecar;
use crate::{Failure, Limits, Pattern};

/// Reads what a policy's bytes say of it.
pub fn metadata(bytes: &[u8]) {
    match crate::section::read(bytes) {
        Ok(metadata) => {
            let handles = metadata.handles.into_iter();
            for pattern in handles.flat_map(|handles| handles.conditions) {
                assert_eq!(Pattern::try_from(pattern.to_string()), Ok(pattern));
            }
        }
        Err(failure) => is_told(&failure, &[FailureClass::Load]),
    }
}

/// Reads a sidecar's bytes.
pub fn sidecar(bytes: &[u8]) {
    const FILE: &str = "sidecar.yaml";
    let (classes, ceiling) = (
        [FailureClass::Settings, FailureClass::Load],
        Limits::default(),
    );
    let is_refused = |failure: &Failure| {
        is_told(failure, &classes);
        assert!(failure.message.starts_with(FILE), "{failure}");
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Sidecar::parse(FILE, text) {
        Ok(sidecar) => {
            let settings = serde_json::from_str(&sidecar.settings());
            assert!(matches!(settings, Ok(serde_json::Value::Object(_))));
            match sidecar.limits(FILE, ceiling, &ceiling) {
                Ok(limits) => {
                    assert!(limits.decision <= ceiling.decision);
                    assert!(limits.memory_bytes <= ceiling.memory_bytes);
                }
                Err(failure) => is_refused(&failure),
            }
            if let Err(failure) = sidecar.check_pin(FILE, "00") {
                is_refused(&failure);
            }
        }
        Err(failure) => is_refused(&failure),
    }
}

/// Reads what a WASI command wrote as its answer.
pub fn answer(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for site in [SiteKind::Node, SiteKind::ControlPlane] {
        match json::decision(text, site) {
            Ok(decision) => {
                assert!(decision.reason.len() <= 1024 && !decision.reason.contains('\n'));
                // What was understood can be written down, and is then understood the same.
                let written = serde_json::to_string(&decision).unwrap_or_default();
                assert_eq!(json::decision(&written, site), Ok(decision));
            }
            Err(failure) => is_told(
                &failure,
                &[FailureClass::InvalidOutput, FailureClass::GuestError],
            ),
        }
    }
}

/// Of one of these classes, in one line for people.
fn is_told(failure: &Failure, classes: &[FailureClass]) {
    assert!(classes.contains(&failure.class), "{failure}");
    assert!(failure.class == FailureClass::GuestError || !failure.message.is_empty());
    assert!(!failure.message.contains('\n'), "{failure}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// The seeds of the fuzz targets.
    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(target);
        let files = std::fs::read_dir(folder).unwrap();
        files
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect()
    }

    /// A target that ends at the first bytes would find nothing.
    fn has_both(results: &[bool]) {
        assert!(results.contains(&true) && results.contains(&false));
    }

    #[test]
    fn the_seeds_of_the_metadata_target_pass() {
        let corpus = corpus("metadata");
        corpus.iter().for_each(|bytes| super::metadata(bytes));
        let read = |bytes: &Vec<u8>| crate::section::read(bytes).is_ok();
        has_both(&corpus.iter().map(read).collect::<Vec<_>>());
    }

    #[test]
    fn the_seeds_of_the_sidecar_target_pass() {
        let corpus = corpus("sidecar");
        corpus.iter().for_each(|bytes| super::sidecar(bytes));
        let read = |bytes: &Vec<u8>| {
            let text = std::str::from_utf8(bytes);
            text.is_ok_and(|text| super::Sidecar::parse("a.yaml", text).is_ok())
        };
        has_both(&corpus.iter().map(read).collect::<Vec<_>>());
    }

    #[test]
    fn the_seeds_of_the_answer_target_pass() {
        use rectifier_core::policy::SiteKind;
        let corpus = corpus("answer");
        corpus.iter().for_each(|bytes| super::answer(bytes));
        let read = |bytes: &Vec<u8>| {
            let text = std::str::from_utf8(bytes);
            text.is_ok_and(|text| super::json::decision(text, SiteKind::Node).is_ok())
        };
        has_both(&corpus.iter().map(read).collect::<Vec<_>>());
    }
}
