//! Keeps the ledger, and the bytes of the versions that it names, in a folder that outlives the process: so a restart
//! in the middle of a rollout, or with a broken new file, still enforces the last good version.
//!
//! ```text
//! STATE/rollout.json         sha256 of the rest in its first line
//! STATE/FINGERPRINT.policy   the sidecar as JSON in its first line, then the module
//! ```
//!
//! A file that is torn is none, with a warning. Whoever uses a version holds its file: what the ledger does not name and
//! nobody holds is swept.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Ledger;
use crate::compile::hex;
use crate::directory::Candidate;
use crate::fingerprint::Fingerprint;
use crate::{Limits, private};

const LEDGER: &str = "rollout.json";
const POLICY: &str = ".policy";
/// No ledger of ours is larger: a thousand policies are 300 KB.
const LEDGER_BYTES: u64 = 16 << 20;

/// The folder, checked.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
}

/// While it lives, the version's bytes stay.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

/// The first line of a version's file.
#[derive(Debug, Serialize, Deserialize)]
struct Beside {
    /// The sidecar's name and text.
    sidecar: Option<(String, String)>,
}

impl Store {
    /// Makes the folder if need be, and checks that it is ours alone. It blocks, as all here does.
    ///
    /// # Errors
    /// It cannot be made, or somebody else could write into it.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Ledger)> {
        private::folder(folder)?;
        let store = Self {
            folder: folder.to_owned(),
        };
        let ledger = match store.ledger() {
            Ok(ledger) => ledger,
            Err(error) if error.kind() == ErrorKind::NotFound => Ledger::default(),
            Err(error) => {
                let folder = folder.display();
                tracing::warn!(%folder, %error, "what was remembered of the policies' rollout is unusable: what is here now enforces at once");
                Ledger::default()
            }
        };
        store.sweep(&ledger)?;
        Ok((store, ledger))
    }

    fn ledger(&self) -> Result<Ledger> {
        let mut text = Vec::new();
        private::open(&self.folder.join(LEDGER))?
            .take(LEDGER_BYTES)
            .read_to_end(&mut text)?;
        let torn = || Error::other(format!("{LEDGER} is torn"));
        let (digest, json) = line(&text).ok_or_else(torn)?;
        if digest != hex(&Sha256::digest(json)).as_bytes() {
            return Err(torn());
        }
        serde_json::from_slice(json).map_err(Error::other)
    }

    /// Writes the ledger, once what it names is on the disk; then removes the versions that nobody needs any more.
    ///
    /// # Errors
    /// It cannot be written; what was written before is there still.
    pub(crate) fn save(&self, ledger: &Ledger) -> Result<()> {
        for version in ledger.needed() {
            // One that could not be kept was said then, and what is on the disk already costs nothing.
            if let Ok(file) = private::open(&self.folder.join(name(version))) {
                file.sync_all()?;
            }
        }
        let json = serde_json::to_vec_pretty(ledger).map_err(Error::other)?;
        let digest = hex(&Sha256::digest(&json));
        private::write_durably(&self.folder, LEDGER, &[digest.as_bytes(), b"\n", &json])?;
        self.sweep(ledger)
    }

    fn sweep(&self, ledger: &Ledger) -> Result<()> {
        let needed = ledger.needed();
        private::sweep(&self.folder, |file| match file.strip_suffix(POLICY) {
            Some(version) => Fingerprint::try_from(version.to_owned())
                .map_or(true, |version| !needed.contains(&version)),
            None => false,
        })
    }

    /// Keeps the bytes of a version, unless they are kept already. `None` for one that could not be read itself.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn keep(&self, version: Fingerprint, candidate: &Candidate) -> Result<Option<Held>> {
        let Ok(module) = &candidate.module else {
            return Ok(None);
        };
        let sidecar = match &candidate.sidecar {
            None => None,
            Some((name, Ok(text))) => Some((name.clone(), text.clone())),
            Some((_, Err(_))) => return Ok(None),
        };
        if let Ok(held) = self.hold(version)
            && self.candidate(version, module.len()).is_ok()
        {
            return Ok(Some(held));
        }
        let beside = serde_json::to_vec(&Beside { sidecar }).map_err(Error::other)?;
        let parts: [&[u8]; 3] = [&beside, b"\n", module];
        // Not durable yet: whoever waits for it to be loaded need not wait for the disk.
        let file = private::write(&self.folder, &name(version), &parts)?;
        Ok(Some(Held { _file: file }))
    }

    /// A version as it was kept.
    ///
    /// # Errors
    /// It is not here, torn, or too large by now.
    pub(crate) fn read(&self, version: Fingerprint, limits: &Limits) -> Result<(Candidate, Held)> {
        let held = self.hold(version)?;
        Ok((self.candidate(version, limits.module_bytes)?, held))
    }

    fn hold(&self, version: Fingerprint) -> Result<Held> {
        let file = private::hold(&self.folder.join(name(version)))?;
        Ok(Held { _file: file })
    }

    fn candidate(&self, version: Fingerprint, module_bytes: usize) -> Result<Candidate> {
        // A sidecar in JSON may be six times its text.
        let limit = module_bytes as u64 + (6 * Limits::default().sidecar_bytes as u64) + 4096;
        let mut bytes = Vec::new();
        private::open(&self.folder.join(name(version)))?
            .take(limit)
            .read_to_end(&mut bytes)?;
        let torn = || Error::other("a version that was kept is torn, or larger than the limit");
        let (beside, module) = line(&bytes).ok_or_else(torn)?;
        let Beside { sidecar } = serde_json::from_slice(beside).map_err(|_| torn())?;
        let candidate = Candidate {
            module: Ok(module.to_vec()),
            sidecar: sidecar.map(|(name, text)| (name, Ok(text))),
        };
        // Its name is its checksum.
        if candidate.fingerprint() != version || module.len() > module_bytes {
            return Err(torn());
        }
        Ok(candidate)
    }
}

