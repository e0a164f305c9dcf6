//! One pass of the engine: observe → advise → decide → persist → act. Each line says what it may touch.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use rectifier_core::clock::Timestamp;
use rectifier_core::episode::{self, Ended, Memory, Plan};
use rectifier_core::name::ConditionKind;
use rectifier_core::policy::{Advice, Observation};
use tokio::task::JoinSet;

use crate::act::{self, Begun};
use crate::context::Context;
use crate::engine::Error;
use crate::history::Told;
use crate::journal::{Journal, JournalError};
use crate::observe::{self, Inbox, Known};
use crate::persist;
use crate::trouble::chain;

/// The pause after a remedy that could not be written down: what ended before it wakes the next pass at once. A second: no
/// disk is hammered by it.
const UNWRITTEN: Duration = Duration::from_secs(1);

/// What a pass changes.
pub(crate) struct State {
    pub(crate) memory: Memory,
    pub(crate) journal: Journal,
    /// The remedy that is under way, if there is one.
    pub(crate) remedies: JoinSet<Ended>,
    /// What ended without having been under way; the next pass takes it in.
    pub(crate) ended: Option<Ended>,
    /// Since when the journal cannot be written, and why, as far as was tried.
    pub(crate) unwritable: Option<(Timestamp, String)>,
    /// What the operator's own rules of problems rest on.
    pub(crate) known: Known,
}

impl State {
    /// Writes down what is to be remembered. Whether it is on the disk.
    ///
    /// # Errors
    /// The process has to begin anew with what the journal says.
    fn write(
        &mut self,
        memory: &Memory,
        told: &[Told],
        now: Timestamp,
    ) -> Result<bool, JournalError> {
        match self.journal.write_with(memory, told) {
            Ok(()) => {
                if self.unwritable.take().is_some() {
                    tracing::info!("the journal can be written again");
                }
            }
            Err(error @ JournalError::Back { .. }) => return Err(error),
            Err(error) => {
                let why = chain(&error);
                let since = self.unwritable.take().map(|(since, _)| since);
                if since.is_none() {
                    tracing::error!(error = %why, "the journal cannot be written: until it can, nothing is begun on this node");
                }
                self.unwritable = Some((since.unwrap_or(now), why));
            }
        }
        Ok(self.unwritable.is_none())
    }
}

pub(crate) async fn pass(ctx: &Context, state: &mut State, inbox: Inbox) -> Result<(), Error> {
    let seen = observe::node(ctx, state, inbox).await; // reads: NPD, systemd, what the API server told
    let mut news = Vec::new();
    let memory = episode::see(state.memory.clone(), &seen, &ctx.limits, &mut news); // pure
    let advice = advise(ctx, episode::questions(&memory, &seen, &ctx.limits)).await; // sandbox
    let Plan {
        memory,
        repair,
        begin,
        news,
    } = episode::decide(memory, &seen, &advice, &ctx.limits, news); // pure
    let told: Vec<Told> = news.iter().map(|word| Told::of(word, seen.now)).collect();
    let is_written = state.write(&memory, &told, seen.now)?; // writes: the journal
    if begin.is_some() && !is_written {
        // as if this pass had not been: the next one knows that nothing may begin
        state.ended = seen.ended;
        tokio::time::sleep(UNWRITTEN).await;
        return Ok(());
    }
    state.memory = memory;
    let swap = persist::repair(ctx, &seen, repair.as_ref()).await; // writes: the NodeRepair, compare-and-swap
    if let Some(begin) = begin {
        // side effects: systemd
        match act::begin(ctx, &mut state.remedies, begin, swap).await {
            Begun::UnderWay => {}
            Begun::Ended(ended) => state.ended = Some(ended),
            Begun::NotAccepted { grant } => {
                let mut memory = state.memory.clone();
                memory.unbegin_reboot(&grant);
                state.write(&memory, &[], seen.now)?;
                state.memory = memory;
            }
        }
    }
    ctx.teller.tell(&seen, &told); // logs and Events
    ctx.history.add(told);
    Ok(())
}

/// A policy that fails has advised too: `Advice::Unavailable`.
async fn advise(
    ctx: &Context,
    questions: BTreeMap<ConditionKind, Observation>,
) -> BTreeMap<ConditionKind, Advice> {
    let ask = |(kind, observation): (ConditionKind, Observation)| async move {
        let advice = ctx.policies.advise(&observation).await;
        tracing::debug!(problem = %kind, ?advice, "advised");
        (kind, advice)
    };
    join_all(questions.into_iter().map(ask))
        .await
        .into_iter()
        .collect()
}
