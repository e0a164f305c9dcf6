//! Remembers what each file's digest was, so that a look reads only what may have changed: with one policy of 20 MB in
//! the directory every look would cost a tenth of a second.
//!
//! A stamp may be trusted only if it is older than the last reading: two writes within a tick of the file system's clock
//! leave the same stamp. So a file is read again until it was read once well after its stamp was first seen.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rectifier_core::policy::FailureClass;
use sha2::{Digest, Sha256};

use super::file::{self, Stamp, Trouble};
use super::form::Form;
use super::{Care, Module};
use crate::Failure;

/// 2 s: the coarsest clock of a file system in use (FAT's); Linux's own ticks are of 10 ms at most.
const TICK: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(crate) struct Stamps {
    read: BTreeMap<String, Reading>,
}

#[derive(Debug)]
struct Reading {
    stamp: Stamp,
    /// When this stamp was first seen, and when the file was last read.
    first: Instant,
    last: Instant,
    module: Module,
}

impl Stamps {
    /// The digest of a module, unpacked; `None` if it is not there (any more).
    pub(super) fn digest(
        &mut self,
        path: &Path,
        (name, form): (&str, Form),
        limit: usize,
        care: Care,
    ) -> Option<Result<Module, Failure>> {
        let read = self.known(path, name, limit as u64, care);
        let read = read.and_then(|known| match known {
            Some(module) => Ok(module),
            None => self.read(path, (name, form), limit as u64),
        });
        match read {
            Ok(module) => Some(Ok(module)),
            Err(Trouble::Gone) => None,
            Err(Trouble::Refused(why)) => Some(Err(Failure::new(FailureClass::Load, why))),
        }
    }

    pub(super) fn forget_all_but(&mut self, here: impl Fn(&str) -> bool) {
        self.read.retain(|name, _| here(name));
    }

    fn known(
        &self,
        path: &Path,
        name: &str,
        limit: u64,
        care: Care,
    ) -> Result<Option<Module>, Trouble> {
        let stamp = file::examine(path, limit)?;
        let known = self.read.get(name).filter(|known| {
            care == Care::Quick
                && known.stamp == stamp
                && known.module.bytes <= limit
                && known.last.duration_since(known.first) > TICK
        });
        Ok(known.map(|known| known.module))
    }

    fn read(
        &mut self,
        path: &Path,
        (name, form): (&str, Form),
        limit: u64,
    ) -> Result<Module, Trouble> {
        let began = Instant::now();
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        let stamp = file::read(path, form, limit, &mut |piece| {
            digest.update(piece);
            bytes += piece.len() as u64;
        })?;
        let module = Module {
            sha256: digest.finalize().into(),
            bytes,
        };
        let before = self.read.remove(name);
        if let Some(stamp) = stamp {
            let first = before
                .filter(|before| before.stamp == stamp)
                .map_or(began, |before| before.first);
            let reading = Reading {
                stamp,
                first,
                last: began,
                module,
            };
            self.read.insert(name.to_owned(), reading);
        }
        Ok(module)
    }
}
