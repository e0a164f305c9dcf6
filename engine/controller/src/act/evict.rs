//! Evictions: the API server holds them back as long as a PodDisruptionBudget says so, and we ask again.

use futures::{FutureExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, EvictParams, Preconditions};
use kube::core::Status;
use rectifier_core::repair::drain::{HeldBack, PodSeen, Refusal};

use crate::abreast::abreast;
use crate::context::Context;
use crate::error::{Error, api};
use crate::stop::Between;

/// One that is refused is asked for again after so many seconds (kubectl's own pace), or later if the API server says so.
const PACE: i64 = 5;

/// Asks for the eviction of each pod, by its UID: one of the same name that was made since is another pod. Gives those that
/// the API server refuses, with its words, and the first error: after it none is asked for any more.
pub(super) async fn evict(
    ctx: &Context,
    between: Option<&Between<'_>>,
    pods: &[PodSeen],
) -> (Vec<HeldBack>, Result<(), Error>) {
    let one = |pod| evict_one(ctx, between, pod).boxed();
    let mut answers = abreast(pods.iter().map(one).collect());
    let mut held_back = Vec::new();
    while let Some(answer) = answers.next().await {
        let (pod, answer) = match answer {
            Ok(answer) => answer,
            Err(stopped) => return (held_back, Err(stopped)),
        };
        let Err(error) = answer else {
            tracing::info!(namespace = pod.namespace, pod = pod.name, "evicted");
            continue;
        };
        match read(pod, error, ctx.now()) {
            Ok(refusal) => held_back.extend(refusal),
            Err(error) => return (held_back, Err(error)),
        }
    }
    (held_back, Ok(()))
}

/// Deletes each pod, by its UID, with its own grace. No budget is asked.
pub(super) async fn delete(ctx: &Context, pods: &[PodSeen]) -> Result<(), Error> {
    let between = Between::calls(ctx);
    let one = |pod| delete_one(ctx, &between, pod).boxed();
    let mut answers = abreast(pods.iter().map(one).collect());
    while let Some(answer) = answers.next().await {
        let (pod, answer) = answer?;
        match answer {
            Ok(()) => {
                let (namespace, name) = (&pod.namespace, &pod.name);
                tracing::warn!(namespace, pod = name, "deleted as a last resort");
            }
            Err(kube::Error::Api(status)) if is_gone(&status) => {}
            Err(error) => return Err(api("delete pod")(error)),
        }
    }
    Ok(())
}

/// What the API server says of a pod, if it was asked.
type Answer<'a> = Result<(&'a PodSeen, Result<(), kube::Error>), Error>;

async fn evict_one<'a>(
    ctx: &'a Context,
    between: Option<&Between<'_>>,
    pod: &'a PodSeen,
) -> Answer<'a> {
    if let Some(between) = between {
        between.go_on().await?;
    }
    let in_namespace: Api<Pod> = Api::namespaced(ctx.client.clone(), &pod.namespace);
    let params = EvictParams {
        delete_options: Some(that_one(pod)),
        ..EvictParams::default()
    };
    let answer = in_namespace.evict(&pod.name, &params).await;
    Ok((pod, answer.map(drop)))
}

async fn delete_one<'a>(ctx: &'a Context, between: &Between<'_>, pod: &'a PodSeen) -> Answer<'a> {
    between.go_on().await?;
    let in_namespace: Api<Pod> = Api::namespaced(ctx.client.clone(), &pod.namespace);
    let answer = in_namespace.delete(&pod.name, &that_one(pod)).await;
    Ok((pod, answer.map(drop)))
}

fn that_one(pod: &PodSeen) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(pod.uid.to_string()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    }
}

/// It is gone, or another pod has its name, or somebody wrote its budget just then. The next look tells.
fn is_gone(status: &Status) -> bool {
    [404, 409].contains(&status.code)
}

/// What an answer that is no eviction says: a refusal, nothing, or that the API server cannot be asked now.
fn read(pod: &PodSeen, error: kube::Error, now: Timestamp) -> Result<Option<HeldBack>, Error> {
    match error {
        kube::Error::Api(status) if is_gone(&status) => {
            let (namespace, name) = (&pod.namespace, &pod.name);
            tracing::debug!(namespace, pod = name, code = status.code, "not evicted now");
            Ok(None)
        }
        kube::Error::Api(status) => match refuser(&status) {
            Some(by) => Ok(Some(HeldBack {
                pod: pod.uid.clone(),
                name: pod.full_name(),
                by,
                words: words(&status),
                again: now + SignedDuration::from_secs(pace(&status)),
            })),
            None => Err(api("evict")(kube::Error::Api(status))),
        },
        error => Err(api("evict")(error)),
    }
}

