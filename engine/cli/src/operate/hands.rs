//! What people say to a repair: a rung they want, yes, no, again.

use std::io::Write;

use anyhow::Context;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use rectifier_api::{
    CONFIRMED_DEAD, Mode, NodeRepair, NodeRepairSpec, REQUESTED, RETRY, repair_name,
};
use rectifier_core::name::NodeName;
use rectifier_core::repair::{
    APPROVE, Asks, PAUSED, Phase, Problem, REJECT, RequestedBy, Rung, WANTS, approval_asked,
};
use serde::Serialize;

use super::blast::Radius;
use super::follow::{self, Before};
use super::look::{Look, pool_of};
use super::sign::{self, HAND};
use super::status::problems;
use crate::clock::now;
use crate::cluster::ClusterArguments;
use crate::output::{self, BAD, GOOD, ODD, OutputArguments, out, paint};
use crate::verdict::{Verdict, usage};

/// What every hand has.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// The node (or its repair)
    node: String,
    /// Stay, and tell each step until the repair is over or needs a person; exit code 1: it did not go well
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    of: ClusterArguments,
    #[command(flatten)]
    output: OutputArguments,
}

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

/// `rectifier approve NODE`.
#[derive(Debug, clap::Args)]
pub(crate) struct Approve {
    /// Show what would become of its pods, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

/// `rectifier reject NODE`.
#[derive(Debug, clap::Args)]
pub(crate) struct Reject {
    /// Why: it stands on the repair
    #[arg(long, value_name = "WHY")]
    reason: String,
    #[command(flatten)]
    common: Common,
}

/// `rectifier retry NODE`.
#[derive(Debug, clap::Args)]
pub(crate) struct Retry {
    /// The server of this id is off for good: you have seen the machine without power. Its pods and volumes are then taken by force
    #[arg(long, value_name = "SERVER-ID")]
    confirmed_dead: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// `rectifier cancel NODE`.
#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    #[command(flatten)]
    common: Common,
}

/// What was said, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    node: &'a NodeName,
    done: String,
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waits_for: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<&'a Radius>,
}

/// One hand on one node.
struct Said<'a> {
    look: &'a Look,
    common: &'a Common,
    node: NodeName,
    by: Option<String>,
    radius: Option<Radius>,
}

impl<'a> Said<'a> {
    async fn begin(look: &'a Look, common: &'a Common, node: NodeName) -> Self {
        Self {
            by: sign::me(&look.client).await,
            look,
            common,
            node,
            radius: None,
        }
    }

    fn answer(
        &self,
        done: String,
        refused: Option<String>,
        waits_for: Vec<String>,
    ) -> anyhow::Result<()> {
        let by = self.by.as_deref();
        if self.common.output.is_json() {
            return output::json(&Answer {
                node: &self.node,
                done,
                by,
                refused,
                waits_for,
                pods: self.radius.as_ref(),
            });
        }
        let mut to = out();
        match &refused {
            Some(why) => writeln!(to, "{}: {} {why}", self.node, paint(BAD, "no:"))?,
            None => writeln!(
                to,
                "{}: {} ({})",
                self.node,
                paint(GOOD, done),
                by.map_or_else(
                    || "unsigned: the API server does not say who you are".to_owned(),
                    |by| format!("by {by}")
                )
            )?,
        }
        for wait in waits_for {
            writeln!(to, "  {} {wait}", paint(ODD, "but:"))?;
        }
        Ok(())
    }

    fn refuse(&self, why: impl Into<String>) -> anyhow::Result<Verdict> {
        self.answer(String::new(), Some(why.into()), Vec::new())?;
        Ok(Verdict::No)
    }

    /// What the hand set going is told, if that is wanted.
    async fn follow(&self, before: &Before) -> anyhow::Result<Verdict> {
        match self.common.wait {
            true => {
                let tells = !self.common.output.is_json();
                follow::until_over(self.look, &self.node, before, tells).await
            }
            false => Ok(Verdict::Well),
        }
    }

    fn repairs(&self) -> Api<NodeRepair> {
        Api::all(self.look.client.clone())
    }

    async fn annotate(
        &self,
        open: &NodeRepair,
        words: &[(&str, Option<&str>)],
    ) -> anyhow::Result<NodeRepair> {
        let name = repair_name(&self.node);
        let (by, uid) = (self.by.as_deref(), open.metadata.uid.as_deref());
        sign::annotate(&self.repairs(), &name, words, by, uid)
            .await
            .with_context(|| format!("noderepair {name} takes no such word from you"))
    }

    async fn weigh(&mut self, rung: Rung) -> anyhow::Result<()> {
        let radius = Radius::of(self.look, &self.node, rung).await?;
        if !self.common.output.is_json() {
            radius.print(&self.node, rung, &mut out())?;
        }
        self.radius = Some(radius);
        Ok(())
    }
}

