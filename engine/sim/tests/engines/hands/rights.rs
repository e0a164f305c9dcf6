//! The controller has every right that it uses (`deploy/rbac.yaml`), and uses every right that it has on our own kinds and on
//! the stop switch: the world asks nobody whether he may.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use rectifier_sim::scene::CONTROLLER;
use serde_json::json;

use super::stage::{SICK, Stage, played};
use crate::rbac::{Deed, rules};

#[test]
fn the_controller_has_every_right_that_it_uses_and_uses_those_on_our_kinds() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        let pool = json!({"spec": {"mode": "Approve", "retention": {"days": 1}}});
        stage.patch_pool(pool).await?;
        stage.report(SICK, "True").await?;
        stage.says(SICK, Reason::AwaitingApproval).await?;
        stage
            .annotate(SICK, "rectifier.dev/approve", "Replace-1")
            .await?;
        stage.reaches(SICK, Phase::Joining).await?;
        stage.is_replaced(SICK).await?;
        let mut deeds = BTreeSet::new();
        let mut note = || -> Result<()> {
            for request in stage.scene.api.requests() {
                if request.who == CONTROLLER {
                    deeds.insert(Deed::of(&request.method, &request.path)?);
                }
            }
            Ok(())
        };
        note()?;
        stage
            .until("the old repair to go", async |stage| {
                Ok(stage.open(SICK).await?.is_none())
            })
            .await?;
        stage.minutes(25 * 60).await;
        note()?;
        ensure!(stage.archived().await?.is_empty());
        let rules = rules()?;
        for deed in &deeds {
            let allowed = rules.iter().any(|rule| rule.allows(deed));
            ensure!(allowed, "it has no right to {deed:?}");
        }
        for rule in &rules {
            let of_ours = rule.rule["apiGroups"] == json!(["rectifier.dev"]);
            for verb in rule.rule["verbs"].as_array().into_iter().flatten() {
                let used = deeds
                    .iter()
                    .any(|deed| rule.allows(deed) && verb == deed.verb);
                ensure!(!of_ours || used, "it never uses {verb} of {}", rule.rule);
            }
        }
        let switch = |deed: &Deed| deed.name == rectifier_core::repair::STOP;
        ensure!(deeds.iter().any(switch), "it reads the switch");
        Ok(())
    })
}
