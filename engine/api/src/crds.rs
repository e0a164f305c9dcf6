//! The CRDs as the API server takes them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::{NodeRepair, RepairPool};

/// All CRDs of this version, in the order in which they are applied.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![NodeRepair::crd(), RepairPool::crd()]
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What is stored in one version can be read after the next is added; two that are stored would be two truths.
    #[test]
    fn each_kind_has_exactly_one_version_that_is_stored_and_it_is_served() {
        for crd in crds() {
            let versions = &crd.spec.versions;
            let stored: Vec<_> = versions.iter().filter(|version| version.storage).collect();
            assert_eq!(stored.len(), 1, "{:?}", crd.metadata.name);
            assert!(stored[0].served);
            assert!(
                versions
                    .iter()
                    .all(|version| version.subresources.is_some())
            );
        }
    }

    /// The fields below a schema that say nothing of themselves.
    fn silent(schema: &Value, path: &str, found: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field["description"].as_str().is_none_or(str::is_empty) {
                found.push(path.clone());
            }
            silent(field, &path, found);
            silent(&field["items"], &path, found);
        }
    }

    /// `kubectl explain` reads like documentation.
    #[test]
    fn every_kind_and_every_field_says_what_it_is() {
        for crd in crds() {
            for version in &crd.spec.versions {
                let schema = version.schema.as_ref().unwrap();
                let schema = serde_json::to_value(&schema.open_api_v3_schema).unwrap();
                let kind = &crd.spec.names.kind;
                let about = schema["description"].as_str().unwrap();
                assert!(!about.contains("Auto-generated"), "{kind}: {about}");
                let mut found = Vec::new();
                silent(&schema, kind, &mut found);
                assert!(found.is_empty(), "{found:?}");
            }
        }
    }

    /// What the API server fills in is what the engine would take: nobody has to know our defaults to read a pool.
    #[test]
    fn the_defaults_stand_in_the_schema() {
        let pools = crds().remove(1);
        let schema = pools.spec.versions[0].schema.as_ref().unwrap();
        let schema = serde_json::to_value(&schema.open_api_v3_schema).unwrap();
        let spec = &schema["properties"]["spec"]["properties"];
        let defaults: crate::RepairPoolSpec =
            serde_json::from_value(serde_json::json!({"nodeSelector": {}})).unwrap();
        let defaults = serde_json::to_value(defaults).unwrap();
        for (field, value) in defaults.as_object().unwrap() {
            if field != "nodeSelector" {
                assert_eq!(&spec[field]["default"], value, "{field}");
            }
        }
    }
}
