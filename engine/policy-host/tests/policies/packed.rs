//! Policies that are packed, because a ConfigMap holds 1 MiB; and what only looks like one.

use std::io::Write;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use rectifier_core::policy::{FailureClass, Remedy};
use rectifier_policy_host::{Limits, Options, Policies, Set, Status};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::reload::{answering, remedy};
use crate::support::{Bench, ESCALATE, REBOOT, next, on_one_thread};

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    Ok(packed.finish()?)
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn refused(set: &Set, file: &str) -> Result<(FailureClass, String)> {
    let loaded = set.policies().iter().find(|loaded| loaded.file() == file);
    match loaded.map(rectifier_policy_host::Loaded::status) {
        Some(Status::Refused(failure) | Status::KeptLastGood(failure)) => {
            Ok((failure.class, failure.message.clone()))
        }
        other => bail!("{file}: {other:?}"),
    }
}

#[test]
fn a_packed_policy_is_asked_like_any_other() -> Result<()> {
    on_one_thread(async {
        let module = answering(ESCALATE)?;
        let mut digests = Vec::new();
        for (file, bytes) in [
            ("a.wasm", module.clone()),
            ("a.wasm.gz", gzip(&module)?),
            ("a.wasm.zst", zstd(&module)),
        ] {
            let bench = Bench::new()?;
            bench.put(file, bytes)?;
            bench.put("a.yaml", "onFailure: escalate")?;
            let policies = bench.open().await?;
            assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate), "{file}");
            let set = policies.set();
            let loaded = set.policies().first().context("no policy")?;
            assert_eq!((loaded.file(), loaded.status()), (file, Status::Loaded));
            digests.push(loaded.digest().map(str::to_owned));
        }
        digests.dedup();
        assert_eq!(
            digests.len(),
            1,
            "the digest is the module's, however it is packed"
        );
        Ok(())
    })
}

#[test]
fn another_form_takes_the_place_of_the_first_and_both_together_are_refused() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        bench.put("a.wasm.gz", gzip(&answering(REBOOT)?)?)?;
        next(&mut changed).await?;
        let (class, message) = refused(&policies.set(), "a.wasm")?;
        assert_eq!(class, FailureClass::Load);
        assert!(message.contains("a.wasm and a.wasm.gz"), "{message}");
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        std::fs::remove_file(bench.directory().join("a.wasm"))?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));
        Ok(())
    })
}

#[test]
fn a_bomb_and_a_file_of_holes_are_refused_at_the_limit_and_the_others_answer() -> Result<()> {
    on_one_thread(async {
        let bench = Bench::new()?;
        let zeros = vec![0; 64 << 20];
        bench.put("gzip.wasm.gz", gzip(&zeros)?)?;
        bench.put("zstd.wasm.zst", zstd(&zeros))?;
        bench.put("torn.wasm.gz", &gzip(&answering(REBOOT)?)?[..100])?;
        bench.put("rubbish.wasm.zst", "rubbish")?;
        for holes in ["holes.wasm", "packed-holes.wasm.gz"] {
            let file = std::fs::File::create(bench.directory().join(holes))?;
            file.set_len(10 << 30)?;
        }
        std::os::unix::fs::symlink("/etc/passwd", bench.directory().join("link.wasm.gz"))?;
        bench.put("good.wasm.zst", zstd(&answering(ESCALATE)?))?;
        let limits = Limits {
            module_bytes: 1 << 20,
            ..Limits::default()
        };
        let policies = Policies::open(Options {
            limits,
            ..bench.options()
        })
        .await?;
        let set = policies.set();
        for (file, why) in [
            (
                "gzip.wasm.gz",
                "unpacked, it is larger than the limit of 1048576 bytes",
            ),
            (
                "zstd.wasm.zst",
                "unpacked, it is larger than the limit of 1048576 bytes",
            ),
            ("holes.wasm", "larger than the limit of 1048576 bytes"),
            (
                "packed-holes.wasm.gz",
                "larger than the limit of 1048576 bytes",
            ),
            ("torn.wasm.gz", "unpacked, it is nothing usable"),
            ("rubbish.wasm.zst", "unpacked, it is nothing usable"),
            ("link.wasm.gz", "symbolic link"),
        ] {
            let (class, message) = refused(&set, file)?;
            assert_eq!(class, FailureClass::Load, "{message}");
            assert!(
                message.starts_with(file) && message.contains(why),
                "{message}"
            );
        }
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));
        Ok(())
    })
}
