//! Who a process was, in a file: process id and start time, so that a later run ends the right one
//! or none.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process, named so that no other process is ever taken for it: ids are used again, start times
/// are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub pid: i32,
    /// When it started, in clock ticks since the machine booted (field 22 of `/proc/PID/stat`).
    pub start: u64,
}

impl Record {
    /// Of a process that is alive, or is not yet waited for.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn of(pid: i32) -> Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("process {pid}"))?;
        // the program's name may hold spaces and brackets; what follows its last bracket does not
        let (_, fields) = stat
            .rsplit_once(')')
            .context("a stat line without a name")?;
        let start = fields
            .split_whitespace()
            .nth(19)
            .context("a stat line without field 22")?;
        Ok(Self {
            pid,
            start: start.parse()?,
        })
    }

    /// Reads what [`Record::write`] wrote.
    ///
    /// # Errors
    /// If the file cannot be read or is no record.
    pub fn read(file: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let Some((pid, start)) = text.trim().split_once(' ') else {
            bail!("{} is no record of a process: {text:?}", file.display());
        };
        Ok(Self {
            pid: pid.parse()?,
            start: start.parse()?,
        })
    }

    /// Writes it down, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        let new = file.with_extension("new");
        std::fs::write(&new, format!("{} {}\n", self.pid, self.start))
            .and_then(|()| std::fs::rename(&new, file))
            .with_context(|| format!("writing {}", file.display()))
    }

    /// The process itself, if it is still there.
    ///
    /// # Errors
    /// If the kernel refuses to open it for another reason than its absence.
    pub fn live(&self) -> Result<Option<Live>> {
        let pid = rustix::process::Pid::from_raw(self.pid).context("a process id of 0")?;
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error).context("opening the process"),
        };
        // Compared after the open: from here on the descriptor names one process for ever, and if
        // this is the one that was recorded, no signal of ours can hit another that got its id.
        match Record::of(self.pid) {
            Ok(now) if now == *self => {
                let live = Live { fd };
                // one that has ended and that nobody has waited for still has its id
                Ok((!live.wait(Duration::ZERO)).then_some(live))
            }
            Ok(_) | Err(_) => Ok(None),
        }
    }
}

/// A handle on one process, ours or not, that stays right when its id is used again.
#[derive(Debug)]
pub struct Live {
    fd: OwnedFd,
}

impl Live {
    /// Kills it. That it has ended already is fine.
    pub fn kill(&self) {
        let _ = pidfd_send_signal(&self.fd, rustix::process::Signal::KILL);
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let _ = pidfd_send_signal(&self.fd, rustix::process::Signal::TERM);
    }

    /// Blocks until it has ended, for as long as `limit`; says whether it has.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).ok();
        poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], limit.as_ref()).is_ok_and(|n| n > 0)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// Outside a runtime.
    pub async fn ended(&self) -> Result<()> {
        let fd = watch(self.fd.try_clone()?)?;
        let _readable = fd.readable().await?;
        Ok(())
    }
}

#[expect(
    deprecated,
    reason = "unsound only for what does not own its descriptor, and this does"
)]
fn watch(fd: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}
