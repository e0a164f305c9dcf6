//! Files that are no policies, whatever they are called.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use rectifier_core::policy::FailureClass;
use rectifier_policy_host::{Policies, Status};

use super::alone::alone;
use super::guest::{Guest, metadata};
use super::host::{Case, Host, are_refused};
use super::vitals::Vitals;

fn load<'a>(name: &'a str, bytes: &'a [u8], says: &'a [&'a str]) -> Case<'a> {
    Case {
        name,
        bytes,
        sidecar: "",
        class: FailureClass::Load,
        says,
    }
}

#[test]
fn a_file_that_is_no_policy_is_refused() -> Result<()> {
    alone(|| async {
        let good = Guest::default().build()?;
        let twice = [&good[..], &good[8..]].concat();
        let core = wat::parse_str("(module)")?;
        let nameless = wat::parse_str("(component)")?;
        let json = |json: &str| {
            let json = json.replace('"', "\\\"");
            wat::parse_str(format!(
                r#"(component (@custom "rectifier:policy" "{json}"))"#
            ))
        };
        let no_json = json("{")?;
        let unknown_key = json(&metadata("A").replacen('{', r#"{"x":1,"#, 1))?;
        // in JSON, and with the text format's own escape before it
        let two_lines = json(&metadata("A").replacen('{', r#"{"x\\ny":1,"#, 1))?;
        let next_contract = json(&metadata("A").replace("0.1", "9.9"))?;
        let deep = json(&"[".repeat(100_000))?;
        are_refused(&[
            load("Empty", b"", &["no WebAssembly"]),
            load("Rubbish", b"rubbish", &["no WebAssembly"]),
            load("Text", b"(component)", &["no WebAssembly"]),
            load("Zeros", &[0; 100_000], &["no WebAssembly"]),
            load("Half", &good[..good.len() / 2], &["no WebAssembly"]),
            load("Twice", &twice, &["two custom sections"]),
            load("Core", &core, &["core module"]),
            load("Nameless", &nameless, &["custom section"]),
            load("NoJson", &no_json, &["unusable"]),
            load("UnknownKey", &unknown_key, &["unusable", "`x`"]),
            load("TwoLines", &two_lines, &["unusable"]),
            load("NextContract", &next_contract, &["9.9", "0.1"]),
            load("Deep", &deep, &["unusable"]),
        ])
        .await
    })
}

#[test]
fn a_policy_that_imports_what_we_do_not_offer_or_exports_too_little_is_refused() -> Result<()> {
    alone(|| async {
        let with = |fields: &str| {
            let json = metadata("A").replace('"', "\\\"");
            wat::parse_str(format!(
                r#"(component {fields} (@custom "rectifier:policy" "{json}"))"#
            ))
        };
        let instance = |name: &str| format!(r#"(import "{name}" (instance (export "f" (func))))"#);
        let neural = with(&instance("wasi:nn/graph@0.2.0"))?;
        let http = with(&instance("wasi:http/outgoing-handler@0.2.0"))?;
        // what we offer, but in another version, and with a function that it does not have
        let newer = with(&instance("rectifier:policy/log@0.9.0"))?;
        let more = with(&instance("rectifier:policy/log@0.1.0"))?;
        let function = with(r#"(import "system" (func (param "command" string)))"#)?;
        let no_decider = with("")?;
        let link = |name, bytes, says| Case {
            class: FailureClass::Link,
            ..load(name, bytes, says)
        };
        are_refused(&[
            link("Neural", &neural, &["wasi:nn/graph@0.2.0"]),
            link("Http", &http, &["wasi:http/outgoing-handler@0.2.0"]),
            link("Newer", &newer, &["rectifier:policy/log@0.9.0"]),
            link("More", &more, &["rectifier:policy/log@0.1.0"]),
            link("Function", &function, &["system"]),
            link(
                "NoDecider",
                &no_decider,
                &["rectifier:policy/decider@0.1.0"],
            ),
        ])
        .await
    })
}

#[test]
fn a_sidecar_that_is_hostile_is_refused() -> Result<()> {
    alone(|| async {
        let good = Guest::default().build()?;
        let deep = format!("settings: {{a: {}", "[".repeat(60_000));
        let long = format!("# {}", "x".repeat(70_000));
        let settings = |name, sidecar, says| Case {
            name,
            sidecar,
            class: FailureClass::Settings,
            ..load("", &good, says)
        };
        are_refused(&[
            settings(
                "UnknownKey",
                "mode: enforce\nsettigns: {}\n",
                &["UnknownKey.yaml:3:1"],
            ),
            settings("Deep", &deep, &["Deep.yaml"]),
            settings("TwoLines", "\"x\\ny\": 1\n", &["TwoLines.yaml"]),
            settings(
                "Raised",
                "limits: {memoryMebibytes: 65}",
                &["Raised.yaml", "1 to 64"],
            ),
            Case {
                class: FailureClass::Load,
                ..settings("Pinned", "sha256: abc\n", &["Pinned.yaml:2:9 pins"])
            },
            Case {
                class: FailureClass::Load,
                ..settings("Long", &long, &["Long.yaml", "65536 bytes"])
            },
        ])
        .await
    })
}

/// A few hundred bytes whose aliases stand for millions of words.
#[test]
fn a_sidecar_of_aliases_of_aliases_takes_no_memory() -> Result<()> {
    alone(|| async {
        let good = Guest::default().build()?;
        let aliases = |n: usize| {
            format!(
                "  a{n}: &a{n} [{}]\n",
                vec![format!("*a{}", n - 1); 5].join(", ")
            )
        };
        let laughs: String = (1..20).map(aliases).collect();
        let laughs = format!("settings:\n  a0: &a0 [ha]\n{laughs}");
        are_refused(&[Case {
            sidecar: &laughs,
            class: FailureClass::Settings,
            ..load("Laughs", &good, &["Laughs.yaml"])
        }])
        .await
    })
}

/// What the compiler's child makes of a component: native code.
fn native() -> Result<Vec<u8>> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rectifier-compiler"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    stdin.write_all(&(1_u64 << 30).to_le_bytes())?;
    stdin.write_all(&60_u64.to_le_bytes())?;
    // stopped by time; small
    stdin.write_all(&[0, 0])?;
    stdin.write_all(&Guest::default().build()?)?;
    drop(stdin);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", output.status);
    // 0: it is compiled, and follows
    let native = output.stdout.strip_prefix(&[0]);
    Ok(native.context("it was not compiled")?.to_vec())
}

#[test]
fn compiled_code_is_not_taken_from_the_directory() -> Result<()> {
    alone(|| async {
        let native = native()?;
        ensure!(native.starts_with(b"\x7fELF"), "it is no native code");
        let cached = {
            let host = Host::new().await?;
            let file = std::fs::read_dir(host.bench.options().cache)?.next();
            std::fs::read(file.context("an empty cache")??.path())?
        };
        are_refused(&[
            load("Native", &native, &["no WebAssembly"]),
            load("Cached", &cached, &["no WebAssembly"]),
        ])
        .await
    })
}

#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() -> Result<()> {
    alone(|| async {
        let host = Host::new().await?;
        let outside = tempfile::tempdir()?;
        let elsewhere = outside.path().join("elsewhere.wasm");
        std::fs::write(&elsewhere, Guest::default().build()?)?;
        let before = Vitals::at_rest().await?;
        let path = |name: &str| host.bench.directory().join(name);
        let mut odd = vec![
            ("link.wasm", "symbolic link"),
            ("loop.wasm", "symbolic link"),
            ("pipe.wasm", "no regular file"),
            ("folder.wasm", "no regular file"),
            ("socket.wasm", "no regular file"),
            ("sparse.wasm", "limit of 8388608 bytes"),
            ("linked.wasm", "linked.yaml: it is a symbolic link"),
            ("piped.wasm", "piped.yaml: it is no regular file"),
            (
                "sparsely.wasm",
                "sparsely.yaml: it is larger than the limit of 65536 bytes",
            ),
        ];
        let mut socket = None;
        host.after(|| {
            symlink(&elsewhere, path("link.wasm"))?;
            symlink("loop.wasm", path("loop.wasm"))?;
            nix::unistd::mkfifo(&path("pipe.wasm"), Mode::S_IRWXU)?;
            std::fs::create_dir(path("folder.wasm"))?;
            socket = Some(UnixListener::bind(path("socket.wasm"))?);
            File::create(path("sparse.wasm"))?.set_len(10 << 30)?;
            for name in ["linked", "piped", "sparsely"] {
                std::fs::copy(&elsewhere, path(&format!("{name}.wasm")))?;
            }
            symlink("/etc/passwd", path("linked.yaml"))?;
            nix::unistd::mkfifo(&path("piped.yaml"), Mode::S_IRWXU)?;
            File::create(path("sparsely.yaml"))?.set_len(10 << 30)?;
            // Only root may make a device; where we are not, that one is not shown.
            let zero = makedev(1, 5);
            if mknod(&path("zero.wasm"), SFlag::S_IFCHR, Mode::S_IRWXU, zero).is_ok() {
                odd.push(("zero.wasm", "no regular file"));
            }
            Ok(())
        })
        .await?;
        for (file, why) in &odd {
            let (class, message) = host.refusal(file)?;
            ensure!(class == FailureClass::Load, "{class:?}: {message}");
            ensure!(
                message.starts_with(file) && message.contains(why),
                "{message}"
            );
        }
        host.is_well().await?;
        // looked at again and again, with nobody at the other end
        for _ in 0..3 {
            host.after(|| Ok(())).await?;
        }
        drop(socket);
        host.after(|| {
            for (file, _) in &odd {
                let path = path(file);
                if path.is_dir() {
                    std::fs::remove_dir(&path)?;
                } else {
                    std::fs::remove_file(&path)?;
                }
                let _ = std::fs::remove_file(path.with_extension("yaml"));
            }
            Ok(())
        })
        .await?;
        host.is_well().await?;
        before.are_back().await
    })
}

/// At the start too, when there is no last good version of anything.
#[test]
fn a_directory_of_rubbish_alone_is_opened_and_nobody_answers() -> Result<()> {
    alone(|| async {
        let bench = crate::support::Bench::new()?;
        for n in 0..50 {
            bench.put(&format!("{n}.wasm"), format!("rubbish {n}"))?;
        }
        let policies = Policies::open(bench.options()).await?;
        let set = policies.set();
        ensure!(set.policies().len() == 50);
        for loaded in set.policies() {
            let Status::Refused(failure) = loaded.status() else {
                anyhow::bail!("{}: {:?}", loaded.file(), loaded.status());
            };
            ensure!(failure.class == FailureClass::Load, "{failure}");
        }
        Ok(())
    })
}
