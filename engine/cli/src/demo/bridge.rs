//! The policies of a directory, for a world on another thread: the world stands still while they are asked.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rectifier_core::policy::{Advice, Observation};
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_policy_host::{Advisor, Options, Policies, Set};
use tokio::runtime::Handle;
use tokio::sync::watch;

struct Bridge {
    policies: Policies,
    runtime: Handle,
}

/// Watches the directory on this runtime.
pub(super) async fn open(directory: &Path, cache: &Path) -> anyhow::Result<Arc<dyn Advisor>> {
    let program = std::env::current_exe()?;
    let compiler = Compiler::new(program, &[crate::policy::COMPILE], CompileLimits::default());
    let policies = Policies::open(Options::usual(directory, cache, compiler)).await?;
    Ok(Arc::new(Bridge {
        policies,
        runtime: Handle::current(),
    }))
}

#[async_trait]
impl Advisor for Bridge {
    /// Blocks the world's thread: its time must not move on meanwhile.
    async fn advise(&self, seen: &Observation) -> Advice {
        let (answer, answered) = std::sync::mpsc::channel();
        let (policies, seen) = (self.policies.clone(), seen.clone());
        self.runtime.spawn(async move {
            let advice = policies.advise(&seen).await;
            // The world may be gone.
            drop(answer.send(advice));
        });
        answered.recv().unwrap_or(Advice::None)
    }

    fn set(&self) -> Arc<Set> {
        self.policies.set()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.policies.changed()
    }
}
