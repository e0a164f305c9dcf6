//! The cloud's side of a repair: complete and fresh, or not there at all.

use rectifier_api::Provisioning;
use rectifier_cloud::{Cloud, CloudError, Fault, InstanceAction, Port, Server, ServerTemplate};
use rectifier_core::clock::{Timestamp, seconds_between};
use rectifier_core::name::{NodeName, PortId, ServerId};
use rectifier_core::policy::Status;
use rectifier_core::repair::{
    ActionSeen, CloudSeen, CloudView, Needs, NodeSeen, Phase, PortSeen, Record, Replacement,
    ServerSeen,
};

use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::{Error, chain};
use crate::similar;

/// Asks the cloud. Its errors are a value: a cloud that cannot be asked is no evidence, and makes a repair wait.
pub(crate) async fn look(
    ctx: &Context,
    cluster: &Cluster,
    record: &Record,
    node: Option<&NodeSeen>,
    provisioning: Option<&Provisioning>,
    wanted: Needs,
) -> Result<CloudSeen, Error> {
    // By it a rung is chosen, and the cordon set; before anything is made the cloud is asked anew.
    let judges = node.filter(|_| record.phase == Phase::Judging);
    let ahead = judges.and_then(|node| cluster.take_described(&node.name, ctx.now()));
    let counts_ports = record.phase == Phase::CreatingPorts;
    let kept = match similar::kept(record) {
        Ok(kept) => kept.filter(|_| counts_ports),
        Err(error) if counts_ports => {
            let why = format!("what was kept of the sick server cannot be read: {error}");
            return Ok(CloudSeen::Unavailable(why));
        }
        Err(_) => None,
    };
    let asked = ask(
        ctx.cloud.as_ref(),
        record,
        node,
        ahead,
        (provisioning, kept),
        wanted,
        ctx.now(),
    );
    let mut view = match asked.await {
        Ok(view) => view,
        Err(error) => return Ok(CloudSeen::Unavailable(chain(&error))),
    };
    if let Some(replacement) = &record.replacement {
        let joined = super::read_node(ctx, cluster, &NodeName::parse(&replacement.name)?).await?;
        view.replacement_node = joined.filter(|joined| is_ours(joined, replacement));
        let zone = replacement.zone.as_deref();
        let traits = record.traits(node);
        let node = traits.as_ref();
        let wanted = provisioning.map_or(Vec::new(), |how| similar::labels(node, how, zone));
        view.missing_labels = view
            .replacement_node
            .iter()
            .flat_map(|joined| missing(&wanted, joined))
            .collect();
        view.missing_taints = view
            .replacement_node
            .iter()
            .flat_map(|joined| {
                let mut taints = provisioning.map_or(Vec::new(), |how| similar::taints(node, how));
                taints.retain(|taint| !joined.taints.contains(taint));
                taints
            })
            .collect();
    }
    Ok(CloudSeen::Fresh(view))
}

/// A node of the replacement's name is the replacement only if it says that it is our server.
fn is_ours(node: &NodeSeen, replacement: &Replacement) -> bool {
    match (&replacement.server_id, &node.server) {
        (Some(recorded), Some(server)) => recorded == server.as_str(),
        (None, _) | (_, None) => true,
    }
}

