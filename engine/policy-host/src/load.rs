//! Makes a policy of a file: metadata, sidecar, compile, link, settings. Whatever fails names the file.

use rectifier_core::policy::PolicyRef;
use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::breaker::Breaker;
use crate::compile::{Cache, Compiler, hex};
use crate::contract::Door;
use crate::directory::Candidate;
use crate::guest::Guest;
use crate::policy::Policy;
use crate::runtime::{NO_MOMENT, Runtime, in_time};
use crate::sidecar::Sidecar;
use crate::{Failure, Limits, metadata};

/// What loading needs.
pub(crate) struct Loader {
    pub(crate) compiler: Compiler,
    pub(crate) cache: Cache,
    /// The ceiling for every policy.
    pub(crate) limits: Limits,
}

impl Loader {
    /// # Errors
    /// The classes load, compile, link, settings; and those of a call, if the policy fails while it checks its
    /// settings.
    pub(crate) async fn load(
        &self,
        runtime: &Runtime,
        file: &str,
        candidate: Candidate,
    ) -> Result<Policy, Failure> {
        self.try_load(runtime, file, candidate)
            .await
            .map_err(|failure| Failure {
                message: format!("{file}: {}", failure.message),
                ..failure
            })
    }

    async fn try_load(
        &self,
        runtime: &Runtime,
        file: &str,
        candidate: Candidate,
    ) -> Result<Policy, Failure> {
        let module = candidate.module?;
        let metadata = metadata::read(&module)?;
        let (sidecar_file, sidecar) = match candidate.sidecar {
            Some((name, text)) => {
                let sidecar = Sidecar::parse(&name, &text?)?;
                (name, sidecar)
            }
            None => (String::new(), Sidecar::default()),
        };
        let digest: [u8; 32] = Sha256::digest(&module).into();
        sidecar.check_pin(&sidecar_file, &hex(&digest))?;
        let limits = sidecar.limits(&sidecar_file, self.limits)?;
        let settings = sidecar.settings();
        let door = Door::open(
            &runtime.linker,
            &self.component(runtime, &digest, &module).await?,
        )?;
        let guest = Guest::new(&metadata.name, limits, NO_MOMENT, "");
        in_time(
            &limits,
            door.validate(&mut runtime.begin(guest).store, &settings),
        )
        .await?;
        Ok(Policy {
            handles: sidecar.handles.unwrap_or_else(|| metadata.handles.clone()),
            needs: sidecar.needs.unwrap_or_else(|| metadata.needs.clone()),
            reference: PolicyRef {
                name: metadata.name.clone(),
                digest: format!("sha256:{}", hex(&digest)),
            },
            metadata,
            file: file.to_owned(),
            mode: sidecar.mode,
            on_failure: sidecar.on_failure,
            limits,
            settings,
            door,
            breaker: Breaker::default(),
        })
    }

    async fn component(
        &self,
        runtime: &Runtime,
        digest: &[u8; 32],
        module: &[u8],
    ) -> Result<Component, Failure> {
        if let Some(component) = self.cache.load(&runtime.engine, digest) {
            return Ok(component);
        }
        let compiled = self.compiler.compile(module).await?;
        self.cache
            .keep(&runtime.engine, digest, &compiled)
            .map_err(|error| {
                let why = format!("the compiler's output cannot be loaded: {error:#}");
                Failure::new(rectifier_core::policy::FailureClass::Compile, why)
            })
    }
}
