//! Which failure is which, and whether asking again can help.

use std::collections::BTreeMap;
use std::time::Duration;

use rectifier_cloud::openstack::transport::TransportError;
use rectifier_cloud::{Cloud, CloudError, Reboot, Retry, ServerSpec, Shape};
use rectifier_core::name::{PortId, ServerId};

use crate::replay::{Scene, cloud, scene, silence, text};

const CREATE: &str = "POST compute/servers";
const GET: &str = "GET compute/servers/s";

fn server() -> ServerId {
    ServerId::parse("s").unwrap()
}

fn seconds(seconds: u64) -> Retry {
    Retry::Later(Duration::from_secs(seconds))
}

async fn create(answer: Scene) -> CloudError {
    let (cloud, _) = cloud([answer]);
    let spec = ServerSpec {
        name: "node-2".to_owned(),
        shape: Shape {
            flavor: "f".to_owned(),
            image: Some("i".to_owned()),
            key_name: None,
            zone: None,
            server_group: None,
            config_drive: false,
        },
        description: None,
        ports: vec![PortId::parse("p").unwrap()],
        user_data: String::new(),
        metadata: BTreeMap::new(),
        tags: Vec::new(),
    };
    cloud.create_server(&spec).await.unwrap_err()
}

async fn describe(answer: Scene) -> CloudError {
    let (cloud, _) = cloud([answer]);
    cloud.describe(&server()).await.unwrap_err()
}

#[tokio::test]
async fn a_port_in_use_says_that_an_earlier_create_was_done() {
    let error = create(scene(CREATE, 409, "port-in-use")).await;
    assert!(matches!(error, CloudError::PortInUse { .. }), "{error}");
    assert_eq!(
        (error.retry(), error.may_have_happened()),
        (Retry::Never, false)
    );
}

#[tokio::test]
async fn a_conflict_over_anything_else_passes() {
    for fixture in ["busy", "locked"] {
        let (cloud, _) = cloud([scene("POST compute/servers/s/action", 409, fixture)]);
        let error = cloud.reboot(&server(), Reboot::Hard).await.unwrap_err();
        assert!(matches!(error, CloudError::Busy { .. }), "{error}");
        assert_eq!(error.retry(), seconds(10));
    }
}

#[tokio::test]
async fn a_quota_is_not_a_prohibition() {
    let error = create(scene(CREATE, 403, "quota")).await;
    assert!(matches!(error, CloudError::Exhausted { .. }), "{error}");
    assert_eq!(error.retry(), seconds(300));

    let error = create(scene(CREATE, 403, "forbidden")).await;
    assert!(matches!(error, CloudError::Forbidden { .. }), "{error}");
    assert_eq!(error.retry(), Retry::AskHuman);
}

