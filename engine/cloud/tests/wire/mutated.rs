//! Recorded answers with something in them changed at random: whatever a cloud answers, it is read or it is an error, and what
//! is dangerous to believe (a machine that is off, a list that is whole, an act that its host did) is never read out of damage.

use std::future::Future;

use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::Index;
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::openstack::transport::{Request, Response, Transport, TransportError};
use rectifier_cloud::{Cloud, CloudError};
use rectifier_core::name::{PortId, ServerId};
use serde_json::{Value, json};

use crate::replay::fixture_text;

/// Answers everything with the same body.
struct Always(u16, Vec<u8>);

#[async_trait]
impl Transport for Always {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        Ok(Response {
            status: self.0,
            headers: Vec::new(),
            body: self.1.clone(),
        })
    }
}

fn answering(body: &str) -> OpenStack {
    OpenStack::over(Always(200, body.as_bytes().to_vec()))
}

fn run<T>(call: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(call)
}

fn server() -> ServerId {
    ServerId::parse("1c8ea9dc-697a-4ca2-a3fd-72425682f8e2").unwrap()
}

/// One change somewhere in the document.
#[derive(Debug, Clone)]
enum Change {
    Put(Value),
    Remove,
    /// What it is, once more behind it.
    Double,
}

fn change() -> impl Strategy<Value = Change> {
    let odd = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,40}".prop_map(Value::from),
        Just(json!("")),
        Just(json!("2026-13-45T99:99:99Z")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, {"id": null}, 7, "x"])),
        Just(json!({"message": {"message": []}})),
    ];
    prop_oneof![
        6 => odd.prop_map(Change::Put),
        2 => Just(Change::Remove),
        1 => Just(Change::Double),
    ]
}

/// How many values there are in it, itself among them.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(all) => all.iter().map(size).sum(),
        Value::Object(all) => all.values().map(size).sum(),
        _ => 0,
    }
}

/// Changes the value that is the `at`th of a walk through the document.
fn apply(value: &mut Value, at: usize, change: &Change) {
    let mut left = at;
    match value {
        Value::Array(all) => {
            for n in 0..all.len() {
                let size = size(&all[n]);
                if left == 0 {
                    match change {
                        Change::Put(odd) => all[n] = odd.clone(),
                        Change::Remove => drop(all.remove(n)),
                        Change::Double => all.insert(n, all[n].clone()),
                    }
                    return;
                }
                if left < size {
                    return apply(&mut all[n], left - 1, change);
                }
                left -= size;
            }
        }
        Value::Object(all) => {
            let keys: Vec<String> = all.keys().cloned().collect();
            for key in keys {
                let size = size(&all[&key]);
                if left == 0 {
                    match change {
                        Change::Put(odd) => drop(all.insert(key, odd.clone())),
                        Change::Remove => drop(all.remove(&key)),
                        Change::Double => {
                            let again = all[&key].clone();
                            all.insert(format!("{key}:again"), again);
                        }
                    }
                    return;
                }
                if left < size {
                    return apply(&mut all[&key], left - 1, change);
                }
                left -= size;
            }
        }
        _ => {}
    }
}

fn mutated(fixture: &'static str) -> impl Strategy<Value = Value> {
    let changes = proptest::collection::vec((any::<Index>(), change()), 1..4);
    changes.prop_map(move |changes| {
        let mut document: Value = serde_json::from_str(&fixture_text(fixture)).unwrap();
        for (at, change) in changes {
            let size = size(&document);
            if size > 1 {
                apply(&mut document, at.index(size - 1), &change);
            }
        }
        document
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_server_is_off_only_where_the_answer_says_all_of_it(document in mutated("server-shutoff")) {
        let told = &document["server"];
        let says_so = told["status"] == "SHUTOFF" && told["OS-EXT-STS:power_state"] == 4;
        let is_idle = told["OS-EXT-STS:task_state"].is_null();
        if let Ok(Some(server)) = run(answering(&document.to_string()).describe(&server())) {
            prop_assert!(!server.is_off() || (says_so && is_idle), "{document}");
            prop_assert_eq!(Some(server.id.as_str()), told["id"].as_str());
        }
    }

    #[test]
    fn an_answer_that_is_damaged_is_never_that_a_server_is_gone(document in mutated("server-active")) {
        let described = run(answering(&document.to_string()).describe(&server()));
        prop_assert!(!matches!(described, Ok(None) | Err(CloudError::NotFound { .. })), "{document}");
    }

    #[test]
    fn no_list_loses_a_record(document in mutated("servers-page-3"), ports in mutated("ports")) {
        let has_next = |document: &Value, links: &str| document.get(links).is_some();
        if let Ok(found) = run(answering(&document.to_string()).servers()) {
            prop_assert!(!has_next(&document, "servers_links"));
            prop_assert_eq!(Some(found.len()), document["servers"].as_array().map(Vec::len));
        }
        if let Ok(found) = run(answering(&ports.to_string()).ports_by_device(&server())) {
            prop_assert!(!has_next(&ports, "ports_links"));
            prop_assert_eq!(Some(found.len()), ports["ports"].as_array().map(Vec::len));
        }
    }

    #[test]
    fn an_act_is_done_by_its_host_only_where_its_event_says_so(document in mutated("action-stop")) {
        // the same answer is the list, too, which it is not: then there is none
        let list = json!({"instanceActions": [{"action": "stop", "request_id": "req-1"}]});
        let mut both = list;
        both["instanceAction"] = document["instanceAction"].clone();
        let events = document["instanceAction"]["events"].as_array().cloned().unwrap_or_default();
        let says_so = events.iter().any(|event| {
            event["event"] == "compute_stop_instance" && event["result"] == "Success"
        });
        if let Ok(actions) = run(answering(&both.to_string()).actions(&server())) {
            for action in actions.iter().filter(|action| action.action == "stop") {
                prop_assert!(!action.is_done_by_host() || says_so, "{document}");
            }
        }
    }

    #[test]
    fn whatever_else_is_damaged_is_read_or_refused(
        template in mutated("server-with-flavor-id"), port in mutated("port-created"),
        created in mutated("server-created"), actions in mutated("actions-of-deleted-server"),
    ) {
        let _ = run(answering(&template.to_string()).template(&server()));
        let _ = run(answering(&port.to_string()).port(&PortId::parse("p").unwrap()));
        let _ = run(answering(&created.to_string()).console_log(&server(), 5));
        let _ = run(answering(&actions.to_string()).actions(&server()));
    }

    #[test]
    fn bytes_of_any_kind_are_no_server(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let cloud = OpenStack::over(Always(status, body));
        let described = run(cloud.describe(&server()));
        prop_assert!(described.is_err(), "{described:?}");
    }
}
