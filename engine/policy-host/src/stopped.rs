//! A guest's clock and its random numbers: functions of what is decided on, so that the same observation gives the same
//! decision.

use std::convert::Infallible;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// A clock that stands.
pub(crate) struct Stopped(pub(crate) Duration);

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
pub(crate) struct Seeded {
    key: Sha256,
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl Seeded {
    pub(crate) fn new(purpose: &str, seed: &str) -> Self {
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

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
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
}
