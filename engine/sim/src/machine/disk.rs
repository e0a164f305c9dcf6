//! A machine's disk, as far as the node engine's journal needs one: it outlives processes and boots.

use std::io;
use std::sync::{Arc, Mutex};

use rectifier_node::StorageBackend;

use crate::landing::lock;

/// One file. All clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Vec<u8>>>);

/// The part of the file that is asked for.
fn part(offset: u64, length: usize) -> Option<std::ops::Range<usize>> {
    let begin = usize::try_from(offset).ok()?;
    Some(begin..begin.checked_add(length)?)
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.0).len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = lock(&self.0);
        let part = part(offset, out.len()).and_then(|part| bytes.get(part));
        out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        lock(&self.0).resize(length, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = lock(&self.0);
        let part = part(offset, data.len()).and_then(|part| bytes.get_mut(part));
        part.ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(data);
        Ok(())
    }
}
