//! Asks the monitoring policies beside the enforcing ones, and records what they would have said. They never delay an
//! answer: they are asked afterwards, one at a time, and if they do not keep up some are not asked.

use std::sync::Arc;

use rectifier_core::policy::Observation;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::runtime::Runtime;
use crate::{Mode, Set, Telemetry};

/// Observations that wait. Arbitrary: more than a node has episodes, less than would matter in memory.
const WAITING: usize = 16;

/// What is to be asked.
pub(crate) type Question = (Arc<Set>, Observation);

pub(crate) fn questions() -> (Sender<Question>, Receiver<Question>) {
    channel(WAITING)
}

/// Queues the observation if a policy wants it.
pub(crate) fn ask_beside(questions: &Sender<Question>, set: &Arc<Set>, seen: &Observation) {
    let problem = &seen.episode.problem.kind;
    if set
        .asked(problem, seen.site.kind(), Mode::Monitor)
        .next()
        .is_none()
    {
        return;
    }
    if questions.try_send((set.clone(), seen.clone())).is_err() {
        tracing::info!(%problem, "the monitoring policies are behind and are not asked about this observation");
    }
}

/// Asks until nobody is left who could queue a question. Whether a policy fails may decide how far it rolls out: `due` is
/// told when that is another.
pub(crate) async fn run(
    runtime: Arc<Runtime>,
    telemetry: Telemetry,
    due: Arc<Notify>,
    mut questions: Receiver<Question>,
) {
    while let Some((set, seen)) = questions.recv().await {
        let problem = &seen.episode.problem.kind;
        for policy in set.asked(problem, seen.site.kind(), Mode::Monitor) {
            let (name, digest) = (&policy.reference.name, &policy.reference.digest);
            let node = &seen.node.name;
            let failed = policy.breaker.is_failing().unwrap_or(false);
            let answer = policy.ask(&runtime, &telemetry, &seen).await;
            if policy.breaker.is_failing() != Some(failed) {
                due.notify_one();
            }
            match answer {
                Ok(decision) => {
                    let (remedy, reason) = (&decision.remedy, &decision.reason);
                    tracing::info!(%node, %problem, policy = %name, digest, %remedy, reason, "a monitoring policy would have answered");
                }
                Err(failure) => {
                    tracing::warn!(%node, %problem, policy = %name, digest, %failure, "a monitoring policy failed");
                }
            }
        }
    }
}
