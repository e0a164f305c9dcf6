//! Its settings: the shipped ones, and wrong ones. What it decides is in `cases/`.

use super::*;

fn settings(text: &str) -> Settings {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_shipped_sidecar_says_what_holds_without_one() {
    #[derive(serde::Deserialize)]
    struct Sidecar {
        settings: Settings,
    }
    let shipped: Sidecar = serde_saphyr::from_str(include_str!("../default-ladder.yaml")).unwrap();
    assert_eq!(shipped.settings, Settings::default());
    assert_eq!(shipped.settings.check(), Ok(()));
}

#[test]
fn the_most_specific_ladder_counts() {
    let settings = settings(
        r#"{"ladders": [
            {"conditions": ["*"]}, {"conditions": ["Frequent*"], "reboot": true},
            {"conditions": ["FrequentKubeletRestart"], "units": ["kubelet.service"]}]}"#,
    );
    let of = |kind| settings.steps(kind).unwrap();
    assert!(!of("KernelDeadlock").reboot);
    assert!(of("FrequentDockerRestart").reboot);
    assert_eq!(of("FrequentKubeletRestart").units, ["kubelet.service"]);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_their_place() {
    for (wrong, place) in [
        (
            r#"{"conditions": []}"#,
            "settings.ladders[0].conditions is empty",
        ),
        (
            r#"{"conditions": ["*Kernel"]}"#,
            "settings.ladders[0].conditions: \"*Kernel\"",
        ),
        (r#"{"conditions": ["A", "A"]}"#, "two ladders for A"),
        (
            r#"{"conditions": ["A"], "units": ["kubelet"]}"#,
            "\"kubelet\" has no suffix",
        ),
        (
            r#"{"conditions": ["A"], "units": ["a.service"], "attempts": 0}"#,
            "attempts is 0",
        ),
        (
            r#"{"conditions": ["A"], "fixes": [{"name": ""}]}"#,
            "fixes: one has no name",
        ),
    ] {
        let refused = settings(&format!(r#"{{"ladders": [{wrong}]}}"#))
            .check()
            .unwrap_err();
        assert!(refused.contains(place), "{refused}");
    }
    let misspelt = serde_json::from_str::<Settings>(r#"{"ladder": []}"#).unwrap_err();
    assert!(misspelt.to_string().contains("ladder"), "{misspelt}");
}
