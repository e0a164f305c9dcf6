//! The OpenStack bed: what its servers do, what its records say, and that each fault is one.
//!
//! One stack serves all of it, since it takes half a minute to start: the test's steps are the
//! functions below.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rectifier_bed::Bed;
use rectifier_bed::hypervisor::journal::{self, Entry};
use rectifier_bed::hypervisor::{Kind, Outcome};
use rectifier_bed::openstack::{Effect, Fault, HttpFault, NewServer, OpenStack, Options};
use rectifier_provision::Stderr;

#[tokio::test]
#[ignore = "a minute and a half, and what is amiss here shows in the scenarios"]
async fn a_stack_keeps_its_promises() -> Result<()> {
    let bed = Bed::new("openstack")?;
    let hook = Some(env!("CARGO_BIN_EXE_hypervisor-hook").into());
    let options = Options {
        hook,
        ..Options::default()
    };
    let stack = timed(
        "start",
        OpenStack::start(&bed, &options, &mut Stderr::default()),
    )
    .await?;

    timed(
        "a life",
        a_server_lives_and_leaves_its_records(&bed, &stack),
    )
    .await?;
    timed(
        "reboots",
        reboots_and_stops_reach_the_hypervisor(&bed, &stack),
    )
    .await?;
    timed("no valid host", no_valid_host_holds_the_port(&stack)).await?;
    timed("spawn aborted", an_aborted_spawn_ends_in_error(&stack)).await?;
    timed(
        "rescheduled",
        a_failed_attempt_is_made_on_another_host(&stack),
    )
    .await?;
    timed("delays", delays_hold_build_and_delete(&stack)).await?;
    timed("quota", a_quota_refuses(&stack)).await?;
    timed("http", the_front_door_answers_instead(&stack)).await?;
    timed("tokens", revoked_tokens_are_refused(&stack)).await?;
    timed("host", a_stopped_host_keeps_its_servers_active(&stack)).await?;

    let left = stack.records.servers().await?;
    let left = left
        .iter()
        .filter(|server| server.status != "DELETED")
        .count();
    ensure!(left == 0, "{left} servers are left");
    ensure!(stack.records.ports().await?.is_empty(), "ports are left");
    timed("stop", async {
        stack.stop().await;
        Ok(())
    })
    .await
}

async fn timed<T>(what: &str, step: impl Future<Output = Result<T>>) -> Result<T> {
    let begin = Instant::now();
    let result = step.await.with_context(|| what.to_owned())?;
    eprintln!("{what}: {:.1} s", begin.elapsed().as_secs_f64());
    Ok(result)
}

fn named(name: &str) -> NewServer {
    NewServer {
        name: name.to_owned(),
        flavor: "m1.small".to_owned(),
        ..NewServer::default()
    }
}

/// Deletes a server and the port that was made for it.
async fn remove(stack: &OpenStack, id: &str) -> Result<()> {
    let ports = stack.records.ports().await?;
    stack.demo.delete_server(id).await?;
    stack.records.await_gone(id).await?;
    for port in ports.iter().filter(|port| port.device_id == id) {
        stack.demo.delete_port(&port.id).await?;
    }
    Ok(())
}

