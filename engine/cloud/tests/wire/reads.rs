//! Servers, ports and actions as they are described.

use jiff::Timestamp;
use rectifier_cloud::{
    AddressPair, Cloud, CloudError, PowerState, Retry, Server, ServerStatus, Shape,
};
use rectifier_core::name::{PortId, ServerId};
use rectifier_core::repair::Lack;

use crate::replay::{cloud, fixture_text, scene, text};

const SERVER: &str = "1c8ea9dc-697a-4ca2-a3fd-72425682f8e2";
const GET: &str = "GET compute/servers/1c8ea9dc-697a-4ca2-a3fd-72425682f8e2";
const JOURNAL: &str =
    "GET compute/servers/1c8ea9dc-697a-4ca2-a3fd-72425682f8e2/os-instance-actions";

fn id() -> ServerId {
    ServerId::parse(SERVER).unwrap()
}

async fn described(body: &str) -> Server {
    let (cloud, _) = cloud([text(GET, 200, body)]);
    cloud.describe(&id()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_server_is_described_with_all_that_decisions_read() {
    let server = described(&fixture_text("server-active")).await;
    assert_eq!(server.id, id());
    assert_eq!(server.name, "node-11365.example");
    assert_eq!(server.status, ServerStatus::Active);
    assert_eq!(
        (server.task.as_deref(), server.power),
        (None, Some(PowerState::Running))
    );
    assert_eq!(
        server.created,
        Some("2026-11-23T06:31:52Z".parse::<Timestamp>().unwrap())
    );
    assert_eq!(server.zone.as_deref(), Some("nova"));
    assert_eq!(server.tags, ["rectifier:11365", "x"]);
    assert_eq!(server.metadata["a"], "b");
    let fixed: Vec<String> = server.fixed_addresses().map(|ip| ip.to_string()).collect();
    assert_eq!(fixed, ["10.20.3.171"]);
    assert!(!server.locked && server.fault.is_none() && !server.is_off());
}

#[tokio::test]
async fn a_server_is_off_only_while_nothing_is_being_done_to_it() {
    let shutoff = fixture_text("server-shutoff");
    assert!(described(&shutoff).await.is_off());
    let task = "\"OS-EXT-STS:task_state\": null";
    let starting = shutoff.replace(task, "\"OS-EXT-STS:task_state\": \"powering-on\"");
    assert_ne!(starting, shutoff);
    assert!(!described(&starting).await.is_off());
}

#[tokio::test]
async fn an_unknown_status_power_state_or_field_survives() {
    let odd = r#"{"server": {"id": "a", "status": "MEDITATING", "OS-EXT-STS:power_state": 42,
        "tags": null, "aura": {"colour": "blue"}}}"#;
    let server = described(odd).await;
    assert_eq!(server.status, ServerStatus::Other("MEDITATING".to_owned()));
    assert_eq!(server.status.as_str(), "MEDITATING");
    assert_eq!(server.power, Some(PowerState::Other(42)));
}

#[tokio::test]
async fn no_valid_host_is_known_by_its_fault_and_asks_for_another_zone() {
    let server = described(&fixture_text("no-valid-host")).await;
    assert_eq!(server.status, ServerStatus::Error);
    let fault = server.fault.unwrap();
    assert_eq!(fault.code, 500);
    assert!(fault.is_no_valid_host());
    assert_eq!(fault.retry(), Retry::OtherZone);
}

#[tokio::test]
async fn a_similar_server_needs_flavor_image_zone_and_ports_like_these() {
    let (cloud, asked) = cloud([
        scene(GET, 200, "server-with-flavor-id"),
        scene(GET, 200, "server-active"),
        scene("GET network/ports", 200, "ports"),
        scene(
            "GET network/networks/84a5ff8f-3c7c-4b2f-850d-2b19cf1aca1b",
            200,
            "network",
        ),
    ]);
    let template = cloud.template(&id()).await.unwrap();
    let shape = &template.shape;
    assert_eq!(shape.flavor, "3bd4635c-9dea-4997-bc5b-2300ca72b2ef");
    assert_eq!(
        shape.image.as_deref(),
        Some("8248a2ce-7f01-4309-84ca-3b4418a6e70a")
    );
    assert_eq!(
        (shape.zone.as_deref(), shape.config_drive),
        (Some("nova"), true)
    );
    assert!(template.lacks.is_empty());

    let [port] = &template.ports[..] else {
        panic!("one port: {template:?}")
    };
    assert_eq!(port.subnets, ["fdd4c49b-cb1d-4a42-ae26-c3e0a7b7c97d"]);
    assert_eq!(
        port.security_groups,
        ["50c06dd7-6e6b-40b3-81c0-0a7cfad7bf42"]
    );
    // The old port's own hardware address, which Neutron had filled in, is not copied; nor is what is
    // the network's own rule anyway.
    assert_eq!(
        port.address_pairs,
        [AddressPair {
            ip: "10.244.0.0/16".to_owned(),
            mac: None
        }]
    );
    assert_eq!(
        (port.port_security, port.vnic_type.as_deref()),
        (None, None)
    );

    assert_eq!(
        asked.at(2).query[0],
        ("device_id".to_owned(), SERVER.to_owned())
    );
}

