//! A person's word on an object, with the name by which the API server knows them.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use rectifier_api::SIGNED;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The field manager of what people say with this program.
pub(super) const HAND: &str = "rectifier-hand";

/// Who asks. `None`: the API server does not say (before 1.28).
pub(super) async fn me(client: &Client) -> Option<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let asked = SelfSubjectReview::default();
    let told = reviews.create(&PostParams::default(), &asked).await.ok()?;
    told.status?.user_info?.username
}

/// Sets the annotations, each with its signature; `None` takes one away. With a `uid` only of that object, which was looked at: another
/// may have its name by now.
///
/// # Errors
/// The API server's.
pub(super) async fn annotate<K>(
    api: &Api<K>,
    name: &str,
    words: &[(&str, Option<&str>)],
    by: Option<&str>,
    uid: Option<&str>,
) -> kube::Result<K>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut annotations = Map::new();
    for (key, word) in words {
        annotations.insert((*key).to_owned(), json!(word));
        let by = word.and(by);
        annotations.insert(format!("{key}{SIGNED}"), json!(by));
    }
    let mut patch: Value = json!({"metadata": {"annotations": annotations}});
    if let Some(uid) = uid {
        patch["metadata"]["uid"] = uid.into();
    }
    let params = PatchParams {
        field_manager: Some(HAND.to_owned()),
        ..PatchParams::default()
    };
    api.patch(name, &params, &Patch::Merge(patch)).await
}
