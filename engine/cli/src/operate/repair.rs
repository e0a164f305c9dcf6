//! `rectifier repair NODE`: what a person wants done, whatever the policies say.

use anyhow::Context;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::PostParams;
use rectifier_api::{Mode, NodeRepair, NodeRepairSpec, REQUESTED, RETRY, repair_name};
use rectifier_core::name::NodeName;
use rectifier_core::repair::{Asks, PAUSED, Phase, Problem, REJECT, RequestedBy, Rung, WANTS};

use super::follow::Before;
use super::ill::problems;
use super::look::{Look, pool_of};
use super::said::{Common, Said, reason};
use super::sign::HAND;
use crate::clock::now;
use crate::verdict::Verdict;

/// `rectifier repair NODE`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("rung").required(true))]
pub(crate) struct Repair {
    /// Have it rebooted from inside, by its own engine, once its pods have left
    #[arg(long, group = "rung")]
    reboot: bool,
    /// Have the cloud reboot it, or start it
    #[arg(long, group = "rung")]
    hard_reboot: bool,
    /// Have a similar server made, and this one deleted once that has its place
    #[arg(long, group = "rung")]
    replace: bool,
    /// Why: it stands on the repair
    #[arg(long, value_name = "WHY")]
    reason: String,
    /// Show what would become of its pods, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn repair(arguments: Repair) -> anyhow::Result<Verdict> {
    let common = &arguments.common;
    let rung = match (arguments.reboot, arguments.hard_reboot) {
        (true, _) => Rung::Reboot,
        (_, true) => Rung::HardReboot,
        (false, false) => Rung::Replace,
    };
    let why = reason(&arguments.reason)?;
    let look = common.look().await?;
    let (name, node) = look.node(&common.node).await?;
    let open = look.open(&name).await?;
    let pools = look.pools().await?;
    let mut said = Said::begin(&look, common, name).await;
    let pool = match pool_of(&pools, &node) {
        Ok(pool) => pool,
        Err(why) => return said.refuse(format!("{why}, so nothing would be done")),
    };
    if pool.spec.mode == Mode::Observe {
        return said.refuse(format!(
            "pool {0} is in mode Observe, in which nothing is touched: kubectl patch repairpool {0} --type merge -p '{{\"spec\":{{\"mode\":\"Approve\"}}}}'",
            pool.name_any()
        ));
    }
    if rung == Rung::Replace && pool.spec.provisioning.is_none() {
        return said.refuse(format!(
            "pool {} has no `provisioning`: it does not say how a node is made",
            pool.name_any()
        ));
    }
    if let Some(why) = open.as_ref().and_then(|open| ends(open, &node)) {
        return said.refuse(why);
    }
    said.weigh(rung).await?;
    let but = hindrances(
        &look,
        &said.node,
        &node,
        open.as_ref(),
        pool.annotations().get(PAUSED),
    )
    .await;
    if arguments.dry_run {
        said.answer(format!("{rung:?} would be asked for"), None, but)?;
        return Ok(Verdict::Well);
    }
    let before = Before::of(&look, &said.node, open.as_ref()).await?;
    let label = format!("{rung:?}");
    match open {
        Some(open) => {
            // a mark beside it, so that the same rung can be wanted once more: it says why
            let mark = format!("{} {}", now().as_second(), why);
            let words = [(WANTS, Some(label.as_str())), (RETRY, Some(mark.as_str()))];
            said.annotate(&open, &words).await?;
        }
        None => {
            let repair = asked(&said.node, &node, rung, why, said.by.clone());
            let params = PostParams {
                field_manager: Some(HAND.to_owned()),
                ..PostParams::default()
            };
            let made = said.repairs().create(&params, &repair).await;
            made.with_context(|| format!("noderepair {} cannot be opened", repair.name_any()))?;
        }
    }
    said.answer(format!("{label} asked for"), None, but)?;
    said.follow(&before).await
}

/// A repair that a person opens: of the problem that the node has, if it has one.
fn asked(name: &NodeName, node: &Node, rung: Rung, why: &str, by: Option<String>) -> NodeRepair {
    let problem = problems(node).into_iter().next();
    let problem = problem.map_or_else(
        || Problem {
            kind: REQUESTED.to_owned(),
            reason: String::new(),
            message: why.to_owned(),
            since: now(),
            source: None,
        },
        |problem| Problem {
            message: why.to_owned(),
            ..problem
        },
    );
    NodeRepair::new(
        &repair_name(name),
        NodeRepairSpec {
            node_name: name.to_string(),
            node_uid: node.uid().unwrap_or_default(),
            problem,
            asks: Asks::Escalate,
            deadline: None,
            withdrawn: false,
            accepted_grant: None,
            requested_by: RequestedBy::Operator,
            wants: Some(rung),
            by,
        },
    )
}

/// Why no word of what is wanted can have an effect on this repair any more.
fn ends(open: &NodeRepair, node: &Node) -> Option<String> {
    let record = open.status.as_ref();
    let phase = record.map_or(Phase::default(), |record| record.phase);
    if let Some(why) = record.and_then(|record| record.no_way_back()) {
        let hint = "`rectifier explain` tells how far it is";
        return Some(format!("{why}: {hint}"));
    }
    let is_taken_back = open.metadata.deletion_timestamp.is_some()
        || open.annotations().contains_key(REJECT)
        || [Phase::RollingBack, Phase::Uncordoning].contains(&phase)
        || phase.is_final();
    if is_taken_back {
        return Some(format!(
            "its repair is ending ({phase:?}): ask again when that is over"
        ));
    }
    let is_of_another = Some(&open.spec.node_uid) != node.metadata.uid.as_ref();
    is_of_another.then(|| "its open repair is of another node of that name".to_owned())
}

/// What would keep it waiting, as far as it can be seen from here.
async fn hindrances(
    look: &Look,
    name: &NodeName,
    node: &Node,
    open: Option<&NodeRepair>,
    pool_paused: Option<&String>,
) -> Vec<String> {
    let mut but = Vec::new();
    if let Ok(Some(why)) = look.stop().await {
        but.push(format!(
            "everything is stopped ({why}): rectifier resume --all"
        ));
    }
    if let Some(why) = node.annotations().get(PAUSED) {
        but.push(format!(
            "the node is paused ({why}): rectifier resume {name}"
        ));
    }
    if let Some(why) = pool_paused {
        but.push(format!("its pool is paused ({why})"));
    }
    let spec = node.spec.as_ref();
    let is_cordoned = spec.and_then(|spec| spec.unschedulable) == Some(true);
    let ours = node.annotations().get(rectifier_api::CORDONED_BY);
    let is_ours = open.is_some_and(|open| open.metadata.uid.as_ref() == ours);
    let phase = open.and_then(|open| Some(open.status.as_ref()?.phase));
    if let Some(phase) = phase
        && ![Phase::HealingInNode, Phase::Judging, Phase::NeedsHuman].contains(&phase)
    {
        but.push(format!(
            "its repair is in {phase:?}: the word is heeded when that is over, unless a replacement is committed by then"
        ));
    }
    if is_cordoned && !is_ours {
        but.push(format!(
            "somebody cordoned it, and their cordon is not worked under: kubectl uncordon {name}"
        ));
    }
    but
}
