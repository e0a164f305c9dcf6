//! What the controller may do (`deploy/rbac.yaml`), and what it does: the world asks nobody whether he may.

use anyhow::{Context, Result};
use rectifier_sim::scene::{CONTROLLER, NAMESPACE};
use serde_json::{Value, json};

/// What is done to what: verb, group, resource with its subresource, namespace, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deed {
    pub(crate) verb: &'static str,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Deed {
    /// Of a request.
    ///
    /// # Errors
    /// It is none that an API server knows.
    pub(crate) fn of(method: &str, path: &str) -> Result<Self> {
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
pub(crate) struct Rule {
    namespace: Option<String>,
    pub(crate) rule: Value,
}

impl Rule {
    pub(crate) fn allows(&self, deed: &Deed) -> bool {
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

/// The controller's.
pub(crate) fn rules() -> Result<Vec<Rule>> {
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
