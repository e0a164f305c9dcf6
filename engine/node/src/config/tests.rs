use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("engine.yaml"), text).map_err(|error| error.to_string())
}

#[test]
fn an_empty_file_allows_no_unit() {
    let config = parse("").unwrap();
    assert_eq!(config, Config::default());
    assert!(config.limits().units.is_empty());
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let error = parse("npd:\n  interval: 3\nlimits:\n  maxAttempt: 1\n").unwrap_err();
    assert!(
        error.contains("maxAttempt") && error.contains("line 4"),
        "{error}"
    );
}

#[test]
fn a_unit_that_is_none_is_refused() {
    let error = parse("systemd:\n  units: [../x]\n").unwrap_err();
    assert!(error.contains("../x"), "{error}");
}

#[test]
fn a_fix_takes_whole_words_only() {
    let config = parse(
        "systemd: {fixes: {rescan: {command: [/sbin/rescan, '{disk}', 'x{disk}'], params: {disk: [sda]}}}}",
    )
    .unwrap();
    let fix = config.systemd.fixes.values().next().unwrap();
    let args = BTreeMap::from([("disk".to_owned(), "sda".to_owned())]);
    assert_eq!(
        fix.filled(&args).unwrap().command,
        ["/sbin/rescan", "sda", "x{disk}"]
    );
    assert_eq!(fix.filled(&BTreeMap::new()), None);
    assert!(
        parse("systemd: {fixes: {a: {command: [rescan]}}}")
            .unwrap_err()
            .contains("full path")
    );
    assert!(
        parse("systemd: {fixes: {a: {command: [/a, '{x}']}}}")
            .unwrap_err()
            .contains("{x}")
    );
}

#[test]
fn a_precondition_is_a_command_like_another() {
    let with = |precondition: &str| {
        parse(&format!(
            "systemd: {{fixes: {{a: {{command: [/a], precondition: {precondition}, params: {{x: [y]}}}}}}}}"
        ))
    };
    let config = with("[/test, '{x}', '{print $1}']").unwrap();
    let args = BTreeMap::from([("x".to_owned(), "y".to_owned())]);
    let fix = config.systemd.fixes.values().next().unwrap();
    assert_eq!(
        fix.filled(&args).unwrap().precondition,
        ["/test", "y", "{print $1}"]
    );
    for (wrong, why) in [
        ("[test, '{x}']", "precondition does not"),
        ("[/t, '{x}', '{z}']", "{z}"),
        ("[/t]", "no word is {x}"),
    ] {
        let error = with(wrong).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_fix_that_ships_is_allowed_by_its_name_and_no_other_is() {
    assert!(parse("").unwrap().systemd.fixes.is_empty());
    let config = parse("systemd: {shipped: [dns-flush], fixes: {own: {command: [/a]}}}").unwrap();
    let names: Vec<&str> = config.systemd.fixes.keys().map(FixName::as_str).collect();
    assert_eq!(names, ["dns-flush", "own"]);
    let allowed = config.limits().fixes;
    assert!(allowed.keys().any(|name| name.as_str() == "dns-flush"));
    let unknown = parse("systemd: {shipped: [dns-flsh]}").unwrap_err();
    assert!(
        unknown.contains("no dns-flsh") && unknown.contains("dns-flush"),
        "{unknown}"
    );
    let twice = parse("systemd: {shipped: [dns-flush], fixes: {dns-flush: {command: [/a]}}}");
    assert!(twice.unwrap_err().contains("another name"));
}

/// Each is one that the operator could have declared, has a precondition, and is told of in the guide.
#[test]
fn the_fixes_that_ship_are_sound() {
    let guide = include_str!("../../../../deploy/README.md");
    assert!(shipped().len() >= 6, "the file is read");
    for (name, fix) in shipped() {
        assert_eq!(fix.nonsense(), None, "{name}");
        assert!(!fix.precondition.is_empty(), "{name}");
        assert!(guide.contains(&format!("| `{name}`")), "{name}");
    }
}

#[test]
fn problems_of_the_operators_own_are_read() {
    let text = "npd: {counters: '127.0.0.1:20257'}
problems:
  TasksHang: {events: {reason: TaskHung, count: 3, within: 600}}
  ProxyFailed: {failed: proxy.service}
  ProxyRestarts: {restarts: {unit: proxy.service, count: 5, within: 600}}
";
    let config = parse(text).unwrap();
    assert_eq!(config.problems.len(), 3);
    assert_eq!(config.watched().len(), 1);
    for (text, why) in [
        ("problems: {Ready: {failed: a.service}}", "kubelet"),
        ("problems: {A: {failed: '../x'}}", "../x"),
        (
            "problems: {A: {events: {reason: B, count: 1, within: 9}}}",
            "npd.counters",
        ),
        (
            "problems: {A: {restarts: {unit: a.service, count: 0, within: 9}}}",
            "problems.A: count",
        ),
        ("problems: {A: {fails: a.service}}", "fails"),
        (
            "problems: {A: {restarts: {unit: a.service, count: 1, within: 9, often: 1}}}",
            "often",
        ),
        ("problems: {'A B': {failed: a.service}}", "A B"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn a_rollout_is_told_in_seconds() {
    assert_eq!(Config::default().policies.rollout, 0);
    let config = parse("policies: {rollout: 3600}").unwrap();
    assert_eq!(config.policies.rollout, 3600);
    assert_eq!(config.policies.dir, Config::default().policies.dir);
    assert!(parse("policies: {rollout: -1}").is_err());
}

#[test]
fn the_guide_says_every_limit_and_its_default() {
    let guide = include_str!("../../../../deploy/README.md");
    let limits = serde_json::to_value(LimitsConfig::default()).unwrap();
    for (name, default) in limits.as_object().unwrap() {
        let name = format!("`{name}`");
        let row = guide
            .lines()
            .find(|line| line.starts_with("| `") && line.contains(&name))
            .unwrap_or_else(|| panic!("no row for {name}"));
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!(cells[2], default.to_string(), "{row}");
    }
}

#[test]
fn the_units_of_every_node_are_the_usual_ones_unless_others_are_named() {
    let wide = |text: &str| parse(text).unwrap().limits().wide;
    assert_eq!(wide(""), Limits::default().wide);
    assert!(wide("").contains(&UnitName::parse("kubelet.service").unwrap()));
    assert!(wide("systemd: {wide: []}").is_empty());
    let refused = parse("limits: {jitter: 3601}").unwrap_err();
    assert!(refused.contains("limits.jitter"), "{refused}");
}

#[test]
fn what_causes_what_is_as_it_is_written_and_never_a_circle() {
    let causes = |text: &str| parse(text).unwrap().limits().causes;
    assert_eq!(causes(""), Limits::default().causes);
    let guide = include_str!("../../../../deploy/README.md");
    let (_, shown) = guide.split_once("```yaml\ncauses:").unwrap();
    let shown = format!("causes:{}", shown.split("```").next().unwrap());
    assert_eq!(causes(&shown), Limits::default().causes);
    assert_ne!(causes("causes: {}"), Limits::default().causes);
    let refused = parse("causes: {A: [B], B: [A]}").unwrap_err();
    assert!(
        refused.contains("causes.A: it would cause itself"),
        "{refused}"
    );
}
