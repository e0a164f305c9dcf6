//! The kinds that are served, and what each does otherwise than most.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::csr::CSR;
use super::rules::UnknownRule;
use super::schema::Schema;

/// One kind of object.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) plural: String,
    pub(super) namespaced: bool,
    /// It has the status subresource: neither way of writing changes what is the other's.
    pub(super) status: bool,
    /// It counts the changes of its spec.
    pub(super) counts: bool,
    /// It may be replaced by one that names no resource version.
    pub(super) unconditional: bool,
    /// Replacing one that is not there makes it.
    pub(super) made_by_replacing: bool,
    /// Fields that it can be selected by, besides its name and namespace.
    pub(super) fields: Vec<String>,
    /// What a CRD says of it.
    pub(super) schema: Option<Schema>,
}

/// (group, version, kind, plural, namespaced)
type Name = (&'static str, &'static str, &'static str, &'static str, bool);

const SECRET: &str = "Secret";
pub(super) const POD: &str = "Pod";
pub(super) const NODE: &str = "Node";
const CSI_NODE: &str = "CSINode";

const BUILT_IN: [Name; 19] = [
    ("", "v1", "Namespace", "namespaces", false),
    ("", "v1", NODE, "nodes", false),
    ("", "v1", POD, "pods", true),
    ("", "v1", "ConfigMap", "configmaps", true),
    ("", "v1", SECRET, "secrets", true),
    ("", "v1", "PersistentVolume", "persistentvolumes", false),
    (
        "",
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        true,
    ),
    ("storage.k8s.io", "v1", CSI_NODE, "csinodes", false),
    (
        "scheduling.k8s.io",
        "v1",
        "PriorityClass",
        "priorityclasses",
        false,
    ),
    ("", "v1", "Event", "events", true),
    ("events.k8s.io", "v1", "Event", "events", true),
    ("coordination.k8s.io", "v1", "Lease", "leases", true),
    (
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        true,
    ),
    ("apps", "v1", "DaemonSet", "daemonsets", true),
    ("apps", "v1", "Deployment", "deployments", true),
    ("apps", "v1", "ReplicaSet", "replicasets", true),
    ("apps", "v1", "StatefulSet", "statefulsets", true),
    (
        "certificates.k8s.io",
        "v1",
        CSR,
        "certificatesigningrequests",
        false,
    ),
    (
        "",
        "v1",
        "ReplicationController",
        "replicationcontrollers",
        true,
    ),
];

impl Kind {
    pub(super) fn built_in() -> Vec<Kind> {
        BUILT_IN.into_iter().map(Kind::named).collect()
    }

    fn named((group, version, kind, plural, namespaced): Name) -> Kind {
        let is = |kinds: &[&str]| kinds.contains(&kind);
        let fields: &[&str] = match kind {
            POD => &[
                "spec.nodeName",
                "status.phase",
                "spec.restartPolicy",
                "spec.serviceAccountName",
            ],
            NODE => &["spec.unschedulable"],
            SECRET => &["type"],
            CSR => &["spec.signerName"],
            "Event" if group.is_empty() => &[
                "type",
                "reason",
                "involvedObject.name",
                "involvedObject.kind",
                "involvedObject.uid",
            ],
            "Event" => &[
                "type",
                "reason",
                "regarding.name",
                "regarding.kind",
                "regarding.uid",
                "reportingController",
            ],
            _ => &[],
        };
        Kind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
            status: is(&[
                CSR,
                "Namespace",
                NODE,
                POD,
                "PersistentVolume",
                "PersistentVolumeClaim",
                "PodDisruptionBudget",
                "DaemonSet",
                "Deployment",
                "ReplicaSet",
                "StatefulSet",
                "ReplicationController",
            ]),
            counts: is(&[
                POD,
                "PodDisruptionBudget",
                "PriorityClass",
                "DaemonSet",
                "Deployment",
                "ReplicaSet",
                "StatefulSet",
                "ReplicationController",
            ]),
            unconditional: !is(&["Lease", "PodDisruptionBudget", CSI_NODE]),
            made_by_replacing: is(&["Lease", "Event"]),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            schema: None,
        }
    }

    /// # Errors
    /// It has a CEL rule that is not known here.
    pub(super) fn defined(crd: &CustomResourceDefinition) -> Result<Kind, UnknownRule> {
        let names = &crd.spec.names;
        let version = crd.spec.versions.iter().find(|version| version.storage);
        let subresources = version.and_then(|version| version.subresources.as_ref());
        let selectable = version.and_then(|version| version.selectable_fields.as_ref());
        let fields = selectable.into_iter().flatten();
        let schema = version
            .and_then(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref())
            .map(Schema::new)
            .transpose()?;
        Ok(Kind {
            group: crd.spec.group.clone(),
            version: version.map_or(String::new(), |version| version.name.clone()),
            kind: names.kind.clone(),
            plural: names.plural.clone(),
            namespaced: crd.spec.scope == "Namespaced",
            status: subresources.is_some_and(|subresources| subresources.status.is_some()),
            counts: true,
            unconditional: false,
            made_by_replacing: false,
            fields: fields
                .map(|field| field.json_path.trim_start_matches('.').to_owned())
                .collect(),
            schema,
        })
    }

    pub(super) fn is(&self, kind: &str) -> bool {
        self.schema.is_none() && self.kind == kind
    }

    /// A custom resource's.
    pub(super) fn is_custom(&self) -> bool {
        self.schema.is_some()
    }

    pub(super) fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// As errors name it, and the store: `nodes`, `leases.coordination.k8s.io`.
    pub(super) fn qualified(&self) -> String {
        match self.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }

    pub(super) fn can_be_selected_by(&self, field: &str) -> bool {
        field == "metadata.name"
            || (self.namespaced && field == "metadata.namespace")
            || self.fields.iter().any(|known| known == field)
    }
}
