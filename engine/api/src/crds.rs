//! The CRDs as the API server takes them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::{NodeRepair, RepairPool};

/// All CRDs of this version, in the order in which they are applied.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![NodeRepair::crd(), RepairPool::crd()]
}