#[tokio::test]
async fn neutrons_quota_and_a_full_subnet_are_conflicts_by_status_only() {
    for fixture in ["port-quota", "subnet-full"] {
        let (cloud, _) = cloud([scene("DELETE network/ports/p", 409, fixture)]);
        let error = cloud
            .delete_port(&PortId::parse("p").unwrap())
            .await
            .unwrap_err();
        assert!(matches!(error, CloudError::Exhausted { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_the_cloud_does_not_want_is_for_a_human() {
    let error = create(scene(CREATE, 400, "no-such-zone")).await;
    assert!(
        matches!(error, CloudError::Refused { status: 400, .. }),
        "{error}"
    );
    assert_eq!(error.retry(), Retry::AskHuman);
}

#[tokio::test]
async fn absent_is_only_what_the_compute_service_itself_calls_absent() {
    let (own, _) = cloud([scene(GET, 404, "server-not-found")]);
    assert_eq!(own.describe(&server()).await.unwrap(), None);

    for stranger in [
        "",
        "<html><h1>404 Not Found</h1></html>",
        r#"{"error": {"message": "no route"}}"#,
        r#"{"NeutronError": {"type": "HTTPNotFound", "message": "The resource could not be found."}}"#,
    ] {
        let error = describe(text(GET, 404, stranger)).await;
        assert!(
            matches!(error, CloudError::Garbled { status: 404, .. }),
            "{stranger}: {error}"
        );
    }
}

#[tokio::test]
async fn a_stranger_s_404_deletes_nothing() {
    let (cloud, _) = cloud([text("DELETE compute/servers/s", 404, "<html>")]);
    let error = cloud.delete_server(&server()).await.unwrap_err();
    assert!(error.may_have_happened(), "{error}");
}

#[tokio::test]
async fn the_cloud_s_wish_to_be_left_alone_is_respected() {
    let limited = || text(GET, 429, "");
    assert_eq!(
        describe(limited().header("retry-after", "7")).await.retry(),
        seconds(7)
    );

    let date = limited()
        .header("date", "Wed, 21 Oct 2026 07:28:00 GMT")
        .header("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT");
    assert_eq!(describe(date).await.retry(), seconds(30));

    let past = limited()
        .header("date", "Wed, 21 Oct 2026 07:28:00 GMT")
        .header("retry-after", "Wed, 21 Oct 2026 07:27:00 GMT");
    assert_eq!(describe(past).await.retry(), seconds(0));

    // No date to count from, no sense, no end: our own measure.
    let undated = limited().header("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT");
    assert_eq!(describe(undated).await.retry(), seconds(10));
    assert_eq!(
        describe(limited().header("retry-after", "soon"))
            .await
            .retry(),
        seconds(10)
    );
    assert_eq!(
        describe(limited().header("retry-after", "999999"))
            .await
            .retry(),
        seconds(600)
    );
}

#[tokio::test]
async fn after_a_server_error_a_read_may_be_repeated_and_a_write_must_be_looked_for() {
    for status in [500, 502, 503, 504] {
        let error = describe(text(GET, status, "")).await;
        assert_eq!(
            (error.retry(), error.may_have_happened()),
            (seconds(10), false),
            "{error}"
        );
        let error = create(text(CREATE, status, "")).await;
        assert_eq!(
            (error.retry(), error.may_have_happened()),
            (seconds(60), true),
            "{error}"
        );
    }
}

#[tokio::test]
async fn rubbish_is_not_an_answer() {
    for (status, body) in [
        (200, "<html>Welcome</html>"),
        (200, ""),
        (200, "{}"),
        (302, ""),
    ] {
        let error = describe(text(GET, status, body)).await;
        assert!(
            matches!(error, CloudError::Garbled { .. }),
            "{status} {body:?}: {error}"
        );
    }
    // The server was made; who has its id?
    let error = create(text(CREATE, 202, "{}")).await;
    assert!(error.may_have_happened(), "{error}");
}

#[tokio::test]
async fn a_lost_answer_is_not_a_request_that_was_never_sent() {
    let lost = || TransportError::Lost("connection reset".into());
    let error = create(silence(CREATE, lost())).await;
    assert_eq!(
        (error.retry(), error.may_have_happened()),
        (seconds(60), true)
    );
    let error = describe(silence(GET, lost())).await;
    assert_eq!(
        (error.retry(), error.may_have_happened()),
        (Retry::Again, false)
    );

    let error = create(silence(CREATE, TransportError::NotSent("refused".into()))).await;
    assert!(matches!(error, CloudError::Unreachable { .. }), "{error}");
    assert_eq!(
        (error.retry(), error.may_have_happened()),
        (Retry::Again, false)
    );
}

#[tokio::test]
async fn credentials_that_are_not_taken_are_for_a_human() {
    let refused = describe(text(GET, 401, "")).await;
    let no_login = describe(silence(GET, TransportError::Login("wrong".to_owned()))).await;
    for error in [refused, no_login] {
        assert!(matches!(error, CloudError::Login { .. }), "{error}");
        assert_eq!(error.retry(), Retry::AskHuman);
    }
}

#[tokio::test]
async fn the_cause_of_an_error_is_told_once() {
    let error = create(silence(
        CREATE,
        TransportError::Lost("connection reset".into()),
    ))
    .await;
    assert_eq!(error.to_string(), "create server: the answer was lost");
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "connection reset");
}
