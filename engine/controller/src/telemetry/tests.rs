use jiff::Timestamp;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn text(telemetry: &Telemetry) -> String {
    let mut registry = Registry::default();
    telemetry.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

#[test]
fn a_phase_is_counted_when_it_ends_and_a_repair_when_it_is_over() {
    let telemetry = Telemetry::default();
    let record = |phase, since| Record {
        phase,
        since: Some(at(since)),
        ..Record::default()
    };
    let (judging, draining) = (record(Phase::Judging, 0), record(Phase::DeletingNode, 40));
    telemetry.wrote("web", &judging, &judging);
    telemetry.wrote("web", &judging, &draining);
    telemetry.wrote("web", &draining, &record(Phase::Replaced, 41));
    let text = text(&telemetry);
    for line in [
        r#"rectifier_phase_seconds_count{phase="Judging"} 1"#,
        r#"rectifier_phase_seconds_sum{phase="Judging"} 40.0"#,
        r#"rectifier_repairs_ended_total{pool="web",outcome="Replaced"} 1"#,
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn who_does_not_lead_says_so_and_knows_of_no_sick_node() {
    let telemetry = Telemetry::default();
    telemetry.called("describe server", "ok");
    let text = text(&telemetry);
    assert!(text.contains("rectifier_leader 0"), "{text}");
    assert!(!text.contains("sick_nodes"), "{text}");
    let call = r#"rectifier_cloud_calls_total{call="describe server",result="ok"} 1"#;
    assert!(text.contains(call), "{text}");
    assert!(telemetry.sick().is_empty());
}
