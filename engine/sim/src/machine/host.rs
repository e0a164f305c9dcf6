//! A machine as its node's engine has it: asked, and told what to do, with the time that it takes.

use std::collections::BTreeSet;
use std::future::{pending, ready};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{BoxStream, select, unfold};
use futures::{Stream, StreamExt};
use rectifier_core::episode::UnitSeen;
use rectifier_core::name::{BootId, FixName, UnitName};
use rectifier_core::policy::{UnitCall, UnitVerb};
use rectifier_node::{FixCommand, Machine, NpdError, Running, SystemdError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{sleep, sleep_until};

use super::guest::Guest;
use super::{Machines, Moment, Options, State, draw};

/// A word over a socket of the machine's own.
const WORD: Duration = Duration::from_micros(500);

/// The machine of one server.
pub(super) struct Host {
    machines: Machines,
    server: String,
}

impl Host {
    pub(super) fn new(machines: Machines, server: &str) -> Self {
        Self {
            machines,
            server: server.to_owned(),
        }
    }

    /// On a machine that is not up nobody answers, and nobody is there to hear it.
    async fn ask<T>(&self, look: impl FnOnce(&mut Guest) -> T) -> T {
        sleep(WORD).await;
        match self.machines.look_at(&self.server, look) {
            Some(answer) => answer,
            None => pending().await,
        }
    }

    /// The same for what changes something.
    async fn tell<T>(
        &self,
        change: impl FnOnce(&mut Guest, Moment, &Options, &mut fastrand::Rng) -> T,
    ) -> T {
        sleep(WORD).await;
        let changed = self.machines.with(|state, moment, options| {
            let State { chance, guests, .. } = state;
            let guest = guests.get_mut(&self.server)?;
            guest
                .is_up()
                .then(|| change(guest, moment, options, chance))
        });
        match changed {
            Some(answer) => answer,
            None => pending().await,
        }
    }

    /// One job, to its end.
    async fn job(&self, unit: &UnitName, verb: UnitVerb) -> Result<String, SystemdError> {
        let begun = self
            .tell(|guest, now, options, chance| {
                guest.begin_job(unit.as_str(), verb, now, options, chance)
            })
            .await;
        let failed = |result: &str| SystemdError::Job {
            unit: unit.to_string(),
            result: result.to_owned(),
        };
        let Some(ends) = begun else {
            return Err(failed("not-found"));
        };
        self.machines.tell();
        sleep_until(ends).await;
        match self.ask(|guest| guest.is_active(unit.as_str())).await {
            true => Ok("systemd's job ended as done".to_owned()),
            false => Err(failed("failed")),
        }
    }
}

#[async_trait]
impl Machine for Host {
    async fn npd(&self) -> Result<Vec<u8>, NpdError> {
        Ok(self.ask(|guest| guest.npd()).await)
    }

    async fn npd_counters(&self) -> Result<Vec<u8>, NpdError> {
        Ok(self.ask(|guest| guest.counters()).await)
    }

    fn boot_id(&self) -> Option<BootId> {
        let look = |guest: &mut Guest| guest.boot_id();
        BootId::parse(self.machines.look_at(&self.server, look)?).ok()
    }

    async fn running(&self) -> Result<Running, SystemdError> {
        Ok(self.ask(|guest| guest.running()).await)
    }

    async fn unit(&self, name: &UnitName) -> Result<Option<UnitSeen>, SystemdError> {
        Ok(self.ask(|guest| guest.unit(name.as_str())).await)
    }

    async fn perform(&self, call: &UnitCall) -> Result<String, SystemdError> {
        self.job(&call.name, call.verb).await
    }

    async fn run_fix(&self, _: &FixName, _: &FixCommand) -> Result<String, SystemdError> {
        // What it does is not known; it takes its time, and is a remedy.
        let takes = self
            .tell(|_, _, options, chance| draw(chance, &options.job))
            .await;
        sleep(takes).await;
        self.tell(|guest, _, _, _| guest.remedied()).await;
        self.machines.tell();
        Ok("the command ended well".to_owned())
    }

    async fn inhibitor(&self) -> Result<Option<String>, SystemdError> {
        // nobody logs in there, and no package is installed
        Ok(None)
    }

    async fn reboot(&self) -> Result<(), SystemdError> {
        self.tell(Guest::shut_down_at).await;
        self.machines.tell();
        Ok(())
    }

    async fn moved_units(
        &self,
        watched: &BTreeSet<UnitName>,
    ) -> Result<BoxStream<'static, String>, SystemdError> {
        let subscribe = |guest: &mut Guest| (guest.finished.subscribe(), guest.turned.subscribe());
        let (finished, turned) = self.ask(subscribe).await;
        let watched = watched.clone();
        let is_watched = move |unit: &String| {
            let is_it = watched.iter().any(|watched| watched.as_str() == unit);
            ready(is_it)
        };
        let turned = heard(turned).filter(is_watched);
        Ok(select(heard(finished), turned).boxed())
    }
}

fn heard(from: Receiver<String>) -> impl Stream<Item = String> {
    unfold(from, |mut from| async move {
        loop {
            match from.recv().await {
                Ok(unit) => return Some((unit, from)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
}
