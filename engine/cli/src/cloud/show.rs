//! `rectifier cloud show NODE`.

use std::io::Write;

use rectifier_cloud::openstack::OpenStackConfig;
use rectifier_cloud::{PortTemplate, Shape};
use rectifier_controller::similar::{Rehearsal, Unclear, first_boot, rehearse};
use rectifier_core::repair::{Lack, NoCapacity};
use serde::Serialize;
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::connect;
use crate::clock::now;
use crate::cluster::ClusterArguments;
use crate::output::{self, BAD, FAINT, GOOD, ODD, OutputArguments, out, paint};
use crate::progress::Progress;
use crate::verdict::Verdict;

/// How it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The node
    node: String,
    /// What the new machine would read at its first boot instead, with BOOTSTRAP-TOKEN in the token's place
    #[arg(long)]
    user_data: bool,
    /// The cluster's name, with which new servers are marked
    #[arg(long, value_name = "NAME", default_value = "CLUSTER")]
    cluster: String,
    #[command(flatten)]
    of: ClusterArguments,
    #[command(flatten)]
    cloud: OpenStackConfig,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let node = &arguments.node;
    let client = arguments.of.client().await?;
    if arguments.user_data {
        return match first_boot(&client, node, now()).await {
            Ok(text) => {
                out().write_all(text.as_bytes())?;
                Ok(Verdict::Well)
            }
            Err(unclear) => answer(node, unclear, arguments.output),
        };
    }
    let cloud = connect(arguments.cloud)?;
    let shown = Progress::start("asking the cluster and its cloud");
    let rehearsal = rehearse(&client, cloud.as_ref(), &arguments.cluster, node, now()).await;
    drop(shown);
    let rehearsal = match rehearsal {
        Ok(rehearsal) => rehearsal,
        Err(unclear) => return answer(node, unclear, arguments.output),
    };
    let (is, would_be) = (told_of(&rehearsal), planned(&rehearsal));
    match arguments.output.is_json() {
        true => output::json(&json!({
            "node": node, "pool": rehearsal.pool,
            "refused": words(&rehearsal.refused), "without": words(&rehearsal.without),
            "otherZones": rehearsal.zones, "whenNoCapacity": rehearsal.no_capacity, "is": is, "wouldBe": would_be,
        }))?,
        false => print(node, &rehearsal, &is, &would_be)?,
    }
    Ok(Verdict::of(rehearsal.refused.is_empty()))
}

/// That nothing would be made is an answer, too.
fn answer(node: &str, unclear: Unclear, how: OutputArguments) -> anyhow::Result<Verdict> {
    if unclear.is_silence() {
        return Err(unclear.into());
    }
    match how.is_json() {
        true => output::json(&json!({"node": node, "refused": [unclear.to_string()]}))?,
        false => writeln!(out(), "{} {unclear}", paint(BAD, "not replaced:"))?,
    }
    Ok(Verdict::No)
}

fn words(lacks: &[Lack]) -> Vec<String> {
    lacks.iter().map(ToString::to_string).collect()
}

/// A server as it is told here, in this order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    name: &'a str,
    flavor: &'a str,
    image: Option<&'a str>,
    zone: Option<&'a str>,
    key_pair: Option<&'a str>,
    server_group: Option<&'a str>,
    config_drive: bool,
    description: Option<&'a str>,
    metadata: Value,
    tags: Vec<&'a str>,
    interfaces: Vec<Value>,
}

fn told<'a>(name: &'a str, shape: &'a Shape, ports: &[PortTemplate]) -> Told<'a> {
    Told {
        name,
        flavor: &shape.flavor,
        image: shape.image.as_deref(),
        zone: shape.zone.as_deref(),
        key_pair: shape.key_name.as_deref(),
        server_group: shape.server_group.as_deref(),
        config_drive: shape.config_drive,
        description: None,
        metadata: Value::Null,
        tags: Vec::new(),
        interfaces: ports.iter().map(interface).collect(),
    }
}

fn interface(port: &PortTemplate) -> Value {
    let pairs = port.address_pairs.iter().map(|pair| match &pair.mac {
        Some(mac) => format!("{} {mac}", pair.ip),
        None => pair.ip.clone(),
    });
    json!({
        "network": port.network, "subnets": port.subnets, "securityGroups": port.security_groups,
        "addressPairs": pairs.collect::<Vec<_>>(), "portSecurity": port.port_security,
        "vnicType": port.vnic_type, "qosPolicy": port.qos_policy, "dhcpOptions": port.dhcp_options,
    })
}

