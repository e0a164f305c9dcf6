//! Requests on their way. From the moment it is sent a request belongs to the world: it lands at a drawn time, whether its
//! sender lives or not.

use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What is on its way to one service.
pub(crate) struct Landing {
    delay: RangeInclusive<Duration>,
    chance: Mutex<fastrand::Rng>,
    under_way: Mutex<JoinSet<()>>,
}

/// The world ended before it answered.
#[derive(Debug, thiserror::Error)]
#[error("the world ended before it answered")]
pub(crate) struct WorldEnded;

impl Landing {
    /// Each way takes a time that is drawn from `delay`.
    pub(crate) fn new(delay: RangeInclusive<Duration>, chance: fastrand::Rng) -> Self {
        Self {
            delay,
            chance: Mutex::new(chance),
            under_way: Mutex::default(),
        }
    }

    /// Sends something that is `carried out` when it lands; its answer comes back after another while. It is on its way
    /// when this returns, and what is returned need not be waited for.
    pub(crate) fn send<T: Send + 'static>(
        &self,
        carried_out: impl FnOnce() -> T + Send + 'static,
    ) -> BoxFuture<'static, Result<T, WorldEnded>> {
        let (answer, answered) = oneshot::channel();
        let (there, back) = (self.delay(), self.delay());
        let lands = async move {
            sleep(there).await;
            let carried_out = carried_out();
            sleep(back).await;
            // Nobody may be there to hear it.
            drop(answer.send(carried_out));
        };
        let mut under_way = lock(&self.under_way);
        while let Some(ended) = under_way.try_join_next() {
            // A defect of the world must not look like an answer of it.
            if let Err(died) = ended
                && died.is_panic()
            {
                std::panic::resume_unwind(died.into_panic());
            }
        }
        under_way.spawn(lands);
        async move { answered.await.map_err(|_| WorldEnded) }.boxed()
    }

    pub(crate) fn delay(&self) -> Duration {
        let (least, most) = (*self.delay.start(), *self.delay.end());
        let span = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(lock(&self.chance).u64(0..=span))
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_lands_though_its_sender_be_gone() {
        let second = Duration::from_secs(1);
        let landing = Landing::new(second..=second, fastrand::Rng::with_seed(1));
        let landed = Arc::new(AtomicBool::new(false));
        let done = landed.clone();
        drop(landing.send(move || done.store(true, Ordering::SeqCst)));
        assert!(!landed.load(Ordering::SeqCst));
        sleep(2 * second).await;
        assert!(landed.load(Ordering::SeqCst));
    }
}
