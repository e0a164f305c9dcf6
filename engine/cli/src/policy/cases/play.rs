//! Plays a case: asks the policy at every step, and goes on with what it decided.

use std::time::{Duration, Instant};

use rectifier_core::policy::{Decision, Remedy};
use rectifier_policy_host::{Failure, LogLevel};
use serde_json::Value;
use serde_saphyr::Location;

use super::compare::{completed, difference, differs};
use super::{Case, Failing, Step, Suite};
use crate::diagnostic::Located;
use crate::policy::observation::{Draft, Unfit};
use crate::policy::tree::{self, Node, path};
use crate::policy::variants::Variants;

/// What came of a case.
pub(crate) struct Played<'a> {
    pub(crate) case: &'a Case,
    pub(crate) time: Duration,
    /// What is not as expected, and where that was said.
    pub(crate) wrong: Option<Located>,
}

/// # Errors
/// The policy's file cannot be read. Whatever the policy does is no error.
pub(crate) async fn play<'a>(
    suite: &'a Suite,
    case: &'a Case,
    variants: &mut Variants,
) -> anyhow::Result<Played<'a>> {
    let began = Instant::now();
    let mut story = Story::begin(suite, case, variants);
    let wrong = story.play().await?;
    Ok(Played {
        case,
        time: began.elapsed(),
        wrong,
    })
}

struct Story<'a> {
    suite: &'a Suite,
    case: &'a Case,
    variants: &'a mut Variants,
    draft: Draft,
}

/// What a policy answered, and what it logged meanwhile.
type Answered = (Result<Decision, Failure>, Vec<(LogLevel, String)>);

impl<'a> Story<'a> {
    fn begin(suite: &'a Suite, case: &'a Case, variants: &'a mut Variants) -> Self {
        let mut draft = Draft::healthy();
        for said in [&suite.observation, &case.observation]
            .into_iter()
            .flatten()
        {
            draft.change(&said.value());
        }
        Self {
            suite,
            case,
            variants,
            draft,
        }
    }

    async fn play(&mut self) -> anyhow::Result<Option<Located>> {
        for (at, step) in self.case.steps.iter().enumerate() {
            if let Some(located) = self.happen(step) {
                return Ok(Some(located));
            }
            let seen = match self.draft.finish() {
                Ok(seen) => seen,
                Err(unfit) => return Ok(Some(self.unfit(step, &unfit))),
            };
            let settings = self.case.settings.as_ref().or(self.suite.settings.as_ref());
            let settings = settings.map(Node::value);
            let answered = match self.variants.with(settings.as_ref()).await? {
                Ok(policy) => {
                    let asked = self.variants.host().ask(&policy, &seen).await;
                    (asked.answer, asked.log)
                }
                Err(failure) => (Err(failure), Vec::new()),
            };
            if let Some(located) = self.judge(at, step, &answered) {
                return Ok(Some(located));
            }
            if let (Ok(decision), _) = &answered {
                match &decision.remedy {
                    // Nothing is begun.
                    Remedy::Decline | Remedy::Wait(_) | Remedy::Escalate => {}
                    remedy @ (Remedy::Unit(_)
                    | Remedy::Fix(_)
                    | Remedy::Reboot
                    | Remedy::Replace) => {
                        self.draft.begin(remedy);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Time, the outcome of what was begun, and what else has changed.
    fn happen(&mut self, step: &Step) -> Option<Located> {
        if let Some(time) = step.after {
            self.draft.pass(time.0);
        }
        if let Some(outcome) = &step.outcome {
            let detail = step.detail.as_deref().unwrap_or_default();
            if !self.draft.end(outcome.value, detail) {
                let why = "no remedy has been begun before this step";
                return Some(self.suite.source.wrong(
                    outcome.referenced,
                    "there is no attempt",
                    why,
                ));
            }
        }
        if let Some(change) = &step.observation {
            self.draft.change(&change.value());
        }
        None
    }

    /// Shown where it was said: in the step, in the case, or for all cases.
    fn unfit(&self, step: &Step, unfit: &Unfit) -> Located {
        let said = [
            &step.observation,
            &self.case.observation,
            &self.suite.observation,
        ];
        let (at, taken) = said
            .into_iter()
            .flatten()
            .map(|node| node.place(&unfit.way))
            .max_by_key(|(_, taken)| *taken)
            .filter(|(_, taken)| *taken > 0)
            .unwrap_or((self.case.name.referenced, 0));
        let message = format!("{}: this is no observation", self.case.name.value);
        let label = match taken == unfit.way.len() {
            true => unfit.message.clone(),
            false => unfit.to_string(),
        };
        self.suite.source.wrong(at, message, label)
    }

    fn judge(&self, at: usize, step: &Step, (answer, log): &Answered) -> Option<Located> {
        let (place, label, diff) = match (answer, &step.decision, &step.failure) {
            (_, None, None) => return None,
            (Ok(decision), Some(expected), _) => decided(expected, decision)?,
            (Err(failure), Some(expected), _) => (expected.at, failure.to_string(), None),
            (Ok(decision), None, Some(expected)) => {
                let found = format!("it decided: {} ({})", decision.remedy, decision.reason);
                (expected.referenced, found, None)
            }
            (Err(failure), None, Some(expected)) => {
                let Failing { class, message } = &expected.value;
                let fits = failure.class == *class && failure.message.contains(message);
                if fits {
                    return None;
                }
                (expected.referenced, failure.to_string(), None)
            }
        };
        let name = &self.case.name.value;
        let message = match self.case.steps.len() {
            1 => name.clone(),
            _ => format!("{name}: step {}", at + 1),
        };
        let logged = log
            .iter()
            .map(|(level, line)| format!("it logged, {level:?}: {line}\n"));
        let help: String = diff.into_iter().chain(logged).collect();
        Some(Located {
            help: Some(help.trim_end().to_owned()).filter(|help| !help.is_empty()),
            ..self.suite.source.wrong(place, message, label)
        })
    }
}

/// Where it differs, in few words, and the whole difference.
fn decided(expected: &Node, decision: &Decision) -> Option<(Location, String, Option<String>)> {
    let actual = serde_json::to_value(decision).unwrap_or_default();
    let way = differs(expected, &actual)?;
    let (place, _) = expected.place(&way);
    let found = way.iter().try_fold(&actual, |value, step| match step {
        tree::Step::Key(key) => value.get(key),
        tree::Step::Index(at) => value.get(at),
    });
    let label = match found.filter(|found| !found.is_null()) {
        Some(Value::String(text)) => format!("it is: {text}"),
        Some(found) => format!("it is: {found}"),
        None => format!("its decision has no {}", path(&way)),
    };
    let diff = difference(&completed(&expected.value(), &actual), &actual);
    Some((
        place,
        label,
        Some(format!("expected (-) and decided (+):\n{diff}")),
    ))
}
