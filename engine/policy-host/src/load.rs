//! Makes a policy of a file: metadata, sidecar, compile, link, settings. Whatever fails names the file.

use rectifier_core::policy::{FailureClass, PolicyRef};
use sha2::{Digest, Sha256};

use crate::allowed::Allowed;
use crate::breaker::Breaker;
use crate::compile::{Cache, Compiled, Compiler, hex};
use crate::contract::{Door, Version};
use crate::directory::Candidate;
use crate::guest::{Guest, GuestParts};
use crate::log::Lines;
use crate::policy::Policy;
use crate::runtime::{NO_MOMENT, Runtime, in_time};
use crate::sidecar::Sidecar;
use crate::{Failure, Limits, section};

/// What loading needs.
pub(crate) struct Loader {
    pub(crate) compiler: Compiler,
    pub(crate) cache: Cache,
    /// For every policy whose sidecar says nothing else.
    pub(crate) limits: Limits,
    /// The most that a sidecar may say.
    pub(crate) ceiling: Limits,
    pub(crate) allowed: Allowed,
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
        let Candidate { module, sidecar } = candidate;
        let (module, digest) = match module {
            Ok(module) => {
                let digest = Sha256::digest(&module).into();
                (module, digest)
            }
            Err(failure) => return Err(failure.told(file, None)),
        };
        self.try_load(runtime, file, &module, &digest, sidecar)
            .await
            .map_err(|failure| failure.told(file, Some(&reference(&digest))))
    }

    async fn try_load(
        &self,
        runtime: &Runtime,
        file: &str,
        module: &[u8],
        digest: &[u8; 32],
        sidecar: Option<(String, Result<String, Failure>)>,
    ) -> Result<Policy, Failure> {
        let metadata = section::read(module)?;
        let (sidecar_file, sidecar) = match sidecar {
            Some((name, text)) => {
                let sidecar = Sidecar::parse(&name, &text?)?;
                (name, sidecar)
            }
            None => (String::new(), Sidecar::default()),
        };
        sidecar.check_pin(&sidecar_file, &hex(digest))?;
        let limits = sidecar.limits(&sidecar_file, self.limits, &self.ceiling)?;
        let settings = sidecar.settings();
        let place_of_needs = sidecar.place_of_needs(&sidecar_file);
        let needs = sidecar
            .needs
            .map_or_else(|| metadata.needs.clone(), |needs| needs.value);
        let place_of_needs = place_of_needs.as_deref().unwrap_or("its metadata");
        self.allowed.check(&needs, place_of_needs)?;

        let version = Version::from_label(&metadata.contract).ok_or_else(|| {
            Failure::new(FailureClass::Load, "its contract is not served".to_owned())
        })?;
        let compiled = self.compiled(runtime, digest, module).await?;
        let door = Door::open(version, &runtime.linkers, &compiled)?;
        let guest = Guest::new(GuestParts {
            policy: &metadata.name,
            limits,
            moment: NO_MOMENT,
            seed: "",
            lines: Lines::Told,
            command: door.settings_input(&settings)?,
        });
        let mut call = runtime.begin(guest)?;
        in_time(&limits, door.validate(&mut call.store, &settings)).await?;
        Ok(Policy {
            handles: sidecar.handles.unwrap_or_else(|| metadata.handles.clone()),
            needs,
            reference: PolicyRef {
                name: metadata.name.clone(),
                digest: reference(digest),
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

    async fn compiled(
        &self,
        runtime: &Runtime,
        digest: &[u8; 32],
        module: &[u8],
    ) -> Result<Compiled, Failure> {
        if let Some(compiled) = self.cache.load(&runtime.engine, digest) {
            return Ok(compiled);
        }
        let compiled = self.compiler.compile(module, runtime.metering).await?;
        self.cache
            .keep(&runtime.engine, digest, &compiled)
            .map_err(|error| {
                let why = format!("the compiler's output cannot be loaded: {error:#}");
                Failure::new(FailureClass::Compile, why)
            })
    }
}

/// A digest as messages and records name it.
fn reference(digest: &[u8; 32]) -> String {
    format!("sha256:{}", hex(digest))
}
