//! Nova's wire: servers, their actions, tags and metadata.

use std::collections::BTreeMap;

use rectifier_cloud::openstack::transport::{Method, Request};
use rectifier_core::clock::Timestamp;
use serde_json::{Value, json};

use super::life::Step;
use super::state::{Action, NETWORK_NAME, PROJECT, Server, State, USER};
use super::wire::{Answer, is_since, nova, page, query};

/// The key pairs of the project's one user.
const KEYS: [&str; 1] = ["ops"];

pub(super) fn answer(state: &mut State, request: &Request, path: &[&str], id: &str) -> Answer {
    let body = request.body.as_ref().unwrap_or(&Value::Null);
    match (request.method, path) {
        (Method::Get, ["servers", "detail"]) => list(state, request),
        (Method::Post, ["servers"]) => create(state, body, id),
        (Method::Get, ["servers", server]) => {
            let found = there(state, server)?;
            let told = told(state, server, found, request);
            Ok((200, Some(json!({"server": told}))))
        }
        (Method::Delete, ["servers", server]) => delete(state, server, id),
        (Method::Post, ["servers", server, "action"]) => act(state, server, body, id),
        (Method::Get, ["servers", server, "os-instance-actions"]) => {
            // Of the deleted ones, too.
            let found = known(state, server)?;
            let limit = query(request, "limit").and_then(|limit| limit.parse().ok());
            let newest = found.actions.iter().rev().take(limit.unwrap_or(usize::MAX));
            let actions: Vec<Value> = newest
                .map(|action| action_told(server, action, false))
                .collect();
            Ok((200, Some(json!({"instanceActions": actions}))))
        }
        (Method::Get, ["servers", server, "os-instance-actions", wanted]) => {
            let found = known(state, server)?;
            let action = found
                .actions
                .iter()
                .find(|action| action.request == *wanted);
            let action = action.ok_or_else(|| {
                let why = format!("Action for request_id {wanted} on instance {server} not found");
                nova("itemNotFound", 404, why)
            })?;
            Ok((
                200,
                Some(json!({"instanceAction": action_told(server, action, true)})),
            ))
        }
        (Method::Get, ["flavors", id]) => {
            let found = state.flavors.iter().find(|(_, known)| known == id);
            let (name, id) = found.ok_or_else(|| {
                nova(
                    "itemNotFound",
                    404,
                    format!("Flavor {id} could not be found."),
                )
            })?;
            Ok((200, Some(json!({"flavor": {"id": id, "name": name}}))))
        }
        (Method::Get, ["os-keypairs", name]) if KEYS.contains(name) => {
            Ok((200, Some(json!({"keypair": {"name": name}}))))
        }
        (Method::Get, ["os-keypairs", name]) => {
            let why = format!("Keypair {name} not found for user {USER}");
            Err(nova("itemNotFound", 404, why))
        }
        (Method::Post, ["servers", server, "metadata"]) => {
            let server = there_mut(state, server)?;
            for (key, value) in body["metadata"].as_object().into_iter().flatten() {
                server.metadata.insert(key.clone(), value.clone());
            }
            Ok((200, Some(json!({"metadata": server.metadata}))))
        }
        _ => Err((
            404,
            Value::String("The resource could not be found.".to_owned()),
        )),
    }
}

fn absent(server: &str) -> (u16, Value) {
    nova(
        "itemNotFound",
        404,
        format!("Instance {server} could not be found."),
    )
}

fn known<'a>(state: &'a State, server: &str) -> Result<&'a Server, (u16, Value)> {
    state.servers.get(server).ok_or_else(|| absent(server))
}

fn there<'a>(state: &'a State, server: &str) -> Result<&'a Server, (u16, Value)> {
    let found = known(state, server)?;
    if found.is_gone {
        Err(absent(server))
    } else {
        Ok(found)
    }
}

fn there_mut<'a>(state: &'a mut State, server: &str) -> Result<&'a mut Server, (u16, Value)> {
    let found = state.servers.get_mut(server).filter(|found| !found.is_gone);
    found.ok_or_else(|| absent(server))
}

