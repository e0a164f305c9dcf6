//! Advances the engine's epoch while a policy runs, so that a guest which never returns is interrupted.
//!
//! A thread of the operating system, because a task of the runtime could be starved by the very guest that it should
//! stop. It is parked while nothing runs: an idle engine wakes nobody.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

/// 10 ms: a guest gives way to the engine's other tasks that often, and a limit in the region of a second is kept
/// to a hundredth.
pub(crate) const TICK: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    ended: bool,
}

/// While it lives, the epoch advances.
#[derive(Debug)]
pub(crate) struct Running(Arc<Shared>);

impl Ticker {
    /// # Errors
    /// No thread can be made.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new()
            .name("policy-ticker".to_owned())
            .spawn({
                let (shared, engine) = (shared.clone(), engine.clone());
                move || shared.tick(&engine)
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Call before the deadline is set.
    pub(crate) fn run(&self) -> Running {
        self.shared.lock().running += 1;
        self.shared.changed.notify_all();
        Running(self.shared.clone())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self, engine: &Engine) {
        let mut state = self.lock();
        while !state.ended {
            if state.running == 0 {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // Woken early by another call or by the end: a tick that comes too soon would cost a guest its time.
            let (after, waited) = self
                .changed
                .wait_timeout_while(state, TICK, |state| !state.ended)
                .unwrap_or_else(PoisonError::into_inner);
            state = after;
            if waited.timed_out() {
                engine.increment_epoch();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It ends within a tick, and a panic in it has nobody else to tell.
            let _ = thread.join();
        }
    }
}
