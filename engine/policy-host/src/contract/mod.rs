//! The door: each released version of the contract has a folder here that converts it to the inner types. The newest
//! stands inside; an older one is one more folder, one more variant of [`Version`] and one of [`Door`].
//!
//! A policy comes in one of two forms: a component with the typed world, or a WASI command that reads and writes JSON.
//! A command runs as the core module that it is. (To wrap it into a component was tried: the adapter takes a piece of the
//! guest's memory, which languages that think all of it theirs do not survive; Go is one.)

pub(crate) mod v0_1;

#[cfg(test)]
mod v0_0;

#[cfg(test)]
use rectifier_core::policy::FailureClass;
use rectifier_core::policy::{Decision, Observation};
use wasmtime::component::Linker;
use wasmtime::{Engine, Store};

use crate::compile::Compiled;
use crate::failure::{During, classify};
use crate::guest::{CommandInput, Guest};
use crate::section::Form;
use crate::{Failure, Needs};

/// A version of the contract that this host serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `rectifier:policy@0.1.0`.
    V0_1,
    /// `rectifier:policy@0.0.0`, which was never released: it proves that an older version can stand beside.
    #[cfg(test)]
    V0_0,
}

impl Version {
    /// The newest first.
    pub const ALL: &'static [Version] = &[
        Version::V0_1,
        #[cfg(test)]
        Version::V0_0,
    ];

    /// As policies' metadata name it: major and minor.
    pub fn label(self) -> &'static str {
        match self {
            Version::V0_1 => "0.1",
            #[cfg(test)]
            Version::V0_0 => "0.0",
        }
    }

    pub(crate) fn from_label(label: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|version| version.label() == label)
    }

    /// All of them, for people.
    pub(crate) fn labels() -> String {
        let labels: Vec<_> = Self::ALL.iter().map(|version| version.label()).collect();
        labels.join(", ")
    }
}

/// What policies are linked with: WASI that has nothing behind it, and for components the log of each version.
pub(crate) struct Linkers {
    components: Linker<Guest>,
    commands: wasmtime::Linker<Guest>,
}

impl Linkers {
    /// # Errors
    /// Two of our own interfaces clash: a defect.
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut components = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut components)?;
        v0_1::add_to_linker(&mut components)?;
        #[cfg(test)]
        v0_0::add_to_linker(&mut components)?;
        let mut commands = wasmtime::Linker::new(engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut commands, Guest::preview1)?;
        v0_1::command::replace_in_linker(&mut commands)?;
        Ok(Self {
            components,
            commands,
        })
    }
}

/// A policy that imports nothing but what we offer, and exports one version of the contract.
pub(crate) enum Door {
    V0_1(v0_1::bindings::PolicyPre<Guest>),
    V0_1Command(wasmtime::InstancePre<Guest>),
    #[cfg(test)]
    V0_0(v0_0::bindings::PolicyPre<Guest>),
}

impl Door {
    /// # Errors
    /// [`FailureClass::Link`](rectifier_core::policy::FailureClass): an import that is not offered, or no decider of that
    /// version.
    pub(crate) fn open(
        version: Version,
        linkers: &Linkers,
        compiled: &Compiled,
    ) -> Result<Self, Failure> {
        let link = |error: wasmtime::Error| classify(&error, During::Instantiation);
        let component = match compiled {
            Compiled::Component(component) => component,
            Compiled::Command(module) => {
                let pre = linkers.commands.instantiate_pre(module).map_err(link)?;
                return match version {
                    Version::V0_1 => Ok(Door::V0_1Command(pre)),
                    #[cfg(test)]
                    Version::V0_0 => Err(Failure::new(
                        FailureClass::Link,
                        "contract 0.0 knew no commands",
                    )),
                };
            }
        };
        let pre = linkers
            .components
            .instantiate_pre(component)
            .map_err(link)?;
        match version {
            Version::V0_1 => v0_1::bindings::PolicyPre::new(pre).map(Door::V0_1),
            #[cfg(test)]
            Version::V0_0 => v0_0::bindings::PolicyPre::new(pre).map(Door::V0_0),
        }
        .map_err(link)
    }

    /// The form in which the policy speaks.
    pub(crate) fn form(&self) -> Form {
        match self {
            Door::V0_1(_) => Form::Component,
            Door::V0_1Command(_) => Form::Command,
            #[cfg(test)]
            Door::V0_0(_) => Form::Component,
        }
    }

    /// What a command is started with to check settings; `None` for a component.
    pub(crate) fn settings_input(&self, settings: &str) -> Result<Option<CommandInput>, Failure> {
        match self {
            Door::V0_1Command(_) => v0_1::command::settings_input(settings).map(Some),
            Door::V0_1(_) => Ok(None),
            #[cfg(test)]
            Door::V0_0(_) => Ok(None),
        }
    }

    /// What a command is started with to decide; `None` for a component.
    pub(crate) fn decide_input(
        &self,
        seen: &Observation,
        needs: &Needs,
        settings: &str,
    ) -> Result<Option<CommandInput>, Failure> {
        match self {
            Door::V0_1Command(_) => v0_1::command::decide_input(seen, needs, settings).map(Some),
            Door::V0_1(_) => Ok(None),
            #[cfg(test)]
            Door::V0_0(_) => Ok(None),
        }
    }

    /// The policy's verdict on its settings. The store's guest was made with [`Door::settings_input`].
    pub(crate) async fn validate(
        &self,
        store: &mut Store<Guest>,
        settings: &str,
    ) -> Result<(), Failure> {
        match self {
            Door::V0_1(pre) => v0_1::validate(pre, store, settings).await,
            Door::V0_1Command(pre) => v0_1::command::validate(pre, store).await,
            #[cfg(test)]
            Door::V0_0(pre) => v0_0::validate(pre, store, settings).await,
        }
    }

    /// The policy's answer, converted; `needs` says what it is shown. The store's guest was made with
    /// [`Door::decide_input`].
    pub(crate) async fn decide(
        &self,
        store: &mut Store<Guest>,
        seen: &Observation,
        needs: &Needs,
        settings: &str,
    ) -> Result<Decision, Failure> {
        match self {
            Door::V0_1(pre) => v0_1::decide(pre, store, seen, needs, settings).await,
            Door::V0_1Command(pre) => v0_1::command::decide(pre, store, seen.site.kind()).await,
            #[cfg(test)]
            Door::V0_0(pre) => v0_0::decide(pre, store, seen, settings).await,
        }
    }
}
