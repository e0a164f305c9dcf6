//! The program as it is called: what it prints, and how it exits.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};

fn engine(arguments: &[&str]) -> Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_rectifier-engine"))
        .args(arguments)
        .env_remove("NODE_NAME")
        .stdin(Stdio::null())
        .output()
        .context("rectifier-engine cannot be started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_crds_are_printed_as_documents_that_can_be_applied() -> Result<()> {
    let output = engine(&["crds"])?;
    assert!(output.status.success());
    let yaml = text(&output.stdout);
    let documents: Vec<&str> = yaml
        .split("---\n")
        .filter(|document| !document.is_empty())
        .collect();
    assert_eq!(documents.len(), rectifier_api::crds().len());
    for (document, crd) in documents.iter().zip(rectifier_api::crds()) {
        let printed: serde_json::Value = serde_saphyr::from_str(document)?;
        assert_eq!(printed, serde_json::to_value(crd)?);
    }
    Ok(())
}

#[test]
fn one_crd_can_be_printed_and_an_unknown_one_not() -> Result<()> {
    let output = engine(&["crds", "noderepairs.rectifier.dev"])?;
    assert_eq!(
        text(&output.stdout)
            .matches("kind: CustomResourceDefinition")
            .count(),
        1
    );
    let output = engine(&["crds", "nodes"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nodes"));
    Ok(())
}

#[test]
fn wrong_usage_is_exit_code_2() -> Result<()> {
    for arguments in [&["nodes"][..], &["node"], &["controller"], &[]] {
        assert_eq!(engine(arguments)?.status.code(), Some(2), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() -> Result<()> {
    let output = engine(&["node", "--node-name=n", "--config=/nowhere/node.yaml"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("/nowhere/node.yaml"),
        "{}",
        text(&output.stderr)
    );
    Ok(())
}
