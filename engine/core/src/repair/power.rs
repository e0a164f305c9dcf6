//! The second rung: the cloud starts the server, or reboots it hard. For a machine whose own engine cannot, or does not.

use super::next::{Act, Next};
use super::reboot::give_up;
use super::record::{Power, Record, Rung, Tried};
use super::replace::fresh;
use super::seen::Seen;
use super::server::{busy, certain, newest, our_stop, ours};
use super::{Phase, age, called_off, sick_node};
use crate::clock::seconds_between;
use crate::policy::{Outcome, Seconds};
use crate::reason::Reason;

/// The pods have left, or nobody there can end them: now the power.
pub(super) fn begin(seen: &Seen) -> Next {
    let (view, server) = match certain(seen) {
        Ok(found) => found,
        Err(next) => return *next,
    };
    if let Some(why) = busy(server) {
        return Next::wait(seen, Reason::ServerBusy, why);
    }
    let power = Power {
        before: newest(view),
        boot_id: sick_node(seen).and_then(|node| node.boot_id.as_ref().map(ToString::to_string)),
        posted_at: Some(seen.now),
    };
    let tried = Tried {
        rung: Rung::HardReboot,
        since: seen.now,
        outcome: Outcome::Running,
        reason: Reason::HardRebooting,
    };
    let act = Act::PowerCycle {
        server: server.id.clone(),
        start: server.is_off,
    };
    Next::enter(
        seen,
        Phase::HardRebooting,
        Reason::HardRebooting,
        format!("server {}", server.id),
    )
    .with(|record| {
        record.power = Some(power);
        record.tried.push(tried);
    })
    .then(act)
}

/// Asked for, or not, or the answer was lost: the server's actions tell. Only a new boot id or the deadline ends it.
pub(super) fn hard_rebooting(seen: &Seen) -> Next {
    let (Some(node), Some(power)) = (sick_node(seen), &seen.record.power) else {
        return give_up(seen, Reason::NodeGone);
    };
    let boot = node.boot_id.as_ref().map(|boot| boot.as_str());
    if boot.is_some() && boot != power.boot_id.as_deref() {
        return Next::enter(seen, Phase::Settling, Reason::Settling, "a new boot id");
    }
    let within = seen
        .pool
        .as_ref()
        .map_or(Seconds::MAX, |rules| rules.reboot);
    if age(seen) >= within {
        return give_up(seen, Reason::BootOverdue);
    }
    let (view, server) = match certain(seen) {
        Ok(found) => found,
        // whatever became of the server: the deadline ends it
        Err(next) => return Next::wait(seen, next.reason, next.detail),
    };
    let asked = ours(seen, view, "reboot")
        .chain(ours(seen, view, "start"))
        .next();
    if let Some(action) = asked {
        return Next::wait(
            seen,
            Reason::AwaitingBoot,
            format!("{} {}", action.action, action.request),
        );
    }
    if !may_ask_again(seen) {
        return Next::wait(seen, Reason::HardRebooting, "");
    }
    // Nothing was done to it, and nothing has to be any more.
    if let Some(reason) = called_off(seen) {
        return give_up(seen, reason);
    }
    if let Some(why) = busy(server) {
        return Next::wait(seen, Reason::ServerBusy, why);
    }
    let act = Act::PowerCycle {
        server: server.id.clone(),
        start: server.is_off,
    };
    Next::act(seen, act, Reason::HardRebooting).with(|record| ask(record, seen))
}

/// What was asked for last has had its time to show among the server's actions.
pub(super) fn may_ask_again(seen: &Seen) -> bool {
    let settle = seen.pool.as_ref().map_or(60, |rules| rules.create_settle);
    let posted = seen.record.power.as_ref().and_then(|power| power.posted_at);
    posted.is_none_or(|at| seconds_between(at, seen.now) >= settle)
}

/// Written down before it is asked for.
/// Have we asked for the sick machine to be stopped, in this repair?
pub(super) fn has_stopped(record: &Record) -> bool {
    let posted = record.power.as_ref().and_then(|power| power.posted_at);
    let mut steps = record.steps.iter();
    posted.is_some() && steps.any(|step| step.phase == Phase::Stopping)
}

/// What we did to its power before there was no way back is undone: a machine that we stopped is started again. A stop that its
/// host has not done yet is waited for, as long as a host may take, or it would come when the node is at work again.
pub(super) fn undo(seen: &Seen) -> Option<Next> {
    if !has_stopped(&seen.record) {
        return None;
    }
    let view = match fresh(seen) {
        Ok(view) => view,
        Err(next) => return Some(*next),
    };
    let server = view.server.as_ref()?;
    let stop = our_stop(seen, view)?;
    if !stop.done {
        let within = seen.pool.as_ref().map_or(0, |rules| rules.power);
        let is_under_way = server.task.is_some() && age(seen) < within;
        let why = format!("our stop {} was not done yet", stop.request);
        return is_under_way.then(|| Next::wait(seen, Reason::HostUnreachable, why));
    }
    if let Some(why) = busy(server) {
        return Some(Next::wait(seen, Reason::ServerBusy, why));
    }
    let start = Act::PowerCycle {
        server: server.id.clone(),
        start: true,
    };
    server
        .is_off
        .then(|| Next::act(seen, start, Reason::HardRebooting))
}

pub(super) fn ask(record: &mut Record, seen: &Seen) {
    if let Some(power) = &mut record.power {
        power.posted_at = Some(seen.now);
    }
}
