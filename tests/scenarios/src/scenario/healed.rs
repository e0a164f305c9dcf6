//! NPD reports a broken service; it is restarted; NPD reports it well; nothing else was touched.

use anyhow::{Result, ensure};

use super::sick;
use crate::evidence::{AGENT, CONTROLLER, Mark, NPD, in_order};
use crate::world::{SICK, World};

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    let before = invocation(world).await?;
    sick::kill_proxy(world).await?;
    sick::well(world, SICK, "ProxyUnhealthy").await?;

    // systemd itself says that it was started anew, and by whom it was asked
    let after = invocation(world).await?;
    ensure!(
        !after.is_empty() && after != before,
        "the unit was not started again"
    );
    // NPD said both, and nobody else wrote on the node
    let reported = world.first(mark, NPD, "patch", "nodes/status", SICK)?;
    in_order(&[
        ("the scenario's beginning", mark.at()),
        ("NPD's report", reported),
    ])?;
    for record in world.writes(mark, CONTROLLER)? {
        ensure!(
            ["leases", "events"].contains(&record.object.resource.as_str()),
            "the controller touched {:?}",
            record.object
        );
    }
    for record in world.writes(mark, AGENT)? {
        ensure!(
            record.object.resource == "events",
            "the node engine touched {:?}",
            record.object
        );
    }
    world.no_server_was_touched(mark).await
}

/// systemd draws a new invocation id each time it starts a unit.
async fn invocation(world: &World) -> Result<String> {
    world
        .machine(SICK)?
        .exec([
            "systemctl",
            "show",
            "--value",
            "--property=InvocationID",
            "proxy.service",
        ])
        .await
}