fn name(version: Fingerprint) -> String {
    format!("{version}{POLICY}")
}

/// The first line, and the rest.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Mode;
    use crate::rollout::tests::{at, plan};

    fn candidate(text: &str) -> Candidate {
        Candidate {
            module: Ok(format!("module\n{text}").into_bytes()),
            sidecar: Some(("a.yaml".to_owned(), Ok("mode: enforce\n# \"é\"".to_owned()))),
        }
    }

    fn ledger_of(version: Fingerprint) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.offered(&plan("node", 30), "a", version, Mode::Enforce, true, at(0));
        ledger
    }

    fn files(folder: &Path) -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_version_and_the_ledger_are_read_as_they_were_written() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state");
        let (store, blank) = Store::open(&folder).unwrap();
        assert!(blank.is_blank());
        let one = candidate("one");
        let version = one.fingerprint();
        drop(store.keep(version, &one).unwrap().unwrap());
        let ledger = ledger_of(version);
        store.save(&ledger).unwrap();
        let (store, read) = Store::open(&folder).unwrap();
        assert_eq!(read, ledger);
        let limits = Limits::default();
        assert_eq!(store.read(version, &limits).unwrap().0, one);
        let other = candidate("other").fingerprint();
        assert!(store.read(other, &limits).is_err());
        let small = Limits {
            module_bytes: 5,
            ..limits
        };
        assert!(store.read(version, &small).is_err());
    }

    #[test]
    fn a_torn_ledger_is_none() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state");
        let (store, _) = Store::open(&folder).unwrap();
        let ledger = ledger_of(candidate("one").fingerprint());
        store.save(&ledger).unwrap();
        let path = folder.join(LEDGER);
        let good = std::fs::read(&path).unwrap();
        let mut flipped = good.clone();
        let at = good.len() / 2;
        flipped[at] ^= 1;
        for bad in [&good[..good.len() / 2], &flipped, b"", b"{}"] {
            std::fs::write(&path, bad).unwrap();
            assert!(Store::open(&folder).unwrap().1.is_blank());
        }
        std::fs::write(&path, &good).unwrap();
        assert_eq!(Store::open(&folder).unwrap().1, ledger);
    }

    #[test]
    fn a_torn_version_is_none_and_is_kept_again() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state");
        let (store, _) = Store::open(&folder).unwrap();
        let one = candidate("one");
        let version = one.fingerprint();
        drop(store.keep(version, &one).unwrap());
        let path = folder.join(name(version));
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(store.read(version, &Limits::default()).is_err());
        drop(store.keep(version, &one).unwrap());
        assert_eq!(store.read(version, &Limits::default()).unwrap().0, one);
    }

    #[test]
    fn what_is_neither_named_nor_held_is_swept() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state");
        let (store, _) = Store::open(&folder).unwrap();
        let [one, two, three] = ["one", "two", "three"].map(candidate);
        let version = one.fingerprint();
        drop(store.keep(version, &one).unwrap());
        let held = store.keep(two.fingerprint(), &two).unwrap().unwrap();
        drop(store.keep(three.fingerprint(), &three).unwrap());
        store.save(&ledger_of(version)).unwrap();
        let named = [LEDGER.to_owned(), name(version)];
        let with_held = [&named[..], &[name(two.fingerprint())]].concat();
        assert_eq!(files(&folder), with_held.into_iter().collect());
        drop(held);
        store.save(&ledger_of(version)).unwrap();
        assert_eq!(files(&folder), named.into());
    }

    #[test]
    fn what_could_not_be_read_is_not_kept() {
        let outer = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&outer.path().join("state")).unwrap();
        let unreadable = Candidate {
            module: Err(crate::Failure::new(
                rectifier_core::policy::FailureClass::Load,
                "why",
            )),
            sidecar: None,
        };
        let version = unreadable.fingerprint();
        assert!(store.keep(version, &unreadable).unwrap().is_none());
    }
}
