//! Manifests as an operator applies them, by server-side apply.

use std::path::Path;

use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};

use super::Kubernetes;
use crate::Bed;

impl Kubernetes {
    /// Applies the documents of `yaml` one after the other, as the bed's admin; CRDs are served
    /// when it returns.
    ///
    /// # Errors
    /// If a document is no object, or the API server refuses it: naming it.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        apply(&self.admin, yaml).await
    }

    /// Applies what each deployment begins with, as it ships: the CRDs, the namespaces, and who may do what.
    ///
    /// # Errors
    /// As [`Kubernetes::apply_path`].
    pub async fn apply_rights(&self, bed: &Bed) -> Result<()> {
        let deploy = bed.cache().checkout().join("deploy");
        for part in ["crds", "namespaces.yaml", "rbac.yaml", "admission.yaml"] {
            self.apply_path(&deploy.join(part)).await?;
        }
        Ok(())
    }

    /// Applies a file, or the `*.yaml` files of a folder in the order of their names.
    ///
    /// # Errors
    /// As [`Kubernetes::apply`]; or if there is nothing to read.
    pub async fn apply_path(&self, path: &Path) -> Result<()> {
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            files = std::fs::read_dir(path)?
                .map(|entry| Ok(entry?.path()))
                .collect::<Result<_>>()?;
            files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
            files.sort();
        }
        if files.is_empty() {
            bail!("no *.yaml in {}", path.display());
        }
        for file in files {
            let yaml = std::fs::read_to_string(&file)
                .with_context(|| format!("reading {}", file.display()))?;
            self.apply(&yaml)
                .await
                .with_context(|| format!("applying {}", file.display()))?;
        }
        Ok(())
    }
}

pub(super) async fn apply(client: &Client, yaml: &str) -> Result<()> {
    let documents: Vec<Option<serde_json::Value>> = serde_saphyr::from_multiple(yaml)?;
    for document in documents.into_iter().flatten() {
        let object: DynamicObject = serde_json::from_value(document).context("not an object")?;
        let what = name(&object);
        apply_one(client, object)
            .await
            .with_context(|| format!("applying {what}"))?;
    }
    Ok(())
}

async fn apply_one(client: &Client, object: DynamicObject) -> Result<()> {
    let types = object.types.as_ref().context("no apiVersion or no kind")?;
    let gvk = GroupVersionKind::try_from(types)?;
    let (resource, capabilities) = pinned_kind(client, &gvk).await?;
    let api: Api<DynamicObject> = match (&capabilities.scope, object.namespace()) {
        (Scope::Cluster, _) => Api::all_with(client.clone(), &resource),
        (Scope::Namespaced, Some(namespace)) => {
            Api::namespaced_with(client.clone(), &namespace, &resource)
        }
        (Scope::Namespaced, None) => Api::default_namespaced_with(client.clone(), &resource),
    };
    let by = PatchParams::apply("bed").force();
    api.patch(&object.name_any(), &by, &Patch::Apply(&object))
        .await?;
    if gvk.kind == "CustomResourceDefinition" {
        let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
        await_condition(crds, &object.name_any(), conditions::is_crd_established()).await?;
    }
    Ok(())
}

fn name(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map_or("?", |types| &types.kind);
    format!("{kind} {}", object.name_any())
}
