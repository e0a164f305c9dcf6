//! The bootstrap token with which a replacement joins: short-lived, for one attempt, deleted when it has served.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, PostParams};
use rectifier_core::repair::{Replacement, Seen};

use crate::context::Context;
use crate::error::{Error, api};

const NAMESPACE: &str = "kube-system";
/// The group that kubeadm lets join (its ClusterRoleBindings name it).
const GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// The token of this attempt, `ID.SECRET`; the one that is there, if it was made before a crash.
pub(super) async fn issue(
    ctx: &Context,
    replacement: &Replacement,
    seen: &Seen,
) -> Result<String, Error> {
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), NAMESPACE);
    let id = id(replacement);
    let join = seen.pool.as_ref().map_or(0, |rules| i64::from(rules.join));
    let mut bytes = [0_u8; 16];
    (ctx.entropy)(&mut bytes);
    // 36 does not divide 256: four letters are likelier by 1/7 each, which costs a 16-letter secret less than a bit
    let secret: String = bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % 36]))
        .collect();
    let data = BTreeMap::from([
        ("token-id", id.clone()),
        ("token-secret", secret.clone()),
        ("usage-bootstrap-authentication", "true".to_owned()),
        ("usage-bootstrap-signing", "true".to_owned()),
        ("auth-extra-groups", GROUP.to_owned()),
        (
            "expiration",
            (seen.now + SignedDuration::from_secs(join))
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
        ),
        (
            "description",
            format!("for {}, made by rectifier", replacement.name),
        ),
    ]);
    let object = Secret {
        metadata: ObjectMeta {
            name: Some(name(&id)),
            ..ObjectMeta::default()
        },
        type_: Some("bootstrap.kubernetes.io/token".to_owned()),
        data: Some(
            data.into_iter()
                .map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes())))
                .collect(),
        ),
        ..Secret::default()
    };
    match secrets.create(&PostParams::default(), &object).await {
        Ok(_) => Ok(format!("{id}.{secret}")),
        // made before a crash: nobody has used it yet, and a fresh one is as good
        Err(kube::Error::Api(status)) if status.code == 409 => {
            secrets
                .delete(&name(&id), &DeleteParams::default())
                .await
                .map_err(api("delete bootstrap token"))?;
            secrets
                .create(&PostParams::default(), &object)
                .await
                .map_err(api("create bootstrap token"))?;
            Ok(format!("{id}.{secret}"))
        }
        Err(error) => Err(api("create bootstrap token")(error)),
    }
}

/// Deletes the token of this attempt, if it is there.
pub(super) async fn revoke(ctx: &Context, replacement: &Replacement) -> Result<(), Error> {
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), NAMESPACE);
    match secrets
        .delete(&name(&id(replacement)), &DeleteParams::default())
        .await
    {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(api("delete bootstrap token")(error)),
    }
}

fn name(id: &str) -> String {
    format!("bootstrap-token-{id}")
}

/// Six letters drawn from the attempt's tag (FNV-1a), so that the token is found again after a crash. It is public.
fn id(replacement: &Replacement) -> String {
    let mut hash = replacement
        .tag
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let mut id = String::new();
    for _ in 0..6 {
        id.push(char::from(
            ALPHABET[usize::try_from(hash % 36).unwrap_or(0)],
        ));
        hash /= 36;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_has_a_token_of_its_own() {
        let of = |tag: &str| {
            id(&Replacement {
                tag: tag.to_owned(),
                ..Replacement::default()
            })
        };
        assert_eq!(of("rectifier-a-1"), of("rectifier-a-1"));
        assert_ne!(of("rectifier-a-1"), of("rectifier-a-2"));
        assert_eq!(of("rectifier-a-1").len(), 6);
    }
}
