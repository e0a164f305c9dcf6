//! Holds repairs, each in one of its phases.

use std::collections::BTreeMap;

use anyhow::Result;
use rectifier_api::repair_name;
use rectifier_bed::kubernetes::Kubernetes;
use rectifier_core::name::NodeName;
use rectifier_core::repair::Phase;
use rectifier_scenarios::gate::{self, HOLDS, NAME, PROBE};
use rectifier_story::KILLED_AFTER;
use serde_json::json;

/// Repairs that are held.
pub(crate) struct Hold<'a> {
    kubernetes: &'a Kubernetes,
    /// The phase that each may not leave, by the repair's name.
    held: BTreeMap<String, Phase>,
}

impl<'a> Hold<'a> {
    /// Holds the repairs of these nodes, each in that phase; back when the API server does so.
    pub(crate) async fn on(kubernetes: &'a Kubernetes, nodes: &[(&str, Phase)]) -> Result<Self> {
        let mut held = BTreeMap::new();
        for (node, phase) in nodes {
            held.insert(repair_name(&NodeName::parse(*node)?), *phase);
        }
        gate::close(kubernetes, &policy(&held)?).await?;
        Ok(Self { kubernetes, held })
    }

    /// Until the controller was refused, for each of them, to write the phase after.
    pub(crate) async fn all_done(&self) -> Result<()> {
        let mut left = self.held.clone();
        let audit = self.kubernetes.audit();
        let last = audit.wait_for(|record| {
            if let Some(next) = gate::refused(record)
                && let Some(step) = left.get(&record.object.name)
                && next == format!("{:?}", after(*step))
            {
                println!(
                    "{}: {step:?} is done, {next} is refused",
                    record.object.name
                );
                left.remove(&record.object.name);
            }
            left.is_empty()
        });
        last.await.map(drop)
    }

    /// Lets all of them go on.
    pub(crate) async fn let_go(&self) -> Result<()> {
        gate::open(self.kubernetes).await
    }
}

/// What a replacement does next, if nothing goes wrong.
fn after(step: Phase) -> Phase {
    let mut steps = KILLED_AFTER.into_iter().skip_while(|one| *one != step);
    steps.nth(1).unwrap_or(Phase::Replaced)
}

fn policy(held: &BTreeMap<String, Phase>) -> Result<String> {
    // a JSON object of strings is a map of CEL
    let held = serde_json::to_string(held)?;
    let rule = |operation, resource| {
        json!({
            "apiGroups": ["rectifier.dev"], "apiVersions": ["*"],
            "operations": [operation], "resources": [resource],
        })
    };
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [
                rule("CREATE", "noderepairs"), rule("UPDATE", "noderepairs/status"),
            ]},
            "variables": [
                {"name": "held", "expression": format!("{held}[?object.metadata.name].orValue('')")},
                {"name": "was", "expression": "oldObject == null ? '' : oldObject.?status.?phase.orValue('')"},
            ],
            "validations": [
                {"expression": format!("object.metadata.name != '{PROBE}'"), "message": HOLDS, "reason": "Forbidden"},
                {
                    "expression": "variables.held == '' || variables.was != variables.held || \
                                   object.?status.?phase.orValue('') == variables.was",
                    "messageExpression": "'the gate holds it in ' + variables.was",
                    "reason": "Forbidden",
                },
            ],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": NAME}, "spec": {"policyName": NAME, "validationActions": ["Deny"]},
    });
    Ok(format!("{policy}\n---\n{binding}"))
}
