//! Certificate signing requests, and how a node gets in by one.
//!
//! What the controller manager's approver and signer do in a third of a second is done here at once: a kubelet's request made
//! with a bootstrap token is approved, and everything approved for a signer of Kubernetes' own is signed. Nobody in the world
//! parses a request or a certificate: of a request is asked whether it names a node, and a certificate is a PEM block with the
//! request's UID in it.

use std::sync::Arc;

use k8s_openapi::ByteString;
use rectifier_core::clock::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ApiServer;
use super::apply::{Operation, Writer};
use super::identity::{Identity, bootstrapper};
use super::kind::Kind;
use super::object::{map_of, meta, stamp};
use super::store::{Key, Store};
use super::verb::{Done, Part, Verb};
use crate::landing::lock;

pub(super) const CSR: &str = "CertificateSigningRequest";
const STORED_AS: &str = "certificatesigningrequests.certificates.k8s.io";
const KUBELET: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// The signers that have a signer.
const SIGNED: [&str; 3] = [
    KUBELET,
    "kubernetes.io/kube-apiserver-client",
    "kubernetes.io/kubelet-serving",
];

impl Kind {
    /// Writes into a new request who makes it; he does not say so himself.
    pub(super) fn begin_request(&self, request: &mut Value, by: &Identity) {
        if self.is(CSR) {
            let spec = &mut request["spec"];
            spec["username"] = by.user.clone().into();
            spec["groups"] = by.groups.clone().into();
        }
    }

    /// What a way of writing leaves of a request as it was.
    pub(super) fn keep_request(&self, request: &mut Value, before: &Value, part: Part) {
        if !self.is(CSR) {
            return;
        }
        let fields = map_of(request);
        fields.insert("spec".to_owned(), before["spec"].clone());
        if part == Part::Approval {
            let kept = before["status"]["certificate"].clone();
            let status = &mut request["status"];
            if !status.is_object() {
                *status = Value::Object(Map::new());
            }
            match kept {
                Value::Null => drop(map_of(status).remove("certificate")),
                kept => status["certificate"] = kept,
            }
        }
    }

    /// Why a request may not be so; of anything else nothing is said.
    pub(super) fn wrong_with_request(
        &self,
        request: &Value,
        old: Option<&Value>,
        part: Part,
    ) -> Option<String> {
        if !self.is(CSR) {
            return None;
        }
        let Some(old) = old else {
            return wrong_spec(&request["spec"]).map(str::to_owned);
        };
        let has = |request: &Value, kind: &str| condition(request, kind).is_some();
        if has(request, "Approved") && has(request, "Denied") {
            return Some(
                "status.conditions: Approved and Denied are mutually exclusive".to_owned(),
            );
        }
        for kind in ["Approved", "Denied", "Failed"] {
            if condition(request, kind).is_some_and(|status| status != "True") {
                return Some(format!("status.conditions: {kind}: Unsupported value"));
            }
            let why = match (has(old, kind), has(request, kind)) {
                (true, false) => "remove",
                (false, true) if part == Part::Status && kind != "Failed" => "add",
                _ => continue,
            };
            return Some(format!(
                "status.conditions: Forbidden: updates may not {why} a condition of type {kind:?}"
            ));
        }
        let (was, is) = (
            &old["status"]["certificate"],
            &request["status"]["certificate"],
        );
        if was == is {
            return None;
        }
        if !was.is_null() {
            return Some("status.certificate: Forbidden: updates may not modify it".to_owned());
        }
        let is_pem = decoded(is).contains("-----BEGIN CERTIFICATE-----");
        (!is_pem).then(|| "status.certificate: Invalid value: no CERTIFICATE PEM block".to_owned())
    }
}

fn wrong_spec(spec: &Value) -> Option<&'static str> {
    if !decoded(&spec["request"]).contains("-----BEGIN CERTIFICATE REQUEST-----") {
        return Some("spec.request: Invalid value: PEM block type must be CERTIFICATE REQUEST");
    }
    let signer = spec["signerName"].as_str().unwrap_or_default();
    let parts = signer.split_once('/');
    if !parts.is_some_and(|(domain, name)| domain.contains('.') && !name.is_empty()) {
        return Some("spec.signerName: Invalid value: must be a fully qualified domain and path");
    }
    let usages = spec["usages"].as_array();
    if usages.is_none_or(Vec::is_empty) {
        return Some("spec.usages: Required value");
    }
    None
}

