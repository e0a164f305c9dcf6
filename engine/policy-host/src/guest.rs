//! What stands behind one running guest: its limits, its log, and a WASI world in which there is nothing.

use std::convert::Infallible;
use std::time::Duration;

use rectifier_core::name::PolicyName;
use sha2::{Digest, Sha256};
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

use crate::Limits;
use crate::failure::OutOfMemory;

/// A store's data.
pub(crate) struct Guest {
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    pub(crate) memory: Memory,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl Guest {
    /// For one call. Clock and random numbers come from what is decided on, so that the same observation gives the
    /// same decision.
    pub(crate) fn new(policy: &PolicyName, limits: Limits, moment: Duration, seed: &str) -> Self {
        let random = |purpose: &str| Seeded::new(purpose, seed);
        let mut seed_bytes = [0; 16];
        random("seed").fill(&mut seed_bytes);
        // No files, arguments, environment, sockets; streams that swallow everything.
        let wasi = WasiCtx::builder()
            .wall_clock(Stopped(moment))
            .monotonic_clock(Stopped(Duration::ZERO))
            .secure_random(random("secure"))
            .insecure_random(random("insecure"))
            .insecure_random_seed(u128::from_le_bytes(seed_bytes))
            .max_random_size(limits.host_call_bytes as u64)
            .allow_ip_name_lookup(false)
            .allow_tcp(false)
            .allow_udp(false)
            .build();
        Self {
            limits,
            log: Log {
                policy: policy.clone(),
                lines: limits.log_lines,
                bytes: limits.log_bytes,
            },
            memory: Memory {
                limits,
                bytes: 0,
                elements: 0,
            },
            wasi,
            table: ResourceTable::new(),
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// Counts memory over all memories and tables of a call: wasmtime's own limits are for each one.
pub(crate) struct Memory {
    limits: Limits,
    bytes: usize,
    elements: usize,
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.limits.memory_bytes;
        grow(
            &mut self.bytes,
            current,
            desired,
            maximum,
            OutOfMemory {
                limit,
                what: "bytes of memory",
            },
        )
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.limits.table_elements;
        grow(
            &mut self.elements,
            current,
            desired,
            maximum,
            OutOfMemory {
                limit,
                what: "table elements",
            },
        )
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}

/// An error rather than a refusal: few guests expect a growth to fail, and a trap in their allocator would hide why.
fn grow(
    total: &mut usize,
    current: usize,
    desired: usize,
    maximum: Option<usize>,
    exceeded: OutOfMemory,
) -> wasmtime::Result<bool> {
    if maximum.is_some_and(|maximum| desired > maximum) {
        return Ok(false);
    }
    let wanted = total.saturating_add(desired.saturating_sub(current));
    if wanted > exceeded.limit {
        return Err(exceeded.into());
    }
    *total = wanted;
    Ok(true)
}

/// How much a line of a policy's log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// Passes a policy's lines on to the engine's log, up to a limit.
pub(crate) struct Log {
    policy: PolicyName,
    lines: usize,
    bytes: usize,
}

impl Log {
    pub(crate) fn write(&mut self, level: LogLevel, message: &str) {
        if self.lines == 0 || self.bytes == 0 {
            return;
        }
        let message = &message[..message.floor_char_boundary(self.bytes)];
        self.lines -= 1;
        self.bytes -= message.len().max(1);
        let policy = self.policy.as_str();
        // A policy's error is no reason to wake anybody: the engine judges what follows from it.
        match level {
            LogLevel::Debug => tracing::debug!(target: "policy", policy, "{message}"),
            LogLevel::Info => tracing::info!(target: "policy", policy, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "policy", policy, "{message}"),
            LogLevel::Error => {
                tracing::warn!(target: "policy", policy, level = "error", "{message}")
            }
        }
    }
}

/// A clock that stands.
struct Stopped(Duration);

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Random numbers that are a function of the observation: SHA-256 of seed and counter. It must be the same for ever,
/// so it is no library's generator.
struct Seeded {
    key: Sha256,
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl Seeded {
    fn new(purpose: &str, seed: &str) -> Self {
        let key = Sha256::new()
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(seed);
        Self {
            key,
            counter: 0,
            block: [0; 32],
            used: 32,
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == self.block.len() {
                self.block = self
                    .key
                    .clone()
                    .chain_update(self.counter.to_le_bytes())
                    .finalize()
                    .into();
                self.counter += 1;
                self.used = 0;
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
    }
}

impl rand_core::TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_are_a_function_of_the_seed() {
        let numbers = |purpose, seed| {
            let mut bytes = [0; 100];
            Seeded::new(purpose, seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(numbers("a", "1"), numbers("a", "1"));
        assert_ne!(numbers("a", "1"), numbers("a", "2"));
        assert_ne!(numbers("a", "1"), numbers("b", "1"));
    }

    #[test]
    fn memory_is_counted_over_all_memories() {
        let limits = Limits {
            memory_bytes: 100,
            ..Limits::default()
        };
        let mut memory = Memory {
            limits,
            bytes: 0,
            elements: 0,
        };
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.memory_growing(0, 40, None).unwrap());
        assert!(!memory.memory_growing(40, 50, Some(45)).unwrap());
        assert!(memory.memory_growing(40, 41, None).is_err());
    }

    #[test]
    fn a_log_ends_at_its_limit() {
        let mut log = Log {
            policy: PolicyName::parse("a").unwrap(),
            lines: 2,
            bytes: 3,
        };
        log.write(LogLevel::Info, "ää");
        assert_eq!((log.lines, log.bytes), (1, 1));
        log.write(LogLevel::Info, "ä");
        log.write(LogLevel::Info, "a");
        assert_eq!((log.lines, log.bytes), (0, 0));
    }
}
