//! A machine that does not end its pods: nothing of it is given to another before it is proven to be off.
//!
//! A node that is not heard may still run, and write to its volumes. So its machine is stopped, and only the compute host's
//! own word that it did so, with the server off, lets Kubernetes take pods and volumes away. A host that does not answer
//! gives no such word: then a person is asked, and nothing is forced.

use super::drain::{self, BEYOND_GRACE};
use super::next::{Act, Next};
use super::power::{ask, may_ask_again};
use super::record::{Power, Silence};
use super::seen::{CloudView, NodeSeen, Seen};
use super::server::{busy, newest, our_stop, stopped_by};
use super::{Phase, age, committed, room, sick_node};
use crate::clock::seconds_between;
use crate::policy::{Seconds, Status};
use crate::reason::Reason;

/// 40 s: what Kubernetes itself takes for the length of a node's Lease, which a kubelet renews every 10 s.
const SILENT: Seconds = 40;

const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// A node that is not Ready ends no pod, so that a drain would never end. All that is left was evicted as its budget allows,
/// and has had its grace, or does not serve: nothing more is taken from it by its machine's end.
pub(super) fn ends_nothing(seen: &Seen) -> bool {
    let (Some(node), Ok(rules), Some(pods)) = (sick_node(seen), &seen.pool, &seen.pods) else {
        return false;
    };
    node.ready != Status::Yes
        && node.ready_held >= BEYOND_GRACE
        // each was asked to go at least once
        && age(seen) >= BEYOND_GRACE
        && drain::plan(pods, rules.drain).serves_no_more(seen.now)
}

/// What holds anything that would hurt a node that is alive: one whose Ready is Unknown, although its kubelet goes on
/// renewing its Lease, or has not been watched for long enough. Clocks are not compared: the renewal is only seen to change.
pub(super) fn not_silent(seen: &Seen) -> Option<Next> {
    let node = sick_node(seen)?;
    if node.ready != Status::Unknown {
        return None;
    }
    let watched = seen.record.silence.as_ref();
    match watched.filter(|silence| silence.renewed == seen.heartbeat) {
        Some(silence) if seconds_between(silence.since, seen.now) >= SILENT => None,
        Some(_) => Some(Next::wait(seen, Reason::AwaitingSilence, "")),
        None => {
            let reason = match watched {
                Some(_) => Reason::KubeletAlive,
                None => Reason::AwaitingSilence,
            };
            let silence = Silence {
                renewed: seen.heartbeat.clone(),
                since: seen.now,
            };
            let next = Next::wait(seen, reason, "");
            Some(next.with(|record| record.silence = Some(silence)))
        }
    }
}

/// The machine is to be stopped: what was done to it before is written down first. A stop of an earlier try, which its host
/// may have done since, is ours as well.
pub(super) fn begin(seen: &Seen, view: &CloudView) -> Next {
    let mut steps = seen.record.steps.iter();
    let tried = steps.any(|step| step.phase == Phase::Stopping);
    let earlier = seen.record.power.clone();
    let power = earlier
        .filter(|_| tried && our_stop(seen, view).is_some())
        .unwrap_or_else(|| Power {
            before: newest(view),
            ..Power::default()
        });
    Next::enter(seen, Phase::Stopping, Reason::Stopping, "").with(|record| {
        record.power = Some(power);
        record.proof = None;
    })
}

/// Ends with a proof, with a node that is well again, or with a person.
pub(super) fn stopping(seen: &Seen) -> Next {
    let view = match room::go_on(seen) {
        Ok(view) => view,
        Err(next) => return *next,
    };
    if confirmed(seen) {
        return proven(seen, Reason::ConfirmedDead, "a person's word".to_owned());
    }
    let Some(server) = &view.server else {
        return match deleted(view) {
            Some(request) => proven(seen, Reason::Detaching, format!("delete {request}")),
            None => Next::wait(seen, Reason::HostUnreachable, NO_PROOF_OF_DELETE),
        };
    };
    match our_stop(seen, view) {
        Some(stop) if stop.done && server.is_off => {
            return proven(seen, Reason::Detaching, format!("stop {}", stop.request));
        }
        Some(_) => return Next::wait(seen, Reason::Stopping, status(view)),
        // not asked for yet, or somebody has started it since
        None => {}
    }
    if sick_node(seen).is_some_and(|node| node.ready == Status::Yes) {
        let why = "the node is Ready again, and ends its pods itself";
        return Next::enter(seen, Phase::Draining, Reason::Evicting, why);
    }
    if let Some(next) = not_silent(seen) {
        return next;
    }
    if let Some(by) = stopped_by(seen, view).filter(|_| server.is_off) {
        let why = format!("{by}; there is no proof of what was done to it since");
        return Next::enter(seen, Phase::NeedsHuman, Reason::StoppedByOther, why);
    }
    if let Some(why) = busy(server) {
        return Next::wait(seen, Reason::ServerBusy, why);
    }
    if !may_ask_again(seen) {
        return Next::wait(seen, Reason::Stopping, "");
    }
    Next::act(seen, Act::StopServer(server.id.clone()), Reason::Stopping)
        .with(|record| ask(record, seen))
}

