//! Answers that break the contract.
//!
//! In a guest's memory an answer lies at 1024: whether it is an error (1024), the remedy's case (1028) and its payload
//! (from 1032: a number; or a name's address and length and, at 1040, a verb), the reason's address and length (1048,
//! 1052), whether there is a time to settle (1056), the notes' address and number (1064, 1068).

use anyhow::Result;
use rectifier_core::policy::{FailureClass, Site};

use super::alone::alone;
use super::guest::Guest;
use super::host::{Case, fail_when_asked, fail_when_asked_at};
use crate::support::{REPLACE, answer, in_control_plane, on_node};

/// The remedy that has a unit's name and verb.
const UNIT: u8 = 2;
/// The one that has a fix's name and arguments.
const FIX: u8 = 3;

/// From here on there are zeros to the end: three pages of them.
const FREE: u32 = 65536;
const PAGES: u32 = 4;

fn store(address: u32, value: impl std::fmt::Display) -> String {
    format!("(i32.store (i32.const {address}) (i32.const {value}))")
}

/// An answer of a remedy with a name, which lies at 2048.
fn named(remedy: u8, name: &str) -> (String, String) {
    let decide = answer(remedy) + &store(1032, 2048) + &store(1036, name.len());
    (decide, format!("(data (i32.const 2048) {name:?})"))
}

/// A policy that answers so; `fields` are data.
struct Wrong {
    name: &'static str,
    decide: String,
    fields: String,
    pages: u32,
    says: &'static [&'static str],
}

