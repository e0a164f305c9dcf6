//! The real API server gives the answers that the world's gives, and real OpenStack services keep the contract that the
//! world's cloud keeps. One stack serves all of its parts, since it takes half a minute to start.

mod conformance;
mod openstack;

use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use conformance::{Others, Subject, cases};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use openstack::{Stack, Trouble};
use rectifier_bed::Bed;
use rectifier_bed::kubernetes::{Kubernetes, Options};
use rectifier_bed::openstack::{self as bed, Effect, Fault, HttpFault};
use rectifier_cloud::openstack::access::{ACCESS_RULES, AccessRule};
use rectifier_cloud::openstack::{Http, OpenStack, OpenStackConfig};
use rectifier_cloud::{Cloud, CloudError, Shape};
use rectifier_core::name::ServerId;
use rectifier_provision::Stderr;
use serde_json::json;

/// Others who ask the real server.
struct Visitors(Rc<Kubernetes>);

#[async_trait::async_trait(?Send)]
impl Others for Visitors {
    async fn with_token(&self, token: &str) -> Result<kube::Client> {
        self.0.client_with_token(token).await
    }

    async fn account(
        &self,
        [namespace, name]: [&str; 2],
        node: Option<[&str; 2]>,
    ) -> Result<kube::Client> {
        let pod = match node {
            None => None,
            Some([node, _]) => {
                let pods: Api<Pod> = Api::namespaced(self.0.admin(), namespace);
                let pod = serde_json::from_value(json!({
                    "metadata": {"name": format!("{name}-{node}")},
                    "spec": {
                        "serviceAccountName": name, "nodeName": node, "containers": [{"name": "agent", "image": "none:1"}],
                    },
                }))?;
                Some(pods.create(&PostParams::default(), &pod).await?)
            }
        };
        let token = self
            .0
            .service_account_token(namespace, name, pod.as_ref())
            .await?;
        self.0.client_with_token(&token).await
    }
}

#[tokio::test]
async fn the_real_api_server_answers_as_the_world_does() -> Result<()> {
    let bed = Bed::new("conformance")?;
    let options = Options {
        kwok: false,
        ..Options::default()
    };
    let kubernetes = Rc::new(Kubernetes::start(&bed, options).await?);
    kubernetes.apply_rights(&bed).await?;
    let subject = Subject {
        client: kubernetes.admin_who_asks_once().await?,
        others: Rc::new(Visitors(kubernetes.clone())),
    };
    for case in cases() {
        subject.answers(&case).await?;
    }
    Ok(())
}

struct Real {
    stack: bed::OpenStack,
    cloud: OpenStack,
    shape: Shape,
    network: String,
}

/// The cloud of that name in that file. What else stands before the API would hide what the API itself says.
fn named(clouds: PathBuf, cloud: &str) -> Result<OpenStack> {
    Ok(OpenStack::over(Http::new(OpenStackConfig {
        clouds,
        cloud: Some(cloud.to_owned()),
        region: None,
    })?))
}

/// The cloud as an application credential sees it that may ask these, and has no role but `member`.
async fn limited(
    bed: &Bed,
    stack: &bed::OpenStack,
    name: &str,
    rules: &[AccessRule],
) -> Result<OpenStack> {
    let (id, secret) = stack
        .demo
        .application_credential(name, &json!(rules))
        .await?;
    let at = stack.cloud("demo")?;
    let clouds = json!({"clouds": {name: {
        "auth_type": "v3applicationcredential", "cacert": at.cacert,
        "auth": {
            "auth_url": at.auth_url,
            "application_credential_id": id,
            "application_credential_secret": secret,
        },
    }}});
    let file = bed.part(name)?.join("clouds.yaml");
    std::fs::write(&file, clouds.to_string())?;
    named(file, name)
}

impl Real {
    async fn new(stack: bed::OpenStack, cloud: OpenStack) -> Result<Self> {
        let flavors = stack.records.flavors().await?;
        let flavor = flavors
            .iter()
            .find(|flavor| flavor.name == "m1.small")
            .context("m1.small")?;
        let images = stack.records.images().await?;
        let shape = Shape {
            flavor: flavor.id.clone(),
            image: images.first().map(|image| image.id.clone()),
            key_name: None,
            zone: None,
            server_group: None,
            config_drive: false,
        };
        let network = stack.records.network().await?;
        Ok(Self {
            stack,
            cloud,
            shape,
            network,
        })
    }
}

