//! Which pods use a volume that is on their node alone.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, TryStreamExt};
use k8s_openapi::api::core::v1::{
    NodeSelectorRequirement, NodeSelectorTerm, PersistentVolume, PersistentVolumeClaim, Pod,
};
use kube::api::Api;
use rectifier_core::repair::NodeSeen;
use rectifier_core::repair::drain::{Owner, PodSeen};
use rectifier_core::repair::volume::{Operator, Place, Requirement, Term, Volume};

use crate::abreast::abreast;
use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::{Error, api};

/// (namespace, name)
type Claim = (String, String);

/// The pods, with the volumes that keep them where they are. Read are the claims of those that a drain would evict.
pub(super) async fn of_pods(
    ctx: &Context,
    cluster: &Cluster,
    node: Option<&NodeSeen>,
    pods: &[Pod],
) -> Result<Vec<PodSeen>, Error> {
    let mut seen: Vec<PodSeen> = super::seen_of(pods)?;
    let Some(node) = node else {
        return Ok(seen);
    };
    let claims: Vec<BTreeSet<Claim>> = seen
        .iter()
        .zip(pods)
        .map(|(seen, pod)| {
            if leaves(seen) {
                claims(pod)
            } else {
                BTreeSet::new()
            }
        })
        .collect();
    let distinct: BTreeSet<Claim> = claims.iter().flatten().cloned().collect();
    if distinct.is_empty() {
        return Ok(seen);
    }
    let others: Vec<Place> = cluster
        .nodes()
        .into_iter()
        .filter(|(name, _)| *name != node.name)
        .map(|(name, facts)| Place {
            name: name.to_string(),
            labels: facts.labels,
        })
        .collect();
    let own = place(node);
    let server = node.server.as_ref().map_or("", |server| server.as_str());
    let identities = [node.uid.as_str(), server];
    let one = |claim| bound(ctx, claim).boxed();
    let read = abreast(distinct.into_iter().map(one).collect());
    let read: Vec<Option<(Claim, String, Volume)>> = read.try_collect().await?;
    let stuck: BTreeMap<Claim, String> = read
        .into_iter()
        .flatten()
        .filter(|(_, _, volume)| volume.is_of(&own, &identities, &others))
        .map(|(claim, name, _)| (claim, name))
        .collect();
    for (pod, claims) in seen.iter_mut().zip(&claims) {
        pod.node_volume = claims.iter().find_map(|claim| stuck.get(claim)).cloned();
    }
    Ok(seen)
}

/// By zone, the pods that a volume keeps out of it, each with its volume, in words. What is read is read once.
pub(super) async fn bound_to_zones(
    ctx: &Context,
    node: &NodeSeen,
    pods: &[Pod],
    zones: Vec<String>,
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let seen: Vec<PodSeen> = super::seen_of(pods)?;
    let leaving = seen.iter().zip(pods).filter(|(seen, _)| leaves(seen));
    let of: BTreeMap<Claim, String> = leaving
        .flat_map(|(seen, pod)| {
            claims(pod)
                .into_iter()
                .map(|claim| (claim, seen.full_name()))
        })
        .collect();
    let own = place(node);
    let server = node.server.as_ref().map_or("", |server| server.as_str());
    let identities = [node.uid.as_str(), server];
    let read = abreast(
        of.keys()
            .cloned()
            .map(|claim| bound(ctx, claim).boxed())
            .collect(),
    );
    let read: Vec<Option<(Claim, String, Volume)>> = read.try_collect().await?;
    let kept_out = |zone: &str| -> Vec<String> {
        let stuck = read.iter().flatten();
        stuck
            .filter(|(_, _, volume)| volume.stays_out_of(zone, &own, &identities))
            .filter_map(|(claim, volume, _)| Some(format!("{} ({volume})", of.get(claim)?)))
            .collect()
    };
    let zones = zones.into_iter();
    Ok(zones.map(|zone| (zone.clone(), kept_out(&zone))).collect())
}

fn place(node: &NodeSeen) -> Place {
    Place {
        name: node.name.to_string(),
        labels: node.labels.clone(),
    }
}

fn leaves(pod: &PodSeen) -> bool {
    let moves = match pod.owner {
        Owner::Controller | Owner::Nobody => true,
        Owner::DaemonSet | Owner::Mirror => false,
    };
    moves && !pod.finished && pod.leaving.is_none()
}

/// An ephemeral volume's claim is made anew with the pod, elsewhere: it is data that is lost, and holds nobody.
fn claims(pod: &Pod) -> BTreeSet<Claim> {
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    volumes
        .filter_map(|volume| volume.persistent_volume_claim.as_ref())
        .map(|claim| (namespace.clone(), claim.claim_name.clone()))
        .collect()
}

/// The volume that a claim is bound to. A claim or volume that is gone holds nobody here.
async fn bound(ctx: &Context, claim: Claim) -> Result<Option<(Claim, String, Volume)>, Error> {
    let (namespace, name) = &claim;
    let found = Api::<PersistentVolumeClaim>::namespaced(ctx.client.clone(), namespace)
        .get_opt(name)
        .await
        .map_err(api("get persistentvolumeclaim"))?;
    let Some(volume) = found
        .and_then(|found| found.spec?.volume_name)
        .filter(|name| !name.is_empty())
    else {
        return Ok(None);
    };
    let found = Api::<PersistentVolume>::all(ctx.client.clone())
        .get_opt(&volume)
        .await
        .map_err(api("get persistentvolume"))?;
    Ok(found.map(|found| (claim, volume, read(found))))
}

fn read(volume: PersistentVolume) -> Volume {
    let spec = volume.spec.unwrap_or_default();
    let terms = spec
        .node_affinity
        .and_then(|affinity| affinity.required)
        .map_or(Vec::new(), |required| required.node_selector_terms);
    Volume {
        of_host: spec.local.is_some() || spec.host_path.is_some(),
        terms: terms.into_iter().map(term).collect(),
    }
}

fn term(term: NodeSelectorTerm) -> Term {
    let read = |all: Option<Vec<NodeSelectorRequirement>>| {
        all.into_iter().flatten().map(requirement).collect()
    };
    Term {
        labels: read(term.match_expressions),
        fields: read(term.match_fields),
    }
}

fn requirement(requirement: NodeSelectorRequirement) -> Requirement {
    Requirement {
        key: requirement.key,
        operator: match requirement.operator.as_str() {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            "Gt" => Operator::Gt,
            // the API server lets no other stand
            _ => Operator::Lt,
        },
        values: requirement.values.unwrap_or_default(),
    }
}
