//! Keeps compiled policies between starts, so that an engine that comes back asks at once.
//!
//! What lies here is native code, and loading it is running it. So the folder is ours alone (checked: owner, mode, no
//! link), files are written whole and renamed, and each begins with a digest of its module and the rest: a torn or rotten file is
//! made again, never loaded. Nothing is ever taken from the directory of policies.
//!
//! It is bounded: room is made for a new file by removing those that were used longest ago. Nothing rests on a file being
//! here. Whoever opened one reads it to its end though it was removed; whoever comes later compiles. So two processes may
//! share the folder.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled};

use crate::engine::Metering;
use crate::private;

/// First bytes of each file. The number counts this layout's versions.
const MAGIC: &[u8; 16] = b"rectifier-cwasm2";
const HEADER: usize = MAGIC.len() + 32;
const COMPILED: &str = ".cwasm";

/// Bytes of all files together. 256 MiB: three interpreters of 80 MB each, or thousands of small policies; little for
/// a disk, and within what the manifests give to the folder.
const BOUND: u64 = 256 << 20;

/// What the compiler made of a policy, loaded.
pub(crate) enum Compiled {
    Component(Component),
    Command(Module),
}

/// The folder, checked.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    engine: String,
    bound: u64,
}

/// A file of the cache.
struct Kept {
    path: PathBuf,
    used: SystemTime,
    bytes: u64,
}

impl Cache {
    /// Makes the folder if need be, checks that it is ours alone, and sweeps what killed writers left there.
    ///
    /// # Errors
    /// It cannot be made, or somebody else could write into it.
    pub(crate) fn open(folder: &Path, metering: Metering) -> std::io::Result<Self> {
        Self::bounded(folder, metering, BOUND)
    }

    fn bounded(folder: &Path, metering: Metering, bound: u64) -> std::io::Result<Self> {
        private::folder(folder)?;
        private::sweep(folder, |_| false)?;
        let cache = Self {
            folder: folder.to_owned(),
            engine: crate::engine::fingerprint(metering),
            bound,
        };
        cache.make_room(0);
        Ok(cache)
    }

    /// Is there a file for a module with this digest? (Whether it may be loaded is known when it is.)
    pub(crate) fn has(&self, module: &[u8; 32]) -> bool {
        self.path(module).exists()
    }

    /// The compiled form of a module with this digest, if one is here that is whole and fits this engine and CPU.
    pub(crate) fn load(&self, engine: &Engine, module: &[u8; 32]) -> Option<Compiled> {
        let path = self.path(module);
        let bytes = match private::open(&path).and_then(|file| read(file, self.bound)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "a compiled policy cannot be used: compiling it again");
                return None;
            }
        };
        let Some(compiled) = whole(&bytes, module) else {
            tracing::warn!(file = %path.display(), "a compiled policy is not what we wrote: compiling it again");
            return None;
        };
        match deserialize(engine, compiled) {
            Ok(component) => Some(component),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::info!(file = %path.display(), error, "a compiled policy does not fit: compiling it again");
                None
            }
        }
    }

    /// Keeps what the compiler made of a module, and loads it.
    ///
    /// # Errors
    /// The compiler did not write what this engine takes.
    pub(crate) fn keep(
        &self,
        engine: &Engine,
        module: &[u8; 32],
        compiled: &[u8],
    ) -> wasmtime::Result<Compiled> {
        let component = deserialize(engine, compiled)?;
        if let Err(error) = self.write(module, compiled) {
            // It works without; only the next start is slower.
            tracing::warn!(folder = %self.folder.display(), %error, "a compiled policy cannot be kept");
        }
        Ok(component)
    }

    fn write(&self, module: &[u8; 32], compiled: &[u8]) -> std::io::Result<()> {
        let bytes = (HEADER + compiled.len()) as u64;
        if bytes > self.bound {
            let bound = self.bound;
            tracing::info!(
                bytes,
                bound,
                "a compiled policy is larger than the whole cache: not kept"
            );
            return Ok(());
        }
        self.make_room(bytes);
        let digest = digest(module, compiled);
        private::write(
            &self.folder,
            &self.name(module),
            &[MAGIC, &digest, compiled],
        )?;
        // Another writer may have made room for his own at the same time.
        self.make_room(0);
        Ok(())
    }

    /// Removes the files that were used longest ago, until `bytes` more are within the bound.
    fn make_room(&self, bytes: u64) {
        let mut kept = match self.kept() {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(folder = %self.folder.display(), %error, "the cache cannot be kept small");
                return;
            }
        };
        let mut total = bytes + kept.iter().map(|file| file.bytes).sum::<u64>();
        kept.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        for file in kept {
            if total <= self.bound {
                return;
            }
            // Gone is gone, whoever removed it.
            let _ = std::fs::remove_file(&file.path);
            total -= file.bytes;
            tracing::debug!(file = %file.path.display(), "a compiled policy is removed to make room");
        }
    }

    fn kept(&self) -> std::io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == &COMPILED[1..])
                && let Ok(found) = std::fs::symlink_metadata(&path)
            {
                kept.push(Kept {
                    path,
                    used: found.modified()?,
                    bytes: found.len(),
                });
            }
        }
        Ok(kept)
    }

    fn path(&self, module: &[u8; 32]) -> PathBuf {
        self.folder.join(self.name(module))
    }

    fn name(&self, module: &[u8; 32]) -> String {
        let key = Sha256::new()
            .chain_update(&self.engine)
            .chain_update(module)
            .finalize();
        format!("{}{COMPILED}", hex(&key))
    }
}

/// All bytes, unless they are more than we ever keep. The file is marked as used now.
fn read(mut file: File, bound: u64) -> std::io::Result<Vec<u8>> {
    if file.metadata()?.len() > bound {
        return Err(std::io::Error::other(
            "it is larger than the whole cache may be",
        ));
    }
    // If the time cannot be set it is removed sooner than need be.
    let _ = futimens(&file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What follows the header, if that says so.
fn whole<'a>(bytes: &'a [u8], module: &[u8; 32]) -> Option<&'a [u8]> {
    let (header, compiled) = bytes.split_at_checked(HEADER)?;
    let (magic, found) = header.split_at(MAGIC.len());
    (magic == MAGIC && found == digest(module, compiled)).then_some(compiled)
}

/// Of native code and of the module that it was made of: one policy's code is not taken for another's.
fn digest(module: &[u8; 32], compiled: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(module)
        .chain_update(compiled)
        .finalize()
        .into()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[expect(
    unsafe_code,
    reason = "the one way to load what a compiler in another process made"
)]
fn deserialize(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Compiled> {
    // SAFETY: `compiled` came through a pipe from a child that this process started from the operator's own program,
    // or from a file in a folder that only this user can write, whole by its digest and written by `Cache::write`
    // from such bytes. Module bytes from the policy directory never come here. wasmtime checks version and CPU.
    unsafe {
        match Engine::detect_precompiled(compiled) {
            Some(Precompiled::Component) => {
                Component::deserialize(engine, compiled).map(Compiled::Component)
            }
            Some(Precompiled::Module) => {
                Module::deserialize(engine, compiled).map(Compiled::Command)
            }
            None => Err(wasmtime::Error::msg("it is no compiled policy")),
        }
    }
}

#[cfg(test)]
#[cfg(feature = "compiler")]
mod tests;
