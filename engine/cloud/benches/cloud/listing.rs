//! Listing a large project: over the wire's own transport, without the network.

use anyhow::Result;
use async_trait::async_trait;
use rectifier_cloud::Cloud;
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::openstack::transport::{Request, Response, Transport, TransportError};
use serde_json::json;

use crate::Took;

const SERVERS: usize = 15_000;
const PAGE: usize = 1000;

/// Nova, with so many servers like the one of a recorded answer.
struct Project {
    like: serde_json::Value,
}

#[async_trait]
impl Transport for Project {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let asked = |name: &str| {
            let mut query = request.query.iter();
            query.find_map(|(key, value)| (key == name).then_some(value.as_str()))
        };
        let after = asked("marker").and_then(|id| id.rsplit('-').next()?.parse::<usize>().ok());
        let first = after.map_or(0, |last| last + 1);
        let limit = asked("limit").and_then(|limit| limit.parse().ok());
        let end = SERVERS.min(first + limit.unwrap_or(PAGE).min(PAGE));
        let servers: Vec<_> = (first..end)
            .map(|number| {
                let mut server = self.like.clone();
                server["id"] = json!(format!("00000000-0000-4000-8000-{number:012}"));
                server["name"] = json!(format!("node-{number}"));
                server
            })
            .collect();
        let mut body = json!({"servers": servers});
        if end < SERVERS {
            let next = format!(
                "https://cloud/servers/detail?marker=00000000-0000-4000-8000-{:012}",
                end - 1
            );
            body["servers_links"] = json!([{"rel": "next", "href": next}]);
        }
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        })
    }
}

pub(crate) async fn run() -> Result<()> {
    let text = include_str!("../../tests/fixtures/server-active.json");
    let mut recorded: serde_json::Value = serde_json::from_str(text)?;
    let cloud = OpenStack::over(Project {
        like: recorded["server"].take(),
    });
    let before = Took::so_far()?;
    let servers = cloud.servers().await?;
    let after = Took::so_far()?;
    let grown = (after.peak - before.peak) as f64 / f64::from(1 << 20);
    println!(
        "listing {} servers: the peak grows by {grown:.1} MiB, the answers of one page and what is kept of all ({:.0} bytes a server)",
        servers.len(),
        (after.peak - before.peak) as f64 / servers.len() as f64,
    );
    Ok(())
}