#[async_trait::async_trait(?Send)]
impl Stack for Real {
    fn cloud(&self) -> &OpenStack {
        &self.cloud
    }

    fn shape(&self) -> Shape {
        self.shape.clone()
    }

    fn network(&self) -> String {
        self.network.clone()
    }

    async fn foreign_server(&self, name: &str) -> Result<ServerId> {
        let wanted = bed::NewServer {
            name: name.to_owned(),
            flavor: "m1.small".to_owned(),
            ..bed::NewServer::default()
        };
        Ok(ServerId::parse(
            self.stack.demo.create_server(&wanted).await?.id,
        )?)
    }

    async fn trouble(&self, trouble: Trouble) -> Result<()> {
        let next = |method, path, effect| Fault::Http(HttpFault::next(method, path, effect));
        self.stack
            .fault(match trouble {
                Trouble::LostCreate => next("POST", "/servers$", Effect::AnswerLost),
                Trouble::NoValidHost => Fault::NoValidHost(1),
                Trouble::NoQuota => Fault::Quota(0),
                Trouble::Answered(status, headers) => {
                    next("GET", "/servers/", Effect::Answer { status, headers })
                }
                Trouble::HostStopped(host) => Fault::HostStopped(host),
            })
            .await
    }

    async fn no_more_trouble(&self) -> Result<()> {
        self.stack.clear_faults().await
    }

    async fn host_of(&self, server: &ServerId) -> Result<String> {
        let server = self.stack.records.server(server.as_str()).await?;
        server
            .and_then(|server| server.host)
            .context("it has no host")
    }

    async fn ports_left(&self) -> Result<usize> {
        Ok(self.stack.records.ports().await?.len())
    }
}

/// As the service user with the smallest rights: a project's `member`, by an application credential that may ask what is on
/// our list.
#[tokio::test]
async fn real_services_keep_the_contract() -> Result<()> {
    let bed = Bed::new("cloud")?;
    let stack =
        bed::OpenStack::start(&bed, &bed::Options::default(), &mut Stderr::default()).await?;
    let cloud = limited(&bed, &stack, "service", ACCESS_RULES).await?;
    let real = Real::new(stack, cloud).await?;
    openstack::keeps_the_contract(&real).await?;
    nothing_on_the_list_is_superfluous(&real.stack)?;
    // A token that was revoked is replaced.
    real.stack.fault(Fault::TokensRevoked).await?;
    ensure!(real.cloud.find_by_tag("nothing").await?.is_empty());
    // So is one that was got by a password.
    let by_password = named(real.stack.clouds_yaml(), "demo")?;
    ensure!(by_password.find_by_tag("nothing").await?.is_empty());
    real.stack.fault(Fault::TokensRevoked).await?;
    ensure!(by_password.find_by_tag("nothing").await?.is_empty());
    what_is_not_on_the_list_is_refused(&bed, &real.stack).await?;
    real.stack.stop().await;
    Ok(())
}

/// Each rule was needed by the suite.
fn nothing_on_the_list_is_superfluous(stack: &bed::OpenStack) -> Result<()> {
    let requests = stack.requests()?;
    let is_needed = |rule: &&AccessRule| {
        requests.iter().any(|request| {
            let path = request.path.split('?').next().unwrap_or_default();
            let mut parts = path.split('/').filter(|part| !part.is_empty());
            // then comes the version
            let service = parts.next().unwrap_or_default();
            rule.allows(service, &request.method, parts.skip(1))
        })
    };
    let unneeded: Vec<_> = ACCESS_RULES
        .iter()
        .filter(|rule| !is_needed(rule))
        .collect();
    ensure!(unneeded.is_empty(), "nobody asked these: {unneeded:#?}");
    Ok(())
}

async fn what_is_not_on_the_list_is_refused(bed: &Bed, stack: &bed::OpenStack) -> Result<()> {
    let mut rules = ACCESS_RULES.to_vec();
    rules.retain(|rule| rule.service != "network");
    let cloud = limited(bed, stack, "blind", &rules).await?;
    ensure!(cloud.find_by_tag("nothing").await?.is_empty());
    let refused = cloud.ports_by_names(&["nothing".to_owned()]).await;
    ensure!(
        matches!(refused, Err(CloudError::Login { .. })),
        "{refused:?}"
    );
    Ok(())
}
