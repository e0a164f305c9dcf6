//! Holds repairs, each in one of its phases: an admission policy refuses to let it leave that. The moment between a step's
//! effect and the next intent is too short to be hit otherwise. The engine has no such hook.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::api::{Api, DeleteParams, PostParams};
use rectifier_api::{NodeRepair, repair_name};
use rectifier_bed::kubernetes::Kubernetes;
use rectifier_core::name::NodeName;
use rectifier_core::repair::Phase;
use rectifier_scenarios::evidence::CONTROLLER;
use rectifier_scenarios::wait::text;
use rectifier_story::KILLED_AFTER;
use serde_json::json;

const NAME: &str = "bed-hold";
/// Nobody makes a repair of that name but who wants to know whether the policy is in force.
const PROBE: &str = "probe";

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
        kubernetes.apply(&policy(&held)?).await?;
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": NAME}, "spec": {"policyName": NAME, "validationActions": ["Deny"]},
        });
        kubernetes.apply(&binding.to_string()).await?;
        let probe: NodeRepair = serde_json::from_value(json!({
            "apiVersion": "rectifier.dev/v1alpha1", "kind": "NodeRepair", "metadata": {"name": PROBE},
            "spec": {
                "nodeName": PROBE, "nodeUid": PROBE,
                "problem": {"kind": "Probe", "since": "1970-01-01T00:00:00Z"},
            },
        }))?;
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let repairs: Api<NodeRepair> = Api::all(kubernetes.admin());
        for _ in 0..600 {
            match repairs.create(&dry, &probe).await {
                Err(kube::Error::Api(status)) if status.message.contains("it is held") => {
                    return Ok(Self { kubernetes, held });
                }
                Err(error) => return Err(error.into()),
                // that a policy is in force is told by nothing but its first refusal
                Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        bail!("the hold never came into force")
    }

    /// Until the controller was refused, for each of them, to write the phase after.
    pub(crate) async fn all_done(&self) -> Result<()> {
        let mut left = self.held.clone();
        let audit = self.kubernetes.audit();
        let last = audit.wait_for(|record| {
            let refused = record.user == CONTROLLER
                && record.object.resource == "noderepairs"
                && record.object.subresource == "status"
                && record.code == 403;
            if refused && let Some(step) = left.get(&record.object.name) {
                let next = text(&record.body, "/status/phase");
                if next == format!("{:?}", after(*step)) {
                    println!(
                        "{}: {step:?} is done, {next} is refused",
                        record.object.name
                    );
                    left.remove(&record.object.name);
                }
            }
            left.is_empty()
        });
        last.await.map(drop)
    }

    /// Lets all of them go on.
    pub(crate) async fn let_go(&self) -> Result<()> {
        let client = self.kubernetes.admin();
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
        bindings.delete(NAME, &DeleteParams::default()).await?;
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(client);
        policies.delete(NAME, &DeleteParams::default()).await?;
        Ok(())
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
                {"expression": format!("object.metadata.name != '{PROBE}'"), "message": "it is held", "reason": "Forbidden"},
                {
                    "expression": "variables.held == '' || variables.was != variables.held || \
                                   object.?status.?phase.orValue('') == variables.was",
                    "messageExpression": "'it is held in ' + variables.was",
                    "reason": "Forbidden",
                },
            ],
        },
    });
    Ok(policy.to_string())
}
