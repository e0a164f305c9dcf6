//! One started program: its log, its end, and proof that it never outlives us.
//!
//! A test bed is a dozen servers. What goes wrong with them is always the same: one dies at start
//! and its reason is in a file that nobody opens, or the test is killed and the servers stay. So
//! here
//!
//! - waiting for readiness ends *at once* when the program ends, and the error carries the log's
//!   last lines and path;
//! - dropping a [`Process`] ends it and its process group (TERM, then KILL);
//! - when the test process dies, even by SIGKILL, the kernel kills the program (`PR_SET_PDEATHSIG`,
//!   set by `setpriv` between fork and exec). That signal is tied to the *thread* that forked, so a
//!   keeper thread forks, and then stays to wait for the child: it lives exactly as long as it is
//!   needed;
//! - what slips through that (a program that forks daemons of its own) is found by a later start's
//!   sweep ([`Bed`](crate::Bed)): by the record beside the log, and by the bed's name in its
//!   environment, which it handed on.

mod record;
mod tail;

use std::ffi::OsString;
use std::future::Future;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::sync::watch;

use crate::bed::{MARK, bed_of};

pub use record::{Live, Record};
pub use tail::tail;

/// Between two probes of a program that cannot tell us by itself that it is ready.
const PROBE: Duration = Duration::from_millis(25);
/// How long a dropped program may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// What to run. Built up like [`std::process::Command`], started by [`Program::start`].
#[derive(Debug, Clone)]
pub struct Program {
    name: String,
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
}

impl Program {
    /// A program that is known as `name` in log and record names and in errors.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment; the rest is ours.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The folder that it starts in, else ours.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Starts it in a process group of its own; its output is appended to `DIR/NAME.log`, its
    /// record is `DIR/NAME.pid`.
    ///
    /// # Errors
    /// If `dir` cannot be written, or no process can be made. A path that does not exist is seen a
    /// moment later, by
    /// [`Process::ready`], with the reason in its log.
    pub fn start(self, dir: &Path) -> Result<Process> {
        std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let log = dir.join(format!("{}.log", self.name));
        let out = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening {}", log.display()))?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.path)
            .args(&self.args);
        if let Some(bed) = bed_of(dir) {
            command.env(MARK, bed);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);

        let (of, exit) = keep(&self.name, command)
            .with_context(|| format!("starting {} ({})", self.name, self.path.display()))?;
        let record = dir.join(format!("{}.pid", self.name));
        of.write(&record)?;
        Ok(Process {
            name: self.name,
            pid: of.pid,
            log,
            record,
            exit,
        })
    }
}

/// Forks `command` on a thread of its own, which stays until the child has ended and reaps it.
fn keep(name: &str, mut command: Command) -> Result<(Record, watch::Receiver<Option<ExitStatus>>)> {
    let (started, start) = std::sync::mpsc::sync_channel::<Result<Record>>(1);
    let (ended, exit) = watch::channel(None);
    // Linux cuts thread names at 15 bytes
    std::thread::Builder::new()
        .name(name.chars().take(15).collect())
        .spawn(move || {
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => return drop(started.send(Err(error.into()))),
            };
            // before it is waited for: until then it has a record, even if it has ended already
            let record = i32::try_from(child.id()).map_err(Into::into);
            let _ = started.send(record.and_then(Record::of));
            // an error here would mean that somebody else reaped our child: then too it is gone
            let _ = ended.send(Some(child.wait().unwrap_or_default()));
        })?;
    let record = start
        .recv()
        .map_err(|_| anyhow!("its keeper thread died"))??;
    Ok((record, exit))
}

/// A running program; dropping it ends it.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: i32,
    log: PathBuf,
    record: PathBuf,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Its process id, which is its process group's id too.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exit(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits until it has ended.
    pub async fn ended(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        // the sender is only dropped after it has sent
        exit.wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|status| *status)
            .unwrap_or_default()
    }

    /// Waits until `probe` says that the program does its work.
    ///
    /// # Errors
    /// As soon as the program ends; or after `within`, with what `probe` said last. Both show the
    /// end of the log.
    pub async fn ready<F, Probe>(&self, within: Duration, mut probe: F) -> Result<()>
    where
        F: FnMut() -> Probe,
        Probe: Future<Output = Result<()>>,
    {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let refusal = tokio::select! {
                status = self.ended() => {
                    let (name, log) = (&self.name, tail(&self.log));
                    bail!("{name} ended before it was ready ({status})\n{log}");
                }
                answer = tokio::time::timeout_at(deadline, probe()) => match answer {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(refusal)) => refusal,
                    Err(_) => anyhow!("no answer"),
                },
            };
            if tokio::time::Instant::now() >= deadline {
                bail!(
                    "{} is not ready after {within:?}: {refusal:#}\n{}",
                    self.name,
                    tail(&self.log)
                );
            }
            tokio::time::sleep(PROBE).await;
        }
    }

    /// Sends `signal` to its process group.
    ///
    /// # Errors
    /// If the group is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        killpg(Pid::from_raw(self.pid), signal)
            .with_context(|| format!("{signal} to {} ({})", self.name, self.pid))
    }

    /// Pulls its plug: SIGKILL, and waits until it is gone.
    pub async fn kill(self) {
        let _ = self.signal(Signal::SIGKILL);
        self.ended().await;
    }

    /// Asks it to end (SIGTERM) and waits for as long as `grace`; then kills it.
    pub async fn stop(self, grace: Duration) {
        let _ = self.signal(Signal::SIGTERM);
        let _ = tokio::time::timeout(grace, self.ended()).await;
        self.kill().await;
    }

    /// Kills it from a destructor, without the grace that saves data: nothing of it will be read
    /// again.
    pub(crate) fn discard(&self) {
        let _ = self.signal(Signal::SIGKILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exit().is_none() {
            let _ = self.signal(Signal::SIGTERM);
            let live = Record::of(self.pid).and_then(|record| record.live());
            if let Ok(Some(live)) = live
                && !live.wait(GRACE)
            {
                let _ = self.signal(Signal::SIGKILL);
                let _ended = live.wait(GRACE);
            }
        }
        // what it forked in its own group goes with it
        let _ = self.signal(Signal::SIGKILL);
        let _ = std::fs::remove_file(&self.record);
    }
}
