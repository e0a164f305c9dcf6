//! The golden cases of `sdk/conformance`: every field there and back, in both forms of the contract, and by the schemas.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rectifier_core::policy::{FailureClass, Observation};
use rectifier_policy_host::{
    Form, Handles, Host, Metadata, Metering, Needed, Needs, Pattern, annotate, schemas,
};
use rectifier_provision::{Cache, Silent};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Bench, on_one_thread};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    observation: Value,
    settings: Value,
    decision: Option<Value>,
    failure: Option<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    class: FailureClass,
    /// What else is right: languages fail in their own ways.
    #[serde(default, rename = "orElse")]
    or_else: Vec<FailureClass>,
    message: String,
}

impl Expected {
    fn is(&self, class: FailureClass) -> bool {
        self.class == class || self.or_else.contains(&class)
    }
}

fn cases() -> Result<BTreeMap<String, Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/conformance/cases");
    let mut cases = BTreeMap::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .context("a file has a name")?
            .to_string_lossy();
        let case = serde_json::from_slice(&std::fs::read(&path)?)
            .with_context(|| path.display().to_string())?;
        cases.insert(name.into_owned(), case);
    }
    ensure!(
        cases.len() > 10,
        "there are hardly any cases in {}",
        folder.display()
    );
    Ok(cases)
}

/// Asks about each case, and collects what differs.
async fn differences(host: &Host, policy: &Path) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    for (name, case) in cases()? {
        // JSON is YAML
        let sidecar = json!({ "settings": case.settings }).to_string();
        std::fs::write(policy.with_extension("yaml"), sidecar)?;
        let seen: Observation = serde_json::from_value(case.observation.clone())?;
        ensure!(
            serde_json::to_value(&seen)? == case.observation,
            "{name}: what is written is not what was read"
        );
        let answer = match host.load(policy).await {
            Ok(policy) => host.ask(&policy, &seen).await.answer,
            Err(failure) => Err(failure),
        };
        let difference = match (answer, &case.decision, &case.failure) {
            (Ok(decision), Some(expected), None) => {
                let decision = serde_json::to_value(&decision)?;
                (decision != *expected).then(|| differing("", expected, &decision).join("\n"))
            }
            (Err(failure), None, Some(expected)) => {
                let fits =
                    expected.is(failure.class) && failure.message.contains(&expected.message);
                (!fits).then(|| failure.to_string())
            }
            (other, _, _) => Some(format!("{other:?}")),
        };
        differences.extend(difference.map(|difference| format!("{name}: {difference}")));
    }
    Ok(differences)
}

/// Where two JSON values differ.
fn differing(place: &str, expected: &Value, found: &Value) -> Vec<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let keys: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
            keys.into_iter()
                .flat_map(|key| {
                    let of = |object: &serde_json::Map<_, _>| {
                        object.get(key).cloned().unwrap_or_default()
                    };
                    differing(&format!("{place}/{key}"), &of(expected), &of(found))
                })
                .collect()
        }
        _ if expected == found => Vec::new(),
        _ => vec![format!("{place}: {found}, not {expected}")],
    }
}

/// A policy of the conformance suite, alone in a directory.
fn put(bench: &Bench, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    bench.put(&format!("{name}.wasm"), bytes)?;
    Ok(bench.directory().join(format!("{name}.wasm")))
}

fn rust() -> Result<Vec<u8>> {
    let cache = Cache::from_env()?;
    let path = cache.rust_policy("sdk/conformance/rust", "conformance-rust", &mut Silent)?;
    Ok(std::fs::read(path)?)
}

/// Go writes no custom sections, so the metadata are put in afterwards.
fn go() -> Result<Vec<u8>> {
    let cache = Cache::from_env()?;
    let path = cache.go_policy("sdk/conformance/go", "conformance-go", &mut Silent)?;
    let metadata = Metadata {
        name: "conformance-go".to_owned().try_into()?,
        version: "0.1.0".to_owned(),
        contract: "0.1".to_owned(),
        handles: vec![Handles {
            conditions: vec![Pattern::Prefix(String::new())],
            sites: [
                rectifier_core::policy::SiteKind::Node,
                rectifier_core::policy::SiteKind::ControlPlane,
            ]
            .into(),
        }],
        needs: Needs {
            units: Needed::All,
            fixes: Needed::All,
            facts: Needed::All,
        },
    };
    Ok(annotate(&std::fs::read(path)?, &metadata)?)
}

