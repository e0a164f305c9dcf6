//! One call of a guest, in its limits: a fresh store, so that nothing of one call reaches another, and two clocks
//! against it.
//!
//! The epoch interrupts a guest that computes: at every tick it gives way to the engine's other tasks, and after as
//! many ticks as its time has it ends. It does not wake a guest that sleeps in a host call: for that there is the
//! runtime's timeout, which in turn could not stop a guest that computes. With fuel the work itself is counted, and the
//! runtime's timeout stays.

use std::time::Duration;

use rectifier_core::policy::FailureClass;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::contract::Linkers;
use crate::engine::Metering;
use crate::failure::{During, OutOfTime, classify};
use crate::guest::Guest;
use crate::ticker::{Running, TICK, Ticker};
use crate::{Failure, Limits};

/// Work that a millisecond of a limit stands for, in wasmtime's fuel: about one instruction each. A slow machine does as
/// much.
pub const FUEL_PER_MILLISECOND: u64 = 1_000_000;

/// So often a guest with fuel gives way to the engine's other tasks.
const FUEL_PER_TURN: u64 = 10 * FUEL_PER_MILLISECOND;

/// The long-lived engine and what every policy is linked with.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) linkers: Linkers,
    pub(crate) metering: Metering,
    ticker: Option<Ticker>,
}

impl Runtime {
    /// # Errors
    /// The machine cannot run compiled policies, or gives no thread.
    pub(crate) fn new(metering: Metering) -> wasmtime::Result<Self> {
        let engine = crate::engine::running(metering)?;
        let linkers = Linkers::new(&engine)?;
        let ticker = match metering {
            Metering::Epoch => Some(Ticker::start(&engine)?),
            Metering::Fuel => None,
        };
        Ok(Self {
            engine,
            linkers,
            metering,
            ticker,
        })
    }

    /// A store for one call of `guest`. Its time runs from now.
    ///
    /// # Errors
    /// The engine has no fuel: a defect.
    pub(crate) fn begin(&self, guest: Guest) -> Result<Call, Failure> {
        let limits = guest.limits;
        let ticking = self.ticker.as_ref().map(Ticker::run);
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(limits.host_call_bytes);
        let mut fuel = None;
        // Before anything runs: start functions run while the instance is made.
        match self.metering {
            Metering::Epoch => give_time(&mut store, limits),
            Metering::Fuel => {
                let given = fuel_for(&limits);
                store
                    .set_fuel(given)
                    .and_then(|()| store.fuel_async_yield_interval(Some(FUEL_PER_TURN)))
                    .map_err(|error| classify(&error, During::Instantiation))?;
                fuel = Some(given);
            }
        }
        Ok(Call {
            store,
            fuel,
            _ticking: ticking,
        })
    }
}

fn give_time(store: &mut Store<Guest>, limits: Limits) {
    let mut ticks_left = limits.decision.as_nanos().div_ceil(TICK.as_nanos());
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
}

fn fuel_for(limits: &Limits) -> u64 {
    u64::try_from(limits.decision.as_millis())
        .unwrap_or(u64::MAX)
        .saturating_mul(FUEL_PER_MILLISECOND)
}

/// One call under way.
pub(crate) struct Call {
    pub(crate) store: Store<Guest>,
    fuel: Option<u64>,
    _ticking: Option<Running>,
}

impl Call {
    /// The work done so far, if it is counted.
    pub(crate) fn work(&self) -> Option<u64> {
        let left = self.store.get_fuel().ok()?;
        Some(self.fuel?.saturating_sub(left))
    }
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
