//! The controller has every right that it uses (`deploy/rbac.yaml`), and uses every right that it has on our own kinds and on
//! the stop switch: the world asks nobody whether he may.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use rectifier_sim::scene::{CONTROLLER, NAMESPACE};
use serde_json::{Value, json};

use crate::stage::{SICK, Stage, played};

/// What is done to what: verb, group, resource with its subresource, namespace, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Deed {
    verb: &'static str,
    group: String,
    resource: String,
    namespace: String,
    name: String,
}

impl Deed {
    fn of(method: &str, path: &str) -> Result<Self> {
        let (place, query) = path.split_once('?').unwrap_or((path, ""));
        let mut parts = place.split('/').skip(1);
        let group = match parts.next() {
            Some("api") => String::new(),
            _ => parts.next().context("a group")?.to_owned(),
        };
        let _version = parts.next();
        let mut rest: Vec<&str> = parts.collect();
        let mut namespace = "";
        if rest.first() == Some(&"namespaces") && rest.len() > 2 {
            namespace = rest[1];
            rest.drain(..2);
        }
        let name = rest.get(1).copied().unwrap_or_default();
        let only = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("fieldSelector=metadata.name%3D"));
        let resource = match rest.get(2) {
            Some(below) => format!("{}/{below}", rest[0]),
            None => rest[0].to_owned(),
        };
        let verb = match method {
            "GET" if query.contains("watch=true") => "watch",
            "GET" if name.is_empty() => "list",
            "GET" => "get",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => "delete",
            other => anyhow::bail!("{other} {path}"),
        };
        Ok(Self {
            verb,
            group,
            resource,
            namespace: namespace.to_owned(),
            name: only.unwrap_or(name).to_owned(),
        })
    }
}

/// A rule of a role, and where it holds: everywhere without a namespace.
struct Rule {
    namespace: Option<String>,
    rule: Value,
}

impl Rule {
    fn allows(&self, deed: &Deed) -> bool {
        let has = |field: &str, wanted: &str| {
            let all = self.rule[field].as_array().into_iter().flatten();
            all.into_iter().any(|one| one == wanted)
        };
        let named = self.rule["resourceNames"].is_null() || has("resourceNames", &deed.name);
        self.namespace
            .as_ref()
            .is_none_or(|own| *own == deed.namespace)
            && has("apiGroups", &deed.group)
            && has("resources", &deed.resource)
            && has("verbs", deed.verb)
            && named
    }
}

fn rules() -> Result<Vec<Rule>> {
    let text = include_str!("../../../../deploy/rbac.yaml");
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    let ours = json!({"kind": "ServiceAccount", "name": CONTROLLER, "namespace": NAMESPACE});
    let bindings = documents.iter().filter(|document| {
        let subjects = document["subjects"].as_array();
        subjects.is_some_and(|subjects| subjects.contains(&ours))
    });
    let mut rules = Vec::new();
    for binding in bindings {
        let role = documents
            .iter()
            .find(|role| {
                role["kind"] == binding["roleRef"]["kind"]
                    && role["metadata"]["name"] == binding["roleRef"]["name"]
                    && role["metadata"]["namespace"] == binding["metadata"]["namespace"]
            })
            .context("its role")?;
        let namespace = binding["metadata"]["namespace"].as_str().map(str::to_owned);
        for rule in role["rules"].as_array().context("rules")? {
            rules.push(Rule {
                namespace: namespace.clone(),
                rule: rule.clone(),
            });
        }
    }
    Ok(rules)
}

#[test]
fn the_controller_has_every_right_that_it_uses_and_uses_those_on_our_kinds() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        let pool = json!({"spec": {"mode": "Approve", "retention": {"days": 1}}});
        stage.patch_pool(pool).await?;
        stage.report(SICK, "True").await?;
        stage.says(SICK, Reason::AwaitingApproval).await?;
        stage
            .annotate(SICK, "rectifier.dev/approve", "Replace-1")
            .await?;
        stage.reaches(SICK, Phase::Joining).await?;
        stage.is_replaced(SICK).await?;
        let mut deeds = BTreeSet::new();
        let mut note = || -> Result<()> {
            for request in stage.scene.api.requests() {
                if request.who == CONTROLLER {
                    deeds.insert(Deed::of(&request.method, &request.path)?);
                }
            }
            Ok(())
        };
        note()?;
        stage
            .until("the old repair to go", async |stage| {
                Ok(stage.open(SICK).await?.is_none())
            })
            .await?;
        stage.minutes(25 * 60).await;
        note()?;
        ensure!(stage.archived().await?.is_empty());
        let rules = rules()?;
        for deed in &deeds {
            let allowed = rules.iter().any(|rule| rule.allows(deed));
            ensure!(allowed, "it has no right to {deed:?}");
        }
        for rule in &rules {
            let of_ours = rule.rule["apiGroups"] == json!(["rectifier.dev"]);
            for verb in rule.rule["verbs"].as_array().into_iter().flatten() {
                let used = deeds
                    .iter()
                    .any(|deed| rule.allows(deed) && verb == deed.verb);
                ensure!(!of_ours || used, "it never uses {verb} of {}", rule.rule);
            }
        }
        let switch = |deed: &Deed| deed.name == rectifier_core::repair::STOP;
        ensure!(deeds.iter().any(switch), "it reads the switch");
        Ok(())
    })
}