fn sorted(tags: &[String]) -> Vec<&str> {
    let mut tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    tags.sort_unstable();
    tags
}

fn told_of(rehearsal: &Rehearsal) -> Value {
    let is = &rehearsal.is;
    json!(Told {
        description: is.description.as_deref(),
        metadata: json!(is.metadata),
        tags: sorted(&is.tags),
        ..told(&rehearsal.name, &is.shape, &is.ports)
    })
}

fn planned(rehearsal: &Rehearsal) -> Value {
    let spec = &rehearsal.would_be;
    json!(Told {
        description: spec.description.as_deref(),
        metadata: json!(spec.metadata),
        tags: sorted(&spec.tags),
        ..told(&spec.name, &spec.shape, &rehearsal.ports)
    })
}

fn print(node: &str, rehearsal: &Rehearsal, is: &Value, would_be: &Value) -> anyhow::Result<()> {
    let mut to = out();
    writeln!(
        to,
        "{node} is server {}, in pool {}",
        rehearsal.server, rehearsal.pool
    )?;
    let (is, would_be) = (lines(is), lines(would_be));
    for change in TextDiff::from_lines(&is, &would_be).iter_all_changes() {
        let line = change.value().trim_end();
        match change.tag() {
            ChangeTag::Equal => writeln!(to, "  {line}")?,
            ChangeTag::Delete => writeln!(to, "{}", paint(BAD, format!("- {line}")))?,
            ChangeTag::Insert => writeln!(to, "{}", paint(GOOD, format!("+ {line}")))?,
        }
    }
    let faint = paint(
        FAINT,
        "(X and xxxxx: new with every repair; user data: --user-data)",
    );
    writeln!(to, "{faint}")?;
    if !rehearsal.zones.is_empty() {
        let zones = rehearsal.zones.join(", ");
        writeln!(to, "if no host there can take it: in {zones}")?;
    }
    if rehearsal.no_capacity == NoCapacity::TerminateFirst {
        let told = "if no host has room beside it: it is drained and deleted first, with no way back from there";
        writeln!(to, "{told}")?;
    }
    for lack in &rehearsal.without {
        writeln!(to, "{} {lack}", paint(ODD, "made without:"))?;
    }
    for lack in &rehearsal.refused {
        writeln!(to, "{} {lack}", paint(BAD, "refused:"))?;
    }
    let hint =
        "a pool can do without some of it (provisioning.without), or name another image and flavor";
    if !rehearsal.refused.is_empty() {
        writeln!(to, "{}", paint(FAINT, hint))?;
    }
    Ok(())
}

/// One line for each thing that can differ; what is not there has none.
fn lines(server: &Value) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &Value| {
        let value = match value {
            Value::Null => return,
            Value::String(value) => value.clone(),
            Value::Array(all) if all.is_empty() => return,
            Value::Array(all) => {
                let all = all
                    .iter()
                    .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned));
                all.collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        text.push_str(&format!("{name}: {value}\n"));
    };
    // the order of the struct is lost in a Value
    for name in [
        "name",
        "flavor",
        "image",
        "zone",
        "keyPair",
        "serverGroup",
        "configDrive",
        "description",
    ] {
        line(name, &server[name]);
    }
    for (key, value) in server["metadata"].as_object().into_iter().flatten() {
        line(&format!("metadata {key}"), value);
    }
    for tag in server["tags"].as_array().into_iter().flatten() {
        line("tag", tag);
    }
    for (number, interface) in server["interfaces"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        for (key, value) in interface.as_object().into_iter().flatten() {
            line(&format!("interface {number} {key}"), value);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_has_no_line() {
        let server = json!({
            "name": "a", "zone": null, "configDrive": false, "metadata": {"k": "v"}, "tags": ["t", "u"],
            "interfaces": [{"network": "n", "subnets": [], "securityGroups": ["g", "h"]}],
        });
        assert_eq!(
            lines(&server),
            "name: a\nconfigDrive: false\nmetadata k: v\ntag: t\ntag: u\ninterface 0 network: n\ninterface 0 securityGroups: g h\n"
        );
    }
}
