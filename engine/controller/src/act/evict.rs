//! Evictions: the API server holds them back as long as a PodDisruptionBudget says so, and we ask again.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, EvictParams, Preconditions};
use rectifier_core::repair::drain::PodSeen;

use crate::context::Context;
use crate::error::{Error, api};

/// Asks for the eviction of each pod, by its UID: one of the same name that was made since is another pod.
pub(super) async fn evict(ctx: &Context, pods: &[PodSeen]) -> Result<(), Error> {
    for pod in pods {
        let in_namespace: Api<Pod> = Api::namespaced(ctx.client.clone(), &pod.namespace);
        let params = EvictParams {
            delete_options: Some(DeleteParams {
                preconditions: Some(Preconditions {
                    uid: Some(pod.uid.to_string()),
                    resource_version: None,
                }),
                ..DeleteParams::default()
            }),
            ..EvictParams::default()
        };
        match in_namespace.evict(&pod.name, &params).await {
            Ok(_) => tracing::info!(namespace = pod.namespace, pod = pod.name, "evicted"),
            // 429: its budget is used up; 404 and 409: it is gone, or another pod has its name. The next look tells.
            Err(kube::Error::Api(status)) if [404, 409, 429].contains(&status.code) => {
                tracing::debug!(
                    namespace = pod.namespace,
                    pod = pod.name,
                    code = status.code,
                    "not evicted now"
                );
            }
            Err(error) => return Err(api("evict")(error)),
        }
    }
    Ok(())
}
