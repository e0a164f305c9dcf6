//! Lists are complete or an error.

use rectifier_cloud::{Cloud, CloudError};
use serde_json::json;

use crate::replay::{cloud, scene, text};

const SERVERS: &str = "GET compute/servers/detail";
const PORTS: &str = "GET network/ports";

#[tokio::test]
async fn a_paged_list_is_read_to_its_end() {
    let (cloud, asked) = cloud([
        scene(SERVERS, 200, "servers-page-1"),
        scene(SERVERS, 200, "servers-page-2"),
        scene(SERVERS, 200, "servers-page-3"),
    ]);
    let servers = cloud.find_by_tag("pg").await.unwrap();
    let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["p1", "p2"]);

    let marker = |index: usize| {
        let query = asked.at(index).query;
        query
            .into_iter()
            .find(|(name, _)| name == "marker")
            .map(|(_, value)| value)
    };
    assert_eq!(marker(0), None);
    assert_eq!(marker(1), Some(servers[0].id.to_string()));
    assert_eq!(marker(2), Some(servers[1].id.to_string()));
}

#[tokio::test]
async fn a_list_whose_second_page_fails_is_an_error() {
    let (cloud, _) = cloud([
        scene(SERVERS, 200, "servers-page-1"),
        text(SERVERS, 503, "no server is available"),
    ]);
    let error = cloud.find_by_tag("pg").await.unwrap_err();
    assert!(
        matches!(error, CloudError::Unavailable { status: 503, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_list_whose_place_is_lost_is_an_error() {
    let lost = r#"{"badRequest": {"code": 400, "message": "marker [x] not found"}}"#;
    let (cloud, _) = cloud([
        scene(SERVERS, 200, "servers-page-1"),
        text(SERVERS, 400, lost),
    ]);
    let error = cloud.find_by_tag("pg").await.unwrap_err();
    assert!(matches!(error, CloudError::Incomplete { .. }), "{error}");
}

#[tokio::test]
async fn a_list_that_repeats_itself_is_an_error() {
    let (cloud, asked) = cloud([
        scene(SERVERS, 200, "servers-page-1"),
        scene(SERVERS, 200, "servers-page-1"),
    ]);
    let error = cloud.find_by_tag("pg").await.unwrap_err();
    assert!(matches!(error, CloudError::Incomplete { .. }), "{error}");
    assert_eq!(asked.count(), 2);
}

#[tokio::test]
async fn one_record_that_cannot_be_read_makes_the_list_an_error() {
    for body in [
        r#"{"servers": [{"id": "a", "status": "ACTIVE"}, {"status": "ACTIVE"}]}"#,
        r#"{"servers": [{"id": "a", "status": "ACTIVE"}, {"id": "", "status": "ACTIVE"}]}"#,
        r#"{"servers": [{"id": "a", "status": "ACTIVE"}, {"id": "b"}]}"#,
    ] {
        let (cloud, _) = cloud([text(SERVERS, 200, body)]);
        let error = cloud.find_by_tag("pg").await.unwrap_err();
        assert!(
            matches!(error, CloudError::Incomplete { .. }),
            "{body}: {error}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_a_list_is_not_an_empty_list() {
    for body in ["{}", r#"{"servers": null}"#, r#"{"ports": []}"#] {
        let (cloud, _) = cloud([text(SERVERS, 200, body)]);
        let error = cloud.find_by_tag("pg").await.unwrap_err();
        assert!(
            matches!(error, CloudError::Garbled { .. }),
            "{body}: {error}"
        );
    }
}

#[tokio::test]
async fn a_name_is_found_exactly() {
    let body = r#"{"servers": [{"id": "1", "status": "ACTIVE", "name": "a.b"},
        {"id": "2", "status": "ACTIVE", "name": "A.b"}, {"id": "3", "status": "ACTIVE", "name": "aXb"}]}"#;
    let (cloud, asked) = cloud([text(SERVERS, 200, body)]);
    let servers = cloud.find_by_name("a.b").await.unwrap();
    assert_eq!(
        servers.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(),
        ["1"]
    );
    assert!(
        asked
            .at(0)
            .query
            .contains(&("name".to_owned(), r"^a\.b$".to_owned()))
    );
}

#[tokio::test]
async fn a_tag_with_a_comma_would_ask_for_something_else_and_is_not_asked() {
    let (cloud, asked) = cloud([]);
    let error = cloud.find_by_tag("a,b").await.unwrap_err();
    assert!(matches!(error, CloudError::Invalid { .. }), "{error}");
    assert_eq!(asked.count(), 0);
}

#[tokio::test]
async fn ports_come_in_the_order_in_which_they_were_made() {
    let port = |id: &str, created: &str| {
        format!(
            r#"{{"id": "{id}", "status": "DOWN", "network_id": "n", "created_at": "{created}", "name": "{id}"}}"#
        )
    };
    let body = format!(
        r#"{{"ports": [{}, {}]}}"#,
        port("a", "2026-11-23T06:32:00Z"),
        port("b", "2026-11-23T06:31:00Z"),
    );
    let (cloud, asked) = cloud([text(PORTS, 200, &body)]);
    let names = ["a", "b", "c"].map(str::to_owned);
    let ports = cloud.ports_by_names(&names).await.unwrap();
    assert_eq!(
        ports.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(),
        ["b", "a"]
    );
    for name in names {
        assert!(asked.at(0).query.contains(&("name".to_owned(), name)));
    }
    assert!(cloud.ports_by_names(&[]).await.unwrap().is_empty());
    assert_eq!(asked.count(), 1);
}

/// Page after page of a project that has so many servers, each with a link to the next.
fn pages(servers: usize, page: usize) -> Vec<String> {
    let all: Vec<usize> = (0..servers).collect();
    let pages = all.chunks(page).map(|numbers| {
        let servers: Vec<_> = numbers
            .iter()
            .map(|number| json!({"id": format!("s{number}"), "status": "ACTIVE", "tags": ["pg"]}))
            .collect();
        let links = match numbers.last() {
            Some(last) if last + 1 < all.len() => json!([{"rel": "next", "href": "…"}]),
            Some(_) | None => json!([]),
        };
        json!({"servers": servers, "servers_links": links}).to_string()
    });
    pages.collect()
}

#[tokio::test]
async fn a_project_has_as_many_servers_as_it_has() {
    let pages = pages(15_000, 500);
    let (whole, asked) = cloud(pages.iter().map(|page| text(SERVERS, 200, page)));
    assert_eq!(whole.servers().await.unwrap().len(), 15_000);
    assert_eq!(asked.count(), 30);
}

#[tokio::test]
async fn a_filter_that_does_not_work_is_an_error() {
    let pages = pages(15_000, 500);
    let (narrowed, asked) = cloud(pages.iter().map(|page| text(SERVERS, 200, page)));
    let error = narrowed.find_by_tag("pg").await.unwrap_err();
    assert!(matches!(error, CloudError::Incomplete { .. }), "{error}");
    assert!(asked.count() < 30, "all of it was read");
}

#[tokio::test]
async fn what_a_filter_did_not_ask_for_is_not_taken_for_an_answer() {
    let port = r#"{"ports": [{"id": "a", "status": "DOWN", "network_id": "n", "name": "theirs"}]}"#;
    let server = r#"{"servers": [{"id": "a", "status": "ACTIVE", "tags": ["other"]}]}"#;
    let (cloud, _) = cloud([text(SERVERS, 200, server), text(PORTS, 200, port)]);
    let error = cloud.find_by_tag("pg").await.unwrap_err();
    assert!(matches!(error, CloudError::Incomplete { .. }), "{error}");
    let ports = cloud.ports_by_names(&["ours".to_owned()]).await.unwrap();
    assert!(ports.is_empty(), "{ports:?}");
}