/// The hypervisor's entries about a server, once there are so many of them.
async fn entries(bed: &Path, id: &str, count: usize) -> Result<Vec<Entry>> {
    let seen = async {
        loop {
            let entries: Vec<_> = journal::read(bed)?
                .into_iter()
                .filter(|entry| entry.uuid == id)
                .collect();
            if entries.len() >= count {
                return Ok(entries);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), seen)
        .await
        .context("the hypervisor's journal")?
}

async fn a_server_lives_and_leaves_its_records(bed: &Bed, stack: &OpenStack) -> Result<()> {
    let wanted = NewServer {
        metadata: [("pool".to_owned(), "a".to_owned())].into(),
        tags: vec!["ours".to_owned()],
        ..named("node-1")
    };
    let server = stack.demo.create_server(&wanted).await?;
    assert_eq!(server.flavor.original_name, "m1.small");
    assert_eq!(server.metadata["pool"], "a");
    assert_eq!(server.tags, ["ours"]);
    assert_eq!(server.power, 1);
    assert!(server.host.is_some());

    let ports = stack.records.ports().await?;
    let [port] = ports.as_slice() else {
        bail!("one port: {ports:?}")
    };
    assert_eq!(port.device_id, server.id);
    assert!(port.device_owner.starts_with("compute:"));
    assert_eq!(port.tags, ["ours"]);
    assert!(port.fixed_ips[0].ip_address.starts_with("10.20."));

    let told = entries(bed.dir(), &server.id, 2).await?;
    let kinds: Vec<_> = told.iter().map(|entry| entry.event).collect();
    assert_eq!(kinds, [Kind::Spawn, Kind::Boot]);
    assert!(
        told.iter().all(|entry| entry.outcome == Outcome::NotANode),
        "{told:?}"
    );

    stack.demo.delete_server(&server.id).await?;
    stack.records.await_gone(&server.id).await?;
    let told = entries(bed.dir(), &server.id, 3).await?;
    assert_eq!(told[2].event, Kind::Destroy);

    let ports = stack.records.ports().await?;
    assert_eq!(
        ports[0].device_id, "",
        "a port that the user made outlives its server"
    );
    stack.demo.delete_port(&ports[0].id).await?;

    let servers = stack.records.servers().await?;
    let record = servers
        .iter()
        .find(|record| record.id == server.id)
        .context("its record")?;
    assert_eq!(record.status, "DELETED");
    assert!(record.terminated.is_some());
    let actions = stack.records.instance_actions(&server.id).await?;
    let names: Vec<_> = actions
        .iter()
        .map(|action| action.action.as_str())
        .collect();
    assert_eq!(names, ["create", "delete"]);
    let last = actions[1]
        .events
        .iter()
        .find(|e| e.event == "compute_terminate_instance");
    assert_eq!(
        last.and_then(|event| event.result.as_deref()),
        Some("Success")
    );
    Ok(())
}

async fn reboots_and_stops_reach_the_hypervisor(bed: &Bed, stack: &OpenStack) -> Result<()> {
    let server = stack.demo.create_server(&named("node-2")).await?;
    entries(bed.dir(), &server.id, 2).await?;
    stack.demo.reboot_server(&server.id, false).await?;
    entries(bed.dir(), &server.id, 4).await?;
    stack.records.await_status(&server.id, "ACTIVE").await?;
    stack.demo.reboot_server(&server.id, true).await?;
    entries(bed.dir(), &server.id, 6).await?;
    stack.records.await_status(&server.id, "ACTIVE").await?;
    stack.demo.stop_server(&server.id).await?;
    let off = stack.records.await_status(&server.id, "SHUTOFF").await?;
    assert_eq!(off.power, 4);
    stack.demo.start_server(&server.id).await?;
    let told = entries(bed.dir(), &server.id, 9).await?;
    let told: Vec<_> = told
        .iter()
        .map(|e| (e.event, e.reboot.as_deref()))
        .collect();
    let expected = [
        (Kind::Spawn, None),
        (Kind::Boot, None),
        (Kind::Reboot, Some("SOFT")),
        (Kind::Boot, None),
        (Kind::Reboot, Some("HARD")),
        (Kind::Boot, None),
        (Kind::PowerOff, None),
        (Kind::PowerOn, None),
        (Kind::Boot, None),
    ];
    assert_eq!(told, expected);
    stack.records.await_status(&server.id, "ACTIVE").await?;
    remove(stack, &server.id).await
}

async fn no_valid_host_holds_the_port(stack: &OpenStack) -> Result<()> {
    stack.fault(Fault::NoValidHost(1)).await?;
    let id = stack.demo.request_server(&named("nowhere")).await?;
    let server = stack.records.await_status(&id, "ERROR").await?;
    let fault = server.fault.context("a fault")?;
    assert!(
        fault.message.starts_with("No valid host was found"),
        "{}",
        fault.message
    );
    let ports = stack.records.ports().await?;
    stack.demo.delete_server(&id).await?;
    stack.records.await_gone(&id).await?;
    for port in ports {
        stack.demo.delete_port(&port.id).await?;
    }
    Ok(())
}

async fn an_aborted_spawn_ends_in_error(stack: &OpenStack) -> Result<()> {
    stack.fault(Fault::SpawnAborted(1)).await?;
    let id = stack.demo.request_server(&named("aborted")).await?;
    let server = stack.records.await_status(&id, "ERROR").await?;
    let fault = server.fault.context("a fault")?;
    assert!(fault.message.contains("aborted"), "{}", fault.message);
    let ports = stack.records.ports().await?;
    stack.demo.delete_server(&id).await?;
    stack.records.await_gone(&id).await?;
    for port in ports {
        stack.demo.delete_port(&port.id).await?;
    }
    Ok(())
}

async fn a_failed_attempt_is_made_on_another_host(stack: &OpenStack) -> Result<()> {
    stack.fault(Fault::SpawnRescheduled(1)).await?;
    let server = stack.demo.create_server(&named("moved")).await?;
    let actions = stack.records.instance_actions(&server.id).await?;
    let builds = actions[0]
        .events
        .iter()
        .filter(|e| e.event == "compute__do_build_and_run_instance");
    let hosts: Vec<_> = builds.map(|event| event.host.clone()).collect();
    assert_eq!(hosts.len(), 2, "{:?}", actions[0].events);
    remove(stack, &server.id).await
}

async fn delays_hold_build_and_delete(stack: &OpenStack) -> Result<()> {
    // lower bounds only: a busy computer makes all of it longer
    let second = Duration::from_secs(1);
    stack.fault(Fault::BuildDelay(second)).await?;
    let begin = Instant::now();
    let server = stack.demo.create_server(&named("slow")).await?;
    assert!(begin.elapsed() >= second);
    stack.fault(Fault::DestroyDelay(second)).await?;
    let begin = Instant::now();
    remove(stack, &server.id).await?;
    assert!(begin.elapsed() >= second);
    stack.clear_faults().await
}

async fn a_quota_refuses(stack: &OpenStack) -> Result<()> {
    stack.fault(Fault::Quota(0)).await?;
    let refused = stack.demo.request_server(&named("too-much")).await;
    let refused = format!("{:#}", refused.err().context("a refusal")?);
    assert!(refused.contains("Quota exceeded"), "{refused}");
    for port in stack.records.ports().await? {
        stack.demo.delete_port(&port.id).await?;
    }
    stack.clear_faults().await
}

async fn the_front_door_answers_instead(stack: &OpenStack) -> Result<()> {
    let session = user(stack).await?;
    let list = async || {
        let answer = session
            .get(osauth::services::COMPUTE, ["servers"])
            .send_unchecked()
            .await;
        answer.map(|answer| (answer.status().as_u16(), answer.headers().clone()))
    };
    assert_eq!(list().await?.0, 200);

    let headers = vec![("Retry-After".to_owned(), "2".to_owned())];
    let busy = Effect::Answer {
        status: 429,
        headers,
    };
    stack
        .fault(Fault::Http(HttpFault::next("GET", "/servers$", busy)))
        .await?;
    let (status, headers) = list().await?;
    assert_eq!((status, headers["retry-after"].to_str()?), (429, "2"));
    assert_eq!(list().await?.0, 200, "the fault is used up");

    stack
        .fault(Fault::Http(HttpFault::next(
            "GET",
            "/servers$",
            Effect::HungUp,
        )))
        .await?;
    assert!(list().await.is_err());

    let slow = HttpFault {
        delay: Duration::from_millis(300),
        ..HttpFault::next("GET", "", Effect::Slow)
    };
    stack.fault(Fault::Http(slow)).await?;
    let begin = Instant::now();
    assert_eq!(list().await?.0, 200);
    assert!(begin.elapsed() >= Duration::from_millis(300));

    // the service has done it; only the answer is lost
    let lost = HttpFault::next("POST", "/ports$", Effect::AnswerLost);
    stack.fault(Fault::Http(lost)).await?;
    let network = stack.records.network().await?;
    let body = serde_json::json!({"port": {"network_id": network, "name": "lost"}});
    let request = session
        .post(osauth::services::NETWORK, ["ports"])
        .json(&body);
    assert!(request.send_unchecked().await.is_err());
    let ports = stack.records.ports().await?;
    assert_eq!(
        ports
            .iter()
            .map(|port| port.name.as_str())
            .collect::<Vec<_>>(),
        ["lost"]
    );
    stack.demo.delete_port(&ports[0].id).await
}

async fn revoked_tokens_are_refused(stack: &OpenStack) -> Result<()> {
    let session = user(stack).await?;
    stack.fault(Fault::TokensRevoked).await?;
    let answer = session
        .get(osauth::services::COMPUTE, ["servers"])
        .send_unchecked()
        .await?;
    assert_eq!(answer.status().as_u16(), 401);
    let answer = user(stack)
        .await?
        .get(osauth::services::COMPUTE, ["servers"])
        .send()
        .await?;
    assert!(answer.status().is_success());
    Ok(())
}

async fn a_stopped_host_keeps_its_servers_active(stack: &OpenStack) -> Result<()> {
    let server = stack.demo.create_server(&named("unreachable")).await?;
    let host = server.host.clone().context("a host")?;
    stack.fault(Fault::HostStopped(host)).await?;
    let seen = stack
        .records
        .server(&server.id)
        .await?
        .context("it is there")?;
    assert_eq!(seen.status, "ACTIVE");

    // the delete is only local: no compute host has done it, and the records say so
    remove(stack, &server.id).await?;
    let actions = stack.records.instance_actions(&server.id).await?;
    let delete = actions
        .iter()
        .find(|action| action.action == "delete")
        .context("a delete")?;
    assert!(delete.events.is_empty(), "{:?}", delete.events);
    stack.clear_faults().await
}

/// The user demo at the front door, as `clouds.yaml` describes it.
async fn user(stack: &OpenStack) -> Result<osauth::Session> {
    let credentials = stack.cloud("demo")?;
    let authority = reqwest::Certificate::from_pem(&std::fs::read(&credentials.cacert)?)?;
    let client = reqwest::Client::builder()
        .add_root_certificate(authority)
        .build()?;
    let login = osauth::identity::Password::new(
        &credentials.auth_url,
        credentials.username,
        credentials.password,
        "Default",
    )?;
    let scope = osauth::identity::Scope::Project {
        project: osauth::common::IdOrName::from_name("demo"),
        domain: Some(osauth::common::IdOrName::from_name("Default")),
    };
    Ok(osauth::Session::new_with_client(client, login.with_scope(scope)).await?)
}
