//! The Go programs: Kubernetes, etcd, KWOK, NPD, containerd and the pod sandbox, built from the
//! modules that `tests/bed/go` pins. None of their code is ours: each is a `tool` directive.
//!
//! Go's own caches stay where Go keeps them, so a changed pin compiles what changed and links.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{command, output, run};
use crate::disk::Room;
use crate::key::Key;
use crate::part::Part;
use crate::{Cache, Report, Stderr};

/// Modules that differ in what they require, so that neither bends the other's versions.
struct Module {
    /// Its folder in `tests/bed/go`.
    name: &'static str,
    /// The files it is made of.
    files: &'static [&'static str],
    /// What to give to `go build`.
    build: &'static [&'static str],
}

const MODULES: &[Module] = &[
    Module {
        name: "kubernetes",
        files: &["go.mod", "go.sum"],
        build: &["tool"],
    },
    Module {
        name: "runtime",
        files: &["go.mod", "go.sum"],
        // the snapshotters that need C libraries or file systems that no machine of the bed has
        build: &["-tags=no_btrfs,no_zfs,no_devmapper,no_aufs", "tool"],
    },
    Module {
        name: "pause",
        files: &["go.mod", "main.go"],
        build: &["."],
    },
];

/// Same bytes on every machine and in every checkout, and nothing about the repository inside; without what only a debugger
/// reads, which takes a tenth of the compiler's time and is stripped anyway.
const FLAGS: &[&str] = &[
    "-v",
    "-trimpath",
    "-buildvcs=false",
    "-gcflags=all=-dwarf=false",
];

/// `go build` calls a program as its folder is called; these two have better names.
const RENAMED: &[(&str, &str)] = &[
    ("server", "etcd"),
    ("nodeproblemdetector", "node-problem-detector"),
];

/// What `KUBEBUILDER_ASSETS` may replace, as it does for Go's envtest.
const REPLACEABLE: &[&str] = &["etcd", "kube-apiserver", "kubectl"];

impl Cache {
    /// The folder of the Go programs; 10 to 20 minutes on two cores when nothing is there,
    /// a minute when Go's caches are warm.
    ///
    /// # Errors
    /// There is no Go, no room, or a build fails (its log's end is in the message).
    pub fn go_programs(&self, report: &mut dyn Report) -> Result<PathBuf> {
        let sources = self.checkout().join("tests/bed/go");
        let mut key = Key::new("go 1").with("flags", FLAGS.concat().as_bytes());
        for module in MODULES {
            key = key.with(module.name, module.build.concat().as_bytes());
            for file in module.files {
                key = key.with_file(&sources.join(module.name), file)?;
            }
        }
        let target = self.folder("bin")?.join(key.finish());
        if target.exists() {
            return Ok(target);
        }
        let go = go()?;
        let room = rooms(&go, self)?;
        let part = Part {
            name: "go-programs",
            target,
            room: &room,
        };
        part.make(self, report, |folder, report| {
            std::fs::create_dir_all(folder)?;
            for module in MODULES {
                self.build(&go, &sources.join(module.name), module, folder, report)?;
            }
            for (theirs, ours) in RENAMED {
                std::fs::rename(folder.join(theirs), folder.join(ours))
                    .with_context(|| format!("go build made no {theirs}"))?;
            }
            Ok(())
        })
    }

    /// Where the sources of a module lie that the bed's Kubernetes pins, as `k8s.io/node-problem-detector`; fetched if they are not there.
    ///
    /// # Errors
    /// No such module, or there is no Go.
    pub fn go_module(&self, module: &str) -> Result<PathBuf> {
        let go = go()?;
        let pins = self.checkout().join("tests/bed/go/kubernetes");
        output(go_command(&go, &pins).args(["mod", "download", module]))?;
        let folder = output(go_command(&go, &pins).args(["list", "-m", "-f", "{{.Dir}}", module]))?;
        Ok(PathBuf::from(folder.trim()))
    }

