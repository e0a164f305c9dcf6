//! The door: each released version of the contract has a file here that converts it to the inner types. The newest
//! stands inside; an older one is one more file and one more variant of [`Door`].

mod v0_1;

use rectifier_core::policy::{Decision, Observation};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use crate::failure::{During, classify};
use crate::guest::Guest;
use crate::{Failure, Needs};

/// A component that imports nothing but what we offer, and exports one version of the contract.
pub(crate) enum Door {
    V0_1(v0_1::bindings::PolicyPre<Guest>),
}

impl Door {
    /// What every policy is linked with: WASI that has nothing behind it, and the log.
    ///
    /// # Errors
    /// Two of our own interfaces clash: a defect.
    pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        v0_1::add_to_linker(&mut linker)?;
        Ok(linker)
    }

    /// # Errors
    /// [`FailureClass::Link`](rectifier_core::policy::FailureClass): an import that is not offered, or no decider.
    pub(crate) fn open(linker: &Linker<Guest>, component: &Component) -> Result<Self, Failure> {
        let pre = linker
            .instantiate_pre(component)
            .and_then(v0_1::bindings::PolicyPre::new)
            .map_err(|error| classify(&error, During::Instantiation))?;
        Ok(Door::V0_1(pre))
    }

    /// The policy's verdict on its settings.
    pub(crate) async fn validate(
        &self,
        store: &mut Store<Guest>,
        settings: &str,
    ) -> Result<(), Failure> {
        match self {
            Door::V0_1(pre) => v0_1::validate(pre, store, settings).await,
        }
    }

    /// The policy's answer, converted; `needs` says what it is shown.
    pub(crate) async fn decide(
        &self,
        store: &mut Store<Guest>,
        seen: &Observation,
        needs: &Needs,
        settings: &str,
    ) -> Result<Decision, Failure> {
        match self {
            Door::V0_1(pre) => v0_1::decide(pre, store, seen, needs, settings).await,
        }
    }
}
