//! The policies that ship, as the components that the engines load.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::cargo::{cargo, programs};
use crate::command::{command, run};
use crate::key::Key;
use crate::part::{Part, keep_newest, lock};
use crate::report::Late;
use crate::{Cache, Report};

impl Cache {
    /// The names of the policies that ship and are crates; the others are in other languages.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn policy_crates(&self) -> Result<Vec<String>> {
        let folder = self.checkout().join("policies");
        let Ok(entries) = std::fs::read_dir(&folder) else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.path().join("Cargo.toml").is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// `policies/NAME` compiled: a file `NAME.wasm` in a folder of its own. Cargo, or the language's
    /// own compiler, is asked each time, and is quick when nothing has changed; the same content is
    /// the same path.
    ///
    /// # Errors
    /// No such policy, or it does not compile (its log's end is in the message); for one that is no
    /// crate also that the program `rectifier` was not built yet.
    pub fn policy_component(&self, name: &str, report: &mut dyn Report) -> Result<PathBuf> {
        let folder = format!("policies/{name}");
        let manifest = self.checkout().join(&folder).join("policy.yaml");
        if !manifest.is_file() {
            return self.rust_policy(&folder, name, report);
        }
        let built = std::fs::read(self.authors_policy(&folder, None, report)?)?;
        self.keep_policy(name, &built, report)
    }

    /// The crate in `folder` of the checkout compiled to a component `NAME.wasm`, likewise.
    ///
    /// # Errors
    /// No such crate, or it does not compile (its log's end is in the message).
    pub fn rust_policy(
        &self,
        folder: &str,
        name: &str,
        report: &mut dyn Report,
    ) -> Result<PathBuf> {
        let source = self.checkout().join(folder);
        if !source.join("Cargo.toml").is_file() {
            bail!(
                "there is no policy {name}: {} has no Cargo.toml",
                source.display()
            );
        }
        let built = {
            let _lock = lock(self, "policies", report)?;
            let log = self.log(&format!("policy-{name}"))?;
            let target = self.folder("policy-build")?;
            let mut build = cargo(self);
            // its own .cargo/config.toml names the linker, and no target: its tests run here
            build
                .current_dir(&source)
                .args(["build", "--locked", "--release"]);
            build.args(["--target", "wasm32-unknown-unknown"]);
            build.env("CARGO_TARGET_DIR", &target);
            // not the checkout's: a policy can be built while cargo is at the workspace
            build.env("CARGO_BUILD_BUILD_DIR", target.join("build"));
            let what = format!("policies: cargo build in {folder}; log {}", log.display());
            run(&mut build, &log, &mut Late::new(report, &what))
                .with_context(|| format!("policy {name} does not compile"))?;
            let file = format!("{}.wasm", name.replace('-', "_"));
            let path = target.join("wasm32-unknown-unknown/release").join(file);
            std::fs::read(&path)
                .with_context(|| format!("cargo made no component {}", path.display()))?
        };
        self.keep_policy(name, &built, report)
    }

    /// The Go module in `folder` of the checkout compiled to a WASI command `NAME.wasm`, likewise.
    ///
    /// # Errors
    /// It does not compile (its log's end is in the message).
    pub fn go_policy(&self, folder: &str, name: &str, report: &mut dyn Report) -> Result<PathBuf> {
        let source = self.checkout().join(folder);
        let built = {
            let _lock = lock(self, "policies", report)?;
            let log = self.log(&format!("policy-{name}"))?;
            let path = self.folder("policy-build")?.join(format!("{name}.wasm"));
            let mut build = command("go");
            build.current_dir(&source);
            // the same bytes wherever it is built
            build.args([
                "build",
                "-trimpath",
                "-buildvcs=false",
                "-ldflags=-s -w",
                "-o",
            ]);
            build.arg(&path).arg(".");
            build.env("GOOS", "wasip1").env("GOARCH", "wasm");
            let what = format!("policies: go build in {folder}; log {}", log.display());
            run(&mut build, &log, &mut Late::new(report, &what))
                .with_context(|| format!("policy {name} does not compile"))?;
            std::fs::read(&path)
                .with_context(|| format!("go made no command {}", path.display()))?
        };
        self.keep_policy(name, &built, report)
    }

    /// The project in `folder` of the checkout, built as its author builds it: by the program `rectifier`, as cargo built it last, and
    /// in the form that it is given, if one is. It lies in that folder.
    ///
    /// # Errors
    /// That program is not there, or says that it does not compile (its log's end is in the message).
    pub fn authors_policy(
        &self,
        folder: &str,
        form: Option<&str>,
        report: &mut dyn Report,
    ) -> Result<PathBuf> {
        let program = programs(self).join("rectifier");
        if !program.is_file() {
            bail!(
                "{} is not there: cargo build --workspace --bin rectifier",
                program.display()
            );
        }
        let source = self.checkout().join(folder);
        let name = format!("policy-{}", folder.replace('/', "-"));
        let _lock = lock(self, &name, report)?;
        let log = self.log(&name)?;
        let mut build = command(&program);
        build.args(["policy", "build"]).arg(&source);
        build.args(form.map(|form| format!("--form={form}")));
        let what = format!(
            "policies: rectifier policy build {folder}; log {}",
            log.display()
        );
        run(&mut build, &log, &mut Late::new(report, &what))
            .with_context(|| format!("{folder} does not compile"))?;
        let said = std::fs::read_to_string(&log)?;
        let built = said.lines().next_back().context("nothing was built")?;
        Ok(self.checkout().join(built))
    }

    /// The same content is the same path.
    fn keep_policy(&self, name: &str, built: &[u8], report: &mut dyn Report) -> Result<PathBuf> {
        let key = Key::new("policy 1").with("component", built).finish();
        let target = self.folder("policies")?.join(format!("{name}-{key}"));
        let part = Part {
            name: &format!("policy-{name}"),
            target,
            room: &[],
        };
        let folder = part.make(self, report, |folder, _| {
            keep_newest(&self.folder("policies")?, &format!("{name}-"))?;
            std::fs::create_dir(folder)?;
            Ok(std::fs::write(folder.join(format!("{name}.wasm")), built)?)
        })?;
        Ok(folder.join(format!("{name}.wasm")))
    }
}
