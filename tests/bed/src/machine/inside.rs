//! Looking into a machine that is on, and working in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::Machine;

impl Machine {
    /// Its process 1, as the host sees it; another one after a reboot.
    ///
    /// # Errors
    /// If it is off, or between two boots.
    pub fn pid(&self) -> Result<i32> {
        let record = self.record().filter(|_| self.is_on());
        let supervisor = record.with_context(|| format!("{} is off", self.name))?.pid;
        // the script, nspawn, systemd
        let nspawn = children(supervisor)
            .into_iter()
            .find(|pid| comm(*pid).starts_with("systemd-nspawn"));
        let init = nspawn.and_then(|nspawn| {
            children(nspawn)
                .into_iter()
                .find(|pid| comm(*pid) == "systemd")
        });
        init.with_context(|| format!("{} is between two boots", self.name))
    }

    /// Its system bus, as the host sees it; another path after a reboot.
    ///
    /// # Errors
    /// As [`Machine::pid`].
    pub fn bus_socket(&self) -> Result<PathBuf> {
        self.path("/run/dbus/system_bus_socket")
    }

    /// Where the host finds the machine's `path`, while it is on.
    ///
    /// # Errors
    /// As [`Machine::pid`].
    pub fn path(&self, path: &str) -> Result<PathBuf> {
        Ok(PathBuf::from(format!("/proc/{}/root", self.pid()?)).join(path.trim_start_matches('/')))
    }

    /// Writes a file into the running machine.
    ///
    /// # Errors
    /// If it is off, or the file cannot be written.
    pub fn write_file(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let file = self.path(path)?;
        let folder = file.parent().context("a file that is the root")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, content))
            .with_context(|| format!("writing {path} in {}", self.name))
    }

    /// Which boot this is: a random id that its kernel's `/proc` shows, and its Node's
    /// `nodeInfo.bootID`.
    ///
    /// # Errors
    /// As [`Machine::pid`].
    pub fn boot_id(&self) -> Result<String> {
        let id = fs::read_to_string(self.path("/proc/sys/kernel/random/boot_id")?)?;
        Ok(id.trim().to_owned())
    }

    /// A command to be run in it, by its root, not yet started.
    ///
    /// # Errors
    /// As [`Machine::pid`].
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.pid()?.to_string()])
            .args([
                "--mount", "--uts", "--ipc", "--pid", "--net", "--cgroup", "--root", "--wd",
            ])
            .arg(program)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command in it and gives what it wrote to its standard output.
    ///
    /// # Errors
    /// If the machine is off, or the command does not end with 0: with what it wrote to its
    /// standard error.
    pub async fn exec<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String> {
        let mut args = args.into_iter();
        let program = args.next().context("no command")?;
        let said = self
            .command(&program)?
            .args(args)
            .output()
            .await
            .context("nsenter")?;
        let (out, err) = (
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr),
        );
        if !said.status.success() {
            let program = program.as_ref().to_string_lossy();
            bail!(
                "{program} in {}: {}: {} {}",
                self.name,
                said.status,
                out.trim(),
                err.trim()
            );
        }
        Ok(out.into_owned())
    }

    /// What the unit `unit` wrote to the journal, and systemd about it, in all boots.
    ///
    /// # Errors
    /// As [`Machine::exec`].
    pub async fn journal(&self, unit: &str) -> Result<String> {
        self.exec([
            "journalctl",
            "--no-pager",
            "--output=short-precise",
            "--unit",
            unit,
        ])
        .await
    }

    /// Writes a systemd unit into the running machine and starts it.
    ///
    /// # Errors
    /// As [`Machine::exec`].
    pub async fn start_unit(&self, name: &str, content: &str) -> Result<()> {
        self.write_file(&format!("/etc/systemd/system/{name}"), content)?;
        self.exec(["systemctl", "daemon-reload"]).await?;
        self.exec(["systemctl", "enable", "--now", name]).await?;
        Ok(())
    }

    /// Imports an image archive of the host into its containerd.
    ///
    /// # Errors
    /// If the archive cannot be read, or containerd refuses it.
    pub async fn import_image(&self, archive: &Path) -> Result<()> {
        let input = fs::File::open(archive).with_context(|| archive.display().to_string())?;
        let mut command = self.command("/opt/machine/bin/ctr")?;
        command
            .args(["--namespace", "k8s.io", "images", "import", "-"])
            .stdin(input);
        let said = command.output().await?;
        if !said.status.success() {
            bail!(
                "{}: {}",
                archive.display(),
                String::from_utf8_lossy(&said.stderr).trim()
            );
        }
        Ok(())
    }
}

pub(super) fn children(pid: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

fn comm(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}
