//! Calling cargo from something that cargo has started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{command, run, tidy_command};
use crate::disk::Room;
use crate::key::Key;
use crate::part::{Part, keep_newest, lock};
use crate::report::Late;
use crate::{Cache, Report};

/// What cargo and nextest tell to a program that they start, and what that program must not hand
/// on: build scripts watch some of these, and one that differs compiles the world again.
const TOLD: &[&str] = &[
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_TMPDIR",
    "NEXTEST",
    "OUT_DIR",
    "LD_LIBRARY_PATH",
    "__CARGO",
];

/// Which of the engine's features a build has on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Features {
    /// What is shipped.
    Shipped,
    /// Also the one that reads from the environment which step of the loop is switched off.
    TestSwitches,
}

/// `cargo`, in the checkout, as if a person had called it there; it ends when this process does.
pub fn cargo(cache: &Cache) -> Command {
    subcommand(cache, Path::new("cargo"))
}

/// As [`cargo`], but that program: one that lies in the cache, not in the search path.
pub fn subcommand(cache: &Cache, program: &Path) -> Command {
    let mut cargo = tidy_command(program);
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| TOLD.iter().any(|told| name.starts_with(told)))
        {
            cargo.env_remove(name);
        }
    }
    cargo.current_dir(cache.checkout());
    cargo
}

/// The programs that tests and tasks start, which are all built when one of them is.
const PROGRAMS: [&str; 5] = [ENGINE, COMPILER, "rectifier", "hypervisor-hook", "story"];

/// Builds the programs that tests start, with all dependencies as the workspace's tests have them.
/// Cargo compiles a dependency once for each set of features that is asked of it, and asks for
/// those of the members alone of which something is built, and for those of tests only where a test
/// is: so all programs are built at once, and a small test. Without it wasmtime, and all that
/// stands on it, would be compiled again for each of them.
pub fn build_programs(cache: &Cache) -> Command {
    let mut build = cargo(cache);
    build.args(["build", "--locked", "--workspace", "--test", "provision"]);
    for program in PROGRAMS {
        build.args(["--bin", program]);
    }
    build
}

/// Where cargo puts finished programs.
pub fn programs(cache: &Cache) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    cache.checkout().join(target).join("debug")
}

impl Cache {
    /// The engine's program, beside its compiler, built from the checkout as it is now, without what only a debugger
    /// reads. Cargo is asked each time, and is quick when nothing has changed. The same content is
    /// the same path: a build with other features does not touch a program that runs.
    ///
    /// # Errors
    /// It does not compile (its log's end is in the message).
    pub fn engine(&self, features: Features, report: &mut dyn Report) -> Result<PathBuf> {
        let _lock = lock(self, "engine", report)?;
        let log = self.log("engine")?;
        let mut build = build_programs(self);
        if features == Features::TestSwitches {
            build.args(["--features", "rectifier-daemon/test-switches"]);
        }
        let what = format!("engine: cargo build; log {}", log.display());
        run(&mut build, &log, &mut Late::new(report, &what))
            .context("the engine does not compile")?;
        let mut key = Key::new("engine 2");
        for program in [ENGINE, COMPILER] {
            let built = programs(self).join(program);
            let content = std::fs::read(&built)
                .with_context(|| format!("cannot read {}", built.display()))?;
            key = key.with(program, &content);
        }
        let key = key.finish();
        let target = self.folder("engine")?.join(key);
        let room = [Room {
            place: self.root().to_owned(),
            mib: 500,
        }];
        let part = Part {
            name: "engine-program",
            target,
            room: &room,
        };
        let folder = part.make(self, report, |folder, report| {
            keep_newest(&self.folder("engine")?, "")?;
            std::fs::create_dir(folder)?;
            for program in [ENGINE, COMPILER] {
                let mut strip = command("strip");
                strip
                    .args(["--strip-debug", "-o"])
                    .arg(folder.join(program))
                    .arg(programs(self).join(program));
                run(&mut strip, &self.log("strip")?, report)?;
            }
            Ok(())
        })?;
        Ok(folder.join(ENGINE))
    }

    /// The engine's program, beside its compiler, built from the checkout as it is now and as a release is: for
    /// measurements. The first time takes many minutes.
    ///
    /// # Errors
    /// It does not compile (its log's end is in the message).
    pub fn released_engine(&self, report: &mut dyn Report) -> Result<PathBuf> {
        let log = self.log("released-engine")?;
        let mut build = cargo(self);
        build.args(["build", "--locked", "--workspace", "--release"]);
        build.args(["--bin", ENGINE, "--bin", COMPILER]);
        let what = format!(
            "engine, as it is released: cargo build; log {}",
            log.display()
        );
        run(&mut build, &log, &mut Late::new(report, &what))
            .context("the engine does not compile")?;
        let folder = programs(self).with_file_name("release");
        Ok(folder.join(ENGINE))
    }
}

const ENGINE: &str = "rectifier-engine";
/// The engine looks for it beside itself.
pub(crate) const COMPILER: &str = "rectifier-compiler";
