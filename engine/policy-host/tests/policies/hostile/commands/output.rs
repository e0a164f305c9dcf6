//! What WASI commands write: answers that break the contract, and more of everything than anybody wants.

use anyhow::{Result, ensure};
use rectifier_core::policy::{Advice, FailureClass, Remedy, Site};

use super::{Sick, all};
use crate::command::Command;
use crate::hostile::alone::alone;
use crate::hostile::host::{Host, are_refused, fail_when_asked, fail_when_asked_at, still_answers};
use crate::support::{in_control_plane, observation, on_node, times};

/// Whoever answers so when it is to decide.
fn answers<'a>(name: &'a str, answer: &'a [u8]) -> Command<'a> {
    Command {
        name,
        decide: "(call $answer)",
        answer,
        ..Command::default()
    }
}

fn invalid<'a>(name: &'a str, answer: &'a str, says: &'a [&'a str]) -> Sick<'a> {
    Sick::new(
        FailureClass::InvalidOutput,
        says,
        answers(name, answer.as_bytes()),
    )
}

async fn are_invalid(sick: &[Sick<'_>]) -> Result<()> {
    all(sick, fail_when_asked).await
}

async fn are_invalid_at(sick: &[Sick<'_>], site: fn() -> Result<Site>) -> Result<()> {
    all(sick, async |cases| fail_when_asked_at(cases, site).await).await
}

#[test]
fn an_answer_that_is_no_text_or_no_json_is_none() -> Result<()> {
    alone(|| async {
        let no_text = |name, answer| {
            let says = &["not UTF-8"];
            Sick::new(FailureClass::InvalidOutput, says, answers(name, answer))
        };
        let deep = "[".repeat(10_000);
        are_invalid(&[
            no_text("NoText", b"\xff\xff\xff\xff"),
            no_text(
                "HalfACharacter",
                b"{\"remedy\": \"escalate\", \"reason\": \"\xc3\"}",
            ),
            invalid("Word", "escalate", &["no decision"]),
            invalid(
                "Torn",
                r#"{"remedy": "escalate", "rea"#,
                &["no decision", "EOF"],
            ),
            invalid("Deep", &deep, &["no decision"]),
            invalid("Spaces", " \n\t ", &["no answer"]),
            invalid(
                "Two",
                r#"{"remedy": "escalate", "reason": ""} {"remedy": "reboot", "reason": ""}"#,
                &["trailing"],
            ),
        ])
        .await
    })
}

#[test]
fn an_answer_that_its_type_does_not_allow_is_none() -> Result<()> {
    alone(|| async {
        are_invalid(&[
            invalid("Number", "5", &["no decision"]),
            invalid("Empty", "{}", &["neither"]),
            invalid("RemedyCase", r#"{"remedy": "burn", "reason": ""}"#, &["burn"]),
            invalid("RemedyType", r#"{"remedy": 5, "reason": ""}"#, &["no decision"]),
            invalid("Reason", r#"{"remedy": "escalate", "reason": ["a"]}"#, &["string"]),
            invalid("Wait", r#"{"remedy": {"wait": 1e999}, "reason": ""}"#, &["out of range"]),
            invalid(
                "Verb",
                r#"{"remedy": {"unit": {"name": "a.service", "verb": "mask"}}, "reason": ""}"#,
                &["mask"],
            ),
            invalid(
                "Path",
                r#"{"remedy": {"unit": {"name": "../a.service", "verb": "restart"}}, "reason": ""}"#,
                &["../a.service"],
            ),
            invalid(
                "Twice",
                r#"{"remedy": "escalate", "remedy": "reboot", "reason": ""}"#,
                &["duplicate"],
            ),
        ])
        .await
    })
}

/// A document is an object: a list of its values is none, whatever order they stand in.
#[test]
fn an_answer_that_is_a_list_is_none() -> Result<()> {
    alone(|| async {
        let list = r#"[null, "escalate", "sick"]"#;
        are_invalid(&[invalid("List", list, &["no decision"])]).await
    })
}

#[test]
fn an_answer_of_the_other_site_is_none() -> Result<()> {
    alone(|| async {
        let replace = r#"{"remedy": "replace", "reason": ""}"#;
        are_invalid(&[invalid("Replaces", replace, &["replace", "node"])]).await?;
        let restart =
            r#"{"remedy": {"unit": {"name": "kubelet.service", "verb": "restart"}}, "reason": ""}"#;
        let fix = r#"{"remedy": {"fix": {"name": "clean-up", "args": {}}}, "reason": ""}"#;
        let in_cluster = [
            invalid("Restarts", restart, &["unit", "control-plane"]),
            invalid("Fixes", fix, &["fix", "control-plane"]),
        ];
        are_invalid_at(&in_cluster, || Ok(in_control_plane())).await
    })
}

/// Which units may be touched is the engine's to judge, by its operator's list: the host passes such an answer on.
#[test]
fn a_unit_that_it_was_not_shown_is_left_to_the_engine() -> Result<()> {
    alone(|| async {
        let host = Host::new().await?;
        let answer =
            br#"{"remedy": {"unit": {"name": "other.service", "verb": "restart"}}, "reason": ""}"#;
        let other = answers("Other", answer).build()?;
        host.after(|| host.bench.put("other.wasm", &other)).await?;
        let seen = observation("Other", on_node(&["a.service"])?)?;
        let advice = host.policies.advise(&seen).await;
        ensure!(
            matches!(&advice, Advice::Decided { decision, .. }
                if matches!(&decision.remedy, Remedy::Unit(call) if call.name.as_str() == "other.service")),
            "{advice:?}"
        );
        host.is_well().await
    })
}

/// Without a word it agrees with any settings, but that is no decision.
#[test]
fn a_command_that_says_nothing_does_not_decide() -> Result<()> {
    alone(|| async { are_invalid(&[invalid("Silent", "", &["no answer"])]).await })
}

#[test]
fn an_answer_that_is_none_is_no_consent_to_its_settings_either() -> Result<()> {
    alone(|| async {
        let refused = |name, answer: &'static [u8], class, says| {
            let command = Command {
                always: "(call $answer)",
                decide: "",
                ..answers(name, answer)
            };
            Sick::new(class, says, command)
        };
        let invalid = FailureClass::InvalidOutput;
        let decision = br#"{"remedy": "escalate", "reason": "sick"}"#;
        all(
            &[
                refused("NoText", b"\xff", invalid, &["not UTF-8"]),
                refused("Word", b"yes", invalid, &["no decision"]),
                refused("Decides", decision, invalid, &["asked about its settings"]),
                refused(
                    "Refuses",
                    br#"{"error": "not so"}"#,
                    FailureClass::Settings,
                    &["not so"],
                ),
            ],
            are_refused,
        )
        .await
    })
}

/// Nearly 1 MiB of zero bytes, which are text, 1100 times.
fn gigabyte(descriptor: u8) -> String {
    times(
        1100,
        &format!("(call $write (i32.const {descriptor}) (i32.const 65536) (i32.const 1000000))"),
    )
}

#[test]
fn an_answer_without_end_is_none() -> Result<()> {
    alone(|| async {
        let gigabyte = gigabyte(1);
        let long = |name, always, decide| {
            let command = Command {
                name,
                pages: 17,
                always,
                decide,
                ..Command::default()
            };
            Sick::new(FailureClass::InvalidOutput, &["65536 bytes"], command)
        };
        all(&[long("Decides", "", &gigabyte)], fail_when_asked).await?;
        all(&[long("Always", &gigabyte, "")], are_refused).await
    })
}

#[test]
fn a_command_that_complains_a_gigabyte_still_answers() -> Result<()> {
    alone(|| async {
        let complains = Command {
            name: "Complains",
            pages: 17,
            always: &gigabyte(2),
            decide: "(call $answer)",
            ..Command::default()
        };
        still_answers("Complains", &complains.build()?).await
    })
}

/// An error of its own is no breach, but what it says is cut.
#[test]
fn an_endless_error_of_a_command_is_one_short_line() -> Result<()> {
    alone(|| async {
        let error = format!(r#"{{"error": "{}"}}"#, r"\n".repeat(10_000));
        let errs = answers("Errs", error.as_bytes());
        let says = &[&*format!("): {}; ", " ".repeat(1024))];
        all(
            &[Sick::new(FailureClass::GuestError, says, errs)],
            fail_when_asked,
        )
        .await
    })
}
