//! Repairs that are over are kept for as long as their pool says, and then deleted, slowly.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Preconditions};
use rectifier_api::{NodeRepair, RepairPool, Retention};
use rectifier_core::clock::seconds_between;
use rectifier_core::repair::history::REMEMBERED;

use crate::cluster::{Archived, Cluster};
use crate::context::Context;
use crate::error::{Error, api, chain};
use crate::fence;

/// Between two looks. Nobody waits for it.
const LOOKS: Duration = Duration::from_secs(600);
/// So many are deleted after one look, so that a year's worth is no storm.
const AT_ONCE: usize = 10;

/// Its time is over. What happened within a day is kept whatever the pool says: vetoes and attempts are counted by it.
fn is_due(kept: &Archived, pools: &[RepairPool], now: Timestamp) -> bool {
    let own = pools
        .iter()
        .find(|pool| Some(pool.name_any()) == kept.pool)
        .map_or_else(Retention::default, |pool| pool.spec.retention.clone());
    let days = u32::from(own.days).saturating_mul(86_400);
    seconds_between(kept.ended(), now) >= days.max(REMEMBERED)
}

/// Deletes what is due, for ever. Ends only when somebody else leads.
pub(crate) async fn keep(ctx: Context, cluster: Arc<Cluster>, term: i64) -> Error {
    loop {
        tokio::time::sleep(LOOKS).await;
        let pools = cluster.pools();
        let now = ctx.now();
        let mut due = cluster.archived();
        due.retain(|(_, kept)| cluster.is_complete() && is_due(kept, &pools, now));
        due.sort_by_key(|(_, kept)| kept.ended());
        for (name, kept) in due.into_iter().take(AT_ONCE) {
            match delete(&ctx, term, &name, kept).await {
                Ok(()) => {}
                Err(error) if error.is_end() => return error,
                Err(error) => {
                    tracing::warn!(name, "an old repair is not deleted yet: {}", chain(&error))
                }
            }
        }
    }
}

async fn delete(ctx: &Context, term: i64, name: &str, kept: Archived) -> Result<(), Error> {
    fence::leading(ctx, term).await?;
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(kept.uid),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match repairs.delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(api("delete an old repair")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archived_repair_is_kept_as_long_as_its_pool_says_and_a_day_at_least() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let pool = |days: u16| {
            let spec = serde_json::json!({"nodeSelector": {}, "retention": {"days": days}});
            RepairPool::new("web", serde_json::from_value(spec).unwrap())
        };
        let kept = |pool: Option<&str>| Archived {
            uid: String::new(),
            pool: pool.map(str::to_owned),
            node: String::new(),
            story: rectifier_core::repair::Archived {
                node_uid: String::new(),
                problem: String::new(),
                phase: rectifier_core::repair::Phase::Replaced,
                reason: None,
                ended: at(0),
                tried: Vec::new(),
            },
            made: None,
        };
        const DAY: i64 = 86_400;
        let due = |kept: Archived, days, now| is_due(&kept, &[pool(days)], at(now));
        assert!(!due(kept(Some("web")), 2, 2 * DAY - 1));
        assert!(due(kept(Some("web")), 2, 2 * DAY));
        assert!(!due(kept(Some("gone")), 2, 29 * DAY), "the default");
        assert!(due(kept(None), 2, 30 * DAY));
        assert!(
            !due(kept(Some("web")), 0, DAY - 1),
            "vetoes are counted by it"
        );
    }
}