impl Wrong {
    fn new(name: &'static str, decide: String, says: &'static [&'static str]) -> Self {
        Self {
            name,
            decide,
            fields: String::new(),
            pages: PAGES,
            says,
        }
    }

    fn named(name: &'static str, remedy: u8, called: &str, says: &'static [&'static str]) -> Self {
        let (decide, fields) = named(remedy, called);
        Self {
            fields,
            ..Self::new(name, decide, says)
        }
    }
}

async fn are_invalid(wrong: &[Wrong]) -> Result<()> {
    are_invalid_at(wrong, || on_node(&[])).await
}

async fn are_invalid_at(wrong: &[Wrong], site: fn() -> Result<Site>) -> Result<()> {
    let build = |wrong: &Wrong| {
        Guest {
            name: wrong.name,
            decide: &wrong.decide,
            fields: &wrong.fields,
            pages: wrong.pages,
            ..Guest::default()
        }
        .build()
    };
    let built = wrong.iter().map(build).collect::<Result<Vec<_>>>()?;
    let case = |(wrong, bytes)| {
        let Wrong { name, says, .. }: &'_ Wrong = wrong;
        let bytes: &'_ Vec<u8> = bytes;
        Case {
            name,
            bytes,
            sidecar: "",
            class: FailureClass::InvalidOutput,
            says,
        }
    };
    let cases: Vec<_> = wrong.iter().zip(&built).map(case).collect();
    fail_when_asked_at(&cases, site).await
}

#[test]
fn an_answer_that_its_type_does_not_allow_is_none() -> Result<()> {
    alone(|| async {
        let byte = |address: u32, value: u8| {
            format!("(i32.store8 (i32.const {address}) (i32.const {value}))")
        };
        let wrong = [
            Wrong::new("ResultCase", byte(1024, 2), &["discriminant"]),
            Wrong::new("RemedyCase", answer(99), &["discriminant"]),
            Wrong::new("OptionCase", byte(1056, 7), &["discriminant"]),
            Wrong::new("Verb", answer(UNIT) + &byte(1040, 9), &["discriminant"]),
            Wrong::new(
                "Unaligned",
                "(return (i32.const 1025))".to_owned(),
                &["pointer not aligned"],
            ),
            Wrong::new(
                "Outside",
                "(return (i32.const -4))".to_owned(),
                &["pointer out of bounds"],
            ),
        ];
        are_invalid(&wrong).await
    })
}

#[test]
fn an_answer_whose_text_is_none_or_is_nowhere_is_none() -> Result<()> {
    alone(|| async {
        let wrong = [
            Wrong::new(
                "NoText",
                store(2048, 0xffff_ffff_u32) + &store(1048, 2048) + &store(1052, 4),
                &["utf-8"],
            ),
            Wrong::new(
                "HalfACharacter",
                store(2048, 0xc3_u32) + &store(1048, 2048) + &store(1052, 1),
                &["utf-8"],
            ),
            Wrong::new(
                "TextOutside",
                store(1048, 0x7fff_0000_u32) + &store(1052, 10),
                &["out of bounds"],
            ),
            Wrong::new(
                "TextAcrossTheEnd",
                store(1048, PAGES * 65536 - 4) + &store(1052, 5),
                &["out of bounds"],
            ),
            Wrong::new(
                "ListOutside",
                store(1064, FREE) + &store(1068, 1_000_000),
                &["out of bounds"],
            ),
            Wrong::new(
                "ListUnaligned",
                store(1064, FREE + 1) + &store(1068, 1),
                &["aligned"],
            ),
        ];
        are_invalid(&wrong).await
    })
}

#[test]
fn an_answer_that_is_too_long_is_none() -> Result<()> {
    alone(|| async {
        let wrong = [
            // zero bytes are text, but too much of it
            Wrong::new(
                "LongReason",
                store(1048, FREE) + &store(1052, 100_000),
                &["100000 bytes of text", "65536"],
            ),
            // 5000 notes of no text at all
            Wrong::new(
                "ManyNotes",
                store(1064, FREE) + &store(1068, 5000),
                &["160000 bytes of text", "65536"],
            ),
            Wrong {
                pages: 40,
                ..Wrong::new(
                    "Endless",
                    store(1048, FREE) + &store(1052, 2_000_000),
                    &["1048576 bytes in one host call"],
                )
            },
        ];
        are_invalid(&wrong).await
    })
}

#[test]
fn an_answer_that_names_what_is_no_name_is_none() -> Result<()> {
    alone(|| async {
        let wrong = [
            Wrong::named("Option", UNIT, "--force", &["--force"]),
            Wrong::named("Path", UNIT, "../a.service", &["../a.service"]),
            Wrong::named("Shell", UNIT, "a.service;reboot", &["a.service;reboot"]),
            Wrong::named("NoSuffix", UNIT, "kubelet", &["kubelet"]),
            Wrong::named("Empty", UNIT, "", &["unit"]),
            Wrong::named("FixPath", FIX, "/bin/sh", &["/bin/sh"]),
        ];
        are_invalid(&wrong).await
    })
}

#[test]
fn an_answer_of_the_other_site_is_none() -> Result<()> {
    alone(|| async {
        let at_node = [Wrong::new(
            "Replaces",
            answer(REPLACE),
            &["replace", "node"],
        )];
        are_invalid(&at_node).await?;
        let in_cluster = [
            Wrong::named(
                "Restarts",
                UNIT,
                "kubelet.service",
                &["unit", "control-plane"],
            ),
            Wrong::named("Fixes", FIX, "clean-up", &["fix", "control-plane"]),
        ];
        are_invalid_at(&in_cluster, || Ok(in_control_plane())).await
    })
}

/// An error of its own is no breach, but what it says is cut.
#[test]
fn an_endless_error_of_a_policy_is_one_short_line() -> Result<()> {
    alone(|| async {
        let decide = format!(
            "(i32.store8 (i32.const 1024) (i32.const 1)) {} {}",
            store(1028, FREE),
            store(1032, 100_000)
        );
        let errs = Guest {
            name: "Errs",
            pages: PAGES,
            decide: &decide,
            ..Guest::default()
        }
        .build()?;
        let case = Case {
            name: "Errs",
            bytes: &errs,
            sidecar: "",
            class: FailureClass::GuestError,
            says: &[&" ".repeat(1024)],
        };
        fail_when_asked(&[case]).await
    })
}