pub(super) const NO_PROOF_OF_DELETE: &str =
    "the cloud does not know the server any more, and no host has said that it ended it";

/// Is the machine proven to be off, of whose server the cloud does not know any more? Our stop of it proves that no longer
/// once somebody has started it: a delete that no host reports may have been the database's alone.
pub(super) fn is_ended(seen: &Seen, view: &CloudView) -> bool {
    let is_stopped = || our_stop(seen, view).is_some_and(|stop| stop.done);
    let still = seen.record.proof.is_some() && is_stopped();
    still || confirmed(seen) || deleted(view).is_some()
}

/// A person's word, which names the very server.
pub(super) fn confirmed(seen: &Seen) -> bool {
    let word = seen.request.confirmed_dead.as_ref();
    word.is_some() && word == seen.record.server_id.as_ref()
}

/// The request by which the server was really deleted: with its host down a delete is only the database's.
pub(super) fn deleted(view: &CloudView) -> Option<&str> {
    let ended = view
        .actions
        .iter()
        .find(|action| action.action == "delete" && action.done)?;
    Some(&ended.request)
}

/// What follows takes volumes and pods from it, and is not taken back.
fn proven(seen: &Seen, reason: Reason, proof: String) -> Next {
    room::hold(seen).unwrap_or_else(|| {
        Next::enter(seen, Phase::Detaching, reason, proof.clone()).with(|record| {
            record.proof = Some(proof);
            room::ended(record, seen.now);
        })
    })
}

fn status(view: &CloudView) -> String {
    match &view.server {
        Some(server) => match &server.task {
            Some(task) => format!("{}: {task}", server.status),
            None => server.status.clone(),
        },
        None => "gone".to_owned(),
    }
}

/// What the node still holds is let go: of a machine that is proven to be off by Kubernetes' own out-of-service taint, of
/// one that lives by its kubelet.
pub(super) fn detaching(seen: &Seen) -> Next {
    let view = match room::go_on(seen) {
        Ok(view) => view,
        Err(next) => return *next,
    };
    let Some(node) = sick_node(seen) else {
        return committed::emptied(seen);
    };
    if seen.record.proof.is_some()
        && let Some(next) = off(seen, view, node)
    {
        return next;
    }
    match node.volumes.first() {
        Some(volume) => Next::wait(seen, Reason::Detaching, format!("volume {volume}")),
        None => committed::emptied(seen),
    }
}

/// What has to happen before a machine that was proven to be off has let go of everything; `None` when it has.
fn off(seen: &Seen, view: &CloudView, node: &NodeSeen) -> Option<Next> {
    let is_marked = node
        .taints
        .iter()
        .any(|taint| taint.starts_with(OUT_OF_SERVICE));
    let mark = |is: bool| Act::OutOfService {
        node: node.uid.clone(),
        is,
    };
    let runs = view.server.as_ref().is_some_and(|server| !server.is_off);
    if runs && !confirmed(seen) {
        // Somebody has started it: nothing is proven any more, and no volume of a machine that runs may be taken away.
        let why = format!("it is {} again", status(view));
        return Some(match is_marked {
            true => Next::act(seen, mark(false), Reason::Stopping),
            false => Next::enter(seen, Phase::Stopping, Reason::Stopping, why).with(|record| {
                record.proof = None;
                record.power = Some(Power {
                    before: newest(view),
                    ..Power::default()
                });
            }),
        });
    }
    if !is_marked {
        return Some(Next::act(seen, mark(true), Reason::Detaching));
    }
    let (Ok(rules), Some(pods)) = (&seen.pool, &seen.pods) else {
        return Some(Next::wait(seen, Reason::Detaching, "pods not read"));
    };
    let plan = drain::plan(pods, rules.drain);
    let left = plan.leaving.iter().chain(&plan.evict).next()?;
    let name = format!("pod {}/{}", left.namespace, left.name);
    Some(Next::wait(seen, Reason::Detaching, name))
}