fn list(state: &State, request: &Request) -> Answer {
    let name = query(request, "name").map(whole_name).transpose()?;
    let tags = query(request, "tags");
    // A server that is there is told of whenever it changed: when that was is not kept here.
    let since = query(request, "changes-since").and_then(|text| text.parse::<Timestamp>().ok());
    let is_whole = name.is_none() && tags.is_none() && since.is_none();
    let mut found: Vec<(&String, &Server)> = state
        .servers
        .iter()
        .filter(|(_, server)| match server.gone_at {
            Some(gone) => since.is_some_and(|since| gone >= since),
            None => true,
        })
        .filter(|(_, server)| is_whole || state.is_known(server.host))
        .filter(|(_, server)| name.as_ref().is_none_or(|name| server.name == *name))
        .filter(|(_, server)| {
            let mut wanted = tags.into_iter().flat_map(|tags| tags.split(','));
            wanted.all(|tag| server.tags.iter().any(|is| is == tag))
        })
        .collect();
    found.sort_by_key(|(_, server)| server.number);
    let told = found
        .into_iter()
        .map(|(id, server)| told(state, id, server, request));
    let no_marker = |marker: &str| nova("badRequest", 400, format!("marker [{marker}] not found"));
    page(request, "servers", told.collect(), no_marker)
}

/// The engine asks for whole names; any other pattern is not known here, which must not look like an empty list.
fn whole_name(pattern: &str) -> Result<String, (u16, Value)> {
    let inner = pattern
        .strip_prefix('^')
        .and_then(|rest| rest.strip_suffix('$'));
    let name = inner.map(|inner| inner.replace('\\', ""));
    name.ok_or_else(|| {
        nova(
            "badRequest",
            400,
            format!("the world knows no pattern {pattern:?}"),
        )
    })
}

fn create(state: &mut State, body: &Value, request: &str) -> Answer {
    let wanted = &body["server"];
    let bad = |why: String| Err(nova("badRequest", 400, why));
    if let Some(key) = wanted["key_name"]
        .as_str()
        .filter(|key| !KEYS.contains(key))
    {
        return bad(format!("Invalid key_name provided: {key}"));
    }
    let flavor = wanted["flavorRef"].as_str().unwrap_or_default();
    if !state.flavors.iter().any(|(_, id)| id == flavor) {
        return bad(format!("Flavor {flavor} could not be found."));
    }
    if wanted["imageRef"] != state.image || state.image_is_gone {
        return bad("Can not find requested image".to_owned());
    }
    if let Some(zone) = wanted["availability_zone"].as_str()
        && !state.zones.iter().any(|known| known == zone)
    {
        return bad("The requested availability zone is not available".to_owned());
    }
    for network in wanted["networks"].as_array().into_iter().flatten() {
        let port = network["port"].as_str().unwrap_or_default();
        match state.ports.get(port) {
            None => return bad(format!("Port id {port} could not be found.")),
            Some(known) if !known.device.is_empty() => {
                let why = format!("Port {port} is still in use.");
                return Err(nova("conflictingRequest", 409, why));
            }
            Some(_) => {}
        }
    }
    let used = state
        .servers
        .values()
        .filter(|server| !server.is_gone)
        .count();
    if let Some(most) = state.quota.filter(|most| used >= *most) {
        let why = format!(
            "Quota exceeded for instances: Requested 1, but already used {used} of {most} instances"
        );
        return Err(nova("forbidden", 403, why));
    }
    let id = make(state, wanted, &body["os:scheduler_hints"], request);
    Ok((202, Some(json!({"server": {"id": id}}))))
}

