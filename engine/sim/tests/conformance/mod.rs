//! One suite for two API servers: each case is a conversation, and what was answered is compared with
//! `answers/CASE.snap`. With `INSTA_UPDATE=always` a run of `real` writes these anew.

mod admission;
mod applies;
mod budgets;
mod events;
mod objects;
mod pods;
mod repairs;
mod requests;
mod talk;
mod watches;

use std::pin::Pin;
use std::rc::Rc;

use anyhow::{Context, Result};
use kube::Client;

use talk::Talk;

/// Whom the suite asks.
pub(crate) struct Subject {
    pub(crate) client: Client,
    pub(crate) others: Rc<dyn Others>,
}

/// How somebody else than the suite itself asks.
#[async_trait::async_trait(?Send)]
pub(crate) trait Others {
    /// Who comes with a bearer token.
    async fn with_token(&self, token: &str) -> Result<Client>;
    /// A ServiceAccount, by the token of a pod on this node, if one is given.
    async fn account(&self, account: [&str; 2], node: Option<[&str; 2]>) -> Result<Client>;
}

type Conversation = for<'a> fn(&'a mut Talk) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

pub(crate) struct Case {
    name: &'static str,
    conversation: Conversation,
}

macro_rules! cases {
    ($($module:ident::$name:ident),+ $(,)?) => {
        /// All conversations.
        pub(crate) fn cases() -> Vec<Case> {
            vec![$(Case {
                name: stringify!($name),
                conversation: |talk| Box::pin($module::$name(talk)),
            }),+]
        }
    };
}

cases! {
    objects::made_read_changed_and_deleted,
    objects::stale_versions,
    objects::patches,
    objects::what_makes_no_sense,
    objects::finalizers,
    objects::preconditions,
    objects::selectors,
    objects::pages,
    objects::generated_names,
    objects::dry_runs,
    objects::leases_and_secrets,
    pods::graceful_deletion,
    pods::evictions,
    pods::nodes,
    pods::priorities,
    pods::volumes_and_drivers,
    repairs::halves,
    repairs::schemas,
    repairs::rules,
    applies::applied,
    applies::applied_over_others,
    applies::what_cannot_be_applied,
    applies::applied_lists,
    applies::applied_pods,
    applies::applied_repairs,
    budgets::budgets_of_sets,
    budgets::budgets_of_bare_pods,
    budgets::unhealthy_pods,
    events::events,
    events::what_is_no_event,
    requests::bootstrap_tokens,
    requests::signing_requests,
    admission::a_node_engines_repairs,
    admission::repairs_by_a_token_without_a_node,
    admission::a_detectors_conditions,
    admission::agents_events,
    admission::the_controllers_secrets,
    admission::the_controllers_config_maps,
    admission::committed_repairs,
    admission::hands,
    watches::changes,
    watches::initial_events,
    watches::into_and_out_of_a_selector,
}

impl Subject {
    /// Holds the conversation, and compares it with what is on record.
    pub(crate) async fn answers(&self, case: &Case) -> Result<()> {
        let namespace = format!("case-{}", case.name.replace('_', "-"));
        let mut talk = Talk::new(self.client.clone(), self.others.clone(), &namespace);
        talk.prepare().await.context(case.name)?;
        (case.conversation)(&mut talk)
            .await
            .with_context(|| format!("{}:\n{}", case.name, talk.record()))?;
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("answers");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(case.name, talk.record()));
        Ok(())
    }
}
