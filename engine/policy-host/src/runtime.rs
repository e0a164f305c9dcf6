//! One call of a guest, in its limits: a fresh store, so that nothing of one call reaches another, and two clocks
//! against it.
//!
//! The epoch interrupts a guest that computes: at every tick it gives way to the engine's other tasks, and after as
//! many ticks as its time has it ends. It does not wake a guest that sleeps in a host call: for that there is the
//! runtime's timeout, which in turn could not stop a guest that computes.

use std::time::Duration;

use rectifier_core::policy::FailureClass;
use wasmtime::component::Linker;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::contract::Door;
use crate::failure::OutOfTime;
use crate::guest::Guest;
use crate::ticker::{Running, TICK, Ticker};
use crate::{Failure, Limits};

/// The long-lived engine and what every policy is linked with.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    ticker: Ticker,
}

impl Runtime {
    /// # Errors
    /// The machine cannot run compiled policies, or gives no thread.
    pub(crate) fn new() -> wasmtime::Result<Self> {
        let engine = crate::engine::running()?;
        let linker = Door::linker(&engine)?;
        let ticker = Ticker::start(&engine)?;
        Ok(Self {
            engine,
            linker,
            ticker,
        })
    }

    /// A store for one call of `guest`. Its time runs from now.
    pub(crate) fn begin(&self, guest: Guest) -> Call {
        let limits = guest.limits;
        let mut ticks_left = limits.decision.as_nanos().div_ceil(TICK.as_nanos());
        let ticking = self.ticker.run();
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(limits.host_call_bytes);
        // Before anything runs: start functions run while the instance is made.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| {
            ticks_left = ticks_left.saturating_sub(1);
            if ticks_left == 0 {
                return Err(OutOfTime::of(&limits).into());
            }
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(tokio::task::yield_now()),
            ))
        });
        Call {
            store,
            _ticking: ticking,
        }
    }
}

/// One call under way.
pub(crate) struct Call {
    pub(crate) store: Store<Guest>,
    _ticking: Running,
}

/// Waits for a guest's answer for no longer than its limit allows.
pub(crate) async fn in_time<T>(
    limits: &Limits,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    // A tick longer than the epoch, so that a guest that computes is stopped by that.
    match tokio::time::timeout(limits.decision + TICK, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::new(
            FailureClass::Timeout,
            OutOfTime::of(limits).to_string(),
        )),
    }
}

/// The moment of a settings check, which decides on nothing: a policy must not read the clock there.
pub(crate) const NO_MOMENT: Duration = Duration::ZERO;
