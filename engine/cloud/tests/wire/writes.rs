//! What is sent when something is made or changed.

use std::collections::BTreeMap;

use rectifier_cloud::{
    AddressPair, Cloud, CloudError, PortSpec, PortTemplate, Reboot, ServerSpec, Shape,
};
use rectifier_core::name::{PortId, ServerId};
use serde_json::json;

use crate::replay::{cloud, scene, text};

fn port_spec() -> PortSpec {
    PortSpec {
        name: "11365-0".to_owned(),
        description: "of a cluster".to_owned(),
        template: PortTemplate {
            network: "n".to_owned(),
            subnets: vec!["s".to_owned()],
            security_groups: vec!["g".to_owned()],
            address_pairs: vec![AddressPair {
                ip: "10.244.0.0/16".to_owned(),
                mac: None,
            }],
            port_security: None,
            vnic_type: Some("direct".to_owned()),
            qos_policy: Some("q".to_owned()),
            dhcp_options: vec![json!({"opt_name": "mtu", "opt_value": "1400"})],
        },
    }
}

fn server_spec() -> ServerSpec {
    ServerSpec {
        name: "node-2".to_owned(),
        shape: Shape {
            flavor: "f".to_owned(),
            image: Some("i".to_owned()),
            key_name: Some("k".to_owned()),
            zone: Some("z".to_owned()),
            server_group: Some("sg".to_owned()),
            config_drive: true,
        },
        description: Some("rack 7".to_owned()),
        ports: vec![PortId::parse("p1").unwrap(), PortId::parse("p2").unwrap()],
        user_data: "#cloud-config\n".to_owned(),
        metadata: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        tags: vec!["t".to_owned()],
    }
}

#[tokio::test]
async fn a_port_is_made_with_the_name_by_which_it_is_found() {
    let (cloud, asked) = cloud([scene("POST network/ports", 201, "port-created")]);
    let port = cloud.create_port(&port_spec()).await.unwrap();
    assert_eq!(port.id.as_str(), "f3169eb8-440a-41b0-a980-4e9f60eaffba");
    assert_eq!(port.device, None);
    let body = json!({"port": {
        "name": "11365-0",
        "description": "of a cluster",
        "network_id": "n",
        "fixed_ips": [{"subnet_id": "s"}],
        "security_groups": ["g"],
        "allowed_address_pairs": [{"ip_address": "10.244.0.0/16"}],
        "binding:vnic_type": "direct",
        "qos_policy_id": "q",
        "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}],
    }});
    assert_eq!(asked.at(0).body, Some(body));
}

#[tokio::test]
async fn a_port_without_a_name_could_be_lost_and_is_not_asked_for() {
    let (cloud, asked) = cloud([]);
    let nameless = PortSpec {
        name: String::new(),
        ..port_spec()
    };
    let error = cloud.create_port(&nameless).await.unwrap_err();
    assert!(matches!(error, CloudError::Invalid { .. }), "{error}");
    assert_eq!(asked.count(), 0);
}

#[tokio::test]
async fn a_server_is_made_with_its_ports_and_tags_in_one_request() {
    let (cloud, asked) = cloud([scene("POST compute/servers", 202, "server-created")]);
    let id = cloud.create_server(&server_spec()).await.unwrap();
    assert_eq!(id.as_str(), "1c8ea9dc-697a-4ca2-a3fd-72425682f8e2");
    let body = json!({
        "server": {
            "name": "node-2",
            "description": "rack 7",
            "flavorRef": "f",
            "imageRef": "i",
            "networks": [{"port": "p1"}, {"port": "p2"}],
            "metadata": {"a": "b"},
            "tags": ["t"],
            "user_data": "I2Nsb3VkLWNvbmZpZwo=",
            "config_drive": true,
            "key_name": "k",
            "availability_zone": "z",
        },
        "os:scheduler_hints": {"group": "sg"},
    });
    assert_eq!(asked.at(0).body, Some(body));
}

#[tokio::test]
async fn a_server_that_could_be_lost_or_made_twice_is_not_asked_for() {
    let without_ports = ServerSpec {
        ports: Vec::new(),
        ..server_spec()
    };
    let from_volume = ServerSpec {
        shape: Shape {
            image: None,
            ..server_spec().shape
        },
        ..server_spec()
    };
    let too_long = ServerSpec {
        user_data: "x".repeat(49_150),
        ..server_spec()
    };
    let odd_tag = ServerSpec {
        tags: vec!["a/b".to_owned()],
        ..server_spec()
    };
    for spec in [without_ports, from_volume, too_long, odd_tag] {
        let (cloud, asked) = cloud([]);
        let error = cloud.create_server(&spec).await.unwrap_err();
        assert!(matches!(error, CloudError::Invalid { .. }), "{error}");
        assert_eq!(asked.count(), 0);
    }
}

#[tokio::test]
async fn what_is_gone_needs_no_deleting() {
    let (cloud, _) = cloud([
        scene("DELETE compute/servers/s", 404, "server-not-found"),
        scene("DELETE network/ports/p", 404, "port-not-found"),
    ]);
    cloud
        .delete_server(&ServerId::parse("s").unwrap())
        .await
        .unwrap();
    cloud
        .delete_port(&PortId::parse("p").unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn acts_say_what_they_mean() {
    let server = ServerId::parse("s").unwrap();
    let action = "POST compute/servers/s/action";
    let (cloud, asked) = cloud([
        text(action, 202, ""),
        text(action, 202, ""),
        text(action, 202, ""),
        text(action, 202, ""),
        text(action, 200, r#"{"output": "login:"}"#),
        text(
            "POST compute/servers/s/metadata",
            200,
            r#"{"metadata": {"a": "b"}}"#,
        ),
    ]);
    cloud.reboot(&server, Reboot::Soft).await.unwrap();
    cloud.reboot(&server, Reboot::Hard).await.unwrap();
    cloud.stop(&server).await.unwrap();
    cloud.start(&server).await.unwrap();
    assert_eq!(cloud.console_log(&server, 9).await.unwrap(), "login:");
    let metadata = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    cloud.set_metadata(&server, &metadata).await.unwrap();
    let bodies: Vec<_> = (0..6).map(|index| asked.at(index).body.unwrap()).collect();
    assert_eq!(
        bodies,
        [
            json!({"reboot": {"type": "SOFT"}}),
            json!({"reboot": {"type": "HARD"}}),
            json!({"os-stop": null}),
            json!({"os-start": null}),
            json!({"os-getConsoleOutput": {"length": 9}}),
            json!({"metadata": {"a": "b"}}),
        ]
    );
}