    /// The path of one Go program: `kube-apiserver`, `kubectl`, `containerd`, … For etcd,
    /// kube-apiserver and kubectl the folder `$KUBEBUILDER_ASSETS` comes first. Makes the programs
    /// if they are not there, and says so on standard error.
    ///
    /// # Errors
    /// No such program; else as [`Cache::go_programs`].
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty());
        let path = match assets {
            Some(folder) if REPLACEABLE.contains(&name) => PathBuf::from(folder).join(name),
            Some(_) | None => self.go_programs(&mut Stderr::default())?.join(name),
        };
        if !path.is_file() {
            bail!("there is no program {}", path.display());
        }
        Ok(path)
    }

    fn build(
        &self,
        go: &Path,
        source: &Path,
        module: &Module,
        folder: &Path,
        report: &mut dyn Report,
    ) -> Result<()> {
        let log = self.log(&format!("go-{}", module.name))?;
        report.step(&format!(
            "go-programs: building {}; log {}",
            module.name,
            log.display()
        ));
        // the trailing slash says that the output is a folder
        let out = format!("{}/", folder.display());
        let mut build = go_command(go, source);
        build
            .arg("build")
            .args(FLAGS)
            .arg(format!("-ldflags={}", link_flags(source)?));
        run(build.args(["-o", &out]).args(module.build), &log, report)
    }
}

/// Stripped; and Kubernetes' programs are told which version they are.
fn link_flags(source: &Path) -> Result<String> {
    let manifest = std::fs::read_to_string(source.join("go.mod"))?;
    let version = required(&manifest, "k8s.io/kubernetes");
    Ok(
        match version.and_then(|version| Some((version, version.split('.').nth(1)?))) {
            None => "-s -w".to_owned(),
            Some((version, minor)) => {
                let set = "-X k8s.io/component-base/version.git";
                format!("-s -w {set}Version={version} {set}Major=1 {set}Minor={minor}")
            }
        },
    )
}

/// The version of that module in a `go.mod`.
fn required<'a>(manifest: &'a str, module: &str) -> Option<&'a str> {
    manifest.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(module))
            .then(|| words.next())
            .flatten()
    })
}

fn go_command(go: &Path, source: &Path) -> Command {
    let mut command = command(go);
    command
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off");
    command.env_remove("GOOS").env_remove("GOARCH");
    command
}

/// Go from the search path, or from where its installer puts it.
fn go() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = PathBuf::from("/usr/local/go/bin");
    let folders = std::env::split_paths(&path).chain([usual]);
    let go = folders
        .map(|folder| folder.join("go"))
        .find(|go| go.is_file());
    go.context("Go is missing: install it (https://go.dev/doc/install), 1.21 or newer")
}

/// Its caches are the greater part, and may lie on another disk than ours.
fn rooms(go: &Path, cache: &Cache) -> Result<[Room; 3]> {
    let places = output(go_command(go, cache.checkout()).args(["env", "GOCACHE", "GOMODCACHE"]))?;
    let mut places = places.lines().map(PathBuf::from);
    let mut next = || {
        places
            .next()
            .context("go env did not say where its caches are")
    };
    let empty = |place: &Path| !place.exists();
    let (build, modules) = (next()?, next()?);
    // warm caches hold these already; only linking then needs room
    Ok([
        Room {
            mib: if empty(&build) { 4000 } else { 1500 },
            place: build,
        },
        Room {
            mib: if empty(&modules) { 2000 } else { 500 },
            place: modules,
        },
        Room {
            mib: 1000,
            place: cache.root().to_owned(),
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "module x\n\nrequire (\n\tk8s.io/kubectl v0.0.0 // indirect\n\
                            \tk8s.io/kubernetes v1.36.3 // indirect\n)\n";

    #[test]
    fn the_version_is_read_from_the_module_that_has_exactly_that_name() {
        assert_eq!(required(MANIFEST, "k8s.io/kubernetes"), Some("v1.36.3"));
        assert_eq!(required(MANIFEST, "k8s.io/kube"), None);
    }

    #[test]
    fn kubernetes_programs_are_told_their_version() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("go.mod"), MANIFEST).unwrap();
        let flags = link_flags(folder.path()).unwrap();
        assert!(flags.contains("gitVersion=v1.36.3 "), "{flags}");
        assert!(flags.ends_with("gitMinor=36"), "{flags}");
    }
}
