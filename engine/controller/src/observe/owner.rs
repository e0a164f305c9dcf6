//! Whoever makes pods, and how many of theirs are Ready. Those of kinds that are not known here are not waited for.

use std::fmt::Debug;

use futures::{FutureExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::ReplicationController;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::Api;
use rectifier_core::repair::owners::{OwnerRef, OwnerSeen};
use serde::de::DeserializeOwned;

use super::node;
use crate::abreast::abreast;
use crate::context::Context;
use crate::error::{Error, api};

/// Those of them that are still there.
pub(super) async fn all(ctx: &Context, owners: &[OwnerRef]) -> Result<Vec<OwnerSeen>, Error> {
    let one = |owner: &OwnerRef| one(ctx, owner.clone()).boxed();
    let read = abreast(owners.iter().map(one).collect());
    let read: Vec<Option<OwnerSeen>> = read.try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

/// A ReplicaSet is a Deployment's affair, if it is one's: a roll-out moves its pods to another.
async fn one(ctx: &Context, owner: OwnerRef) -> Result<Option<OwnerSeen>, Error> {
    if !is(&owner, "apps", "ReplicaSet") {
        return itself(ctx, owner).await;
    }
    let Some(set) = get::<ReplicaSet>(ctx, &owner).await? else {
        return Ok(None);
    };
    if let Some(above) = node::controller(&set.metadata)
        && is(&above, "apps", "Deployment")
    {
        return itself(ctx, above).await;
    }
    let ready = set.status.and_then(|status| status.ready_replicas);
    let wanted = set.spec.and_then(|spec| spec.replicas);
    Ok(Some(seen(owner, ready, wanted)))
}

async fn itself(ctx: &Context, owner: OwnerRef) -> Result<Option<OwnerSeen>, Error> {
    let (ready, wanted) = if is(&owner, "apps", "Deployment") {
        let Some(found) = get::<Deployment>(ctx, &owner).await? else {
            return Ok(None);
        };
        let ready = found.status.and_then(|status| status.ready_replicas);
        (ready, found.spec.and_then(|spec| spec.replicas))
    } else if is(&owner, "apps", "StatefulSet") {
        let Some(found) = get::<StatefulSet>(ctx, &owner).await? else {
            return Ok(None);
        };
        let ready = found.status.and_then(|status| status.ready_replicas);
        (ready, found.spec.and_then(|spec| spec.replicas))
    } else if is(&owner, "", "ReplicationController") {
        let Some(found) = get::<ReplicationController>(ctx, &owner).await? else {
            return Ok(None);
        };
        let ready = found.status.and_then(|status| status.ready_replicas);
        (ready, found.spec.and_then(|spec| spec.replicas))
    } else {
        return Ok(None);
    };
    Ok(Some(seen(owner, ready, wanted)))
}

fn is(owner: &OwnerRef, group: &str, kind: &str) -> bool {
    let version = owner.api_version.as_str();
    let own = version.rsplit_once('/').map_or("", |(group, _)| group);
    own == group && owner.kind == kind
}

fn seen(owner: OwnerRef, ready: Option<i32>, wanted: Option<i32>) -> OwnerSeen {
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    OwnerSeen {
        owner,
        ready: count(ready.unwrap_or(0)),
        // the API server's own default
        wanted: count(wanted.unwrap_or(1)),
    }
}

/// The object, if it is still that one.
async fn get<K>(ctx: &Context, owner: &OwnerRef) -> Result<Option<K>, Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + k8s_openapi::Metadata<Ty = ObjectMeta>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let objects: Api<K> = Api::namespaced(ctx.client.clone(), &owner.namespace);
    let found = objects
        .get_opt(&owner.name)
        .await
        .map_err(api("get the owner of a pod"))?;
    Ok(found.filter(|found| found.meta().uid.as_ref() == Some(&owner.uid)))
}
