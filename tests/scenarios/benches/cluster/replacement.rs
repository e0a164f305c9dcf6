//! What the engine adds to the time of one replacement, and what it asks for.

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use rectifier_bed::hypervisor::journal;
use rectifier_bed::kubernetes::Record;
use rectifier_provision::Report;
use rectifier_scenarios::evidence::CONTROLLER;
use rectifier_scenarios::timeline::Actor;
use rectifier_scenarios::timeline::ours::{Entry, What, gaps};

use crate::calls::{self, Call, Table, To};
use crate::load;
use rectifier_scenarios::site::{Build, GRACE, READY, Site, Size};

/// What runs there, and must not fall below two.
const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {pool: web}
      containers: [{name: web, image: fake}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: default}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
"#;

/// An eviction that a budget refused is asked for again after so many seconds: kubectl's pace, and the engine's.
const PACE: u32 = 5;

/// A gap that is worth a line.
const WORTH: SignedDuration = SignedDuration::from_millis(100);

pub(crate) async fn run(report: &mut (dyn Report + Send)) -> Result<()> {
    let site = Site::start(
        Size {
            servers: 1,
            nodes: 3,
            pools: 1,
            crowds: 1,
            apart: false,
        },
        Build::Released,
        report,
    )
    .await?;
    site.kubernetes.apply(WEB).await?;
    report.step("a replacement");
    let began = Timestamp::now();
    site.replace("sick-1").await?;
    let ended = Timestamp::now();

    let mut records = site.kubernetes.audit().records()?;
    records.retain(|record| record.received >= began);
    let calls = calls::within(&site, &records, began, ended)?;
    let entries = entries(&site, &records, &calls).await?;
    let last = calls.last().context("no request")?.answered;
    let mut own = SignedDuration::ZERO;
    let mut lines = Vec::new();
    for gap in gaps(&entries) {
        let within = calls
            .iter()
            .filter(|call| gap.from <= call.received && call.received < gap.to);
        let took = gap.to.duration_since(gap.from) - calls::busy(within, gap.to);
        own += took;
        if took >= WORTH {
            lines.push(format!(
                "  {:7.0} ms before {}",
                took.as_secs_f64() * 1e3,
                gap.does
            ));
        }
    }
    let mut table = Table::default();
    calls.iter().for_each(|call| table.add(call));
    let mut asking = Vec::new();
    for (to, name) in [(To::Kubernetes, "Kubernetes"), (To::OpenStack, "OpenStack")] {
        let own = calls.iter().filter(|call| call.to == to);
        let busy = calls::busy(own, last).as_secs_f64();
        asking.push(format!(
            "{:.0} requests to {name}, answered in {busy:.1} s",
            table.count(to, 1)
        ));
    }
    println!(
        "replacement: {:.1} s in all, load {}; the engine's own at most {:.2} s: from what it awaited, was told to wait for, or \
         was answered, to its next request; {}",
        last.duration_since(began).as_secs_f64(),
        load(),
        own.as_secs_f64(),
        asking.join("; "),
    );
    lines.iter().for_each(|line| println!("{line}"));
    table.print(1);
    Ok(())
}

/// What happened, in the order of its times: the engine's writes, what it may have waited for, and what it was told to.
async fn entries(site: &Site, records: &[Record], calls: &[Call]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut add = |at, what| entries.push(Entry { at, what });
    // Events are told by the way
    let steps = calls
        .iter()
        .filter(|call| call.writes && !call.what.ends_with(" events"));
    for call in steps {
        let does = format!("{} {}", call.what, call.phase);
        add(call.received, What::Told(Actor::Controller, does));
        add(call.answered, What::Answered(Actor::Controller));
    }
    for record in records
        .iter()
        .filter(|record| record.user != CONTROLLER && record.code < 300)
    {
        let (verb, object) = (record.verb.as_str(), &record.object);
        if ["get", "list", "watch"].contains(&verb) {
            continue;
        }
        match (object.resource.as_str(), object.subresource.as_str()) {
            ("nodes", "status") if object.name == "sick-1" => {
                add(
                    record.received + seconds(GRACE),
                    What::Waited(Actor::Controller),
                );
            }
            ("nodes", "status") if object.name.starts_with("sick-1-") => {
                add(record.received, What::Happened);
                add(
                    record.received + seconds(READY),
                    What::Waited(Actor::Controller),
                );
            }
            ("nodes" | "pods", _) => add(record.received, What::Happened),
            _ => {}
        }
    }
    let refused = records
        .iter()
        .filter(|record| record.user == CONTROLLER && record.code == 429);
    for record in refused {
        add(
            record.answered + seconds(PACE),
            What::Waited(Actor::Controller),
        );
    }
    for event in journal::read(site.bed.dir())? {
        add(event.time, What::Happened);
    }
    for server in site.openstack.records.servers().await? {
        for action in site.openstack.records.instance_actions(&server.id).await? {
            for end in action
                .events
                .iter()
                .filter_map(|event| event.finish_time.as_ref())
            {
                // UTC, without saying so
                add(
                    format!("{}Z", end.trim_end_matches('Z')).parse()?,
                    What::Happened,
                );
            }
        }
    }
    let began = records
        .first()
        .map_or(Timestamp::MIN, |record| record.received);
    entries.retain(|entry| entry.at >= began);
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

fn seconds(count: u32) -> SignedDuration {
    SignedDuration::from_secs(count.into())
}
