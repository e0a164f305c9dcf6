//! A cache that somebody spoilt.

use std::fs::{File, Permissions};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::stat::Mode;
use rectifier_core::policy::{Advice, Remedy};
use rectifier_policy_host::Policies;

use super::alone::alone;
use super::guest::Guest;
use super::vitals::Vitals;
use crate::support::{Bench, ESCALATE, REBOOT, answer, observation, on_node};

/// A directory with two policies that answer differently, both compiled.
async fn compiled() -> Result<Bench> {
    let bench = Bench::new()?;
    for (name, remedy) in [("Escalates", ESCALATE), ("Reboots", REBOOT)] {
        let guest = Guest {
            name,
            decide: &answer(remedy),
            ..Guest::default()
        };
        bench.put(&format!("{name}.wasm"), guest.build()?)?;
    }
    answer_well(&bench.open().await?).await?;
    Ok(bench)
}

async fn answer_well(policies: &Policies) -> Result<()> {
    for (kind, remedy) in [("Escalates", Remedy::Escalate), ("Reboots", Remedy::Reboot)] {
        let advice = policies.advise(&observation(kind, on_node(&[])?)?).await;
        ensure!(
            matches!(&advice, Advice::Decided { decision, .. } if decision.remedy == remedy),
            "{kind}: {advice:?}"
        );
    }
    Ok(())
}

fn files(bench: &Bench) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(bench.options().cache)?;
    let mut files: Vec<_> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    Ok(files)
}

/// Spoils every file of the cache, opens the directory again, and finds all as it was.
async fn survives(name: &str, spoil: impl Fn(&Path, &[u8]) -> Result<()>) -> Result<()> {
    let bench = compiled().await?;
    let before = Vitals::at_rest().await?;
    for _ in 0..3 {
        let files = files(&bench)?;
        ensure!(files.len() == 2, "{name}: {files:?}");
        for file in files {
            let good = std::fs::read(&file).with_context(|| name.to_owned())?;
            std::fs::remove_file(&file)?;
            spoil(&file, &good).with_context(|| name.to_owned())?;
        }
        let policies = bench.open().await?;
        answer_well(&policies)
            .await
            .with_context(|| name.to_owned())?;
    }
    before.are_back().await.with_context(|| name.to_owned())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes)?;
    Ok(std::fs::set_permissions(
        path,
        Permissions::from_mode(0o600),
    )?)
}

/// Of a cache's file: what it begins with, and the digest of the rest.
const HEADER: usize = 48;

#[test]
fn a_poisoned_file_of_the_cache_is_compiled_again() -> Result<()> {
    alone(|| async {
        survives("empty", |file, _| write(file, b"")).await?;
        survives("torn", |file, good| write(file, &good[..good.len() - 1])).await?;
        survives("longer", |file, good| write(file, &[good, b"x"].concat())).await?;
        survives("without header", |file, good| write(file, &good[HEADER..])).await?;
        survives("header alone", |file, good| write(file, &good[..HEADER])).await?;
        survives("rubbish", |file, good| {
            write(file, &[&good[..HEADER], &[0x5a; 1000]].concat())
        })
        .await?;
        for at in [0, 20, HEADER, HEADER + 1000] {
            survives("flipped", |file, good| {
                let mut flipped = good.to_vec();
                flipped[at] ^= 0x10;
                write(file, &flipped)
            })
            .await?;
        }
        Ok(())
    })
}

#[test]
fn what_others_could_write_or_is_a_link_is_not_taken_from_the_cache() -> Result<()> {
    alone(|| async {
        survives("for all", |file, good| {
            write(file, good)?;
            Ok(std::fs::set_permissions(
                file,
                Permissions::from_mode(0o666),
            )?)
        })
        .await?;
        let elsewhere = tempfile::tempdir()?;
        survives("link", |file, good| {
            let name = file.file_name().context("no name")?;
            let target = elsewhere.path().join(name);
            write(&target, good)?;
            Ok(symlink(target, file)?)
        })
        .await
    })
}

/// What cannot be replaced is compiled at each start, and the policies answer all the same.
#[test]
fn a_folder_in_the_place_of_a_file_of_the_cache_harms_nobody() -> Result<()> {
    alone(|| async {
        let bench = compiled().await?;
        for file in files(&bench)? {
            std::fs::remove_file(&file)?;
            std::fs::create_dir(&file)?;
            File::create(file.join("x"))?;
        }
        answer_well(&bench.open().await?).await
    })
}

/// Whole and ours, but of another policy: as if somebody had copied one over the other.
#[test]
fn what_was_compiled_of_one_policy_is_not_taken_for_another() -> Result<()> {
    alone(|| async {
        let bench = compiled().await?;
        let files = files(&bench)?;
        let contents = files.iter().map(std::fs::read);
        let contents = contents.collect::<std::io::Result<Vec<_>>>()?;
        for (file, content) in files.iter().zip(contents.iter().rev()) {
            write(file, content)?;
        }
        answer_well(&bench.open().await?).await
    })
}

#[test]
fn a_file_of_the_cache_that_is_far_too_large_is_not_read() -> Result<()> {
    alone(|| async {
        let bench = compiled().await?;
        for file in files(&bench)? {
            std::fs::remove_file(&file)?;
            write(&file, b"")?;
            File::options().write(true).open(&file)?.set_len(2 << 30)?;
        }
        let before = Vitals::peak()?;
        answer_well(&bench.open().await?).await?;
        let grown = Vitals::peak()? - before;
        ensure!(grown < 256 << 20, "{grown} bytes were read into memory");
        Ok(())
    })
}

/// Opening a pipe waits for somebody at its other end.
#[test]
fn a_pipe_in_the_place_of_a_file_of_the_cache_is_not_waited_for() -> Result<()> {
    alone(|| async {
        let bench = compiled().await?;
        let files = files(&bench)?;
        for file in &files {
            std::fs::remove_file(file)?;
            nix::unistd::mkfifo(file, Mode::S_IRUSR | Mode::S_IWUSR)?;
        }
        // Comes to the help of a host that waits, so that the test ends.
        let (done, until_done) = std::sync::mpsc::channel::<()>();
        let helper = std::thread::spawn(move || {
            let mut helped = false;
            while until_done.recv_timeout(Duration::from_secs(30)) == Err(RecvTimeoutError::Timeout)
            {
                for file in &files {
                    let mut end = File::options();
                    end.write(true).custom_flags(nix::libc::O_NONBLOCK);
                    // It is a pipe still, and somebody waits at the other end.
                    helped |= end
                        .open(file)
                        .is_ok_and(|end| end.metadata().is_ok_and(|of| of.file_type().is_fifo()));
                }
            }
            helped
        });
        let answered = answer_well(&bench.open().await?).await;
        drop(done);
        let helped = helper.join().ok().context("the helper panicked")?;
        answered?;
        ensure!(
            !helped,
            "the host waited for somebody at the other end of a pipe"
        );
        Ok(())
    })
}
