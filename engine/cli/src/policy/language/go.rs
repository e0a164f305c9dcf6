//! A Go module, by the standard toolchain: a WASI command, or a component. The source is the same; what a component needs besides is added
//! for its build alone.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::json;

use super::toolchain::said;
use super::{Form, component};

const INSTALL: &str = "install Go 1.24 or newer (https://go.dev/dl); nothing else is needed";

/// Makes the exports of `sdk/go` call the author's `main`, which nobody calls in a library.
const ENTRY: &str = "package main

import rectifierComponent \"rectifier.dev/policy\"

func init() { rectifierComponent.Component(main) }
";

/// As what it lies beside the author's sources: in this build only, for it is overlaid.
const ENTRY_FILE: &str = "rectifier_component.go";

/// What Go's standard library imports of WASI.
const STUB: &str = include_str!("go.wat");

pub(super) fn compile(folder: &Path, form: Form) -> anyhow::Result<Vec<u8>> {
    let out = tempfile::tempdir()?;
    let built = out.path().join("policy.wasm");
    let folder = folder
        .canonicalize()
        .with_context(|| format!("cannot read {}", folder.display()))?;
    let mut build = Command::new("go");
    build
        // the same bytes wherever it is built
        .args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"])
        .args(match form {
            Form::Command => Vec::new(),
            Form::Component => of_component(&folder, out.path())?,
        })
        .arg("-o")
        .arg(&built)
        .arg(".")
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        // Go takes it for the folder's name, and what is overlaid must have the same one
        .env("PWD", &folder)
        .current_dir(&folder);
    said(build, "go", INSTALL)?;
    let module = std::fs::read(&built).context("go made no module: is it package main?")?;
    match form {
        Form::Command => Ok(module),
        Form::Component => component::of_module_over(module, STUB),
    }
}

/// The flags that make a library, which has no start, of the program in `folder`; `out` takes what they name.
fn of_component(folder: &Path, out: &Path) -> anyhow::Result<Vec<String>> {
    let (entry, overlay) = (out.join("entry.go"), out.join("overlay.json"));
    let place = folder.join(ENTRY_FILE);
    let place = place.to_str().context("the folder's name is not UTF-8")?;
    std::fs::write(&entry, ENTRY)?;
    std::fs::write(&overlay, json!({ "Replace": { place: entry } }).to_string())?;
    // tags of the command line take the place of the author's own
    let mut env = Command::new("go");
    env.args(["env", "GOFLAGS"]).current_dir(folder);
    let flags = said(env, "go", INSTALL)?;
    let tags = tags(&flags).chain(["rectifier_component"]);
    Ok(vec![
        "-buildmode=c-shared".to_owned(),
        format!("-tags={}", tags.collect::<Vec<_>>().join(",")),
        format!("-overlay={}", overlay.display()),
    ])
}

/// The build tags in Go's flags: of several that name some the last one's.
fn tags(flags: &str) -> impl Iterator<Item = &str> {
    let of = |flag: &&str| {
        flag.trim_matches(['\'', '"'])
            .trim_start_matches('-')
            .starts_with("tags=")
    };
    let said = flags.split_whitespace().rfind(of);
    let said = said.and_then(|flag| flag.split_once('='));
    let tags = said.map_or("", |(_, tags)| tags.trim_matches(['\'', '"']));
    tags.split(',').filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authors_tags_are_kept() {
        for (flags, found) in [
            ("", ""),
            ("-mod=vendor -trimpath", ""),
            ("-tags=a,b -v", "a,b"),
            ("-tags=a '--tags=b,c'", "b,c"),
        ] {
            assert_eq!(tags(flags).collect::<Vec<_>>().join(","), found, "{flags}");
        }
    }

    /// What Go 1.26 imports, and what `sdk/go` adds to it.
    #[test]
    fn the_stub_has_all_that_go_asks_of_wasi() {
        let stub = wat::parse_str(STUB).unwrap();
        let mut offered = Vec::new();
        for payload in wasmparser::Parser::new(0).parse_all(&stub) {
            if let wasmparser::Payload::ExportSection(exports) = payload.unwrap() {
                offered.extend(exports.into_iter().map(|export| export.unwrap().name));
            }
        }
        for name in [
            "args_get",
            "args_sizes_get",
            "clock_time_get",
            "environ_get",
            "environ_sizes_get",
            "fd_close",
            "fd_fdstat_get",
            "fd_fdstat_set_flags",
            "fd_fdstat_set_rights",
            "fd_filestat_get",
            "fd_filestat_set_size",
            "fd_pread",
            "fd_prestat_dir_name",
            "fd_prestat_get",
            "fd_pwrite",
            "fd_read",
            "fd_readdir",
            "fd_seek",
            "fd_sync",
            "fd_write",
            "path_create_directory",
            "path_filestat_get",
            "path_filestat_set_times",
            "path_link",
            "path_open",
            "path_readlink",
            "path_remove_directory",
            "path_rename",
            "path_symlink",
            "path_unlink_file",
            "poll_oneoff",
            "proc_exit",
            "random_get",
            "rectifier_set_clock",
            "rectifier_write_line",
            "sched_yield",
            "sock_accept",
            "sock_shutdown",
        ] {
            assert!(offered.contains(&name), "{name}");
        }
    }
}
