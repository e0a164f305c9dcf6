//! One leader at a time, by a `coordination.k8s.io` Lease, and its term: the number of its transitions.
//!
//! A Lease is no fence by itself: a leader that was stopped for a minute wakes up and still thinks that it leads. What
//! fences is the term that a new leader writes into every open repair, and that all writes are compare-and-swap.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use tokio::time::Instant;

use crate::context::Context;
use crate::error::{Error, api};

const NAME: &str = "rectifier-controller";
/// Kubernetes' own components use 15 s, renewed every 2 s with 10 s to try; so does ours, with a third.
const DURATION: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(5);
/// A leader that could not renew for so long stops, before anybody else may take over.
const GIVE_UP: Duration = Duration::from_secs(10);

/// Waits until this process leads. Gives the term.
pub(crate) async fn acquire(ctx: &Context) -> Result<i64, Error> {
    // Somebody else's lease counts as expired when *we* have watched it unchanged for its duration: clocks differ.
    let mut watched: Option<(Lease, Instant)> = None;
    loop {
        let leases: Api<Lease> = Api::namespaced(ctx.client.clone(), &ctx.settings.namespace);
        let found = leases.get_opt(NAME).await.map_err(api("get lease"))?;
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
            match take(ctx, &leases, found).await {
                Ok(term) => return Ok(term),
                Err(error) if error.is_lost() => {}
                Err(error) => return Err(error),
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
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

async fn take(ctx: &Context, leases: &Api<Lease>, found: Option<Lease>) -> Result<i64, Error> {
    let now = MicroTime(ctx.now());
    let before = found
        .as_ref()
        .and_then(|lease| lease.spec.as_ref()?.lease_transitions)
        .unwrap_or(0);
    let term = before + 1;
    let spec = LeaseSpec {
        holder_identity: Some(ctx.settings.identity.clone()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        lease_transitions: Some(term),
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
    Ok(i64::from(term))
}

/// Renews until it cannot: then it says so, and the process must end.
pub(crate) async fn keep(ctx: Context, term: i64) -> Error {
    let leases: Api<Lease> = Api::namespaced(ctx.client.clone(), &ctx.settings.namespace);
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(RENEW).await;
        match renew(&ctx, &leases, term).await {
            Ok(()) => renewed = Instant::now(),
            Err(error @ Error::NotLeading(_)) => return error,
            Err(error) if renewed.elapsed() >= GIVE_UP => {
                return Error::NotLeading(error.to_string());
            }
            Err(error) => tracing::warn!("the lease could not be renewed yet: {error}"),
        }
    }
}

async fn renew(ctx: &Context, leases: &Api<Lease>, term: i64) -> Result<(), Error> {
    let mut lease = leases.get(NAME).await.map_err(api("get lease"))?;
    let ours = holder(&lease) == Some(ctx.settings.identity.as_str())
        && lease
            .spec
            .as_ref()
            .and_then(|spec| spec.lease_transitions)
            .map(i64::from)
            == Some(term);
    if !ours {
        return Err(Error::NotLeading(format!(
            "held by {}",
            holder(&lease).unwrap_or("nobody")
        )));
    }
    if let Some(spec) = &mut lease.spec {
        spec.renew_time = Some(MicroTime(ctx.now()));
    }
    leases
        .replace(NAME, &PostParams::default(), &lease)
        .await
        .map_err(api("renew lease"))?;
    Ok(())
}
