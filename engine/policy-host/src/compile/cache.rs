//! Keeps compiled policies between starts, so that an engine that comes back asks at once.
//!
//! What lies here is native code, and loading it is running it. So the folder is ours alone (checked: owner, mode, no
//! link), files are written whole and renamed, and each begins with the digest of the rest: a torn or rotten file is
//! made again, never loaded. Nothing is ever taken from the directory of policies.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc::O_NOFOLLOW;
use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled};

/// First bytes of each file. The number counts this layout's versions.
const MAGIC: &[u8; 16] = b"rectifier-cwasm1";
const HEADER: usize = MAGIC.len() + 32;

/// What the compiler made of a policy, loaded.
pub(crate) enum Compiled {
    Component(Component),
    Command(Module),
}

/// The folder, checked.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    engine: [u8; 32],
}

impl Cache {
    /// Makes the folder if need be, and checks that it is ours alone.
    ///
    /// # Errors
    /// It cannot be made, or somebody else could write into it.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> std::io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let found = std::fs::symlink_metadata(folder)?;
        if !found.is_dir() || !is_ours_alone(&found) {
            return Err(std::io::Error::other(
                "it must be a directory (no link) of this user's with mode 0700: it holds code that is run",
            ));
        }
        Ok(Self {
            folder: folder.to_owned(),
            engine: crate::engine::fingerprint(engine),
        })
    }

    /// The compiled form of a module with this digest, if one is here that is whole and fits this engine and CPU.
    pub(crate) fn load(&self, engine: &Engine, module: &[u8; 32]) -> Option<Compiled> {
        let path = self.path(module);
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(O_NOFOLLOW)
            .open(&path)
            .ok()?;
        let found = file.metadata().ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let (header, compiled) = bytes.split_at_checked(HEADER)?;
        let whole =
            header.starts_with(MAGIC) && header[MAGIC.len()..] == Sha256::digest(compiled)[..];
        if !(found.is_file() && is_ours_alone(&found) && whole) {
            tracing::warn!(file = %path.display(), "a compiled policy is not what we wrote: compiling it again");
            return None;
        }
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
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(compiled))?;
        file.write_all(compiled)?;
        file.persist(self.path(module))
            .map(|_: File| ())
            .map_err(|error| error.error)
    }

    fn path(&self, module: &[u8; 32]) -> PathBuf {
        let key = Sha256::new()
            .chain_update(self.engine)
            .chain_update(module)
            .finalize();
        self.folder.join(format!("{}.cwasm", hex(&key)))
    }
}

fn is_ours_alone(found: &std::fs::Metadata) -> bool {
    found.uid() == nix::unistd::geteuid().as_raw() && found.mode() & 0o077 == 0
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
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::engine::Metering;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn kept(folder: &Path) -> (Engine, Cache, PathBuf) {
        let engine = crate::engine::running(Metering::Epoch).unwrap();
        let compiled = crate::engine::compiling(Metering::Epoch)
            .unwrap()
            .precompile_component(EMPTY)
            .unwrap();
        let cache = Cache::open(folder, &engine).unwrap();
        cache.keep(&engine, &[7; 32], &compiled).unwrap();
        let path = cache.path(&[7; 32]);
        assert!(cache.load(&engine, &[7; 32]).is_some());
        assert!(cache.load(&engine, &[8; 32]).is_none());
        (engine, cache, path)
    }

    #[test]
    fn a_torn_or_flipped_or_foreign_file_is_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, cache, path) = kept(&folder.path().join("cache"));
        let good = std::fs::read(&path).unwrap();
        let mut flipped = good.clone();
        flipped[HEADER + 100] ^= 1;
        for bad in [&good[..good.len() / 2], &flipped, &good[HEADER..], b""] {
            std::fs::write(&path, bad).unwrap();
            assert!(cache.load(&engine, &[7; 32]).is_none());
        }
        std::fs::write(&path, &good).unwrap();
        assert!(cache.load(&engine, &[7; 32]).is_some());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(cache.load(&engine, &[7; 32]).is_none());
    }

    #[test]
    fn a_folder_that_others_could_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let engine = crate::engine::running(Metering::Epoch).unwrap();
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o770)).unwrap();
        assert!(Cache::open(&open, &engine).is_err());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert!(Cache::open(&link, &engine).is_err());
    }
}