pub(crate) async fn repair(arguments: Repair) -> anyhow::Result<Verdict> {
    let common = &arguments.common;
    let rung = match (arguments.reboot, arguments.hard_reboot) {
        (true, _) => Rung::Reboot,
        (_, true) => Rung::HardReboot,
        (false, false) => Rung::Replace,
    };
    let look = Look {
        client: common.of.client().await?,
    };
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
            let mark = format!("{} {}", now().as_second(), arguments.reason);
            let words = [(WANTS, Some(label.as_str())), (RETRY, Some(mark.as_str()))];
            said.annotate(&open, &words).await?;
        }
        None => {
            let repair = asked(&said.node, &node, rung, &arguments.reason, said.by.clone());
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
    if record.is_some_and(|record| record.committed_at.is_some()) {
        let hint = "`rectifier explain` tells how far it is";
        return Some(format!("its replacement is committed already: {hint}"));
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

/// The open repair of a node, which may be gone.
async fn opened<'a>(
    look: &'a Look,
    common: &'a Common,
) -> anyhow::Result<(Said<'a>, Option<NodeRepair>)> {
    let name = super::look::node_name(&common.node)?;
    let open = look.open(&name).await?;
    Ok((Said::begin(look, common, name).await, open))
}

const NONE: &str =
    "it has no open repair: `rectifier explain` tells why, `rectifier repair` opens one";

pub(crate) async fn approve(arguments: Approve) -> anyhow::Result<Verdict> {
    let common = &arguments.common;
    let look = Look {
        client: common.of.client().await?,
    };
    let (mut said, open) = opened(&look, common).await?;
    let Some(open) = open else {
        return said.refuse(NONE);
    };
    let record = open.status.clone().unwrap_or_default();
    let Some((rung, approval)) = approval_asked(&record) else {
        return said.refuse(format!(
            "it waits for no approval: {:?}, {}",
            record.phase, record.message
        ));
    };
    said.weigh(rung).await?;
    if arguments.dry_run {
        said.answer(format!("{approval} would be approved"), None, Vec::new())?;
        return Ok(Verdict::Well);
    }
    let before = Before::of(&look, &said.node, Some(&open)).await?;
    said.annotate(&open, &[(APPROVE, Some(&approval))]).await?;
    said.answer(format!("{approval} approved"), None, Vec::new())?;
    said.follow(&before).await
}

pub(crate) async fn reject(arguments: Reject) -> anyhow::Result<Verdict> {
    let common = &arguments.common;
    let look = Look {
        client: common.of.client().await?,
    };
    let (said, open) = opened(&look, common).await?;
    let Some(open) = open else {
        return said.refuse(NONE);
    };
    if is_committed(&open) {
        return said.refuse("its replacement is committed: from there it only goes forward");
    }
    let why = arguments.reason.trim();
    if why.is_empty() {
        return Err(usage("--reason is empty: others will read it"));
    }
    let before = Before::of(&look, &said.node, Some(&open)).await?;
    said.annotate(&open, &[(REJECT, Some(why))]).await?;
    let phase = open
        .status
        .as_ref()
        .map_or(Phase::default(), |record| record.phase);
    let boots = [Phase::Rebooting, Phase::HardRebooting, Phase::Settling];
    let but = match boots.contains(&phase) || phase == Phase::Uncordoning {
        true => vec![format!(
            "it is in {phase:?}: that comes to its end, and if it helped nothing is left to be rejected"
        )],
        false => Vec::new(),
    };
    said.answer(
        "rejected: all is taken back, and for 24 hours no other repair is opened for that problem"
            .to_owned(),
        None,
        but,
    )?;
    // that it is called off is what was wanted
    said.follow(&before).await.map(|_| Verdict::Well)
}

pub(crate) async fn retry(arguments: Retry) -> anyhow::Result<Verdict> {
    let common = &arguments.common;
    let look = Look {
        client: common.of.client().await?,
    };
    let (said, open) = opened(&look, common).await?;
    let Some(open) = open else {
        return said.refuse(NONE);
    };
    let record = open.status.clone().unwrap_or_default();
    if record.phase.is_final() {
        return said.refuse("it is over");
    }
    let before = Before::of(&look, &said.node, Some(&open)).await?;
    let mark = now().as_second().to_string();
    if let Some(server) = &arguments.confirmed_dead {
        // the engine would heed another id as little: then nothing happens, and nobody is told why
        if record.server_id.as_ref() != Some(server) {
            let of = record.server_id.as_deref().unwrap_or("not known yet");
            return said.refuse(format!("its server is {of}, not {server}"));
        }
        // whatever it waits for: with this word it is looked at again
        let words = [
            (CONFIRMED_DEAD, Some(server.as_str())),
            (RETRY, Some(mark.as_str())),
        ];
        said.annotate(&open, &words).await?;
        said.answer(
            format!("server {server} is taken for dead"),
            None,
            Vec::new(),
        )?;
        return said.follow(&before).await;
    }
    said.annotate(&open, &[(RETRY, Some(&mark))]).await?;
    let but = match record.phase {
        Phase::NeedsHuman | Phase::Judging => Vec::new(),
        other => vec![format!(
            "it is in {other:?}: the word is heeded when it is judged again"
        )],
    };
    said.answer("another try asked for".to_owned(), None, but)?;
    said.follow(&before).await
}

pub(crate) async fn cancel(arguments: Cancel) -> anyhow::Result<Verdict> {
    let common = &arguments.common;
    let look = Look {
        client: common.of.client().await?,
    };
    let (said, open) = opened(&look, common).await?;
    let Some(open) = open else {
        return said.refuse(NONE);
    };
    if is_committed(&open) {
        return said.refuse("its replacement is committed: from there it only goes forward");
    }
    let before = Before::of(&look, &said.node, Some(&open)).await?;
    let this_one = DeleteParams {
        preconditions: Some(Preconditions {
            uid: open.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let deleted = said.repairs().delete(&open.name_any(), &this_one).await;
    deleted.with_context(|| format!("noderepair {} cannot be deleted", open.name_any()))?;
    let done = "cancelled: all is taken back; while its problem lasts another repair is opened";
    said.answer(done.to_owned(), None, Vec::new())?;
    said.follow(&before).await.map(|_| Verdict::Well)
}

fn is_committed(repair: &NodeRepair) -> bool {
    let record = repair.status.as_ref();
    record.is_some_and(|record| record.committed_at.is_some())
}
