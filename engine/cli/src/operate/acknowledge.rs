//! A problem that was seen to, and that its detector goes on reporting.

use std::io::Write;

use anyhow::Context;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::Api;
use rectifier_core::acknowledged::{ACKNOWLEDGED, Acknowledged};
use rectifier_core::clock::Timestamp;
use rectifier_core::name::ConditionKind;
use rectifier_core::repair::told::is_detectors;
use serde_json::json;

use super::look::Look;
use super::sign;
use crate::clock::now;
use crate::cluster::ClusterArguments;
use crate::output::{self, BAD, GOOD, OutputArguments, out, paint};
use crate::verdict::{Verdict, usage};

/// `rectifier acknowledge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The node (or its repair)
    node: String,
    /// The condition's type, as `kubectl describe node` shows it
    condition: String,
    /// Take it back: the condition counts again
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    of: ClusterArguments,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let look = Look {
        client: arguments.of.client().await?,
    };
    let (name, node) = look.node(&arguments.node).await?;
    let named = arguments.condition.as_str();
    let kind = ConditionKind::parse(named)
        .map_err(|error| usage(format!("{named:?} is no condition's type: {error}")))?;
    let known = of(&node);
    let (known, done, words) = match arguments.undo {
        true => {
            let (known, was) = known.without(&kind);
            let words = match was {
                true => "counts again",
                false => "was not acknowledged",
            };
            (known, was, words)
        }
        false => {
            let since = may_be(&node, named)?;
            let words = "acknowledged: it counts as gone until it is reported anew";
            (known.with(kind, since), true, words)
        }
    };
    if done {
        let by = sign::me(&look.client).await;
        let text = (!known.is_empty()).then(|| known.to_string());
        let nodes: Api<Node> = Api::all(look.client.clone());
        let word = [(ACKNOWLEDGED, text.as_deref())];
        let uid = node.metadata.uid.as_deref();
        let set = sign::annotate(&nodes, name.as_str(), &word, by.as_deref(), uid).await;
        set.with_context(|| format!("{name} takes no annotation from you"))?;
    }
    match arguments.output.is_json() {
        true => output::json(&json!({
            "node": name.as_str(), "condition": named, "done": done, "words": words,
        }))?,
        false => {
            let style = if done { GOOD } else { BAD };
            writeln!(out(), "{named} of {name}: {}", paint(style, words))?;
        }
    }
    Ok(Verdict::of(done))
}

/// What is acknowledged of the node.
pub(super) fn of(node: &Node) -> Acknowledged {
    let text = node.annotations().get(ACKNOWLEDGED);
    text.map(|text| Acknowledged::read(text, now()).0)
        .unwrap_or_default()
}

/// Since when the condition is True, by its reporter's word.
fn reported(node: &Node, kind: &str) -> Option<Timestamp> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    let mut own = conditions
        .iter()
        .filter(|condition| condition.type_ == kind);
    // whoever patches the list may make two of one type: the last one counts
    let last = own.next_back()?;
    let since = last.last_transition_time.as_ref()?;
    (last.status == "True").then_some(since.0)
}

/// Since when it is True, if that can be acknowledged.
fn may_be(node: &Node, kind: &str) -> anyhow::Result<Timestamp> {
    if !is_detectors(kind) {
        return Err(usage(format!(
            "{kind} is the kubelet's: it ends by itself when it is over. `rectifier pause` leaves the node alone meanwhile"
        )));
    }
    reported(node, kind).ok_or_else(|| {
        let conditions = node
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten());
        let others =
            conditions.filter(|other| other.status == "True" && is_detectors(&other.type_));
        let others: Vec<&str> = others.map(|other| other.type_.as_str()).collect();
        let others = match others.as_slice() {
            [] => "nothing is".to_owned(),
            others => format!("that is so of {}", others.join(", ")),
        };
        usage(format!(
            "{kind} is not reported True, with its time, of {}: {others}",
            node.name_any()
        ))
    })
}
