//! NPD reports a broken service; it is restarted; NPD reports it well; nothing else was touched.

use anyhow::Result;

use super::{short, sick};
use crate::claim;
use crate::evidence::{AGENT, Bus, CONTROLLER, Mark, Start, in_order, kubelet};
use crate::wait::within;
use crate::world::{SICK, World};

const UNIT: &str = "proxy.service";
const CONDITION: &str = "ProxyUnhealthy";

pub(super) async fn play(world: &World, mark: &Mark, bus: &Bus) -> Result<()> {
    let before = world.services(SICK).await?;
    sick::kill_proxy(world).await?;
    sick::well(world, SICK, CONDITION).await?;
    quiet(world).await?;

    // NPD found it broken, then systemd started it anew, once, then NPD told that it is well
    let starts = world.starts(mark, SICK, UNIT).await?;
    claim!(
        starts.len() == 1,
        "{UNIT} was started {} times",
        starts.len()
    );
    let Start { at, invocation } = &starts[0];
    let ill = world.reported(mark, mark.at(), SICK, (CONDITION, "True"))?;
    let well = world.reported(mark, *at, SICK, (CONDITION, "False"))?;
    let asked = the_engine_asked_once(bus)?;
    in_order(&[
        ("NPD finds it broken", ill.found),
        ("the node engine's request to restart it", asked),
        ("systemd's start of it", *at),
        ("NPD's report that it is well", well.told),
    ])?;
    in_order(&[
        ("NPD's report that it is broken", ill.told),
        ("NPD's report that it is well", well.told),
    ])?;
    let mut expected = before;
    expected.insert(UNIT.to_owned(), invocation.clone());
    let after = world.services(SICK).await?;
    claim!(
        after == expected,
        "other services were touched: {after:?}, not {expected:?}"
    );
    only(world, mark, CONTROLLER, &["leases", "events"])?;
    only(world, mark, AGENT, &["events"])?;
    world.no_server_was_touched(mark).await
}

/// Of all that changes something, systemd was asked one thing by the node engine; and nothing about that unit by anybody
/// else, but for the scenario itself.
fn the_engine_asked_once(bus: &Bus) -> Result<jiff::Timestamp> {
    let calls = bus.of_the_engine();
    let [call] = calls.as_slice() else {
        return Err(crate::unmet!("the node engine asked systemd for {calls:?}"));
    };
    claim!(
        call.member == "RestartUnit" && call.unit == UNIT,
        "the node engine asked systemd for {call:?}"
    );
    let mut others = bus.changes();
    others.retain(|call| !call.by_engine && call.unit == UNIT && call.member != "KillUnit");
    claim!(
        others.is_empty(),
        "somebody else asked systemd for {others:?}"
    );
    Ok(call.at)
}

/// Until the kubelet has renewed its node's Lease twice, ten to twenty seconds: longer than the node engine watches a
/// remedy (4 s) and waits for a problem to stay away (4 s), so what it would still do is done.
async fn quiet(world: &World) -> Result<()> {
    let own = kubelet(SICK);
    let from = jiff::Timestamp::now();
    let mut renewals = 0;
    within(
        "two heartbeats of the node",
        short(),
        world.kubernetes.audit().wait_for(|record| {
            let renewed = record.received >= from
                && record.user == own
                && record.object.resource == "leases"
                && record.code < 300;
            renewals += usize::from(renewed);
            renewals == 2
        }),
    )
    .await?;
    Ok(())
}

/// All that this user has written since the mark is of these kinds.
fn only(world: &World, mark: &Mark, user: &str, kinds: &[&str]) -> Result<()> {
    for record in world.writes(mark, user)? {
        claim!(
            kinds.contains(&record.object.resource.as_str()),
            "{user} touched {:?}",
            record.object
        );
    }
    Ok(())
}
