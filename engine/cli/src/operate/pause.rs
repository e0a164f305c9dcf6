//! Nothing intrusive is done: to a node, in a pool, anywhere. And on.

use std::io::Write;

use anyhow::Context;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams};
use rectifier_api::{RepairPool, SIGNED};
use rectifier_core::repair::{PAUSED, STOP};
use serde_json::json;

use super::look::{Look, NAMESPACE};
use super::said::reason;
use super::sign::{self, HAND};
use crate::cluster::ClusterArguments;
use crate::output::{self, BAD, GOOD, OutputArguments, out, paint};
use crate::verdict::Verdict;

/// What is meant.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
struct What {
    /// A node: its own engine and the control plane leave it as it is
    #[arg(group = "what")]
    node: Option<String>,
    /// A pool: the control plane leaves its nodes as they are
    #[arg(long, value_name = "POOL", group = "what")]
    pool: Option<String>,
    /// Everything, in both engines: the stop switch
    #[arg(long, group = "what")]
    all: bool,
}

/// `rectifier pause`.
#[derive(Debug, clap::Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    what: What,
    /// Why: everybody who looks will read it
    #[arg(long, value_name = "WHY")]
    reason: String,
    #[command(flatten)]
    of: ClusterArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// `rectifier resume`.
#[derive(Debug, clap::Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    of: ClusterArguments,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn pause(arguments: Pause) -> anyhow::Result<Verdict> {
    let why = reason(&arguments.reason)?;
    let look = Look {
        client: arguments.of.client().await?,
    };
    let by = sign::me(&look.client).await;
    let what = match &arguments.what {
        What { all: true, .. } => {
            if !stop(&look, why, by.as_deref()).await? {
                let there = look.stop().await.ok().flatten().unwrap_or_default();
                return told(
                    arguments.output,
                    "everything",
                    &format!("is stopped already: {there}"),
                    false,
                );
            }
            "everything".to_owned()
        }
        What {
            pool: Some(pool), ..
        } => {
            let pools: Api<RepairPool> = Api::all(look.client.clone());
            set(&pools, pool, Some(why), by.as_deref()).await?;
            format!("pool {pool}")
        }
        What { node, .. } => {
            let (name, _) = look.node(node.as_deref().unwrap_or_default()).await?;
            let nodes: Api<Node> = Api::all(look.client.clone());
            set(&nodes, name.as_str(), Some(why), by.as_deref()).await?;
            name.to_string()
        }
    };
    told(
        arguments.output,
        &what,
        "paused: nothing intrusive is done there until `rectifier resume`",
        true,
    )
}

pub(crate) async fn resume(arguments: Resume) -> anyhow::Result<Verdict> {
    let look = Look {
        client: arguments.of.client().await?,
    };
    let (what, was) = match &arguments.what {
        What { all: true, .. } => ("everything".to_owned(), unstop(&look).await?),
        What {
            pool: Some(pool), ..
        } => {
            let pools: Api<RepairPool> = Api::all(look.client.clone());
            let found = pools
                .get(pool)
                .await
                .with_context(|| format!("repairpool {pool} cannot be read"))?;
            let was = found.annotations().contains_key(PAUSED);
            if was {
                set(&pools, pool, None, None).await?;
            }
            (format!("pool {pool}"), was)
        }
        What { node, .. } => {
            let (name, found) = look.node(node.as_deref().unwrap_or_default()).await?;
            let was = found.annotations().contains_key(PAUSED);
            if was {
                let nodes: Api<Node> = Api::all(look.client.clone());
                set(&nodes, name.as_str(), None, None).await?;
            }
            (name.to_string(), was)
        }
    };
    let words = if was { "goes on" } else { "was not paused" };
    told(arguments.output, &what, words, was)
}

fn told(how: OutputArguments, what: &str, words: &str, well: bool) -> anyhow::Result<Verdict> {
    match how.is_json() {
        true => output::json(&json!({"what": what, "done": well, "words": words}))?,
        false => {
            let style = if well { GOOD } else { BAD };
            writeln!(out(), "{what}: {}", paint(style, words))?;
        }
    }
    Ok(Verdict::of(well))
}

async fn set<K>(api: &Api<K>, name: &str, why: Option<&str>, by: Option<&str>) -> anyhow::Result<()>
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let set = sign::annotate(api, name, &[(PAUSED, why)], by, None).await;
    set.with_context(|| format!("{name} takes no annotation from you"))?;
    Ok(())
}

/// The switch is a ConfigMap: that it is there is what counts. False: it was there.
async fn stop(look: &Look, why: &str, by: Option<&str>) -> anyhow::Result<bool> {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(STOP.to_owned());
    map.data = Some([("why".to_owned(), why.to_owned())].into());
    if let Some(by) = by {
        map.annotations_mut()
            .insert(format!("{PAUSED}{SIGNED}"), by.to_owned());
    }
    let params = PostParams {
        field_manager: Some(HAND.to_owned()),
        ..PostParams::default()
    };
    let maps: Api<ConfigMap> = Api::namespaced(look.client.clone(), NAMESPACE);
    match maps.create(&params, &map).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error).with_context(|| {
            format!("the stop switch (ConfigMap {STOP} in {NAMESPACE}) cannot be set")
        }),
    }
}

async fn unstop(look: &Look) -> anyhow::Result<bool> {
    let maps: Api<ConfigMap> = Api::namespaced(look.client.clone(), NAMESPACE);
    match maps.delete(STOP, &DeleteParams::default()).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error).with_context(|| {
            format!("the stop switch (ConfigMap {STOP} in {NAMESPACE}) cannot be taken away")
        }),
    }
}
