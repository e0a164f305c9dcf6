//! Policies that fail for a while: they trap, hang until their time is over, or are slow. The faults are made at the boundary,
//! where the engines ask, as a clock that stands still while a policy works cannot tell how long that was.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rectifier_core::policy::{Advice, FailureClass, Observation, OnFailure};
use rectifier_policy_host::{Advisor, Set};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::landing::lock;

/// A policy's time, when its sidecar says no other.
const DEADLINE: Duration = Duration::from_secs(1);

/// How policies fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ailment {
    /// At once.
    Traps,
    /// When their time is over.
    Hangs,
    /// Not at all; but each answer takes nearly all of the time that there is.
    IsSlow,
}

/// Answers as others do, but while they ail.
pub(crate) struct Ailing {
    healthy: Arc<dyn Advisor>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ails: Option<(Ailment, Instant)>,
    /// How many ailments have spoilt an answer.
    met: usize,
    is_met: bool,
}

impl Ailing {
    pub(crate) fn new(healthy: Arc<dyn Advisor>) -> Self {
        Self {
            healthy,
            state: Mutex::default(),
        }
    }

    /// From now on, for so long.
    pub(crate) fn ail(&self, ailment: Ailment, lasting: Duration) {
        let mut state = lock(&self.state);
        state.ails = Some((ailment, Instant::now() + lasting));
        state.is_met = false;
    }

    /// How many ailments anybody has noticed.
    pub(crate) fn met(&self) -> usize {
        lock(&self.state).met
    }

    fn meets(&self) -> Option<Ailment> {
        let mut state = lock(&self.state);
        let (ailment, _) = state.ails.filter(|(_, until)| Instant::now() < *until)?;
        if !state.is_met {
            (state.is_met, state.met) = (true, state.met + 1);
        }
        Some(ailment)
    }
}

#[async_trait]
impl Advisor for Ailing {
    async fn advise(&self, seen: &Observation) -> Advice {
        let advice = self.healthy.advise(seen).await;
        let Advice::Decided { policy, decision } = advice else {
            return advice;
        };
        let class = match self.meets() {
            None => return Advice::Decided { policy, decision },
            Some(Ailment::IsSlow) => {
                sleep(DEADLINE.mul_f64(0.9)).await;
                return Advice::Decided { policy, decision };
            }
            Some(Ailment::Hangs) => {
                sleep(DEADLINE).await;
                FailureClass::Timeout
            }
            Some(Ailment::Traps) => FailureClass::Trap,
        };
        Advice::Unavailable {
            message: format!("{}: made to fail ({})", policy.name, class.label()),
            policy,
            class,
            on_failure: OnFailure::Wait,
        }
    }

    fn set(&self) -> Arc<Set> {
        self.healthy.set()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.healthy.changed()
    }
}

#[cfg(test)]
mod tests {
    use rectifier_core::name::PolicyName;
    use rectifier_core::policy::{Decision, PolicyRef, Remedy};
    use serde_json::Value;

    use super::*;

    /// It always waits.
    struct Waits;

    #[async_trait]
    impl Advisor for Waits {
        async fn advise(&self, _: &Observation) -> Advice {
            Advice::Decided {
                policy: PolicyRef {
                    name: PolicyName::parse("waits").unwrap(),
                    digest: String::new(),
                },
                decision: Decision {
                    remedy: Remedy::Wait(60),
                    reason: String::new(),
                    settle: None,
                    notes: [].into(),
                },
            }
        }

        fn set(&self) -> Arc<Set> {
            Arc::default()
        }

        fn changed(&self) -> watch::Receiver<u64> {
            watch::Sender::new(0).subscribe()
        }
    }

    fn observation() -> Observation {
        let case = include_str!("../../../sdk/conformance/cases/node-every-field.json");
        let case: Value = serde_json::from_str(case).unwrap();
        serde_json::from_value(case["observation"].clone()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_ailment_spoils_the_answers_while_it_lasts_and_counts_when_it_was_met() {
        let policies = Ailing::new(Arc::new(Waits));
        let seen = observation();
        let well = Waits.advise(&seen).await;
        for (ailment, class, milliseconds) in [
            (Ailment::Traps, Some(FailureClass::Trap), 0),
            (Ailment::Hangs, Some(FailureClass::Timeout), 1000),
            (Ailment::IsSlow, None, 900),
        ] {
            let met = policies.met();
            policies.ail(ailment, Duration::from_secs(10));
            for _ in 0..2 {
                let began = Instant::now();
                let advice = policies.advise(&seen).await;
                assert_eq!(began.elapsed().as_millis(), milliseconds, "{ailment:?}");
                match (class, advice) {
                    (Some(class), Advice::Unavailable { class: is, .. }) => assert_eq!(is, class),
                    (None, advice) => assert_eq!(advice, well),
                    (Some(_), advice) => panic!("{ailment:?}: {advice:?}"),
                }
            }
            assert_eq!(policies.met(), met + 1);
            sleep(Duration::from_secs(10)).await;
            assert_eq!(policies.advise(&seen).await, well);
        }
        policies.ail(Ailment::Traps, Duration::from_secs(10));
        assert_eq!(policies.met(), 3, "nobody has asked since");
    }
}
