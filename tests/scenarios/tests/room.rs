//! A cloud that has no host for a second server, with a real Nova: the sick one goes before its replacement is made.

use anyhow::{Context, Result, ensure};
use kube::Api;
use kube::api::{Patch, PatchParams};
use rectifier_api::RepairPool;
use rectifier_provision::Stderr;
use rectifier_scenarios::site::{Build, Site, Size};
use serde_json::json;

const SICK: &str = "sick-1";

/// Three servers of a group that keeps them apart, on three hosts: a fourth finds none.
#[tokio::test]
async fn a_server_of_a_group_that_is_full_goes_before_its_replacement_is_made() -> Result<()> {
    let size = Size {
        servers: 3,
        nodes: 3,
        pools: 1,
        crowds: 1,
        apart: true,
    };
    let site = Site::start(size, Build::Tested, &mut Stderr::default()).await?;
    let pools: Api<RepairPool> = Api::all(site.kubernetes.admin());
    let first = json!({"spec": {"provisioning": {"whenNoCapacity": "TerminateFirst"}}});
    pools
        .patch("web", &PatchParams::default(), &Patch::Merge(first))
        .await?;
    site.replace(SICK).await?;

    let records = &site.openstack.records;
    let servers = records.servers().await?;
    let (gone, left): (Vec<_>, Vec<_>) = servers
        .iter()
        .partition(|server| server.status == "DELETED");
    let old = gone.iter().find(|server| server.name == SICK);
    let old = old.with_context(|| format!("{SICK} is still there: {servers:#?}"))?;
    let tried = gone.iter().find(|server| server.name != SICK);
    let tried = tried.context("it went before another host was looked for")?;
    ensure!(tried.host.is_none(), "{tried:#?}");
    let new = left
        .iter()
        .find(|server| server.metadata.contains_key("rectifier.repair"));
    let new = new.with_context(|| format!("no replacement: {servers:#?}"))?;
    ensure!(left.len() == 3, "{servers:#?}");
    ensure!(new.host == old.host && new.host.is_some(), "{servers:#?}");
    let actions = records.instance_actions(&old.id).await?;
    let ended = actions.iter().find(|action| action.action == "delete");
    let ended = ended
        .and_then(|delete| {
            delete
                .events
                .iter()
                .find_map(|event| event.finish_time.as_ref())
        })
        .context("its host has not said that it ended it")?;
    let actions = records.instance_actions(&new.id).await?;
    let begun = actions.iter().find(|action| action.action == "create");
    let begun = &begun.context("it was never made")?.start_time;
    ensure!(
        ended <= begun,
        "it was made at {begun}, and the other ended at {ended}"
    );
    ensure!(records.ports().await?.len() == 3, "a port is left over");
    site.is_well_by_audit().await
}