/// Makes the record; all else comes later.
pub(super) fn make(state: &mut State, wanted: &Value, hints: &Value, request: &str) -> String {
    let (id, number, wall) = (state.id(), state.number(), state.wall);
    let flavor = wanted["flavorRef"].as_str().unwrap_or_default();
    let flavor = state.flavors.iter().find(|(_, id)| id == flavor).cloned();
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    };
    let networks = wanted["networks"].as_array().into_iter().flatten();
    let ports = networks.filter_map(|network| network["port"].as_str().map(str::to_owned));
    let metadata = wanted["metadata"].as_object().cloned().unwrap_or_default();
    let mut tags = texts(&wanted["tags"]);
    tags.sort();
    let step = state.step();
    let server = Server {
        number,
        name: wanted["name"].as_str().unwrap_or_default().to_owned(),
        created: wall,
        is_gone: false,
        gone_at: None,
        status: "BUILD",
        vm: "building",
        task: Some("scheduling"),
        power: 0,
        fault: None,
        host: None,
        zone: wanted["availability_zone"].as_str().map(str::to_owned),
        flavor: flavor.unwrap_or_default(),
        image: state.image.clone(),
        key: wanted["key_name"].clone(),
        description: wanted["description"].clone(),
        floating: Vec::new(),
        volumes: Vec::new(),
        config_drive: wanted["config_drive"] == true,
        group: hints["group"].as_str().map(str::to_owned),
        metadata: metadata.into_iter().collect::<BTreeMap<_, _>>(),
        tags,
        ports: ports.collect(),
        wants_port: wanted["networks"] == "auto",
        actions: vec![action("create", request, wall)],
        next: Some((state.now + step, Step::Placed)),
        boots: 0,
        was_there_before: false,
        user_data: decoded(&wanted["user_data"]),
    };
    state.servers.insert(id.clone(), server);
    id
}

/// Base64, as Nova takes it.
fn decoded(user_data: &Value) -> String {
    let text: Option<k8s_openapi::ByteString> = serde_json::from_value(user_data.clone()).ok();
    text.map_or(String::new(), |bytes| {
        String::from_utf8_lossy(&bytes.0).into_owned()
    })
}

fn action(action: &'static str, request: &str, started: Timestamp) -> Action {
    Action {
        action,
        by: Some(USER),
        request: request.to_owned(),
        started,
        event: None,
        message: None,
    }
}

fn delete(state: &mut State, server: &str, request: &str) -> Answer {
    let (wall, step) = (state.wall, state.step());
    let due = state.now + step;
    let found = there_mut(state, server)?;
    if found.task == Some("deleting") {
        return Ok((204, None));
    }
    found.task = Some("deleting");
    found.actions.push(action("delete", request, wall));
    found.next = Some((due, Step::Terminated));
    let host = found.host;
    if !state.is_up(host) {
        // Nobody is there to end it: only the record goes, and at once.
        state.bury(server);
    }
    Ok((204, None))
}

fn act(state: &mut State, server: &str, body: &Value, request: &str) -> Answer {
    if let Some(console) = body.get("os-getConsoleOutput") {
        let found = there(state, server)?;
        let lines = (1..=found.boots).map(|boot| format!("boot {boot} of {}\n", found.name));
        let most = console["length"]
            .as_u64()
            .and_then(|length| usize::try_from(length).ok());
        let lines: Vec<String> = lines.collect();
        let first = lines.len().saturating_sub(most.unwrap_or(lines.len()));
        return Ok((200, Some(json!({"output": lines[first..].concat()}))));
    }
    let (name, step, status, task, from): (_, _, _, _, &[&str]) = match body {
        body if body["reboot"]["type"] == "HARD" => {
            let from: &[_] = &["active", "stopped", "error"];
            (
                "reboot",
                Step::Rebooted,
                "HARD_REBOOT",
                "rebooting_hard",
                from,
            )
        }
        body if body["reboot"]["type"] == "SOFT" => {
            ("reboot", Step::Rebooted, "REBOOT", "rebooting", &["active"])
        }
        body if body.get("os-stop").is_some() => (
            "stop",
            Step::Stopped,
            "ACTIVE",
            "powering-off",
            &["active", "error"],
        ),
        body if body.get("os-start").is_some() => (
            "start",
            Step::Started,
            "SHUTOFF",
            "powering-on",
            &["stopped"],
        ),
        _ => return Err(nova("badRequest", 400, "There is no such action")),
    };
    let (wall, takes) = (state.wall, state.step());
    let due = state.now + takes;
    let found = there_mut(state, server)?;
    let busy = |in_what: &str, is: &str| {
        let why = format!("Cannot '{name}' instance {server} while it is in {in_what} {is}");
        Err(nova("conflictingRequest", 409, why))
    };
    if let Some(task) = found.task {
        return busy("task_state", task);
    }
    if !from.contains(&found.vm) {
        return busy("vm_state", found.vm);
    }
    (found.status, found.task) = (status, Some(task));
    found.actions.push(action(name, request, wall));
    found.next = Some((due, step));
    Ok((202, None))
}

