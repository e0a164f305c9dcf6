//! The policy that ships, as the operator's guide sets it up, compiled before any virtual time begins.

use std::sync::Arc;

use anyhow::Result;
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_policy_host::{Advisor, Allowed, Host, HostOptions, Limits, Metering};
use rectifier_provision::{Cache, Stderr};

/// It restarts a unit twice, reboots once (for what `deploy/example` says so of), and replaces.
pub(crate) fn shipped() -> Result<Arc<dyn Advisor>> {
    let cache = Cache::from_env()?;
    let file = cache.policy_component("restart-then-replace", &mut Stderr::default())?;
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("restart-then-replace.wasm");
    std::fs::copy(file, &copy)?;
    std::fs::write(
        copy.with_extension("yaml"),
        "handles: [{conditions: [KubeletUnhealthy, ContainerRuntimeUnhealthy, ProxyUnhealthy], sites: [node, control-plane]}]\n\
         settings:\n  rules:\n\
         \x20 - {condition: KubeletUnhealthy, unit: kubelet.service}\n\
         \x20 - {condition: ContainerRuntimeUnhealthy, unit: containerd.service, reboot: true}\n\
         \x20 - {condition: ProxyUnhealthy, unit: proxy.service, reboot: true}\n",
    )?;
    let host = Host::open(HostOptions {
        cache: folder.path().join("cache"),
        compiler: Compiler::new(
            env!("CARGO_BIN_EXE_sim-policy-compiler"),
            &[],
            CompileLimits::default(),
        ),
        limits: Limits::default(),
        ceiling: Limits::default(),
        allowed: Allowed::default(),
        metering: Metering::Fuel,
    })?;
    let before = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let policy = before.block_on(host.load(&copy))?;
    Ok(Arc::new(host.fixed(vec![policy])))
}
