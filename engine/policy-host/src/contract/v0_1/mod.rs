//! `rectifier:policy@0.1.0`, the newest version: the inner types are its twins.

mod answer;
pub(crate) mod command;
mod input;
pub(crate) mod json;
pub(crate) mod schema;
mod size;

use rectifier_core::policy::{Decision, FailureClass, Observation};
use wasmtime::Store;
use wasmtime::component::{HasSelf, Linker};

use crate::failure::{During, classify};
use crate::guest::Guest;
use crate::log::{LogLevel, one_line};
use crate::{Failure, Needs};

/// Generated from the contract itself.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "policy",
        exports: { default: async },
    });
}

use bindings::rectifier::policy::{log, types};

impl types::Host for Guest {}

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String) {
        self.log.write(
            match level {
                log::Level::Debug => LogLevel::Debug,
                log::Level::Info => LogLevel::Info,
                log::Level::Warn => LogLevel::Warn,
                log::Level::Error => LogLevel::Error,
            },
            &message,
        );
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    bindings::Policy::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

pub(super) async fn validate(
    pre: &bindings::PolicyPre<Guest>,
    store: &mut Store<Guest>,
    settings: &str,
) -> Result<(), Failure> {
    within_input(store, settings.len())?;
    let instance = instantiate(pre, store).await?;
    instance
        .rectifier_policy_decider()
        .call_validate_settings(&mut *store, settings)
        .await
        .map_err(|error| lost(&error, store.data()))?
        .map_err(|refusal| Failure::new(FailureClass::Settings, one_line(&refusal)))
}

pub(super) async fn decide(
    pre: &bindings::PolicyPre<Guest>,
    store: &mut Store<Guest>,
    seen: &Observation,
    needs: &Needs,
    settings: &str,
) -> Result<Decision, Failure> {
    let shown = input::observation(seen, needs);
    let size = settings.len() + size::of_observation(&shown);
    store.data_mut().question_bytes = size;
    within_input(store, size)?;
    let instance = instantiate(pre, store).await?;
    let answered = instance
        .rectifier_policy_decider()
        .call_decide(&mut *store, &shown, settings)
        .await
        .map_err(|error| lost(&error, store.data()))?
        .map_err(|error| Failure::new(FailureClass::GuestError, one_line(&error)))?;
    let (size, limit) = (
        size::of_decision(&answered),
        store.data().limits.output_bytes,
    );
    store.data_mut().answer_bytes = size;
    if size > limit {
        let why = format!("its answer has {size} bytes of text; the limit is {limit}");
        return Err(Failure::new(FailureClass::InvalidOutput, why));
    }
    answer::decision(answered, seen.site.kind())
        .map_err(|why| Failure::new(FailureClass::InvalidOutput, why))
}

async fn instantiate(
    pre: &bindings::PolicyPre<Guest>,
    store: &mut Store<Guest>,
) -> Result<bindings::Policy, Failure> {
    pre.instantiate_async(store)
        .await
        .map_err(|error| classify(&error, During::Instantiation))
}

/// A call that did not come back. A component that gives up can say why in its log only: those last words are told, too.
fn lost(error: &wasmtime::Error, guest: &Guest) -> Failure {
    let failure = classify(error, During::call_of(guest));
    match (failure.class, guest.log.last_error()) {
        (FailureClass::Trap, Some(words)) => Failure {
            message: format!("{}; it last logged: {words}", failure.message),
            ..failure
        },
        _ => failure,
    }
}

fn within_input(store: &Store<Guest>, size: usize) -> Result<(), Failure> {
    let limit = store.data().limits.input_bytes;
    if size <= limit {
        return Ok(());
    }
    Err(input_too_large(size, limit))
}

/// Not the policy's fault, but it cannot be asked: the operator must know which limit to raise.
fn input_too_large(size: usize, limit: usize) -> Failure {
    let why = format!(
        "the observation and settings have {size} bytes; the limit is {limit} (limits.inputKibibytes)"
    );
    Failure::new(FailureClass::Oom, why)
}
