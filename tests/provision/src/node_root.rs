//! The Debian tree that every machine of the bed boots from, each with an overlay of its own.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command::{command, run};
use crate::disk::Room;
use crate::key::Key;
use crate::part::Part;
use crate::{Cache, Report};

/// What a node needs beside containerd and kubelet, which are bound into it.
const PACKAGES: &[&str] = &[
    "systemd",
    "systemd-sysv",
    "dbus",
    "iproute2",
    "procps",
    "runc",
];

impl Cache {
    /// The root tree of a machine: Debian of the same release as this host, with systemd.
    /// Never to be written to: it is the lower layer of running machines. About a minute.
    ///
    /// # Errors
    /// Not root, no room, or mmdebstrap fails (its log's end is in the message).
    pub fn node_root(&self, report: &mut dyn Report) -> Result<PathBuf> {
        let packages = PACKAGES.join(",");
        let release = std::fs::read_to_string("/etc/os-release").context("not a Debian machine")?;
        let suite = suite(&release);
        let key = Key::new("node root 1").with("suite", suite.as_bytes());
        let key = key.with("packages", packages.as_bytes()).finish();
        let room = [Room {
            place: self.root().to_owned(),
            mib: 800,
        }];
        let target = self.folder("node-root")?.join(key);
        let part = Part {
            name: "node-root",
            target,
            room: &room,
        };
        part.make(self, report, |root, report| {
            self.debian_packages(report)?;
            let log = self.log("node-root")?;
            let what = format!(
                "node-root: installing Debian {suite}; log {}",
                log.display()
            );
            report.step(&what);
            // a process namespace of its own: however it is ended, nothing goes on writing
            let mut debstrap = command("unshare");
            debstrap.args(["--pid", "--fork", "--kill-child"]);
            debstrap.args([
                "mmdebstrap",
                "--variant=minbase",
                &format!("--include={packages}"),
                suite,
            ]);
            run(debstrap.arg(root), &log, report)?;
            // each machine draws an id of its own and has the name that it is given
            std::fs::write(root.join("etc/machine-id"), "")?;
            std::fs::remove_file(root.join("etc/hostname"))?;
            Ok(())
        })
    }
}

/// The host's release, if it is Debian's; else the one this was first tried with.
fn suite(release: &str) -> &str {
    let field = |name: &str| {
        let value = release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(|value| value.trim_matches('"'))
    };
    match (field("ID"), field("VERSION_CODENAME")) {
        (Some("debian"), Some(codename)) => codename,
        (Some(_) | None, _) => "bookworm",
    }
}

#[cfg(test)]
mod tests {
    use super::suite;

    #[test]
    fn a_machine_has_the_release_of_its_debian_host() {
        let host = "PRETTY_NAME=\"Debian GNU/Linux 13\"\nVERSION_CODENAME=trixie\nID=debian\n";
        assert_eq!(suite(host), "trixie");
        assert_eq!(suite("ID=ubuntu\nVERSION_CODENAME=noble\n"), "bookworm");
    }
}