/// In another language, as its author builds it.
fn answers_every_case(language: &str, form: Form) -> Result<()> {
    let cache = Cache::from_env()?;
    let asked = match form {
        Form::Component => "component",
        Form::Command => "command",
    };
    let folder = format!("sdk/conformance/{language}");
    let path = cache.authors_policy(&folder, Some(asked), &mut Silent)?;
    let bytes = std::fs::read(path)?;
    on_one_thread(async { conforms(bytes, form).await })
}

async fn conforms(bytes: Vec<u8>, form: Form) -> Result<()> {
    let bench = Bench::new()?;
    let host = bench.host(Metering::Epoch)?;
    let policy = put(&bench, "conformance", &bytes)?;
    std::fs::write(
        policy.with_extension("yaml"),
        r#"settings: {remedy: reboot, reason: ""}"#,
    )?;
    ensure!(host.load(&policy).await?.form() == form);
    let differences = differences(&host, &policy).await?;
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

#[test]
fn the_component_in_rust_answers_every_case_as_it_must() -> Result<()> {
    on_one_thread(async { conforms(rust()?, Form::Component).await })
}

#[test]
fn the_command_in_go_answers_every_case_as_it_must() -> Result<()> {
    on_one_thread(async { conforms(go()?, Form::Command).await })
}

#[test]
fn the_component_in_go_answers_every_case_as_it_must() -> Result<()> {
    answers_every_case("go", Form::Component)
}

#[test]
fn the_component_in_c_answers_every_case_as_it_must() -> Result<()> {
    answers_every_case("c", Form::Component)
}

#[test]
fn the_component_in_python_answers_every_case_as_it_must() -> Result<()> {
    answers_every_case("python", Form::Component)
}

#[test]
fn the_component_in_typescript_answers_every_case_as_it_must() -> Result<()> {
    answers_every_case("typescript", Form::Component)
}

#[test]
fn the_command_in_zig_answers_every_case_as_it_must() -> Result<()> {
    answers_every_case("zig", Form::Command)
}

#[test]
fn the_command_in_assemblyscript_answers_every_case_as_it_must() -> Result<()> {
    answers_every_case("assemblyscript", Form::Command)
}

#[test]
fn questions_and_answers_are_what_their_schemas_say() -> Result<()> {
    let schemas: BTreeMap<_, _> = schemas().map_err(anyhow::Error::msg)?.into_iter().collect();
    let [question, answer] =
        [&schemas["question"], &schemas["answer"]].map(jsonschema::validator_for);
    let (question, answer) = (question?, answer?);
    for (name, case) in cases()? {
        let asked = json!({"apiVersion": "rectifier.dev/policy/v0.1", "observation": case.observation, "settings": case.settings});
        if let Err(error) = question.validate(&asked) {
            bail!("{name}: {error}");
        }
        // A required field that is missing is no question.
        let mut torn = asked.clone();
        torn["observation"]
            .as_object_mut()
            .context("an object")?
            .remove("episode");
        ensure!(question.validate(&torn).is_err(), "{name}");
        if let Some(decision) = case.decision {
            if let Err(error) = answer.validate(&decision) {
                bail!("{name}: {error}");
            }
            let mut unknown = decision;
            unknown["confidence"] = json!(1);
            ensure!(answer.validate(&unknown).is_err(), "{name}");
        }
    }
    Ok(())
}

#[test]
fn work_is_counted_the_same_at_every_run_and_the_decision_is_that_of_the_other_engine() -> Result<()>
{
    on_one_thread(async {
        let bench = Bench::new()?;
        let policy = put(&bench, "conformance", &rust()?)?;
        bench.put(
            "conformance.yaml",
            r#"settings: {remedy: reboot, reason: "r"}"#,
        )?;
        let case = cases()?
            .remove("node-every-field")
            .context("no such case")?;
        let seen: Observation = serde_json::from_value(case.observation)?;
        let mut works = Vec::new();
        let mut answers = Vec::new();
        for metering in [Metering::Fuel, Metering::Fuel, Metering::Epoch] {
            let host = bench.host(metering)?;
            let asked = host.ask(&host.load(&policy).await?, &seen).await;
            works.push(asked.usage.work);
            answers.push(asked.answer?);
        }
        ensure!(
            works[0].is_some_and(|work| work > 1000) && works[0] == works[1] && works[2].is_none(),
            "{works:?}"
        );
        ensure!(answers[0] == answers[1] && answers[1] == answers[2]);
        Ok(())
    })
}
