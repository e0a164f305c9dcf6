//! What a process holds: memory, threads, open files, children.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

/// By so much anonymous memory may have grown: what an allocator keeps for the next time, in an arena for each thread
/// that read a file of 8 MiB. Generous, and less than what a policy may take in one call; each case takes it several
/// times.
const MEMORY_SLACK: u64 = 48 << 20;
/// Likewise address space: an arena of the allocator is 64 MiB of it, one linear memory that was forgotten 4 GiB.
const ADDRESS_SLACK: u64 = 1 << 30;
/// What is given back in the background (a child that is reaped, a thread that ends) is waited for; so long, that
/// nothing but a leak takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What this process holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vitals {
    /// Bytes of anonymous memory that are present.
    memory: u64,
    /// Bytes of address space.
    addresses: u64,
    threads: usize,
    files: usize,
    children: usize,
}

impl Vitals {
    pub(super) fn now() -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        Ok(Self {
            memory: field(&status, "RssAnon:")? << 10,
            addresses: field(&status, "VmSize:")? << 10,
            threads: entries("/proc/self/task")?,
            files: entries("/proc/self/fd")?,
            children: children()?,
        })
    }

    /// When nothing is under way any more: two looks that see the same threads, files and children.
    pub(super) async fn at_rest() -> Result<Self> {
        let mut last = Self::now()?;
        loop {
            sleep(Duration::from_millis(100)).await;
            let now = Self::now()?;
            if now.counts() == last.counts() {
                return Ok(now);
            }
            last = now;
        }
    }

    /// The most memory that this process ever had at once, file pages included.
    pub(super) fn peak() -> Result<u64> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        Ok(field(&status, "VmHWM:")? << 10)
    }

    /// Waits until this process holds no more than then.
    pub(super) async fn are_back(&self) -> Result<()> {
        let latest = Instant::now() + PATIENCE;
        loop {
            let now = Self::now()?;
            let back = now.threads <= self.threads
                && now.files <= self.files
                && now.children <= self.children
                && now.memory <= self.memory + MEMORY_SLACK
                && now.addresses <= self.addresses + ADDRESS_SLACK;
            if back {
                return Ok(());
            }
            if Instant::now() > latest {
                bail!("the process held {self:?} and holds {now:?}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn counts(&self) -> (usize, usize, usize) {
        (self.threads, self.files, self.children)
    }
}

/// A number of `/proc/self/status`, in KiB.
fn field(status: &str, name: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().split(' ').next());
    Ok(number.with_context(|| format!("no {name}"))?.parse()?)
}

fn entries(folder: impl AsRef<Path>) -> Result<usize> {
    Ok(std::fs::read_dir(folder)?.count())
}

/// Processes whose parent this one is, those included that nobody has waited for.
fn children() -> Result<usize> {
    let me = std::process::id().to_string();
    let is_child = |entry: &std::fs::DirEntry| {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            return false;
        };
        // `PID (NAME) STATE PARENT …`, and a name may contain anything
        let after_name = stat.rsplit_once(')').map(|(_, rest)| rest);
        after_name.and_then(|rest| rest.split_whitespace().nth(1)) == Some(me.as_str())
    };
    let processes = std::fs::read_dir("/proc")?.filter_map(Result::ok);
    Ok(processes.filter(is_child).count())
}