/// Who refuses this pod; `None`: nobody, the API server has too much to do, or something is wrong with it or with us.
fn refuser(status: &Status) -> Option<Refusal> {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    match status.code {
        // without this cause it is the API server's own pace
        429 => causes
            .any(|cause| cause.reason == "DisruptionBudget")
            .then_some(Refusal::Budget),
        // the only sign of it (kubernetes: pkg/registry/core/pod/storage/eviction.go)
        500 if status.message.contains("more than one PodDisruptionBudget") => {
            Some(Refusal::TwoBudgets)
        }
        // a webhook, or an admission policy, that looks at this pod; 401 is about us
        400 | 403 | 422 => Some(Refusal::Other),
        _ => None,
    }
}

fn pace(status: &Status) -> i64 {
    let asked = status
        .details
        .as_ref()
        .map_or(0, |details| details.retry_after_seconds);
    // an hour at most, whatever is asked
    i64::from(asked).clamp(PACE, 3600)
}

/// The budget's name and state stand in the answer's causes; its message alone says only that there is one.
fn words(status: &Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let words = causes
        .map(|cause| cause.message.as_str())
        .find(|words| !words.is_empty());
    words.unwrap_or(&status.message).to_owned()
}

#[cfg(test)]
mod tests {
    use rectifier_core::name::Uid;
    use rectifier_core::repair::drain::Owner;
    use serde_json::json;

    use super::*;

    fn pod() -> PodSeen {
        PodSeen {
            namespace: "default".to_owned(),
            name: "web-1".to_owned(),
            uid: Uid::parse("uid").unwrap(),
            owner: Owner::Controller,
            controller: None,
            priority: 0,
            ready: true,
            finished: false,
            leaving: None,
            local_data: false,
            node_volume: None,
            tolerates_provisional: false,
        }
    }

    fn answer(status: serde_json::Value) -> Result<Option<HeldBack>, Error> {
        let status: Status = serde_json::from_value(status).unwrap();
        let error = kube::Error::Api(Box::new(status));
        read(&pod(), error, Timestamp::UNIX_EPOCH)
    }

    fn second(held: &HeldBack) -> i64 {
        held.again.as_second()
    }

    #[test]
    fn a_pod_that_is_held_back_is_named_with_the_budgets_own_words() {
        let held = answer(json!({
            "message": "Cannot evict pod", "code": 429,
            "details": {"causes": [
                {"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 2 currently"},
            ]},
        }));
        let held = held.unwrap().unwrap();
        assert_eq!((held.by, second(&held)), (Refusal::Budget, PACE));
        assert_eq!(held.name, "default/web-1");
        assert!(held.words.contains("budget web needs 2"), "{}", held.words);
    }

    #[test]
    fn who_says_when_to_ask_again_is_not_asked_sooner() {
        let cause = json!([{"reason": "DisruptionBudget", "message": "The disruption budget web is still being processed by the server."}]);
        let held = answer(json!({
            "message": "Cannot evict pod", "code": 429, "details": {"retryAfterSeconds": 10, "causes": cause},
        }));
        assert_eq!(second(&held.unwrap().unwrap()), 10);
    }

    #[test]
    fn two_budgets_are_told_from_a_server_that_has_failed() {
        let held = answer(json!({
            "message": "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            "code": 500,
        }));
        assert_eq!(held.unwrap().unwrap().by, Refusal::TwoBudgets);
        assert!(answer(json!({"message": "etcdserver: request timed out", "code": 500})).is_err());
    }

    #[test]
    fn a_server_that_has_too_much_to_do_holds_no_pod_back() {
        assert!(answer(json!({"message": "too many requests", "code": 429})).is_err());
    }

    #[test]
    fn a_webhook_that_refuses_a_pod_does_not_keep_the_others() {
        let words = "admission webhook \"keep.example.com\" denied the request: not now";
        let held = answer(json!({"message": words, "code": 403}))
            .unwrap()
            .unwrap();
        assert_eq!((held.by, held.words.as_str()), (Refusal::Other, words));
    }

    #[test]
    fn a_pod_that_is_gone_is_refused_nothing() {
        for code in [404, 409] {
            let answer = answer(json!({"message": "gone", "code": code}));
            assert!(answer.unwrap().is_none());
        }
    }
}
