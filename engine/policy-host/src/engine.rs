//! The two engines, made from one configuration so that what one compiled the other can load: the compiling one
//! lives in a short-lived child, the running one never compiles.

use wasmtime::{Config, Engine};

/// Bumped when [`compiling`] changes in a way that wasmtime takes for the same.
const COMPILER_SETTINGS: u32 = 4;

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
    let config = common(metering);
    // Where there is none, there is none to switch off.
    #[cfg(feature = "compiler")]
    let config = {
        let mut config = config;
        config.enable_compiler(false);
        config
    };
    Engine::new(&config)
}

/// The child's engine.
#[cfg(feature = "compiler")]
pub(crate) fn compiling(metering: Metering) -> wasmtime::Result<Engine> {
    let mut config = common(metering);
    config.cranelift_nan_canonicalization(true);
    // A changed policy waits for its compilation, and decides for a tenth of a millisecond now and then.
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    // Where in the guest's code a trap came from is told to nobody, and nobody unwinds through it: a sixth of what is
    // compiled.
    config.generate_address_map(false);
    config.native_unwind_info(false);
    Engine::new(&config)
}

/// Whose compiled modules are whose: part of the cache's key, so that two kinds of engine can share a folder. Whether one
/// fits wasmtime's version, its settings and this CPU, wasmtime itself checks when it loads it.
pub(crate) fn fingerprint(metering: Metering) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let machine = std::env::consts::ARCH;
    format!("{version} {COMPILER_SETTINGS} {machine} {metering:?}")
}

#[cfg(test)]
#[cfg(feature = "compiler")]
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
}