#[tokio::test]
async fn a_server_that_boots_from_a_volume_has_no_image() {
    let volume = fixture_text("server-active")
        .replace(
            "\"image\": {\n      \"id\": \"8248a2ce-7f01-4309-84ca-3b4418a6e70a\"\n    }",
            "\"image\": \"\"",
        )
        .replace(
            "volumes_attached\": []",
            "volumes_attached\": [{\"id\": \"v1\"}]",
        );
    let (cloud, _) = cloud([
        scene(GET, 200, "server-with-flavor-id"),
        text(GET, 200, &volume),
        text("GET network/ports", 200, r#"{"ports": []}"#),
    ]);
    let template = cloud.template(&id()).await.unwrap();
    assert_eq!(
        (template.shape.image, template.lacks),
        (None, vec![Lack::Volume("v1".to_owned())])
    );
}

#[tokio::test]
async fn a_port_is_absent_only_in_the_network_service_s_own_words() {
    let get = "GET network/ports/p";
    let (cloud, _) = cloud([
        scene(get, 200, "port-created"),
        scene(get, 404, "port-not-found"),
        text(get, 404, "<html>"),
    ]);
    let port = PortId::parse("p").unwrap();
    assert!(cloud.port(&port).await.unwrap().is_some());
    assert_eq!(cloud.port(&port).await.unwrap(), None);
    cloud.port(&port).await.unwrap_err();
}

#[tokio::test]
async fn the_actions_of_a_deleted_server_say_what_its_host_did() {
    let (cloud, _) = cloud([
        scene(JOURNAL, 200, "actions-of-deleted-server"),
        scene(
            "GET compute/servers/1c8ea9dc-697a-4ca2-a3fd-72425682f8e2/os-instance-actions/\
             req-191e4eb8-e008-4903-a562-cf97d24c7e67",
            200,
            "action-delete",
        ),
        scene(
            "GET compute/servers/1c8ea9dc-697a-4ca2-a3fd-72425682f8e2/os-instance-actions/\
             req-e9e72e1c-6520-48ad-b81a-63a89d2557e0",
            200,
            "action-stop",
        ),
    ]);
    let actions = cloud.actions(&id()).await.unwrap();
    let names: Vec<&str> = actions
        .iter()
        .map(|action| action.action.as_str())
        .collect();
    assert_eq!(names, ["delete", "stop"]);
    assert!(actions[0].succeeded("compute_terminate_instance"));
    assert!(!actions[0].succeeded("compute_stop_instance"));
    assert!(actions[1].succeeded("compute_stop_instance"));
    // Nova writes these times without their zone, which is UTC.
    let started: Timestamp = "2026-11-23T06:32:01.167687Z".parse().unwrap();
    assert_eq!(actions[0].started, Some(started));
}

#[tokio::test]
async fn an_action_without_events_has_succeeded_in_nothing() {
    let local = fixture_text("action-delete");
    let start = local.find("\"events\"").unwrap();
    let local = format!("{}\"events\": []}}}}", &local[..start]);
    let (cloud, _) = cloud([
        text(
            JOURNAL,
            200,
            r#"{"instanceActions": [{"action": "delete", "request_id": "r"}]}"#,
        ),
        text(
            "GET compute/servers/1c8ea9dc-697a-4ca2-a3fd-72425682f8e2/os-instance-actions/r",
            200,
            &local,
        ),
    ]);
    let actions = cloud.actions(&id()).await.unwrap();
    assert!(actions[0].events.is_empty() && !actions[0].succeeded("compute_terminate_instance"));
}

#[tokio::test]
async fn what_a_similar_server_would_lack_is_told() {
    let floating = fixture_text("server-active").replacen(
        "\"OS-EXT-IPS:type\": \"fixed\"",
        "\"OS-EXT-IPS:type\": \"floating\"",
        1,
    );
    let trunk =
        fixture_text("ports").replacen("\"status\":", "\"trunk_details\": {}, \"status\":", 1);
    let (cloud, _) = cloud([
        scene(GET, 200, "server-with-flavor-id"),
        text(GET, 200, &floating),
        text("GET network/ports", 200, &trunk),
        scene(
            "GET network/networks/84a5ff8f-3c7c-4b2f-850d-2b19cf1aca1b",
            200,
            "network",
        ),
    ]);
    let template = cloud.template(&id()).await.unwrap();
    let [Lack::Trunk(_), Lack::FloatingIp(_)] = &template.lacks[..] else {
        panic!("{:?}", template.lacks)
    };
}

#[tokio::test]
async fn what_is_gone_is_told_by_the_services_own_words() {
    let shape = Shape {
        flavor: "f".to_owned(),
        image: Some("i".to_owned()),
        key_name: Some("k".to_owned()),
        zone: None,
        server_group: None,
        config_drive: false,
    };
    let page = "<html>404 Not Found</html>";
    let gone = r#"{"itemNotFound": {"code": 404, "message": "it could not be found"}}"#;
    let (told, _) = cloud([
        text("GET compute/flavors/f", 404, gone),
        text("GET image/images/i", 404, page).header("x-openstack-request-id", "req-1"),
        text("GET compute/os-keypairs/k", 404, gone),
    ]);
    assert_eq!(told.missing(&shape).await.unwrap().len(), 3);

    // a stranger's page is no word of Glance's
    let (told, _) = cloud([
        text("GET compute/flavors/f", 200, "{}"),
        text("GET image/images/i", 404, page),
    ]);
    assert!(matches!(
        told.missing(&shape).await,
        Err(CloudError::Garbled { .. })
    ));

    let (told, _) = cloud([
        text("GET compute/flavors/f", 200, "{}"),
        text("GET image/images/i", 200, r#"{"status": "deactivated"}"#),
        text("GET compute/os-keypairs/k", 200, "{}"),
    ]);
    let lacks = told.missing(&shape).await.unwrap();
    assert_eq!(lacks, [Lack::Base("its image i is deactivated".to_owned())]);
}

/// Neutron gives ports in any order, and those that one process made bear the same second.
#[tokio::test]
async fn interfaces_keep_the_order_that_the_guest_knows() {
    const RULED: &str = r#"{"network": {"port_security_enabled": true}}"#;
    let port = |id: &str, network: &str, ip: &str| {
        format!(
            r#"{{"id": "{id}", "name": "", "status": "ACTIVE", "network_id": "{network}", "device_id": "{SERVER}",
                "created_at": "2026-09-14T10:00:00Z", "fixed_ips": [{{"subnet_id": "of-{id}", "ip_address": "{ip}"}}]}}"#
        )
    };
    let ports = [
        port("p1", "inner", "10.0.0.9"),
        port("p2", "outer", "192.0.2.5"),
        port("p3", "outer", "192.0.2.4"),
    ];
    let server = format!(
        r#"{{"server": {{"id": "{SERVER}", "status": "ACTIVE", "addresses": {{
            "outer": [{{"addr": "192.0.2.4", "version": 4}}, {{"addr": "192.0.2.5", "version": 4}}],
            "inner": [{{"addr": "10.0.0.9", "version": 4}}]}}}}}}"#
    );
    let (cloud, _) = cloud([
        scene(GET, 200, "server-with-flavor-id"),
        text(GET, 200, &server),
        text(
            "GET network/ports",
            200,
            &format!(r#"{{"ports": [{}]}}"#, ports.join(",")),
        ),
        text("GET network/networks/outer", 200, RULED),
        text("GET network/networks/inner", 200, RULED),
    ]);
    let template = cloud.template(&id()).await.unwrap();
    let subnets = template.ports.iter().flat_map(|port| &port.subnets);
    assert_eq!(subnets.collect::<Vec<_>>(), ["of-p3", "of-p2", "of-p1"]);
    let server = described(&server).await;
    let ips: Vec<_> = server.fixed_addresses().map(|ip| ip.to_string()).collect();
    assert_eq!(ips, ["192.0.2.4", "192.0.2.5", "10.0.0.9"]);
}
