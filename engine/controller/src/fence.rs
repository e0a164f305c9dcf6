//! What keeps a leader that was stopped for a minute, and woke up, from acting beside its successor.
//!
//! A Lease alone does not: the sleeper still believes in it. Two things do. A successor writes its higher term into each
//! open repair before it does anything with it (into one without a record, of which nobody else can have an intent under way, with its own first intent), and no term is ever written down again by a lower one. And right before
//! each act both are read again: the Lease must name this process and this term, and the repair must be the very version
//! whose intent is about to be carried out. What is left is the time of one request that is already under way.

use futures::try_join;
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use kube::api::Api;
use rectifier_api::NodeRepair;

use crate::context::Context;
use crate::error::{Error, api};
use crate::lease;

/// The term that a repair bears.
pub(crate) fn term_of(repair: &NodeRepair) -> i64 {
    repair.status.as_ref().map_or(0, |record| record.term)
}

/// Whether the term in a record has to be replaced by ours.
///
/// # Errors
/// It is newer: somebody else leads.
pub(crate) fn is_older(recorded: i64, ours: i64) -> Result<bool, Error> {
    if recorded > ours {
        return Err(Error::NotLeading(format!(
            "a repair bears the term {recorded}, ours is {ours}"
        )));
    }
    Ok(recorded < ours)
}

/// Reads the Lease and the repair again.
///
/// # Errors
/// [`Error::NotLeading`] if the Lease is not ours, [`Error::Lost`] if the repair is another than the one whose intent was
/// written: nothing may be done.
pub(crate) async fn check(ctx: &Context, term: i64, repair: &NodeRepair) -> Result<(), Error> {
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    let name = repair.name_any();
    let now = async { repairs.get_opt(&name).await.map_err(api("get noderepair")) };
    let ((), now) = try_join!(leading(ctx, term), now)?;
    unchanged(repair, now.as_ref(), term)
}

/// Reads the Lease again.
///
/// # Errors
/// [`Error::NotLeading`] if it is not ours.
pub(crate) async fn leading(ctx: &Context, term: i64) -> Result<(), Error> {
    let leases: Api<Lease> = Api::namespaced(ctx.client.clone(), &ctx.settings.namespace);
    let found = leases
        .get_opt(lease::NAME)
        .await
        .map_err(api("get lease"))?;
    lease::is_ours(found.as_ref(), &ctx.settings.identity, term)
}

fn unchanged(written: &NodeRepair, now: Option<&NodeRepair>, term: i64) -> Result<(), Error> {
    let Some(now) = now else {
        return Err(Error::Lost { what: "noderepair" });
    };
    is_older(term_of(now), term)?;
    let version = |repair: &NodeRepair| (repair.uid(), repair.resource_version());
    if version(written) != version(now) {
        return Err(Error::Lost { what: "noderepair" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rectifier_api::NodeRepairSpec;
    use rectifier_core::repair::{Asks, Problem, Record, RequestedBy};

    use super::*;

    fn repair(version: &str, uid: &str, term: i64) -> NodeRepair {
        let spec = NodeRepairSpec {
            node_name: "worker-1".to_owned(),
            node_uid: "node".to_owned(),
            problem: Problem {
                kind: "ProxyUnhealthy".to_owned(),
                reason: String::new(),
                message: String::new(),
                since: jiff::Timestamp::UNIX_EPOCH,
                source: None,
            },
            asks: Asks::Escalate,
            deadline: None,
            withdrawn: false,
            accepted_grant: None,
            requested_by: RequestedBy::Conditions,
            wants: None,
            by: None,
        };
        let mut repair = NodeRepair::new("worker-1.repair", spec);
        repair.metadata.resource_version = Some(version.to_owned());
        repair.metadata.uid = Some(uid.to_owned());
        repair.status = Some(Record {
            term,
            ..Record::default()
        });
        repair
    }

    #[test]
    fn an_older_leader_that_wakes_up_writes_no_term_back() {
        assert!(is_older(2, 3).is_ok_and(|older| older), "a new leader does");
        assert!(is_older(3, 3).is_ok_and(|older| !older));
        assert!(matches!(is_older(4, 3), Err(Error::NotLeading(_))));
    }

    #[test]
    fn nothing_is_done_for_a_repair_that_is_not_the_one_whose_intent_was_written() {
        let written = repair("7", "uid", 3);
        assert!(unchanged(&written, Some(&repair("7", "uid", 3)), 3).is_ok());
        let changed = [
            None,
            Some(repair("8", "uid", 3)),
            Some(repair("7", "newer", 3)),
        ];
        for now in changed {
            let result = unchanged(&written, now.as_ref(), 3);
            assert!(matches!(result, Err(Error::Lost { .. })), "{now:?}");
        }
        let successor = repair("8", "uid", 4);
        let result = unchanged(&written, Some(&successor), 3);
        assert!(matches!(result, Err(Error::NotLeading(_))));
    }
}
