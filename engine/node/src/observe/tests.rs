use k8s_openapi::api::core::v1::{NodeCondition, NodeStatus};

use super::*;

/// As NPD v1.34 answers.
const ANSWER: &str = r#"[
  {"type":"KernelDeadlock","status":"False","transition":"2026-11-22T10:00:00.123456789Z",
   "reason":"KernelHasNoDeadlock","message":"kernel has no deadlock"},
  {"type":"ContainerRuntimeUnhealthy","status":"True","transition":"2026-11-22T10:05:00Z",
   "reason":"Hung","message":"no answer"}]"#;

fn node(conditions: &[(&str, &str)]) -> Watched<Arc<Node>> {
    let condition = |(kind, status): &(&str, &str)| NodeCondition {
        type_: (*kind).to_owned(),
        status: (*status).to_owned(),
        ..NodeCondition::default()
    };
    let conditions = Some(conditions.iter().map(condition).collect());
    let status = Some(NodeStatus {
        conditions,
        ..NodeStatus::default()
    });
    Watched {
        value: Some(Arc::new(Node {
            status,
            ..Node::default()
        })),
        freshness: Freshness::Fresh,
    }
}

fn kinds(conditions: &[SeenCondition]) -> Vec<(&str, Status, &str)> {
    conditions
        .iter()
        .map(|seen| (seen.kind.as_str(), seen.status, seen.source.as_str()))
        .collect()
}

#[test]
fn npds_answer_is_read() {
    let conditions = npd::parse(ANSWER.as_bytes()).unwrap();
    assert_eq!(
        kinds(&conditions),
        [
            ("KernelDeadlock", Status::No, "npd"),
            ("ContainerRuntimeUnhealthy", Status::Yes, "npd")
        ]
    );
    assert!(conditions[1].transition.is_some());
    assert!(npd::parse(b"null").unwrap().is_empty());
    assert!(npd::parse(b"<html>").is_err());
}

#[test]
fn what_a_person_has_acknowledged_counts_as_gone_until_it_is_reported_anew() {
    let seen = |word: &str| {
        let mut conditions = npd::parse(ANSWER.as_bytes()).unwrap();
        see_to(
            &mut conditions,
            Some(word),
            "2026-11-23T00:00:00Z".parse().unwrap(),
        );
        assert_eq!(conditions[1].seen_to, conditions[1].status == Status::No);
        conditions[1].status
    };
    for (word, status) in [
        ("ContainerRuntimeUnhealthy=2026-11-22T10:05:00Z", Status::No),
        (
            "ContainerRuntimeUnhealthy=2026-11-22T10:04:59Z",
            Status::Yes,
        ),
        ("KernelDeadlock=2026-11-22T10:05:00Z", Status::Yes),
        ("ContainerRuntimeUnhealthy", Status::Yes),
        (
            "ContainerRuntimeUnhealthy=2027-01-01T00:00:00Z",
            Status::Yes,
        ),
    ] {
        assert_eq!(seen(word), status, "{word}");
    }
}

/// As NPD v1.34 answers.
const METRICS: &str = r#"# HELP problem_counter Number of times a specific type of problem have occurred.
# TYPE problem_counter counter
problem_counter{reason="OOMKilling"} 0
problem_counter{reason="TaskHung"} 1.2e+03
problem_gauge{reason="TaskHung",type="KernelDeadlock"} 1
problem_counter{reason="Broken"} NaN
problem_counter{reason="#;

#[test]
fn npds_counters_are_read() {
    let counted = npd::counters(METRICS.as_bytes());
    let expected = [("OOMKilling", 0), ("TaskHung", 1200)];
    assert_eq!(
        counted,
        expected
            .map(|(name, count)| (name.to_owned(), count))
            .into()
    );
    assert!(npd::counters(b"<html>\xff").is_empty());
}

#[test]
fn npds_own_word_goes_before_its_copy_on_the_node() {
    let mut conditions = npd::parse(ANSWER.as_bytes()).unwrap();
    let copy = node(&[
        ("ContainerRuntimeUnhealthy", "False"),
        ("Ready", "True"),
        ("GpuLost", "True"),
    ]);
    from_node(&mut conditions, &copy, Freshness::Fresh, false);
    assert_eq!(
        kinds(&conditions)[1..],
        [
            ("ContainerRuntimeUnhealthy", Status::Yes, "npd"),
            ("Ready", Status::Yes, "node-status"),
            ("GpuLost", Status::Yes, "node-status"),
        ]
    );
}

#[test]
fn while_npd_is_silent_its_last_word_is_no_report() {
    let mut conditions = Vec::new();
    let copy = node(&[("KernelDeadlock", "False"), ("DiskPressure", "False")]);
    from_node(&mut conditions, &copy, Freshness::Missing, false);
    assert_eq!(
        kinds(&conditions),
        [("DiskPressure", Status::No, "node-status")]
    );
}

#[test]
fn a_node_that_is_not_watched_reports_nothing() {
    let mut conditions = Vec::new();
    let stale = Watched {
        freshness: Freshness::Stale,
        ..node(&[("DiskPressure", "True")])
    };
    from_node(&mut conditions, &stale, Freshness::Fresh, false);
    assert!(conditions.is_empty());
}

#[test]
fn an_answer_is_read_anew_whenever_it_is_another() {
    let reader = npd::Reader::default();
    assert!(reader.read(Vec::new()).is_err());
    let first = reader.read(ANSWER.into()).unwrap();
    assert_eq!(reader.read(ANSWER.into()).unwrap(), first);
    assert!(reader.read(b"[".into()).is_err());
    assert_eq!(reader.read(b"null".into()).unwrap(), []);
    assert_eq!(reader.read(ANSWER.into()).unwrap(), first);
}
