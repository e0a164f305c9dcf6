//! Asks for what the operator's own rules of problems rest on: Node Problem Detector's counters, and units.

use std::collections::{BTreeMap, BTreeSet};

use rectifier_core::clock::{Timestamp, seconds_between};
use rectifier_core::episode::{Own, SeenCondition, UnitSeen, is_own};
use rectifier_core::name::{ConditionKind, UnitName};
use rectifier_core::policy::Status;

use crate::context::Context;
use crate::npd;
use crate::trouble::chain;

/// Units are looked at when systemd says that something has happened to them; and, since a signal may be lost, so often.
const ROUND: u32 = 30;

/// What is known of it, and when the units were looked at last.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) own: Own,
    looked: Option<Timestamp>,
}

/// Looks. `moved`: something may have happened to the units.
pub(super) async fn look(ctx: &Context, known: &mut Known, moved: bool, now: Timestamp) {
    if ctx.config.npd.counters.is_some() {
        let counted = counters(ctx).await;
        known.own.counted(now, counted.as_ref());
    }
    let is_due = known
        .looked
        .is_none_or(|looked| looked > now || seconds_between(looked, now) >= ROUND);
    if !ctx.watched.is_empty() && (moved || is_due) {
        known.own.units(now, units(ctx, &ctx.watched).await);
        known.looked = Some(now);
    }
    tell_unknown(ctx, &known.own);
}

async fn counters(ctx: &Context) -> Option<BTreeMap<String, u64>> {
    match ctx.machine.npd_counters().await {
        Ok(text) => {
            if ctx.counters_trouble.ends() {
                tracing::info!("Node Problem Detector's counters can be read again");
            }
            Some(npd::counters(&text))
        }
        Err(error) => {
            if ctx.counters_trouble.begins() {
                tracing::warn!(error = %chain(&error), "Node Problem Detector's counters cannot be read: what rests on them is not reported");
            }
            None
        }
    }
}

/// A rule that rests on something that is not there never holds, most likely for a slip of the pen.
fn tell_unknown(ctx: &Context, own: &Own) {
    let unknown = own.unknown(ctx.config.problems.values());
    if unknown.is_empty() {
        ctx.unknown.ends();
    } else if ctx.unknown.begins() {
        tracing::warn!(
            ?unknown,
            "Node Problem Detector counts no such reasons, or systemd has no such units: the problems that rest on them are not reported"
        );
    }
}

/// What the operator made a problem, and told no policy to handle.
pub(super) fn tell_unhandled(
    ctx: &Context,
    conditions: &[SeenCondition],
    handled: &BTreeSet<ConditionKind>,
) {
    let is_made = |seen: &&SeenCondition| is_own(&seen.source) && seen.status == Status::Yes;
    let mut made = conditions.iter().filter(is_made);
    let unhandled = made.find(|seen| !handled.contains(&seen.kind));
    match unhandled {
        None => drop(ctx.unhandled.ends()),
        Some(seen) if ctx.unhandled.begins() => {
            tracing::warn!(problem = %seen.kind, "the problem is there, and no policy handles it at this site: {}", seen.message);
        }
        Some(_) => {}
    }
}

/// Of one that cannot be read the others are not held to know nothing. `None`: none can.
async fn units(
    ctx: &Context,
    watched: &BTreeSet<UnitName>,
) -> Option<BTreeMap<UnitName, UnitSeen>> {
    let mut seen = BTreeMap::new();
    let mut is_heard = false;
    for name in watched {
        match ctx.machine.unit(name).await {
            Ok(unit) => {
                is_heard = true;
                seen.extend(unit.map(|unit| (name.clone(), unit)));
            }
            // that systemd cannot be asked it says itself
            Err(error) => {
                tracing::debug!(unit = %name, error = %chain(&error), "cannot read the unit's state");
            }
        }
    }
    is_heard.then_some(seen)
}
