//! News for whoever waits for them: that something is another than it was.
//!
//! `tokio::sync::watch` is not used for this. It wakes those who wait in an order that it draws, from a generator that nobody
//! can seed; here they wake in the order in which they began to wait, and one seed is one world.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
struct State {
    /// Counts the news.
    count: AtomicU64,
    waiting: Notify,
}

/// Tells them.
#[derive(Debug, Default)]
pub(crate) struct Teller(Arc<State>);

/// Hears them. What was told before it was made is no news to it.
#[derive(Debug, Clone)]
pub struct Told {
    state: Arc<State>,
    heard: u64,
}

impl Teller {
    pub(crate) fn tell(&self) {
        self.0.count.fetch_add(1, Ordering::SeqCst);
        self.0.waiting.notify_waiters();
    }

    pub(crate) fn told(&self) -> Told {
        Told {
            state: self.0.clone(),
            heard: self.0.count.load(Ordering::SeqCst),
        }
    }
}

impl Told {
    /// Waits until something was told since this was asked last.
    pub async fn changed(&mut self) {
        loop {
            // made before the look: what is told after it ends the wait
            let told = self.state.waiting.notified();
            let count = self.state.count.load(Ordering::SeqCst);
            if count != self.heard {
                self.heard = count;
                return;
            }
            told.await;
        }
    }

    /// Waits until that is so; looks now, and whenever something was told.
    pub(crate) async fn until(&mut self, is_so: impl Fn() -> bool) {
        while !is_so() {
            self.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::task::JoinSet;

    use super::*;
    use crate::clock::in_virtual_time;
    use crate::landing::lock;

    /// tokio's own puts each on one of eight lists, at random, and wakes one list after the other.
    #[test]
    fn they_wake_in_the_order_in_which_they_began_to_wait() {
        let woken = in_virtual_time(async {
            let teller = Teller::default();
            let woken = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = JoinSet::new();
            for number in 0..32 {
                let (mut told, woken) = (teller.told(), woken.clone());
                tasks.spawn(async move {
                    told.changed().await;
                    lock(&woken).push(number);
                });
            }
            tokio::task::yield_now().await;
            teller.tell();
            while tasks.join_next().await.is_some() {}
            lock(&woken).clone()
        })
        .unwrap();
        assert_eq!(woken, (0..32).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_while_nobody_waited_is_heard_once() {
        let teller = Teller::default();
        let mut told = teller.told();
        teller.tell();
        teller.tell();
        told.changed().await;
        let later = tokio::time::timeout(std::time::Duration::from_secs(1), told.changed());
        assert!(later.await.is_err());
    }
}
