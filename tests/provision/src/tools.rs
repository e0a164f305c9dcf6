//! The programs of cargo's family that the tests are run with, a generator of bindings, and the target that policies are
//! compiled for.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cargo::cargo;
use crate::command::{command, output, run};
use crate::disk::Room;
use crate::part::{Part, remove};
use crate::{Cache, Report};

/// A cargo subcommand, pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Runs tests: each in a process of its own, heavy ones alone.
    Nextest,
    /// Checks licences, bans and sources of all dependencies.
    Deny,
    /// Builds and runs fuzz targets.
    Fuzz,
    /// Generates the bindings for C.
    WitBindgen,
}

impl Tool {
    /// The name of its crate.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Nextest => "cargo-nextest",
            Tool::Deny => "cargo-deny",
            Tool::Fuzz => "cargo-fuzz",
            Tool::WitBindgen => "wit-bindgen-cli",
        }
    }

    /// That of its program.
    fn program(self) -> &'static str {
        self.name().trim_end_matches("-cli")
    }

    fn version(self) -> &'static str {
        match self {
            Tool::Nextest => "0.9.151",
            Tool::Deny => "0.20.2",
            Tool::Fuzz => "0.13.2",
            Tool::WitBindgen => "0.63.0",
        }
    }

    /// Without what only an installed copy is for, as updating itself.
    fn features(self) -> &'static [&'static str] {
        match self {
            Tool::Nextest => &["--no-default-features"],
            Tool::Deny => &["--no-default-features"],
            Tool::Fuzz => &[],
            Tool::WitBindgen => &["--no-default-features", "--features=c"],
        }
    }
}

impl Cache {
    /// The path of that tool's program; some minutes the first time.
    ///
    /// # Errors
    /// No room, or it does not compile (its log's end is in the message).
    pub fn tool(&self, tool: Tool, report: &mut dyn Report) -> Result<PathBuf> {
        let (name, version) = (tool.name(), tool.version());
        let target = self.folder("tools")?.join(format!("{name}-{version}"));
        let room = [Room {
            place: self.root().to_owned(),
            mib: 1200,
        }];
        let part = Part {
            name,
            target,
            room: &room,
        };
        let folder = part.make(self, report, |folder, report| {
            let log = self.log(name)?;
            report.step(&format!(
                "{name}: compiling {version}; log {}",
                log.display()
            ));
            let mut install = cargo(self);
            install.args([
                "install",
                "--locked",
                name,
                "--version",
                version,
                "--no-track",
            ]);
            install.args(["--debug", "--config", "profile.dev.debug=false", "--root"]);
            install.arg(folder).args(tool.features());
            // beside the part: a build that was interrupted goes on where it was
            let target = folder.with_extension("target");
            install.env("CARGO_TARGET_DIR", &target);
            run(&mut install, &log, report)?;
            remove(&target)
        })?;
        Ok(folder.join("bin").join(tool.program()))
    }

    /// Adds the target that policies are compiled for to the toolchain of the checkout.
    ///
    /// # Errors
    /// There is no rustup, or it cannot add it.
    pub fn wasm_target(&self, report: &mut dyn Report) -> Result<()> {
        const TARGET: &str = "wasm32-unknown-unknown";
        let hint = "install rustup (https://rustup.rs), or the target by your own means";
        let mut rustup = command("rustup");
        rustup
            .current_dir(self.checkout())
            .args(["target", "list", "--installed"]);
        let installed = output(&mut rustup).context(hint)?;
        if installed.lines().any(|line| line == TARGET) {
            return Ok(());
        }
        report.step(&format!("wasm-target: rustup target add {TARGET}"));
        let mut rustup = command("rustup");
        rustup
            .current_dir(self.checkout())
            .args(["target", "add", TARGET]);
        run(&mut rustup, &self.log("wasm-target")?, report)
    }
}
