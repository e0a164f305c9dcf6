//! The two engines, made from one configuration so that what one compiled the other can load: the compiling one
//! lives in a short-lived child, the running one never compiles.

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};
use wasmtime::{Config, Engine};

/// Bumped when [`compiling`] changes in a way that the running engine's own hash does not show.
const COMPILER_SETTINGS: u32 = 3;

/// A guest's stack on the host: wasmtime's own default, named because it is a limit that people meet.
pub(crate) const STACK_BYTES: usize = 512 << 10;

/// How a guest that does not end is stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Metering {
    /// By wall time: what runs in production.
    #[default]
    Epoch,
    /// By the work that it does: the same on every machine and at every run, and slower. For tests, replay and
    /// simulation.
    Fuel,
}

fn common(metering: Metering) -> Config {
    let mut config = Config::new();
    match metering {
        Metering::Epoch => config.epoch_interruption(true),
        Metering::Fuel => config.consume_fuel(true),
    };
    config.max_wasm_stack(STACK_BYTES);
    // Same module and observation, same decision: on every CPU.
    config.relaxed_simd_deterministic(true);
    // A trap's frames are of no use to an operator, and cost time while unwinding.
    config.wasm_backtrace_max_frames(None);
    config
}

/// The long-lived engine. It has no compiler: wasmtime keeps a compiler's memory as long as its engine lives
/// (~330 MiB after one Python policy).
pub(crate) fn running(metering: Metering) -> wasmtime::Result<Engine> {
    let mut config = common(metering);
    config.enable_compiler(false);
    Engine::new(&config)
}

/// The child's engine. It compiles on one thread, so that its limit on CPU time means what it says.
pub(crate) fn compiling(metering: Metering) -> wasmtime::Result<Engine> {
    let mut config = common(metering);
    config.cranelift_nan_canonicalization(true);
    // A changed policy waits for its compilation, and decides for a tenth of a millisecond now and then.
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    Engine::new(&config)
}

/// What a compiled module must have in common with this engine: part of the cache's key. The CPU's features are not
/// in it (only a compiler knows them); wasmtime checks these when it loads.
pub(crate) fn fingerprint(engine: &Engine) -> [u8; 32] {
    struct Bytes(Sha256);
    impl Hasher for Bytes {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut bytes = Bytes(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut bytes);
    COMPILER_SETTINGS.hash(&mut bytes);
    bytes.0.finalize().into()
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;

    use super::*;

    #[test]
    fn the_running_engine_refuses_to_compile() {
        let empty_component = b"\0asm\x0d\0\x01\0";
        for metering in [Metering::Epoch, Metering::Fuel] {
            assert!(Component::new(&compiling(metering).unwrap(), empty_component).is_ok());
            let refused = Component::new(&running(metering).unwrap(), empty_component)
                .err()
                .unwrap();
            assert!(refused.to_string().contains("compiler"), "{refused:#}");
        }
    }

    #[test]
    fn what_one_engine_compiles_the_other_of_its_kind_can_load() {
        let [running, compiling] = [
            running(Metering::Epoch).unwrap(),
            compiling(Metering::Epoch).unwrap(),
        ];
        let compiled = compiling
            .precompile_component(b"\0asm\x0d\0\x01\0")
            .unwrap();
        assert!(Engine::detect_precompiled(&compiled).is_some());
        let of = |metering| fingerprint(&super::running(metering).unwrap());
        assert_eq!(fingerprint(&running), of(Metering::Epoch));
        assert_ne!(of(Metering::Epoch), of(Metering::Fuel));
    }
}
