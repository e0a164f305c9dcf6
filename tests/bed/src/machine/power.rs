//! On, off, and the plug.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixDatagram;
use tokio::process::Command;

use super::inside::children;
use super::{DISK, Machine, digest};
use crate::bed::{MARK, OWNER};
use crate::network::{Network, unplug};
use crate::process::{Record, tail};

/// A boot takes one to five seconds, image imports included; a busy computer may need many times
/// that.
const BOOT: Duration = Duration::from_secs(120);
/// systemd waits 90 s for a unit that does not stop.
const SHUTDOWN: Duration = Duration::from_secs(100);

impl Machine {
    /// Switches it on; back when its systemd says that it has started everything
    /// (`multi-user.target`).
    ///
    /// # Errors
    /// If it is on already, or ends, or is not up in time: with the end of its console.
    pub async fn power_on(&self) -> Result<()> {
        if self.is_on() {
            bail!("{} is on already", self.name);
        }
        // nspawn hands systemd's READY=1 on to this socket
        let socket = self.dir.join("notify");
        let _ = std::fs::remove_file(&socket);
        let ready = UnixDatagram::bind(&socket)
            .with_context(|| format!("listening on {}", socket.display()))?;

        self.start_supervisor()
            .await
            .with_context(|| format!("switching {} on", self.name))?;
        let supervisor = self.supervisor()?.context("the supervisor ended at once")?;
        let started = async {
            let mut message = [0; 4096];
            loop {
                let length = ready.recv(&mut message).await?;
                if message[..length]
                    .split(|byte| *byte == b'\n')
                    .any(|line| line == b"READY=1")
                {
                    return anyhow::Ok(());
                }
            }
        };
        let why = tokio::select! {
            started = tokio::time::timeout(BOOT, started) => match started {
                Ok(result) => return result,
                Err(_) => format!("is not up after {BOOT:?}"),
            },
            _ = supervisor.ended() => "went off while it booted".to_owned(),
        };
        bail!("{} {why}\n{}", self.name, tail(&self.console()))
    }

    /// Starts the supervisor in its namespaces, and plugs the network cable in.
    async fn start_supervisor(&self) -> Result<()> {
        let mut unshare = Command::from(self.supervise()?)
            .spawn()
            .context("unshare")?;
        let (stdin, stdout) = (unshare.stdin.take(), unshare.stdout.take());
        let mut words = BufReader::new(stdout.context("no stdout")?).lines();
        if words.next_line().await?.as_deref() != Some("unplugged") {
            bail!("the supervisor ended\n{}", tail(&self.console()));
        }
        // The script is process 1 of its namespace: it has ended only when all in it has.
        let unshare = i32::try_from(unshare.id().context("unshare has ended")?)?;
        let script = children(unshare)
            .into_iter()
            .next()
            .context("unshare has no child")?;
        Record::of(script)?.write(&self.dir.join("supervisor.pid"))?;
        Network::of(&self.hardware.bed)?.plug(script, &cable(&self.dir))?;
        stdin.context("no stdin")?.write_all(b"plugged\n").await?;
        Ok(())
    }

    fn supervise(&self) -> Result<std::process::Command> {
        let hardware = &self.hardware;
        let console = File::options()
            .create(true)
            .append(true)
            .open(self.console())?;
        let bind =
            |option: &str, from: &Path, to: &str| format!("--bind{option}={}:{to}", from.display());
        let archives = hardware.images.iter().enumerate().map(|(number, archive)| {
            bind("-ro", archive, &format!("/opt/machine/images/{number}.tar"))
        });
        let containerd = self.dir.join(DISK).join("containerd");
        let mut command = std::process::Command::new("unshare");
        command
            .args([
                "--fork",
                "--kill-child",
                "--pid",
                "--mount-proc",
                "--mount",
                "--net",
                "sh",
            ])
            .arg(self.dir.join("supervise.sh"))
            .arg(&self.dir)
            .args(["machine", "hostname"].map(|what| format!("--{what}={}", self.name)))
            .arg(bind("-ro", &hardware.programs, "/opt/machine/bin"))
            .args(archives)
            // its snapshots are overlays, and an overlay's upper folder cannot lie on an overlay
            .arg(bind("", &containerd, "/var/lib/containerd"))
            // for the kubelet's out-of-memory watcher, and for runc
            .args(["--bind=/dev/kmsg", "--capability=CAP_SYSLOG"])
            .arg("--system-call-filter=@keyring bpf")
            .env(MARK, &hardware.bed)
            .env("LOWER", &hardware.root)
            .env("OWNER", hardware.bed.join(OWNER))
            .env("ADDRESS", &hardware.address)
            .env("GATEWAY", &hardware.gateway)
            .env("NOTIFY_SOCKET", self.dir.join("notify"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(console)
            // a Ctrl-C at the test's terminal is not the machine's
            .process_group(0);
        Ok(command)
    }

    /// Whether its supervisor runs. During a reboot it does.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.supervisor().is_ok_and(|live| live.is_some())
    }

    /// Shuts it down in order; back when it is off.
    ///
    /// # Errors
    /// If it is still on after 100 s.
    pub async fn shutdown(&self) -> Result<()> {
        let Some(supervisor) = self.supervisor()? else {
            return Ok(());
        };
        self.exec(["systemctl", "poweroff", "--no-block"]).await?;
        let off = tokio::time::timeout(SHUTDOWN, supervisor.ended()).await;
        off.with_context(|| format!("{} is still on\n{}", self.name, tail(&self.console())))?
    }

    /// Pulls the plug: nothing in it runs on, unwritten data are lost, and its peers are not told:
    /// they wait for it. Back when it is off.
    ///
    /// # Errors
    /// If there is no runtime to wait in.
    pub async fn kill(&self) -> Result<()> {
        let Some(supervisor) = self.supervisor()? else {
            return Ok(());
        };
        // The cable first: the kernel would close each connection of a killed process in order.
        unplug(&cable(&self.dir));
        supervisor.kill();
        supervisor.ended().await
    }

    /// Cuts it off from the network, or connects it again. It runs on.
    ///
    /// # Errors
    /// If it is off.
    pub fn connected(&self, yes: bool) -> Result<()> {
        Network::of(&self.hardware.bed)?.connect(&cable(&self.dir), yes)
    }

    /// Waits until it is off, by whosever hand.
    ///
    /// # Errors
    /// If there is no runtime to wait in.
    pub async fn off(&self) -> Result<()> {
        match self.supervisor()? {
            Some(supervisor) => supervisor.ended().await,
            None => Ok(()),
        }
    }
}

/// The host's end of the cable. Linux allows 15 bytes.
fn cable(dir: &Path) -> String {
    format!("rect{}", digest(dir))
}
