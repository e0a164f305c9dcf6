//! One pass of the engine: observe → advise → decide → persist → act. Each line says what it may touch.

use std::collections::BTreeMap;

use futures::future::join_all;
use rectifier_core::episode::{self, Memory, Plan};
use rectifier_core::name::ConditionKind;
use rectifier_core::policy::{Advice, Observation};
use tokio::task::JoinSet;

use crate::act::{self, Begun};
use crate::context::Context;
use crate::engine::Error;
use crate::journal::Journal;
use crate::observe::{self, Inbox};
use crate::persist;
use rectifier_core::episode::Ended;

/// What a pass changes.
pub(crate) struct State {
    pub(crate) memory: Memory,
    pub(crate) journal: Journal,
    /// The remedy that is under way, if there is one.
    pub(crate) remedies: JoinSet<Ended>,
    /// What ended without having been under way; the next pass takes it in.
    pub(crate) ended: Option<Ended>,
}

pub(crate) async fn pass(ctx: &Context, state: &mut State, inbox: Inbox) -> Result<(), Error> {
    let seen = observe::node(ctx, &state.memory, inbox).await; // reads: NPD, systemd, what the API server told
    let mut news = Vec::new();
    let memory = episode::see(state.memory.clone(), &seen, &ctx.limits, &mut news); // pure
    let advice = advise(ctx, episode::questions(&memory, &seen, &ctx.limits)).await; // sandbox
    let Plan {
        memory,
        repair,
        begin,
        news,
    } = episode::decide(memory, &seen, &advice, &ctx.limits, news); // pure
    state.journal.write(&memory)?; // writes: the journal. Without it nothing below is done
    state.memory = memory;
    let swap = persist::repair(ctx, &seen, repair.as_ref()).await; // writes: the NodeRepair, compare-and-swap
    if let Some(begin) = begin {
        // side effects: systemd
        match act::begin(ctx, &mut state.remedies, begin, swap).await {
            Begun::UnderWay => {}
            Begun::Ended(ended) => state.ended = Some(ended),
            Begun::NotAccepted { grant } => {
                state.memory.unbegin_reboot(&grant);
                state.journal.write(&state.memory)?;
            }
        }
    }
    ctx.teller.tell(&seen, news); // logs and Events
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
