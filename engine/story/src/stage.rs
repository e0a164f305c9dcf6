//! Plays a script on a stage.

use rectifier_core::clock::Timestamp;
use rectifier_core::repair::Phase;

use crate::act::{Awaited, Deed};
use crate::fact::{Claim, Fact};
use crate::script::{Rule, Script, Step};

/// What a story claims did not come true: another kind of failure than a world that falls apart.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unmet(String);

impl Unmet {
    /// In these words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

/// Where a story is played: a world, and its records since the story began.
pub trait Stage {
    /// Of the stage itself; an unmet claim is one of them.
    type Error: From<Unmet>;

    /// Makes everything ready: the policy has this rule, and all is well. What is so from here on is the story's.
    fn begin(&self, rule: Rule) -> impl Future<Output = Result<(), Self::Error>>;

    /// Does it.
    fn perform(&self, deed: Deed) -> impl Future<Output = Result<(), Self::Error>>;

    /// Until it is so; an [`Unmet`] claim, if that takes too long.
    fn until(&self, awaited: Awaited) -> impl Future<Output = Result<(), Self::Error>>;

    /// Until the repair has ended, and its record says how; or, without one, until all is well.
    fn ended(&self, phase: Option<Phase>) -> impl Future<Output = Result<(), Self::Error>>;

    /// When it happened first, or why nobody can say so.
    fn when(
        &self,
        fact: Fact,
    ) -> impl Future<Output = Result<Result<Timestamp, Unmet>, Self::Error>>;

    /// That it holds now; an [`Unmet`] claim, if it does not.
    fn holds(&self, claim: Claim) -> impl Future<Output = Result<(), Self::Error>>;
}

/// Plays it, and proves it.
///
/// # Errors
/// The first thing that was not as it must be.
pub async fn play<S: Stage>(script: &Script, stage: &S) -> Result<(), S::Error> {
    act(script, stage).await?;
    prove(script, stage).await
}

/// Plays it, to the end of its repair.
///
/// # Errors
/// As [`play`].
pub async fn act<S: Stage>(script: &Script, stage: &S) -> Result<(), S::Error> {
    stage.begin(script.rule).await?;
    for step in &script.steps {
        match *step {
            Step::Do(deed) => stage.perform(deed).await?,
            Step::Await(awaited) => stage.until(awaited).await?,
            Step::Has(fact) => drop(moment(stage, fact).await?),
            Step::HasNot(fact) => not(stage, fact).await?,
            Step::Holds(claim) => stage.holds(claim).await?,
        }
    }
    stage.ended(script.ends).await
}

/// What must have happened by its end, and what must not.
///
/// # Errors
/// As [`play`].
pub async fn prove<S: Stage>(script: &Script, stage: &S) -> Result<(), S::Error> {
    for order in &script.orders {
        let mut before: Option<(Fact, Timestamp)> = None;
        for fact in *order {
            let at = moment(stage, *fact).await?;
            if let Some((earlier, first)) = before.filter(|(_, first)| *first > at) {
                let words = format!("`{fact}` ({at}) came before `{earlier}` ({first})");
                return Err(Unmet::new(words).into());
            }
            before = Some((*fact, at));
        }
    }
    for fact in script.never {
        not(stage, *fact).await?;
    }
    for claim in script.claims {
        stage.holds(*claim).await?;
    }
    Ok(())
}

async fn moment<S: Stage>(stage: &S, fact: Fact) -> Result<Timestamp, S::Error> {
    let found = stage.when(fact).await?;
    found.map_err(|why| Unmet::new(format!("`{fact}` did not happen: {why}")).into())
}

async fn not<S: Stage>(stage: &S, fact: Fact) -> Result<(), S::Error> {
    match stage.when(fact).await? {
        Ok(at) => Err(Unmet::new(format!("`{fact}` happened, at {at}")).into()),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::executor::block_on;

    use super::*;
    use crate::story::Story;

    /// What has happened, in seconds, and which claim does not hold.
    #[derive(Default)]
    struct Told {
        facts: BTreeMap<Fact, i64>,
        false_claim: Option<Claim>,
    }

    impl Stage for Told {
        type Error = Unmet;

        async fn begin(&self, _: Rule) -> Result<(), Unmet> {
            Ok(())
        }

        async fn perform(&self, _: Deed) -> Result<(), Unmet> {
            Ok(())
        }

        async fn until(&self, _: Awaited) -> Result<(), Unmet> {
            Ok(())
        }

        async fn ended(&self, _: Option<Phase>) -> Result<(), Unmet> {
            Ok(())
        }

        async fn when(&self, fact: Fact) -> Result<Result<Timestamp, Unmet>, Unmet> {
            let at = self.facts.get(&fact).ok_or(Unmet::new("nobody saw it"));
            Ok(at.map(|at| Timestamp::from_second(*at).unwrap()))
        }

        async fn holds(&self, claim: Claim) -> Result<(), Unmet> {
            match self.false_claim == Some(claim) {
                true => Err(Unmet::new(format!("{claim:?}"))),
                false => Ok(()),
            }
        }
    }

    /// Everything that the story wants happened, in its order.
    fn told(story: Story) -> Told {
        let mut facts = BTreeMap::new();
        // as often as there are orders, since what one of them moves another may have placed before
        for order in story.script().orders.iter().cycle().take(9) {
            let mut at = 0;
            for fact in *order {
                at = facts.get(fact).copied().unwrap_or(0).max(at + 10);
                facts.insert(*fact, at);
            }
        }
        Told {
            facts,
            ..Told::default()
        }
    }

    fn why(told: &Told, story: Story) -> String {
        let ended = block_on(prove(&story.script(), told));
        ended.map_or_else(|why| why.to_string(), |()| "proven".to_owned())
    }

    #[test]
    fn what_happened_in_its_order_is_proven() {
        assert_eq!(why(&told(Story::Replaced), Story::Replaced), "proven");
    }

    #[test]
    fn what_came_too_early_is_named_with_what_it_came_before() {
        let mut told = told(Story::Replaced);
        told.facts.insert(Fact::FirstEviction, 1);
        let why = why(&told, Story::Replaced);
        assert!(
            why.contains("the first eviction") && why.contains("came before"),
            "{why}"
        );
    }

    #[test]
    fn what_never_happened_and_what_must_not_have_are_named() {
        let mut told = told(Story::Replaced);
        told.facts.remove(&Fact::NewReady);
        assert!(why(&told, Story::Replaced).contains("`the new node is Ready` did not happen"));
        let mut told = self::told(Story::Silent);
        told.facts.insert(Fact::EngineAsks, 1);
        assert!(why(&told, Story::Silent).contains("opens the repair` happened"));
    }

    #[test]
    fn a_claim_that_does_not_hold_is_the_end_of_it() {
        let mut told = told(Story::Healed);
        told.false_claim = Some(Claim::RestartedOnce);
        assert_eq!(why(&told, Story::Healed), "RestartedOnce");
    }

    #[test]
    fn a_step_whose_effect_is_not_there_stops_the_play() {
        let ended = block_on(act(&Story::Killed.script(), &Told::default()));
        assert!(ended.unwrap_err().to_string().contains("the cordon"));
    }
}