fn action_told(server: &str, action: &Action, whole: bool) -> Value {
    let mut told = json!({
        "action": action.action, "instance_uuid": server, "request_id": action.request, "user_id": action.by,
        "project_id": PROJECT, "start_time": plain(action.started), "message": action.message,
    });
    if whole {
        let events = action.event.iter().map(|(event, started, finished)| {
            json!({
                "event": event, "start_time": plain(*started), "finish_time": plain(*finished), "result": "Success",
            })
        });
        told["events"] = events.collect();
    }
    told
}

/// A time as Nova writes it in actions: without a zone.
fn plain(moment: Timestamp) -> String {
    moment.to_string().trim_end_matches('Z').to_owned()
}

fn seconds(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second())
        .unwrap_or(moment)
        .to_string()
}

fn told(state: &State, id: &str, server: &Server, request: &Request) -> Value {
    if !state.is_known(server.host) {
        // As the API database has it.
        return json!({"id": id, "status": "UNKNOWN", "tenant_id": PROJECT, "created": seconds(server.created)});
    }
    let flavor = match is_since(request, 47) {
        true => json!({"original_name": server.flavor.0, "vcpus": 1, "ram": 512, "disk": 1}),
        false => json!({"id": server.flavor.1}),
    };
    let mut ports: Vec<_> = state
        .ports
        .values()
        .filter(|port| port.device == id)
        .collect();
    ports.sort_by_key(|port| port.number);
    let mut addresses: Vec<Value> = ports
        .into_iter()
        .map(|port| {
            json!({
                "version": 4, "addr": port.address, "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": port.mac,
            })
        })
        .collect();
    addresses.extend(
        server
            .floating
            .iter()
            .map(|ip| json!({"version": 4, "addr": ip, "OS-EXT-IPS:type": "floating"})),
    );
    let addresses = match addresses.is_empty() {
        true => json!({}),
        false => json!({NETWORK_NAME: addresses}),
    };
    let zone = server
        .host
        .and_then(|at| state.hosts.get(at))
        .map(|host| host.zone.as_str());
    let image = match server.image.is_empty() {
        true => json!(""),
        false => json!({"id": server.image}),
    };
    let volumes: Value = server.volumes.iter().map(|id| json!({"id": id})).collect();
    let mut told = json!({
        "id": id, "name": server.name, "status": if server.is_gone { "DELETED" } else { server.status }, "created": seconds(server.created),
        "tenant_id": PROJECT, "user_id": USER, "flavor": flavor, "image": image,
        "description": server.description,
        "metadata": server.metadata, "tags": server.tags, "addresses": addresses, "locked": false,
        "key_name": server.key, "config_drive": if server.config_drive { "True" } else { "" },
        "OS-EXT-AZ:availability_zone": zone.unwrap_or_default(),
        "OS-EXT-STS:task_state": server.task, "OS-EXT-STS:vm_state": server.vm,
        "OS-EXT-STS:power_state": server.power, "os-extended-volumes:volumes_attached": volumes,
    });
    if is_since(request, 71) {
        told["server_groups"] = server.group.iter().cloned().collect();
    }
    if let Some((message, created)) = &server.fault {
        told["fault"] = json!({"code": 500, "message": message, "created": seconds(*created)});
    }
    told
}
