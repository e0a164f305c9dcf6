//! One leader at a time, by a `coordination.k8s.io` Lease, and its term: the number of its transitions, and higher than
//! any term that a repair bears.
//!
//! A leader stops [`GIVE_UP`] after the last renewal that it knows of began, whether or not the API server has answered
//! since; nobody takes over before [`DURATION`] after that. But a Lease is no fence by itself: a process that was stopped
//! for a minute wakes up and still thinks that it leads. What fences is in [`crate::fence`].

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use tokio::time::{Instant, timeout, timeout_at};

use crate::context::Context;
use crate::error::{Error, api, chain};
use crate::slim::{SlimRepair, in_pages};

pub(crate) const NAME: &str = "rectifier-controller";
/// Kubernetes' own components use 15 s, renewed every 2 s with 10 s to try; so does ours, with a third.
const DURATION: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(5);
/// After a renewal that failed at once.
const RENEW_AGAIN: Duration = Duration::from_secs(1);
/// A leader that could not renew for so long stops, before anybody else may take over.
const GIVE_UP: Duration = Duration::from_secs(10);

/// A Lease that is ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leading {
    /// The term.
    pub(crate) term: i64,
    /// When the write that made it ours began: from then on it counts.
    since: Instant,
}

/// Waits until this process leads.
pub(crate) async fn acquire(ctx: &Context) -> Result<Leading, Error> {
    // Somebody else's lease counts as expired when *we* have watched it unchanged for its duration: clocks differ.
    let mut watched: Option<(Lease, Instant)> = None;
    loop {
        let leases: Api<Lease> = Api::namespaced(ctx.client.clone(), &ctx.settings.namespace);
        let found = match timeout(GIVE_UP, leases.get_opt(NAME)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) if is_for_good(&error) => return Err(api("get lease")(error)),
            // Whoever waits goes on waiting: the leader may be losing its Lease for the same reason.
            Ok(Err(error)) => {
                tracing::warn!("the lease cannot be read: {}", chain(&error));
                tokio::time::sleep(RENEW_AGAIN).await;
                continue;
            }
            Err(_) => {
                tracing::warn!("the API server did not answer in time: looking again");
                continue;
            }
        };
        let free = match (&found, &watched) {
            (None, _) => true,
            (Some(lease), _)
                if holder(lease).is_none_or(|holder| holder == ctx.settings.identity) =>
            {
                true
            }
            (Some(lease), Some((before, since))) if before == lease => since.elapsed() >= DURATION,
            (Some(lease), _) => {
                tracing::info!(holder = holder(lease), "another controller leads; waiting");
                watched = Some((lease.clone(), Instant::now()));
                false
            }
        };
        if free {
            match timeout(GIVE_UP, take(ctx, &leases, found)).await {
                Ok(Ok(leading)) => return Ok(leading),
                Ok(Err(error)) if error.is_lost() => {}
                Ok(Err(Error::Api { source, call })) if !is_for_good(&source) => {
                    tracing::warn!("the API server did not take {call}: {}", chain(&*source));
                }
                Ok(Err(error)) => return Err(error),
                // it may be ours or not: the next look tells
                Err(_) => tracing::warn!("the API server did not answer in time: looking again"),
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Would it be answered the same again? What it has no right to do a process says loudly, and ends.
fn is_for_good(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => (400..500).contains(&status.code) && status.code != 429,
        _ => false,
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease
        .spec
        .as_ref()?
        .holder_identity
        .as_deref()
        .filter(|holder| !holder.is_empty())
}

fn transitions(lease: &Lease) -> i64 {
    lease
        .spec
        .as_ref()
        .and_then(|spec| spec.lease_transitions)
        .map_or(0, i64::from)
}

/// Is this Lease held by this process, in this term?
///
/// # Errors
/// [`Error::NotLeading`], naming who holds it.
pub(crate) fn is_ours(lease: Option<&Lease>, identity: &str, term: i64) -> Result<(), Error> {
    let held_by = lease.and_then(holder);
    if held_by == Some(identity) && lease.map(transitions) == Some(term) {
        return Ok(());
    }
    Err(Error::NotLeading(format!(
        "the lease is held by {} in term {}",
        held_by.unwrap_or("nobody"),
        lease.map_or(0, transitions)
    )))
}

async fn take(ctx: &Context, leases: &Api<Lease>, found: Option<Lease>) -> Result<Leading, Error> {
    // A Lease that was deleted, or restored from a backup, has forgotten its terms; the repairs have not.
    let recorded = recorded(ctx).await?;
    let term = found.as_ref().map_or(0, transitions).max(recorded) + 1;
    let now = MicroTime(ctx.now());
    let spec = LeaseSpec {
        holder_identity: Some(ctx.settings.identity.clone()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        lease_transitions: i32::try_from(term).ok(),
        ..LeaseSpec::default()
    };
    let metadata = found.map_or_else(
        || ObjectMeta {
            name: Some(NAME.to_owned()),
            ..ObjectMeta::default()
        },
        |lease| lease.metadata,
    );
    let lease = Lease {
        metadata,
        spec: Some(spec),
    };
    let since = Instant::now();
    // with the resourceVersion that was read, or as a create: of two that try, one loses
    if lease.metadata.resource_version.is_some() {
        leases
            .replace(NAME, &PostParams::default(), &lease)
            .await
            .map_err(api("take lease"))?;
    } else {
        leases
            .create(&PostParams::default(), &lease)
            .await
            .map_err(api("take lease"))?;
    }
    Ok(Leading { term, since })
}

/// The highest term that any repair bears, open or archived: there may be thousands, so they are read slim, in pages.
async fn recorded(ctx: &Context) -> Result<i64, Error> {
    let repairs: Api<SlimRepair> = Api::all(ctx.client.clone());
    let mut highest = 0;
    let told = in_pages(&repairs, |repair| highest = repair.status.term.max(highest));
    told.await.map_err(api("list noderepairs"))?;
    Ok(highest)
}

/// Renews until it cannot: then it says so, and the process must end.
pub(crate) async fn keep(ctx: Context, leading: Leading) -> Error {
    let leases: Api<Lease> = Api::namespaced(ctx.client.clone(), &ctx.settings.namespace);
    let known = Mutex::default();
    renew_until_lost(leading.since, || renew(&ctx, &leases, leading.term, &known)).await
}

/// The one rule: no later than [`GIVE_UP`] after the last good renewal *began* this returns, even if a request hangs.
async fn renew_until_lost<F>(since: Instant, mut renew: impl FnMut() -> F) -> Error
where
    F: Future<Output = Result<(), Error>>,
{
    let mut renewed = since;
    let mut pause = RENEW;
    loop {
        let end = renewed + GIVE_UP;
        tokio::time::sleep_until((Instant::now() + pause).min(end)).await;
        let began = Instant::now();
        match timeout_at(end, renew()).await {
            Ok(Ok(())) => {
                renewed = began;
                pause = RENEW;
            }
            Ok(Err(error @ Error::NotLeading(_))) => return error,
            Ok(Err(error)) if Instant::now() < end => {
                tracing::warn!("the lease could not be renewed yet: {error}");
                pause = RENEW_AGAIN;
            }
            Ok(Err(error)) => return Error::NotLeading(error.to_string()),
            Err(_) => {
                return Error::NotLeading(format!(
                    "the API server confirmed no renewal for {} s",
                    GIVE_UP.as_secs()
                ));
            }
        }
    }
}

/// One write of the Lease as the last one left it: the API server refuses it if anybody has written since. Only when that one
/// is not known, or has not gone well, is the Lease read before.
async fn renew(
    ctx: &Context,
    leases: &Api<Lease>,
    term: i64,
    known: &Mutex<Option<Lease>>,
) -> Result<(), Error> {
    let last = known.lock().unwrap_or_else(PoisonError::into_inner).take();
    let found = match last {
        Some(lease) => Some(lease),
        None => leases.get_opt(NAME).await.map_err(api("get lease"))?,
    };
    is_ours(found.as_ref(), &ctx.settings.identity, term)?;
    let Some(mut lease) = found else {
        return Ok(());
    };
    if let Some(spec) = &mut lease.spec {
        spec.renew_time = Some(MicroTime(ctx.now()));
    }
    let renewed = leases
        .replace(NAME, &PostParams::default(), &lease)
        .await
        .map_err(api("renew lease"))?;
    *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(renewed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_for_the_lease_ends_only_of_what_would_be_answered_again() {
        let answered = |code| {
            kube::Error::Api(Box::new(kube::core::Status {
                code,
                ..kube::core::Status::default()
            }))
        };
        for code in [429, 500, 503, 504] {
            assert!(!is_for_good(&answered(code)), "{code}");
        }
        for code in [400, 401, 403, 404] {
            assert!(is_for_good(&answered(code)), "{code}");
        }
    }

    fn lease(holder: &str, term: i32) -> Lease {
        Lease {
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.to_owned()),
                lease_transitions: Some(term),
                ..LeaseSpec::default()
            }),
            ..Lease::default()
        }
    }

    #[test]
    fn a_lease_of_another_holder_or_another_term_is_not_ours() {
        assert!(is_ours(Some(&lease("me", 3)), "me", 3).is_ok());
        let others = [
            None,
            Some(lease("other", 3)),
            Some(lease("me", 4)),
            Some(lease("", 3)),
        ];
        for other in others {
            let result = is_ours(other.as_ref(), "me", 3);
            assert!(matches!(result, Err(Error::NotLeading(_))), "{other:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_whose_renewal_hangs_stops_before_anybody_may_take_over() {
        let since = Instant::now();
        let ended = renew_until_lost(since, std::future::pending).await;
        assert!(matches!(ended, Error::NotLeading(_)));
        assert!(since.elapsed() < DURATION);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_counts_from_its_beginning() {
        let since = Instant::now();
        let mut first = true;
        let ended = renew_until_lost(since, || {
            let answers = std::mem::take(&mut first);
            async move {
                // the write is there at once; its answer takes 4 s
                tokio::time::sleep(Duration::from_secs(4)).await;
                if answers {
                    return Ok(());
                }
                std::future::pending().await
            }
        })
        .await;
        assert!(matches!(ended, Error::NotLeading(_)));
        assert!(since.elapsed() < RENEW + GIVE_UP + RENEW_AGAIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_is_refused_tries_again_until_its_time_is_over() {
        let since = Instant::now();
        let mut tries = 0;
        let ended = renew_until_lost(since, || {
            tries += 1;
            async { Err(Error::NoAnswer("renew lease")) }
        })
        .await;
        assert!(matches!(ended, Error::NotLeading(_)));
        assert!(tries > 2, "{tries}");
        assert!(since.elapsed() < DURATION);
    }
}
