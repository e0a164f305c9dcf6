//! `rectifier:policy@0.0.0`: a package that was never released and differs in everything that may differ between two
//! versions: fewer fields, another type for the remedy, no check of settings. It stands here for tests alone, and proves
//! that an older version is one more file at the door.

use rectifier_core::policy::{Decision, FailureClass, Observation, Remedy};
use wasmtime::Store;
use wasmtime::component::{HasSelf, Linker};

use crate::Failure;
use crate::failure::{During, classify};
use crate::guest::Guest;
use crate::log::{LogLevel, one_line};

pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        inline: r#"
            package rectifier:policy@0.0.0;
            interface log { write: func(message: string); }
            interface decider { decide: func(problem: string, attempts: u32) -> result<string, string>; }
            world policy { import log; export decider; }
        "#,
        world: "policy",
        exports: { default: async },
    });
}

impl bindings::rectifier::policy::log::Host for Guest {
    fn write(&mut self, message: String) {
        self.log.write(LogLevel::Info, &message);
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    bindings::Policy::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

/// This version knew no settings.
pub(super) async fn validate(
    pre: &bindings::PolicyPre<Guest>,
    store: &mut Store<Guest>,
    settings: &str,
) -> Result<(), Failure> {
    pre.instantiate_async(store)
        .await
        .map_err(|error| classify(&error, During::Instantiation))?;
    match settings {
        "{}" => Ok(()),
        _ => Err(Failure::new(
            FailureClass::Settings,
            "contract 0.0 has no settings",
        )),
    }
}

pub(super) async fn decide(
    pre: &bindings::PolicyPre<Guest>,
    store: &mut Store<Guest>,
    seen: &Observation,
    _settings: &str,
) -> Result<Decision, Failure> {
    let instance = pre
        .instantiate_async(&mut *store)
        .await
        .map_err(|error| classify(&error, During::Instantiation))?;
    let tried = u32::try_from(seen.episode.attempts.len()).unwrap_or(u32::MAX);
    let answered = instance
        .rectifier_policy_decider()
        .call_decide(&mut *store, seen.episode.problem.kind.as_str(), tried)
        .await
        .map_err(|error| classify(&error, During::call_of(store.data())))?
        .map_err(|error| Failure::new(FailureClass::GuestError, one_line(&error)))?;
    let remedy = match answered.as_str() {
        "escalate" => Remedy::Escalate,
        "reboot" => Remedy::Reboot,
        other => {
            let why = format!("{other:?} is no remedy of contract 0.0");
            return Err(Failure::new(FailureClass::InvalidOutput, why));
        }
    };
    Ok(Decision {
        remedy,
        reason: "contract 0.0 gives no reasons".to_owned(),
        settle: None,
        notes: Default::default(),
    })
}

#[cfg(test)]
#[cfg(feature = "compiler")]
mod tests {
    use std::time::Duration;

    use rectifier_core::name::PolicyName;
    use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
    use wit_parser::Resolve;

    use super::*;
    use crate::Limits;
    use crate::contract::{Door, Version};
    use crate::engine::Metering;
    use crate::guest::GuestParts;
    use crate::log::Lines;
    use crate::runtime::Runtime;

    /// A component of the world `policy` of a package in text.
    fn component(wit: &str, module: &str) -> Vec<u8> {
        let mut module = wat::parse_str(module).unwrap();
        let mut resolve = Resolve::default();
        let package = resolve.push_str("policy.wit", wit).unwrap();
        let world = resolve.select_world(&[package], Some("policy")).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let mut encoder = ComponentEncoder::default().module(&module).unwrap();
        encoder.encode().unwrap()
    }

    fn of_version_0_0() -> Vec<u8> {
        component(
            "package rectifier:policy@0.0.0;
             interface log { write: func(message: string); }
             interface decider { decide: func(problem: string, attempts: u32) -> result<string, string>; }
             world policy { import log; export decider; }",
            r#"(module
                (memory (export "memory") 1)
                (data (i32.const 64) "escalate")
                (data (i32.const 1028) "\40\00\00\00\08\00\00\00")
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
                (func (export "rectifier:policy/decider@0.0.0#decide") (param i32 i32 i32) (result i32)
                    (i32.const 1024)))"#,
        )
    }

    fn of_version_0_1() -> Vec<u8> {
        component(
            include_str!("../../../../sdk/wit/policy.wit"),
            r#"(module
                (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
                (func (export "rectifier:policy/decider@0.1.0#validate-settings")
                    (param i32 i32) (result i32) (i32.const 1024))
                (func (export "rectifier:policy/decider@0.1.0#decide") (param i32) (result i32)
                    (i32.store8 (i32.const 1028) (i32.const 4))
                    (i32.const 1024)))"#,
        )
    }

    async fn decided(runtime: &Runtime, version: Version, bytes: &[u8]) -> Result<Remedy, Failure> {
        let compiled = crate::engine::compiling(Metering::Epoch)
            .unwrap()
            .precompile_component(bytes)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cache =
            crate::compile::Cache::open(&folder.path().join("cache"), runtime.metering).unwrap();
        let compiled = cache.keep(&runtime.engine, &[0; 32], &compiled).unwrap();
        let door = Door::open(version, &runtime.linkers, &compiled)?;
        let policy = PolicyName::parse("test").unwrap();
        let guest = || {
            crate::guest::Guest::new(GuestParts {
                policy: &policy,
                limits: Limits::default(),
                moment: Duration::ZERO,
                seed: "",
                lines: Lines::Told,
                command: None,
            })
        };
        let mut checking = runtime.begin(guest())?;
        door.validate(&mut checking.store, "{}").await?;
        let seen: Observation =
            serde_json::from_str(include_str!("../../tests/observation.json")).unwrap();
        let mut deciding = runtime.begin(guest())?;
        let decision = door
            .decide(&mut deciding.store, &seen, &crate::Needs::default(), "{}")
            .await?;
        Ok(decision.remedy)
    }

    #[tokio::test]
    async fn two_versions_stand_side_by_side_and_neither_is_taken_for_the_other() {
        let runtime = Runtime::new(Metering::Epoch).unwrap();
        let (old, new) = (of_version_0_0(), of_version_0_1());
        assert_eq!(
            decided(&runtime, Version::V0_0, &old).await,
            Ok(Remedy::Escalate)
        );
        assert_eq!(
            decided(&runtime, Version::V0_1, &new).await,
            Ok(Remedy::Reboot)
        );
        for (version, bytes) in [(Version::V0_0, &new), (Version::V0_1, &old)] {
            let refused = decided(&runtime, version, bytes).await.unwrap_err();
            assert_eq!(refused.class, FailureClass::Link, "{refused}");
        }
    }

    #[test]
    fn a_version_that_is_not_served_is_refused_naming_those_that_are() {
        let metadata = |contract: &str| {
            let json = format!(
                r#"{{\"name\":\"a\",\"version\":\"1\",\"contract\":\"{contract}\",\"handles\":[]}}"#
            );
            wat::parse_str(format!(
                r#"(component (@custom "rectifier:policy" "{json}"))"#
            ))
            .unwrap()
        };
        for served in ["0.0", "0.1"] {
            assert_eq!(
                crate::read_metadata(&metadata(served)).unwrap().contract,
                served
            );
        }
        let refused = crate::read_metadata(&metadata("0.2")).unwrap_err().message;
        assert!(
            refused.contains("0.2") && refused.contains("serves 0.1"),
            "{refused}"
        );
    }
}
