//! The two engines, made from one configuration so that what one compiled the other can load: the compiling one
//! lives in a short-lived child, the running one never compiles.

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};
use wasmtime::{Config, Engine};

/// Bumped when [`compiling`] changes in a way that the running engine's own hash does not show.
const COMPILER_SETTINGS: u32 = 1;

fn common() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // Same module and observation, same decision: on every CPU.
    config.relaxed_simd_deterministic(true);
    // A trap's frames are of no use to an operator, and cost time while unwinding.
    config.wasm_backtrace_max_frames(None);
    config
}

/// The long-lived engine. It has no compiler: wasmtime keeps a compiler's memory as long as its engine lives
/// (~330 MiB after one Python policy).
pub(crate) fn running() -> wasmtime::Result<Engine> {
    let mut config = common();
    config.enable_compiler(false);
    Engine::new(&config)
}

/// The child's engine. It compiles on one thread, so that its limit on CPU time means what it says.
pub(crate) fn compiling() -> wasmtime::Result<Engine> {
    let mut config = common();
    config.cranelift_nan_canonicalization(true);
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

    #[test]
    fn the_running_engine_refuses_to_compile() {
        let empty_component = b"\0asm\x0d\0\x01\0";
        assert!(Component::new(&super::compiling().unwrap(), empty_component).is_ok());
        let refused = Component::new(&super::running().unwrap(), empty_component)
            .err()
            .unwrap();
        assert!(refused.to_string().contains("compiler"), "{refused:#}");
    }

    #[test]
    fn what_one_engine_compiles_the_other_can_load() {
        let [running, compiling] = [super::running().unwrap(), super::compiling().unwrap()];
        let compiled = compiling
            .precompile_component(b"\0asm\x0d\0\x01\0")
            .unwrap();
        assert!(wasmtime::Engine::detect_precompiled(&compiled).is_some());
        assert_eq!(
            super::fingerprint(&running),
            super::fingerprint(&super::running().unwrap())
        );
    }
}
