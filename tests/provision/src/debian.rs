//! Programs that come with the system: asked for from apt, and only when one is missing.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command::run;
use crate::part::lock;
use crate::{Cache, Report};

/// What the bed runs that Debian has.
const PACKAGES: &[&str] = &[
    "binutils",          // strip: a debugger's part of a program is not copied into machines
    "g++",               // the fuzzing engine is C++
    "chromium",          // a page is tested where people see it
    "chromium-driver",   // and by what presses its buttons
    "ca-certificates",   // pip, Go and cargo ask servers for their certificates
    "iproute2",          // the addresses of machines
    "mmdebstrap",        // the machines' root tree
    "procps",            // what else runs
    "python3-venv",      // OpenStack's environment
    "systemd-container", // systemd-nspawn
];

impl Cache {
    /// Installs the Debian packages that are missing; asks nobody but dpkg when none is.
    ///
    /// # Errors
    /// Something is missing and this is not root, not a Debian machine, or apt fails.
    pub fn debian_packages(&self, report: &mut dyn Report) -> Result<()> {
        let absent = absent()?;
        if absent.is_empty() {
            return Ok(());
        }
        if !nix::unistd::geteuid().is_root() {
            bail!(
                "run as root, or first: apt-get install {}",
                absent.join(" ")
            );
        }
        let _lock = lock(self, "debian-packages", report)?;
        let log = self.log("apt")?;
        let what = format!("debian-packages: installing {}", absent.join(" "));
        report.step(&format!("{what}; log {}", log.display()));
        run(apt().arg("update"), &log, report)?;
        run(
            apt()
                .args(["install", "--yes", "--no-install-recommends"])
                .args(absent),
            &log,
            report,
        )
    }
}

fn apt() -> Command {
    // it may outlive this process: a dpkg that is killed leaves work for a person
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    // another apt, as the one that runs once a day, is waited for
    apt.args(["--quiet", "-o", "DPkg::Lock::Timeout=300"]);
    apt
}

fn absent() -> Result<Vec<&'static str>> {
    let mut query = Command::new("dpkg-query");
    query
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(PACKAGES);
    // it fails when it knows nothing of one of them: what it prints is the answer all the same
    let Ok(output) = query.output() else {
        bail!("dpkg-query does not run: the test bed needs a Debian machine");
    };
    Ok(missing(PACKAGES, &String::from_utf8_lossy(&output.stdout)))
}

/// Those of `wanted` that dpkg does not call installed.
fn missing<'a>(wanted: &[&'a str], known: &str) -> Vec<&'a str> {
    let installed = |package: &str| {
        known
            .lines()
            .any(|line| line.split_once(' ') == Some((package, "installed")))
    };
    wanted
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::missing;

    const KNOWN: &str = "mmdebstrap installed\nprocps config-files\niproute2-doc installed\n";

    #[test]
    fn only_what_is_not_installed_is_asked_for() {
        assert_eq!(missing(&["mmdebstrap"], KNOWN), Vec::<&str>::new());
        assert_eq!(missing(&["mmdebstrap", "iproute2"], KNOWN), ["iproute2"]);
    }

    #[test]
    fn a_package_that_was_removed_and_left_its_configuration_is_missing() {
        assert_eq!(missing(&["procps"], KNOWN), ["procps"]);
    }
}
