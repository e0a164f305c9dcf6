//! What dead owners left, and what a living one leaves at its end.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use super::{KEPT, MARK, OWNER};
use crate::machine::cgroups;
use crate::network::Network;
use crate::process::{Live, Record};

/// A killed process is gone within milliseconds; a machine has a few hundred of them.
const GONE: Duration = Duration::from_secs(10);

/// Clears every bed below `run` whose owner is dead, and removes its folder, unless that was to be
/// kept.
pub fn sweep(run: &Path) {
    for dir in folders(run) {
        // Only who gets the lock may clear: an owner that lives holds it, and so does another
        // sweep.
        let Ok(owner) = File::open(dir.join(OWNER)) else {
            continue;
        };
        let Ok(_owner) = Flock::lock(owner, FlockArg::LockExclusiveNonblock) else {
            continue;
        };
        clear(&dir);
        if dir.join(KEPT).exists() {
            continue;
        }
        match std::fs::remove_dir_all(&dir) {
            Ok(()) => eprintln!("bed: removed {}, whose owner is dead", dir.display()),
            Err(error) => eprintln!("bed: {} is not removed: {error}", dir.display()),
        }
    }
}

/// Ends what the records in `dir` name and what bears its mark, then removes its cgroups and its
/// bridge. Files stay.
pub(super) fn clear(dir: &Path) {
    let mut files = Vec::new();
    collect(dir, &mut files);
    let ending = |file: &&PathBuf| file.extension().is_some_and(|ending| ending == "pid");
    let recorded = files
        .iter()
        .filter(ending)
        .filter_map(|file| Record::read(file).ok());
    let marked = marked(dir);
    let live: Vec<Live> = recorded
        .chain(marked)
        .filter_map(|record| record.live().ok()?)
        .inspect(Live::kill)
        .collect();
    for process in live {
        let _gone = process.wait(GONE);
    }
    for file in files.iter().filter(|file| file.ends_with(cgroups::LIST)) {
        cgroups::remove(file);
    }
    if let Ok(network) = Network::of(dir) {
        network.remove();
    }
    for file in files.iter().filter(ending) {
        let _ = std::fs::remove_file(file);
    }
}

/// All files below `dir`, but for the machines' disks: what those hold is not ours to read.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && entry.file_name() != crate::machine::DISK => {
                collect(&entry.path(), files);
            }
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            Ok(_) | Err(_) => {}
        }
    }
}

fn folders(run: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(run).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// The processes with the bed `dir` in their environment: also what a program of ours forked, and
/// what forked itself away from us.
fn marked(dir: &Path) -> Vec<Record> {
    let mark = [MARK.as_bytes(), b"=", dir.as_os_str().as_bytes()].concat();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let record = Record::of(process.file_name().to_str()?.parse().ok()?).ok()?;
            let environment = std::fs::read(process.path().join("environ")).ok()?;
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == mark)
                .then_some(record)
        })
        .collect()
}
