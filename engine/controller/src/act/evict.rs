//! Evictions: the API server holds them back as long as a PodDisruptionBudget says so, and we ask again.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, EvictParams, Preconditions};
use kube::core::Status;
use rectifier_core::repair::drain::PodSeen;

use crate::context::Context;
use crate::error::{Error, api};

/// Asks for the eviction of each pod, by its UID: one of the same name that was made since is another pod. Gives the first
/// pod that its budget holds back, and the API server's words.
pub(super) async fn evict(ctx: &Context, pods: &[PodSeen]) -> Result<Option<String>, Error> {
    let mut held_back = None;
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
            Err(kube::Error::Api(status)) if is_held_back(&status) => {
                held_back.get_or_insert_with(|| refusal(pod, &status));
            }
            // It is gone, or another pod has its name. The next look tells.
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {
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
    Ok(held_back)
}

/// By a budget, that is. A server that has too much to do says 429, too, and nothing about a budget.
fn is_held_back(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 429
        && causes
            .into_iter()
            .any(|cause| cause.reason == "DisruptionBudget")
}

/// The budget's name and state stand in the answer's causes; its message alone says only that there is one.
fn refusal(pod: &PodSeen, status: &Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let words = causes
        .map(|cause| cause.message.as_str())
        .find(|words| !words.is_empty())
        .unwrap_or(&status.message);
    format!("{}/{}: {words}", pod.namespace, pod.name)
}

#[cfg(test)]
mod tests {
    use rectifier_core::name::Uid;
    use rectifier_core::repair::drain::Owner;

    use super::*;

    #[test]
    fn a_pod_that_is_held_back_is_named_with_the_budgets_own_words() {
        let pod = PodSeen {
            namespace: "default".to_owned(),
            name: "web-1".to_owned(),
            uid: Uid::parse("uid").unwrap(),
            owner: Owner::Controller,
            finished: false,
            leaving: None,
            local_data: false,
            ready: true,
        };
        let bare = Status {
            message: "Cannot evict pod".to_owned(),
            ..Status::default()
        };
        assert_eq!(refusal(&pod, &bare), "default/web-1: Cannot evict pod");
        assert!(!is_held_back(&Status {
            code: 429,
            ..Status::default()
        }));
        let full = serde_json::from_value(serde_json::json!({
            "message": "Cannot evict pod", "code": 429,
            "details": {"causes": [
                {"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 2 currently"},
            ]},
        }))
        .unwrap();
        assert!(is_held_back(&full));
        assert!(refusal(&pod, &full).contains("budget web needs 2"));
    }
}
