//! What our ValidatingAdmissionPolicies refuse, by who asks.
//!
//! They are installed from the manifests that a cluster gets. Nobody here reads CEL: each expression is one function
//! ([`expressions`]), and a policy with one that is not there is refused, so that none is forgotten. That each says the same as
//! the real server's is what the conformance suite compares.

mod expressions;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ApiServer;
use super::answer::Refusal;
use super::identity::Identity;
use super::kind::Kind;
use super::object::meta;
use super::verb::{Part, Verb};
use crate::landing::lock;
use expressions::{Check, IN_MESSAGES, check, is_known};

/// Manifests that the world cannot follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPolicy {
    /// There is no function for it.
    #[error(
        "the world has no function for the CEL expression {0:?}: add one to kubernetes/admission/expressions.rs"
    )]
    Expression(String),
    /// They cannot be read.
    #[error("no admission policies: {0}")]
    Unreadable(String),
    /// Nothing binds a policy, so that it would refuse nothing.
    #[error("the admission policy {0:?} has no binding that denies")]
    Unbound(String),
}

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, as an expression sees it. Events are seen in the core shape, whichever they came in.
pub(super) struct Asked<'a> {
    who: &'a Identity,
    operation: Operation,
    subresource: &'static str,
    /// `Null`, if it is deleted.
    object: &'a Value,
    /// `Null`, if it is made.
    old: &'a Value,
}

/// One policy, bound.
pub(super) struct Policy {
    name: String,
    binding: String,
    /// Groups, operations, and resources with their subresources.
    rules: Vec<[Vec<String>; 3]>,
    conditions: Vec<Check>,
    validations: Vec<(Check, Message)>,
}

/// What is said when it is not so.
enum Message {
    Text(String),
    /// Texts, and variables of these names.
    Parts(Vec<Result<String, String>>),
}

impl ApiServer {
    /// Puts the ValidatingAdmissionPolicies in these manifests in force.
    ///
    /// # Errors
    /// A policy is bound by nothing, or says what there is no function for.
    pub fn admit_by(&self, manifests: &str) -> Result<(), UnknownPolicy> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(manifests)
            .map_err(|error| UnknownPolicy::Unreadable(error.to_string()))?;
        let bindings: Vec<ValidatingAdmissionPolicyBinding> = of_kind(&documents)?;
        let policies: Vec<ValidatingAdmissionPolicy> = of_kind(&documents)?;
        let policies = policies.into_iter().map(|policy| {
            let name = policy.metadata.name.clone().unwrap_or_default();
            let is_of = |binding: &&ValidatingAdmissionPolicyBinding| {
                let spec = binding.spec.clone().unwrap_or_default();
                let actions = spec.validation_actions.unwrap_or_default();
                spec.policy_name.as_deref() == Some(&name) && actions.contains(&"Deny".to_owned())
            };
            let binding = bindings.iter().find(is_of);
            let binding = binding.and_then(|binding| binding.metadata.name.clone());
            let binding = binding.ok_or_else(|| UnknownPolicy::Unbound(name.clone()))?;
            Policy::new(name, binding, policy)
        });
        let policies: Vec<Policy> = policies.collect::<Result<_, _>>()?;
        lock(&self.inner.store).policies.extend(policies);
        Ok(())
    }
}

/// The documents of one kind.
fn of_kind<K: DeserializeOwned + k8s_openapi::Resource>(
    documents: &[Value],
) -> Result<Vec<K>, UnknownPolicy> {
    let own = documents
        .iter()
        .filter(|document| document["kind"] == K::KIND);
    own.map(|document| {
        K::deserialize(document).map_err(|error| UnknownPolicy::Unreadable(error.to_string()))
    })
    .collect()
}

impl Policy {
    fn new(
        name: String,
        binding: String,
        policy: ValidatingAdmissionPolicy,
    ) -> Result<Self, UnknownPolicy> {
        let spec = policy.spec.unwrap_or_default();
        for variable in spec.variables.unwrap_or_default() {
            if !is_known(&variable.name, &variable.expression) {
                return Err(UnknownPolicy::Expression(variable.expression));
            }
        }
        let rules = spec.match_constraints.unwrap_or_default().resource_rules;
        let conditions = spec.match_conditions.unwrap_or_default();
        let validations = spec.validations.unwrap_or_default().into_iter();
        let validations = validations.map(|validation| {
            let message = match (validation.message, validation.message_expression) {
                (_, Some(expression)) => parts(&expression)?,
                (message, None) => Message::Text(message.unwrap_or_default()),
            };
            Ok((check(&validation.expression)?, message))
        });
        Ok(Self {
            name,
            binding,
            rules: rules
                .unwrap_or_default()
                .into_iter()
                .map(|rule| {
                    [rule.api_groups, rule.operations, rule.resources]
                        .map(Option::unwrap_or_default)
                })
                .collect(),
            conditions: conditions
                .iter()
                .map(|condition| check(&condition.expression))
                .collect::<Result<_, _>>()?,
            validations: validations.collect::<Result<_, UnknownPolicy>>()?,
        })
    }

    /// Why it refuses.
    fn refuses(&self, kind: &Kind, asked: &Asked<'_>) -> Option<String> {
        let resource = match asked.subresource {
            "" => kind.plural.clone(),
            below => format!("{}/{below}", kind.plural),
        };
        let has = |list: &[String], wanted: &str| list.iter().any(|is| is == wanted);
        let is_about_it = self.rules.iter().any(|[groups, operations, resources]| {
            has(groups, &kind.group)
                && has(operations, asked.operation.name())
                && has(resources, &resource)
        });
        if !is_about_it || !self.conditions.iter().all(|condition| condition(asked)) {
            return None;
        }
        let mut broken = self.validations.iter().filter(|(holds, _)| !holds(asked));
        let (_, message) = broken.next()?;
        Some(match message {
            Message::Text(text) => text.clone(),
            Message::Parts(parts) => parts
                .iter()
                .map(|part| match part {
                    Ok(text) => text,
                    Err(variable) => asked.variable(variable),
                })
                .collect(),
        })
    }
}

/// A message that is put together of texts and variables.
fn parts(expression: &str) -> Result<Message, UnknownPolicy> {
    let part = |part: &str| {
        let text = part
            .strip_prefix('\'')
            .and_then(|part| part.strip_suffix('\''));
        match text {
            Some(text) => Ok(Ok(text.to_owned())),
            None if IN_MESSAGES.contains(&part) => Ok(Err(part.to_owned())),
            None => Err(UnknownPolicy::Expression(expression.to_owned())),
        }
    };
    let parts = expression.split(" + ").map(part);
    Ok(Message::Parts(parts.collect::<Result<_, _>>()?))
}

impl Verb<'_> {
    /// May he who asks do this? An object is none (`Null`) where there is none.
    pub(super) fn admit(
        &self,
        operation: Operation,
        part: Part,
        [old, object]: [&Value; 2],
    ) -> Result<(), Refusal> {
        if self.store.policies.is_empty() {
            return Ok(());
        }
        let asked = Asked {
            who: &self.who,
            operation,
            subresource: part.name(),
            object,
            old,
        };
        for policy in &self.store.policies {
            if let Some(message) = policy.refuses(&self.kind, &asked) {
                let named = if object.is_null() { old } else { object };
                let why = format!(
                    "{} {:?} is forbidden: ValidatingAdmissionPolicy '{}' with binding '{}' denied request: {message}",
                    self.kind.qualified(),
                    meta(named, "name"),
                    policy.name,
                    policy.binding,
                );
                return Err(Refusal::new(422, "Invalid", why));
            }
        }
        Ok(())
    }
}
