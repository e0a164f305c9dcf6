//! How a kubelet joins a cluster, step by step: with a bootstrap token it asks for a certificate of
//! its own, and with that it registers its Node.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestSpec,
};
use k8s_openapi::api::core::v1::Node;
use kube::api::{ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config};
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::json;

use super::user_data::Registration;
use crate::kubernetes::node::KWOK_LABEL;

/// A client with the credential of that kubeconfig (YAML or JSON).
///
/// # Errors
/// If it is none.
pub async fn client(kubeconfig: &str) -> Result<Client> {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).context("a kubeconfig")?;
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    // a proxy of the environment is for the outside
    config.proxy_url = None;
    Ok(Client::try_from(config)?)
}

/// Turns a bootstrap kubeconfig into one with a certificate for the node `name`.
///
/// # Errors
/// If the API server cannot be reached, refuses the token, or denies the request.
pub async fn certificate(bootstrap: &str, name: &str) -> Result<String> {
    let key = KeyPair::generate()?;
    let mut subject = CertificateParams::default();
    subject
        .distinguished_name
        .push(DnType::OrganizationName, "system:nodes");
    subject
        .distinguished_name
        .push(DnType::CommonName, format!("system:node:{name}"));
    let request = CertificateSigningRequest {
        metadata: ObjectMeta {
            generate_name: Some("node-csr-".to_owned()),
            ..Default::default()
        },
        spec: CertificateSigningRequestSpec {
            request: ByteString(subject.serialize_request(&key)?.pem()?.into_bytes()),
            signer_name: "kubernetes.io/kube-apiserver-client-kubelet".to_owned(),
            usages: Some(vec![
                "digital signature".to_owned(),
                "client auth".to_owned(),
            ]),
            ..Default::default()
        },
        status: None,
    };
    let requests: Api<CertificateSigningRequest> = Api::all(client(bootstrap).await?);
    let made = requests.create(&PostParams::default(), &request).await;
    let made = made.context("asking for a certificate with the bootstrap token")?;
    let made = made
        .metadata
        .name
        .context("a certificate request without a name")?;

    let signed = await_condition(
        requests,
        &made,
        |seen: Option<&CertificateSigningRequest>| {
            seen.is_some_and(|request| certificate_of(request).is_some() || is_refused(request))
        },
    );
    let signed = signed
        .await?
        .with_context(|| format!("request {made} is gone"))?;
    let certificate = certificate_of(&signed);
    let certificate = certificate.with_context(|| format!("request {made} was refused"))?;

    let mut kubeconfig = Kubeconfig::from_yaml(bootstrap)?;
    for named in &mut kubeconfig.auth_infos {
        let user = named.auth_info.get_or_insert_default();
        let encode =
            |bytes: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
        user.token = None;
        user.client_certificate_data = Some(encode(&certificate.0));
        user.client_key_data = Some(encode(key.serialize_pem().as_bytes()).into());
    }
    Ok(serde_json::to_string_pretty(&kubeconfig)?)
}

fn certificate_of(request: &CertificateSigningRequest) -> Option<&ByteString> {
    request.status.as_ref()?.certificate.as_ref()
}

fn is_refused(request: &CertificateSigningRequest) -> bool {
    let conditions = request
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| ["Denied", "Failed"].contains(&&*condition.type_))
}

/// What a node says of itself when it registers.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its server, `openstack:///UUID`.
    pub provider_id: String,
    /// Its `InternalIP`.
    pub address: Ipv4Addr,
    /// This boot's.
    pub boot_id: String,
}

/// Registers a Node that KWOK then takes over; the client has the node's own certificate.
///
/// # Errors
/// If the API server refuses it, or has a Node of that name that is another server's.
pub async fn register(client: Client, node: &Identity, told: &Registration) -> Result<()> {
    let nodes: Api<Node> = Api::all(client);
    let mut labels = BTreeMap::from([
        ("kubernetes.io/hostname".to_owned(), node.name.clone()),
        ("kubernetes.io/os".to_owned(), "linux".to_owned()),
        ("kubernetes.io/arch".to_owned(), "amd64".to_owned()),
        (KWOK_LABEL.0.to_owned(), KWOK_LABEL.1.to_owned()),
    ]);
    labels.extend(told.labels.clone());
    let wanted: Node = serde_json::from_value(json!({
        "metadata": {"name": node.name, "labels": labels},
        "spec": {"providerID": node.provider_id, "taints": told.taints},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": node.address.to_string()},
                {"type": "Hostname", "address": node.name},
            ],
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "bootID": node.boot_id,
                "machineID": node.provider_id, "systemUUID": node.provider_id,
                "containerRuntimeVersion": "kwok", "kernelVersion": "kwok", "osImage": "kwok",
                "kubeletVersion": "fake", "kubeProxyVersion": "fake",
            },
        },
    }))?;
    match nodes.create(&PostParams::default(), &wanted).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let there = nodes
                .get(&node.name)
                .await?
                .spec
                .and_then(|spec| spec.provider_id);
            ensure!(
                there.as_ref() == Some(&node.provider_id),
                "the Node {} is another server's: {there:?}",
                node.name
            );
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("registering the Node {}", node.name)),
    }
}
