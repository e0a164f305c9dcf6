//! `rectifier policy test`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Result, bail};

use crate::support::Desk;

const CASES: &str = "\
observation: {episode: {problem: {kind: KubeletUnhealthy}}}
cases:
  - name: a story that ends otherwise
    observation: {site: {node: {units: [{name: kubelet.service, activeState: failed}]}}}
    steps:
      - decision: {remedy: {unit: {name: kubelet.service, verb: restart}}}
      - after: 1m
        outcome: noEffect
        decision:
          remedy: escalate
          settle: 30
  - name: a failure that is none
    failure: {class: trap}
  - name: an observation that is none
    observation: {node: {uptme: 3}}
    decision: {remedy: escalate}
  - name: well
    decision: {remedy: escalate}
";

#[test]
fn what_is_not_as_expected_is_shown_where_it_was_said_with_the_difference() -> Result<()> {
    let desk = Desk::with_shipped()?;
    desk.put("restart-then-replace.cases.yaml", CASES)?;
    let said = desk
        .call(&["policy", "test", "--junit", "report.xml"])?
        .ended(1)?;
    let said = said.shows(&[
        "FAIL a story that ends otherwise",
        "step 2",
        "./restart-then-replace.cases.yaml:10:19",
        "- remedy: escalate",
        "+ remedy:",
        "it decided: escalate",
        "./restart-then-replace.cases.yaml:15:",
        "the contract knows no such key",
        "ok   well",
        "4 cases, 3 failed",
    ])?;
    assert!(!said.out.contains('\u{1b}'), "{}", said.out);
    let junit = std::fs::read_to_string(desk.path().join("report.xml"))?;
    assert!(junit.contains("tests=\"4\" failures=\"3\""), "{junit}");
    let json = desk
        .call(&["policy", "test", "--output", "json"])?
        .ended(1)?
        .json()?;
    assert_eq!(json["failed"], 3);
    assert_eq!(json["suites"][0]["cases"][0]["failure"]["line"], 10);
    desk.call(&["policy", "test", "--only", "well"])?
        .ended(0)?
        .shows(&["1 case, all as expected"])?;
    Ok(())
}

#[test]
fn cases_that_cannot_be_read_are_shown_where_they_are_wrong() -> Result<()> {
    let desk = Desk::with_shipped()?;
    desk.call(&["policy", "test"])?
        .ended(2)?
        .complains(&["has no cases", "restart-then-replace.cases.yaml"])?;
    desk.put(
        "restart-then-replace.cases.yaml",
        "cases:\n  - name: a\n    decison: {}\n",
    )?;
    desk.call(&["policy", "test"])?
        .ended(3)?
        .complains(&["restart-then-replace.cases.yaml:3:5", "decison"])?;
    Ok(())
}

#[test]
fn a_watch_plays_again_when_a_file_changes() -> Result<()> {
    let desk = Desk::with_shipped()?;
    let cases = |remedy: &str| {
        let text = format!(
            "observation: {{episode: {{problem: {{kind: KubeletUnhealthy}}}}}}\n\
             cases: [{{name: a, decision: {{remedy: {remedy}}}}}]\n"
        );
        desk.put("restart-then-replace.cases.yaml", text)
    };
    cases("reboot")?;
    let mut watch = desk
        .command()
        .args(["policy", "test", "--watch"])
        .stdout(Stdio::piped())
        .spawn()?;
    let Some(out) = watch.stdout.take() else {
        bail!("no output")
    };
    let mut lines = BufReader::new(out).lines();
    let mut until = |text: &str| -> Result<()> {
        for line in lines.by_ref() {
            if line?.contains(text) {
                return Ok(());
            }
        }
        bail!("it ended before {text:?}")
    };
    let watched = (|| {
        until("1 failed")?;
        until("waiting for a change")?;
        cases("escalate")?;
        until("all as expected")
    })();
    watch.kill()?;
    watch.wait()?;
    watched
}