async fn ask(
    cloud: &dyn Cloud,
    record: &Record,
    node: Option<&NodeSeen>,
    ahead: Option<Server>,
    (provisioning, kept): (Option<&Provisioning>, Option<ServerTemplate>),
    wanted: Needs,
    now: Timestamp,
) -> Result<CloudView, CloudError> {
    let mut view = CloudView {
        region: cloud.region().map(str::to_owned),
        ..CloudView::default()
    };
    let recorded = record
        .server_id
        .as_ref()
        .and_then(|id| ServerId::parse(id).ok());
    // Once recorded, the id is the truth: what the Node says of itself may change.
    let id = recorded.or_else(|| node.and_then(|node| node.server.clone()));
    let server = match (&id, ahead) {
        (Some(id), Some(server)) if server.id == *id => Some(server),
        (Some(id), _) if wanted.server => cloud.describe(id).await?,
        (Some(_), _) | (None, _) => None,
    };
    if let Some(server) = server {
        let ports = match wanted.server_ports {
            true => cloud.ports_by_device(&server.id).await?,
            false => Vec::new(),
        };
        view.server = Some(seen(server, ports, now));
    }
    let with_actions = wanted.actions && tell(record.phase, node, view.server.as_ref());
    if let Some(id) = id.as_ref().filter(|_| with_actions) {
        view.actions = actions(cloud, id, view.server.as_ref()).await?;
    }
    for id in record
        .server_ports
        .iter()
        .filter_map(|id| PortId::parse(id).ok())
    {
        if cloud.port(&id).await?.is_some() {
            view.old_ports.push(id);
        }
    }
    let Some(replacement) = &record.replacement else {
        return Ok(view);
    };
    let found = cloud.find_by_tag(&replacement.tag).await?.into_iter();
    view.replacements = found.map(|one| seen(one, Vec::new(), now)).collect();
    if !wanted.attempt_ports {
        return Ok(view);
    }
    // Once written down, their number is the truth: it says under which names one may have been made.
    let recorded = replacement
        .ports
        .len()
        .max(usize::try_from(replacement.ports_wanted).unwrap_or(0));
    view.ports_wanted = match (record.phase, &id) {
        (Phase::CreatingPorts, Some(id)) if recorded == 0 => {
            let template = match kept {
                Some(kept) => kept,
                None => cloud.template(id).await?,
            };
            provisioning.map_or(0, |how| similar::ports(&template, how).len())
        }
        _ => recorded,
    };
    view.ports = ports(cloud, replacement, view.ports_wanted).await?;
    Ok(view)
}

/// Each action costs a request, and these phases last: they are read when something follows from them.
fn tell(phase: Phase, node: Option<&NodeSeen>, server: Option<&ServerSeen>) -> bool {
    match phase {
        Phase::Judging => server.is_some_and(|server| server.is_off || server.task.is_some()),
        Phase::Draining => node.is_some_and(|node| node.ready != Status::Yes),
        _ => true,
    }
}

/// They are told of a server that is gone, too. One that the cloud never knew has none.
async fn actions(
    cloud: &dyn Cloud,
    id: &ServerId,
    server: Option<&ServerSeen>,
) -> Result<Vec<ActionSeen>, CloudError> {
    match cloud.actions(id).await {
        Ok(actions) => Ok(actions.into_iter().map(action).collect()),
        Err(CloudError::NotFound { .. }) if server.is_none() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn action(action: InstanceAction) -> ActionSeen {
    ActionSeen {
        done: action.is_done_by_host(),
        action: action.action,
        request: action.request,
        by: action.user,
    }
}

pub(crate) fn seen(server: Server, ports: Vec<Port>, now: Timestamp) -> ServerSeen {
    ServerSeen {
        is_off: server.is_off(),
        addresses: server.fixed_addresses().collect(),
        no_host: server.fault.as_ref().is_some_and(Fault::is_no_valid_host),
        task: server.task,
        locked: server.locked,
        age: server
            .created
            .map_or(0, |created| seconds_between(created, now)),
        id: server.id,
        name: server.name,
        status: server.status.as_str().to_owned(),
        fault: server.fault.map(|fault| fault.message),
        ports: ports.into_iter().map(|port| port.id).collect(),
    }
}

/// The ports of an attempt: by the names that it gives, so that one is found that was made just before we were killed.
async fn ports(
    cloud: &dyn Cloud,
    replacement: &Replacement,
    wanted: usize,
) -> Result<Vec<PortSeen>, CloudError> {
    let numbers = 0..u32::try_from(wanted.max(1)).unwrap_or(u32::MAX);
    let names: Vec<String> = numbers
        .map(|number| replacement.port_name(number))
        .collect();
    let mut found = cloud.ports_by_names(&names).await?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found
        .into_iter()
        .map(|port| PortSeen {
            id: port.id,
            name: port.name,
            device: port.device,
        })
        .collect())
}

fn missing(wanted: &[(String, String)], joined: &NodeSeen) -> Vec<String> {
    wanted
        .iter()
        .filter(|(name, value)| joined.labels.get(name) != Some(value))
        .map(|(name, _)| name.clone())
        .collect()
}
