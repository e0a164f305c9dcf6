//! Tells people: every change as a line of the log and as an Event on the Node.
//!
//! Events are for reading, not for deciding: one that cannot be written is lost, and the log has it.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use rectifier_api::AGENT;
use rectifier_core::clock::Timestamp;
use rectifier_core::episode::{News, Seen, Word};
use rectifier_core::name::NodeName;
use rectifier_core::policy::Outcome;
use rectifier_core::reason::Reason;
use tokio::sync::mpsc;

use crate::history::Told;
use crate::trouble::chain;

/// Where Events of what has no namespace are kept.
const NAMESPACE: &str = "default";
/// Kept for an API server that is away for a moment; more than a repair has.
const KEPT: usize = 64;
/// The API server's limit for a note, in bytes; a character has at most four.
const LONGEST_NOTE: usize = 1024;
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Takes news, and has them told.
pub(crate) struct Teller {
    node: NodeName,
    events: mpsc::Sender<Event>,
}

impl Teller {
    /// And the task that writes the Events; it ends when the teller is dropped.
    pub(crate) fn new(client: Client, node: NodeName) -> (Self, impl Future<Output = ()>) {
        let (events, told) = mpsc::channel(KEPT);
        (Self { node, events }, write(client, told))
    }

    /// Tells what a pass found out and decided.
    pub(crate) fn tell(&self, seen: &Seen, news: &[Told]) {
        for (index, told) in news.iter().enumerate() {
            let (problem, reason) = (&told.problem, &told.reason);
            match told.warns {
                true => tracing::warn!(problem, reason, "{}", told.text),
                false => tracing::info!(problem, reason, "{}", told.text),
            }
            let uid = seen.node.value.as_ref().map(|node| node.uid.to_string());
            if self.events.try_send(self.event(told, index, uid)).is_err() {
                tracing::debug!(problem, "an Event was lost: the API server is away");
            }
        }
    }

    fn event(&self, told: &Told, index: usize, uid: Option<String>) -> Event {
        let now = told.at;
        let note: String = format!("{}: {}", told.problem, told.text)
            .chars()
            .take(LONGEST_NOTE / 4)
            .collect();
        Event {
            metadata: ObjectMeta {
                // As Kubernetes' own: unique for the node by time, and by its place among the news of one pass.
                name: Some(format!("{}.{:x}.{index}", self.node, now.as_nanosecond())),
                namespace: Some(NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some("Heal".to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(note),
            reason: Some(told.reason.clone()),
            regarding: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Node".to_owned()),
                name: Some(self.node.to_string()),
                uid,
                ..ObjectReference::default()
            }),
            reporting_controller: Some(format!("rectifier.dev/{AGENT}")),
            reporting_instance: Some(self.node.to_string().chars().take(128).collect()),
            type_: Some(if told.warns { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        }
    }
}

async fn write(client: Client, mut told: mpsc::Receiver<Event>) {
    let api: Api<Event> = Api::namespaced(client, NAMESPACE);
    while let Some(event) = told.recv().await {
        let params = PostParams {
            field_manager: Some(AGENT.to_owned()),
            ..PostParams::default()
        };
        match tokio::time::timeout(WRITE_WITHIN, insist(&api, &params, &event)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(error = %chain(&error), "an Event was lost"),
            Err(_) => tracing::debug!("an Event was lost: the API server did not answer"),
        }
    }
}

/// An API server that is away for a moment, or has too much to do, is asked again. (A second Event of that name is none.)
async fn insist(api: &Api<Event>, params: &PostParams, event: &Event) -> Result<(), kube::Error> {
    let mut pause = Duration::from_millis(100);
    loop {
        match api.create(params, event).await {
            Err(kube::Error::Api(status)) if [429, 503, 504].contains(&status.code) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(kube::Error::Api(status)) if status.code == 409 => return Ok(()),
            result => return result.map(drop),
        }
    }
}

impl Told {
    /// News in words.
    pub(crate) fn of(word: &Word, now: Timestamp) -> Self {
        let line = |reason: &str, text, warns| Self {
            at: now,
            problem: word.problem.to_string(),
            reason: reason.to_owned(),
            text,
            warns,
        };
        match &word.news {
            News::Opened => line("ProblemSeen", "the problem is there".to_owned(), true),
            News::Begun(remedy) => line("RemedyBegun", remedy.clone(), false),
            News::Outcome {
                remedy,
                outcome,
                detail,
            } => {
                let (reason, words, warns) = outcome_in_words(*outcome);
                line(reason, with(&format!("{remedy}: {words}"), detail), warns)
            }
            News::Asked { asks, reason } => {
                let warns = *reason != Reason::HealingInNode;
                line(
                    reason.label(),
                    format!("{}: the control plane is asked ({asks:?})", reason.text()),
                    warns,
                )
            }
            News::Held { reason, detail } => {
                line(reason.label(), with(reason.text(), detail), false)
            }
            News::HandedBack => line(
                "HandedBack",
                "the control plane has finished with it".to_owned(),
                false,
            ),
            News::Closed => line(
                "ProblemGone",
                "the problem stayed away for the quiet time".to_owned(),
                false,
            ),
        }
    }
}

fn with(text: &str, detail: &str) -> String {
    if detail.is_empty() {
        text.to_owned()
    } else {
        format!("{text} ({detail})")
    }
}

fn outcome_in_words(outcome: Outcome) -> (&'static str, &'static str, bool) {
    match outcome {
        Outcome::Running => ("RemedyRunning", "under way", false),
        Outcome::Recovered => ("RemedyRecovered", "it helped", false),
        Outcome::NoEffect => ("RemedyNoEffect", "it did not help", true),
        Outcome::Failed => ("RemedyFailed", "it could not be carried out", true),
        Outcome::Refused => ("RemedyRefused", "it was refused", true),
        Outcome::Unknown => ("RemedyUnknown", "it is not known what became of it", true),
    }
}
