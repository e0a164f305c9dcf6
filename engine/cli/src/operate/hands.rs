//! What people say to a repair that is open: yes, no, again, away.

use anyhow::Context;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};
use rectifier_api::{CONFIRMED_DEAD, NodeRepair, RETRY};
use rectifier_core::repair::{APPROVE, Phase, REJECT, approval_asked};

use super::follow::Before;
use super::look::{Look, node_name};
use super::said::{Common, Said, reason};
use crate::clock::now;
use crate::verdict::Verdict;

const NONE: &str =
    "it has no open repair: `rectifier explain` tells why, `rectifier repair` opens one";

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

/// The open repair of a node, which may be gone.
async fn opened<'a>(
    look: &'a Look,
    common: &'a Common,
) -> anyhow::Result<(Said<'a>, Option<NodeRepair>)> {
    let name = node_name(&common.node)?;
    let open = look.open(&name).await?;
    Ok((Said::begin(look, common, name).await, open))
}

pub(crate) async fn approve(arguments: Approve) -> anyhow::Result<Verdict> {
    let look = arguments.common.look().await?;
    let (mut said, open) = opened(&look, &arguments.common).await?;
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
    let look = arguments.common.look().await?;
    let (said, open) = opened(&look, &arguments.common).await?;
    let Some(open) = open else {
        return said.refuse(NONE);
    };
    let record = open.status.as_ref();
    if let Some(why) = record.and_then(|record| record.no_way_back()) {
        return said.refuse(forward(why));
    }
    let why = reason(&arguments.reason)?;
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
    let look = arguments.common.look().await?;
    let (said, open) = opened(&look, &arguments.common).await?;
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
    let look = arguments.common.look().await?;
    let (said, open) = opened(&look, &arguments.common).await?;
    let Some(open) = open else {
        return said.refuse(NONE);
    };
    // the API server refuses this deletion also where a person may still reject
    let side = open.status.as_ref().map(|record| record.side());
    if let Some(why) = side.and_then(|side| side.no_way_back()) {
        return said.refuse(forward(why));
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

fn forward(why: &str) -> String {
    format!("{why}: from there it only goes forward")
}
