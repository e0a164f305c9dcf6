//! Lists are complete or an error.

use rectifier_cloud::{Cloud, CloudError};

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
    let error = cloud.ports_by_tag("").await.unwrap_err();
    assert!(matches!(error, CloudError::Invalid { .. }), "{error}");
    assert_eq!(asked.count(), 0);
}

#[tokio::test]
async fn ports_come_in_the_order_in_which_they_were_made() {
    let port = |id: &str, created: &str| {
        format!(
            r#"{{"id": "{id}", "status": "DOWN", "network_id": "n", "created_at": "{created}"}}"#
        )
    };
    let body = format!(
        r#"{{"ports": [{}, {}]}}"#,
        port("a", "2026-11-23T06:32:00Z"),
        port("b", "2026-11-23T06:31:00Z"),
    );
    let (cloud, _) = cloud([text(PORTS, 200, &body)]);
    let ports = cloud.ports_by_tag("t").await.unwrap();
    assert_eq!(
        ports.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(),
        ["b", "a"]
    );
}
