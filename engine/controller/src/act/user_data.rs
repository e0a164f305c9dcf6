//! The user data of a new server: the pool's template, filled in.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use minijinja::{Environment, UndefinedBehavior, context};
use rectifier_api::{PROVISIONAL_TAINT, Provisioning};
use rectifier_core::repair::{Replacement, Seen};

use crate::context::Context;
use crate::error::{Error, api};
use crate::observe::cloud::{copied_labels, copied_taints};

/// The cluster's certificate authority, which the controller manager publishes in every namespace.
const ROOT_CA: &str = "kube-root-ca.crt";

/// Would it render?
pub(crate) fn check(provisioning: &Provisioning) -> Result<(), minijinja::Error> {
    let any = context! { node => "node", token => "t", server => "s", ca => "c", labels => "l", taints => "t" };
    fill_in(provisioning, any).map(drop)
}

fn fill_in(
    provisioning: &Provisioning,
    values: minijinja::Value,
) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    // a misspelt variable is an error, not an empty string in a machine's first boot
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.render_str(&provisioning.user_data, values)
}

pub(super) async fn render(
    ctx: &Context,
    provisioning: &Provisioning,
    replacement: &Replacement,
    seen: &Seen,
    token: &str,
) -> Result<String, Error> {
    let maps: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.settings.namespace);
    let map = maps
        .get(ROOT_CA)
        .await
        .map_err(api("get the cluster's certificate authority"))?;
    let ca = map
        .data
        .and_then(|mut data| data.remove("ca.crt"))
        .ok_or(Error::Missing("kube-root-ca.crt has no ca.crt"))?;
    let labels: Vec<String> = copied_labels(seen.node.as_ref(), Some(provisioning))
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    Ok(fill_in(
        provisioning,
        context! {
            node => &replacement.name,
            token => token,
            server => &provisioning.api_server,
            ca => base64(ca.as_bytes()),
            labels => labels.join(","),
            taints => taints(seen, provisioning).join(","),
        },
    )?)
}

/// The sick node's taints that the pool copies, and the provisional one.
fn taints(seen: &Seen, provisioning: &Provisioning) -> Vec<String> {
    let copied = copied_taints(seen.node.as_ref(), Some(provisioning)).into_iter();
    copied
        .map(|taint| match taint.split_once(':') {
            Some((key, effect)) if !key.contains('=') => format!("{key}=:{effect}"),
            Some(_) | None => taint,
        })
        .chain([format!("{PROVISIONAL_TAINT}=:NoSchedule")])
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    // k8s-openapi's ByteString is the API's own base64
    let text = serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec()));
    text.ok()
        .and_then(|text| text.as_str().map(str::to_owned))
        .unwrap_or_default()
}
