//! A person's word on one node's repair: signed, bound to the repair that was looked at, answered, and followed.

use std::io::Write;

use anyhow::Context;
use kube::api::Api;
use rectifier_api::{NodeRepair, repair_name};
use rectifier_core::name::NodeName;
use rectifier_core::repair::Rung;
use serde::Serialize;

use super::blast::Radius;
use super::follow::{self, Before};
use super::look::Look;
use super::sign;
use crate::cluster::ClusterArguments;
use crate::output::{self, BAD, GOOD, ODD, OutputArguments, out, paint};
use crate::verdict::{Verdict, usage};

/// What every hand has.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// The node (or its repair)
    pub(super) node: String,
    /// Stay, and tell each step until the repair is over or needs a person; exit code 1: it did not go well
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    of: ClusterArguments,
    #[command(flatten)]
    output: OutputArguments,
}

impl Common {
    pub(super) async fn look(&self) -> anyhow::Result<Look> {
        let client = self.of.client().await?;
        Ok(Look { client })
    }
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
pub(super) struct Said<'a> {
    pub(super) look: &'a Look,
    common: &'a Common,
    pub(super) node: NodeName,
    pub(super) by: Option<String>,
    radius: Option<Radius>,
}

impl<'a> Said<'a> {
    pub(super) async fn begin(look: &'a Look, common: &'a Common, node: NodeName) -> Self {
        Self {
            by: sign::me(&look.client).await,
            look,
            common,
            node,
            radius: None,
        }
    }

    pub(super) fn answer(
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

    pub(super) fn refuse(&self, why: impl Into<String>) -> anyhow::Result<Verdict> {
        self.answer(String::new(), Some(why.into()), Vec::new())?;
        Ok(Verdict::No)
    }

    /// What the hand set going is told, if that is wanted.
    pub(super) async fn follow(&self, before: &Before) -> anyhow::Result<Verdict> {
        match self.common.wait {
            true => {
                let tells = !self.common.output.is_json();
                follow::until_over(self.look, &self.node, before, tells).await
            }
            false => Ok(Verdict::Well),
        }
    }

    pub(super) fn repairs(&self) -> Api<NodeRepair> {
        Api::all(self.look.client.clone())
    }

    pub(super) async fn annotate(
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

    pub(super) async fn weigh(&mut self, rung: Rung) -> anyhow::Result<()> {
        let radius = Radius::of(self.look, &self.node, rung).await?;
        if !self.common.output.is_json() {
            radius.print(&self.node, rung, &mut out())?;
        }
        self.radius = Some(radius);
        Ok(())
    }
}

/// # Errors
/// There is none (wrong usage).
pub(super) fn reason(given: &str) -> anyhow::Result<&str> {
    match given.trim() {
        "" => Err(usage("--reason is empty: others will read it")),
        given => Ok(given),
    }
}