/// What a condition says, if it is there.
fn condition<'a>(request: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = request["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|found| found["type"] == kind)?;
    found["status"].as_str()
}

fn decoded(value: &Value) -> String {
    let bytes = ByteString::deserialize(value).map_or(Vec::new(), |bytes| bytes.0);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encoded(text: &str) -> Value {
    json!(ByteString(text.as_bytes().to_vec()))
}

/// Is it for a node, as far as can be seen without parsing it? Its body holds the names as they are.
fn names_a_node(request: &Value) -> bool {
    let pem = decoded(&request["spec"]["request"]);
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let body = decoded(&Value::String(body));
    body.contains("system:nodes") && body.contains("system:node:")
}

/// Approves and signs a request that was written, as the controller manager does.
pub(super) fn settle(store: &mut Store, name: &str, now: Timestamp) {
    let key = Key {
        stored_as: STORED_AS.to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    };
    let Some(before) = store.get(&key) else {
        return;
    };
    let mut request = before.as_ref().clone();
    let spec = &before["spec"];
    let is_judged = |kind: &str| condition(&before, kind).is_some();
    let is_of = |group: &str| {
        spec["groups"]
            .as_array()
            .is_some_and(|all| all.contains(&group.into()))
    };
    let bootstraps = spec["signerName"] == KUBELET && is_of("system:bootstrappers");
    if bootstraps && !is_judged("Approved") && !is_judged("Denied") && names_a_node(&before) {
        request["status"]["conditions"] = json!([{
            "type": "Approved", "status": "True", "reason": "AutoApproved",
            "message": "Auto approving kubelet client certificate after SubjectAccessReview.",
            "lastUpdateTime": stamp(now), "lastTransitionTime": stamp(now),
        }]);
    }
    let is_signed = spec["signerName"]
        .as_str()
        .is_some_and(|signer| SIGNED.contains(&signer));
    let is_approved = condition(&request, "Approved").is_some();
    if is_approved && is_signed && request["status"]["certificate"].is_null() {
        let uid = meta(&before, "uid");
        let pem = format!("-----BEGIN CERTIFICATE-----\n{uid}\n-----END CERTIFICATE-----\n");
        request["status"]["certificate"] = encoded(&pem);
    }
    if request != *before {
        let by = Writer::new(Operation::Update, "kube-controller-manager", Part::Status);
        store.by = Some(Arc::new(by));
        store.put(key, request);
    }
}

impl ApiServer {
    /// A machine asks by this bootstrap token to be a node of this name: it makes its request, and is in if it got a certificate.
    pub(crate) fn lets_in(&self, token: &str, node: &str) -> bool {
        let mut store = lock(&self.inner.store);
        let now = self.inner.clock.now();
        let Some(by) = bootstrapper(&store, token, now) else {
            return false;
        };
        let found = store.kind("certificates.k8s.io", "v1", "certificatesigningrequests");
        let Some(kind) = found else {
            return false;
        };
        let name = format!("node-csr-{node}");
        let subject = format!("O=system:nodes,CN=system:node:{node}");
        let body = encoded(&subject);
        let pem = format!(
            "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
            body.as_str().unwrap_or_default()
        );
        let request = json!({
            "metadata": {"name": name},
            "spec": {
                "request": encoded(&pem), "signerName": KUBELET, "usages": ["digital signature", "client auth"],
            },
        });
        let mut verb = Verb {
            kind,
            now,
            dry: false,
            strict: false,
            who: Arc::new(by),
            store: &mut store,
        };
        // One of a machine of that name before.
        drop(verb.delete(None, &name, &json!({})));
        let Ok(Done::Made(_)) = verb.create(None, request) else {
            return false;
        };
        settle(&mut store, &name, now);
        let key = Key {
            stored_as: STORED_AS.to_owned(),
            namespace: String::new(),
            name,
        };
        let signed = store.get(&key);
        signed.is_some_and(|request| request["status"]["certificate"].is_string())
    }
}
