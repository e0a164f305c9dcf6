//! Asks the API server for lists, page by page. It is asked for nothing but lists of these kinds.

use anyhow::{Context, bail};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Client, Error};
use rectifier_sim::dump::{API_VERSION, Dump, KIND};
use serde_json::Value;

use super::keep;
use crate::clock::now;
use crate::progress::Progress;

/// As kubectl has it.
const PAGE: u32 = 500;
/// A list that takes longer than the API server remembers (five minutes, usually) is begun again so often.
const TRIES: usize = 3;

/// One kind, and what is kept of it.
struct Kind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    keep: fn(&Value) -> Option<Value>,
}

impl Kind {
    /// `pods`, `replicasets.apps`
    fn qualified(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    fn resource(&self) -> ApiResource {
        let named = GroupVersionKind::gvk(self.group, self.version, self.kind);
        ApiResource::from_gvk_with_plural(&named, self.plural)
    }
}

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    keep: fn(&Value) -> Option<Value>,
) -> Kind {
    Kind {
        group,
        version,
        kind,
        plural,
        keep,
    }
}

const NODES: Kind = kind("", "v1", "Node", "nodes", keep::node);
const PODS: Kind = kind("", "v1", "Pod", "pods", keep::pod);
const BUDGETS: Kind = kind(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    keep::budget,
);
const REPLICA_SETS: Kind = kind("apps", "v1", "ReplicaSet", "replicasets", keep::set);
const STATEFUL_SETS: Kind = kind("apps", "v1", "StatefulSet", "statefulsets", keep::set);
const POOLS: Kind = kind(
    "rectifier.dev",
    "v1alpha1",
    "RepairPool",
    "repairpools",
    keep::pool,
);
const REPAIRS: Kind = kind(
    "rectifier.dev",
    "v1alpha1",
    "NodeRepair",
    "noderepairs",
    keep::repair,
);

/// The whole cluster. Its lists are read one after the other: what changes meanwhile may show in one and not in another.
///
/// # Errors
/// The API server does not answer, or does not give a list to whoever asks.
pub(super) async fn cluster(client: &Client, shown: &Progress) -> anyhow::Result<Dump> {
    let version = client
        .apiserver_version()
        .await
        .context("the API server does not answer: is it the right --context?")?;
    let mut not_installed = Vec::new();
    let taken_at = now();
    let mut of = async |kind: &Kind| -> anyhow::Result<Vec<Value>> {
        let list = list(client, kind, shown).await?;
        if list.is_none() {
            not_installed.push(kind.qualified());
        }
        Ok(list.unwrap_or_default())
    };
    let node_repairs = of(&REPAIRS).await?;
    let repair_pools = of(&POOLS).await?;
    let nodes = of(&NODES).await?;
    let pods = of(&PODS).await?;
    let pod_disruption_budgets = of(&BUDGETS).await?;
    let replica_sets = of(&REPLICA_SETS).await?;
    let stateful_sets = of(&STATEFUL_SETS).await?;
    Ok(Dump {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        taken_at,
        server_version: version.git_version,
        not_installed,
        nodes,
        pods,
        pod_disruption_budgets,
        replica_sets,
        stateful_sets,
        repair_pools,
        node_repairs,
    })
}

/// `None`: the cluster does not know that kind, and need not.
async fn list(
    client: &Client,
    kind: &Kind,
    shown: &Progress,
) -> anyhow::Result<Option<Vec<Value>>> {
    for _ in 0..TRIES {
        match pages(client, kind, shown).await {
            Ok(list) => return Ok(Some(list)),
            Err(Error::Api(status)) if status.code == 410 => {}
            // Of a kind that every cluster knows nothing but a wrong address answers so.
            Err(Error::Api(status)) if status.code == 404 && kind.group == "rectifier.dev" => {
                return Ok(None);
            }
            Err(Error::Api(status)) if status.code == 403 => bail!(
                "{}: ask as somebody who may list {}",
                status.message,
                kind.qualified()
            ),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot list {}", kind.qualified()));
            }
        }
    }
    bail!(
        "the list of {} changes faster than it can be read: try again",
        kind.qualified()
    )
}

async fn pages(client: &Client, kind: &Kind, shown: &Progress) -> Result<Vec<Value>, Error> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind.resource());
    let mut params = ListParams::default().limit(PAGE);
    let (mut kept, mut read) = (Vec::new(), 0);
    loop {
        let page = api.list(&params).await?;
        read += page.items.len();
        shown.say(format!("{}: {read}", kind.qualified()));
        for object in &page.items {
            let object = serde_json::to_value(object).map_err(Error::SerdeError)?;
            kept.extend((kind.keep)(&object));
        }
        match page.metadata.continue_ {
            Some(token) if !token.is_empty() => params = params.continue_token(&token),
            Some(_) | None => return Ok(kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Node;
    use kube::api::PostParams;
    use rectifier_core::clock::Timestamp;
    use rectifier_sim::clock::{WorldClock, in_virtual_time};
    use rectifier_sim::kubernetes::{ApiServer, Options};
    use serde_json::json;

    use super::*;

    fn world() -> ApiServer {
        let clock = Arc::new(WorldClock::starting(Timestamp::UNIX_EPOCH));
        ApiServer::new(Options::default(), clock)
    }

    #[test]
    fn a_list_of_several_pages_is_whole_and_asked_for_by_pages() {
        let all = in_virtual_time(async {
            let api = world();
            let client = api.client("dump");
            let nodes: Api<Node> = Api::all(client.clone());
            let count = 2 * PAGE + 1;
            for number in 0..count {
                let node = json!({"metadata": {"name": format!("node-{number}")}});
                let node = serde_json::from_value(node).unwrap();
                nodes.create(&PostParams::default(), &node).await.unwrap();
            }
            let shown = Progress::start("");
            let list = list(&client, &NODES, &shown).await.unwrap().unwrap();
            let asked = api.requests();
            let pages = asked.iter().filter(|request| request.method == "GET");
            assert_eq!(pages.count(), 3);
            assert_eq!(list.len(), count as usize);
            list
        });
        let mut names: Vec<String> = all.unwrap().iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 2 * PAGE as usize + 1, "each once");
    }

    #[test]
    fn a_kind_that_is_not_installed_is_none_and_one_that_must_be_is_an_error() {
        in_virtual_time(async {
            let client = world().client("dump");
            let shown = Progress::start("");
            assert!(list(&client, &POOLS, &shown).await.unwrap().is_none());
            // The embedded world has none of these.
            let unknown = kind("storage.k8s.io", "v1", "X", "xs", keep::set);
            let error = list(&client, &unknown, &shown).await.unwrap_err();
            assert!(error.to_string().contains("xs.storage.k8s.io"), "{error}");
        })
        .unwrap();
    }
}
