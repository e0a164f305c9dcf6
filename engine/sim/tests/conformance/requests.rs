//! What holds of bootstrap tokens and certificate signing requests.

use anyhow::Result;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::talk::Talk;

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets";
const ID: &str = "c0nf0r";
const SECRET: &str = "0123456789abcdef";

/// A real one, for the node `worker-1`.
const FOR_A_NODE: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIHyMIGYAgEAMDYxFTATBgNVBAoMDHN5c3RlbTpub2RlczEdMBsGA1UEAwwUc3lz
dGVtOm5vZGU6d29ya2VyLTEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASDlyNG
+QKr+8/FhPzGW41SJ5r5zmtZCz9qp642NFLE5CN2V4JEGam5mWmYrZRW4Jf0oqVs
1V69ZjyjaDLv8o5ioAAwCgYIKoZIzj0EAwIDSQAwRgIhALr8FjlsYNDE67B/DL7U
Oi+4UNmSFW70ffqUPJ8nWrB0AiEAgGVvJEn4uns2vMNZFxSj29RnO1YROtRhbfVB
njrEc38=
-----END CERTIFICATE REQUEST-----
";
/// A real one, for somebody else.
const FOR_ANOTHER: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIHOMHUCAQAwEzERMA8GA1UEAwwIc29tZWJvZHkwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT9KxcS5dio2mF3qrnHdLwWNguk7rC2+gqKuPe4YaY37lToAOOA681z
+3klVJlIGgakqyREh7Q+B8d+XDW/XAbxoAAwCgYIKoZIzj0EAwIDSQAwRgIhAMTD
zCCXCpz/M4qI0QrXnYSgQMELtSThjKZSSO+ooikRAiEAw7sHPmJbJiF4y96zPzdh
4hPVvldsUq4RfVBwDqtRyTo=
-----END CERTIFICATE REQUEST-----
";

fn request(name: &str, pem: &str, signer: &str) -> Value {
    json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
        "spec": {
            "request": ByteString(pem.as_bytes().to_vec()), "signerName": signer, "username": "somebody-else",
            "usages": ["digital signature", "key encipherment", "client auth"],
        },
    })
}

const KUBELET: &str = "kubernetes.io/kube-apiserver-client-kubelet";

fn token(expires: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("bootstrap-token-{ID}")},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {
            "token-id": ID, "token-secret": SECRET, "expiration": expires, "usage-bootstrap-authentication": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        },
    })
}

fn is_signed(request: &Value) -> bool {
    request["status"]["certificate"].is_string()
}

/// A node's first request: let in by a token that is there, and refused by any other.
pub(crate) async fn bootstrap_tokens(talk: &mut Talk) -> Result<()> {
    let good = &format!("{ID}.{SECRET}");
    talk.as_token("no token that is there", good).await?;
    talk.post(REQUESTS, request("early", FOR_A_NODE, KUBELET))
        .await?;

    talk.as_oneself();
    talk.post(SECRETS, token("2999-01-01T00:00:00Z")).await?;
    talk.as_token("the token", good).await?;
    talk.until(REQUESTS, |answer| answer["code"] != 401).await?;
    talk.post(REQUESTS, request("node", FOR_A_NODE, KUBELET))
        .await?;
    talk.until(&format!("{REQUESTS}/node"), is_signed).await?;
    let signed = talk.get(&format!("{REQUESTS}/node")).await?;
    talk.show(
        &signed,
        &[
            "/spec/username",
            "/spec/groups",
            "/status/conditions/0/type",
            "/status/conditions/0/status",
            "/status/conditions/0/reason",
        ],
    );
    // It is no node's: nobody approves it.
    talk.post(REQUESTS, request("other", FOR_ANOTHER, KUBELET))
        .await?;
    let other = talk.get(&format!("{REQUESTS}/other")).await?;
    talk.show(&other, &["/status/conditions", "/status/certificate"]);
    talk.as_token("another secret", &format!("{ID}.fedcba9876543210"))
        .await?;
    talk.get(&format!("{REQUESTS}/node")).await?;

    talk.as_oneself();
    talk.delete(&format!("{SECRETS}/bootstrap-token-{ID}"))
        .await?;
    talk.as_token("the token, which is gone", good).await?;
    talk.until(REQUESTS, |answer| answer["code"] == 401).await?;
    talk.post(REQUESTS, request("late", FOR_A_NODE, KUBELET))
        .await?;
    talk.as_oneself();
    talk.post(SECRETS, token("2020-01-01T00:00:00Z")).await?;
    talk.as_token("the token, which has expired", good).await?;
    talk.post(REQUESTS, request("late", FOR_A_NODE, KUBELET))
        .await?;
    talk.as_oneself();
    for name in ["node", "other"] {
        talk.delete(&format!("{REQUESTS}/{name}")).await?;
    }
    Ok(())
}

pub(crate) async fn signing_requests(talk: &mut Talk) -> Result<()> {
    for (pem, signer) in [("no request", "example.com/signer"), (FOR_A_NODE, "signer")] {
        talk.post(REQUESTS, request("bad", pem, signer)).await?;
    }
    let mut useless = request("bad", FOR_A_NODE, "example.com/signer");
    useless["spec"]["usages"] = json!([]);
    talk.post(REQUESTS, useless).await?;

    let own = &format!("{REQUESTS}/own");
    let (status, approval) = (&format!("{own}/status"), &format!("{own}/approval"));
    talk.post(REQUESTS, request("own", FOR_A_NODE, "example.com/signer"))
        .await?;
    let says = |kind: &str, status: &str| json!({"status": {"conditions": [{"type": kind, "status": status, "reason": "R", "message": "m"}]}});
    let shown = [
        "/spec/signerName",
        "/status/conditions/0/type",
        "/status/certificate",
    ];
    let main = talk.merge(own, says("Approved", "True")).await?;
    talk.show(&main, &shown);
    let main = talk
        .merge(own, json!({"spec": {"signerName": "example.com/other"}}))
        .await?;
    talk.show(&main, &shown);
    talk.merge(status, says("Approved", "True")).await?;
    talk.merge(approval, says("Denied", "False")).await?;
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": "R"});
    let both = json!({"status": {"conditions": [condition("Approved"), condition("Denied")]}});
    talk.merge(approval, both).await?;
    let mut approved = says("Approved", "True");
    approved["status"]["certificate"] = json!(ByteString(b"not by this way".to_vec()));
    let granted = talk.merge(approval, approved).await?;
    talk.show(&granted, &shown);
    talk.merge(approval, json!({"status": {"conditions": []}}))
        .await?;
    talk.merge(approval, says("Denied", "True")).await?;
    let certificate = json!({"status": {"certificate": ByteString(b"no certificate".to_vec())}});
    talk.merge(status, certificate).await?;
    let list = talk
        .get(&format!(
            "{REQUESTS}?fieldSelector=spec.signerName%3Dexample.com/signer"
        ))
        .await?;
    talk.show(&list, &["/items/0/metadata/name", "/items/1"]);
    talk.delete(own).await?;

    // Of a signer that there is: approved by a person, then signed.
    let own = &format!("{REQUESTS}/client");
    talk.post(
        REQUESTS,
        request("client", FOR_ANOTHER, "kubernetes.io/kube-apiserver-client"),
    )
    .await?;
    talk.merge(&format!("{own}/approval"), says("Approved", "True"))
        .await?;
    talk.until(own, is_signed).await?;
    let other = json!({"status": {"certificate": null}});
    talk.merge(&format!("{own}/status"), other).await?;
    talk.delete(own).await?;
    Ok(())
}
