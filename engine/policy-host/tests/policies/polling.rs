//! Where the kernel grants no more watches (they are few, and other programs use them up) policies are still reloaded.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use rectifier_core::policy::Remedy;

use crate::reload::{answering, remedy};
use crate::support::{Bench, ESCALATE, REBOOT, next, on_one_thread};

/// Set for the process in which nothing can be watched.
const UNWATCHED: &str = "RECTIFIER_TEST_UNWATCHED";

/// This very test, in a user namespace of its own in which there are no watches. Where the kernel makes none (in a chroot)
/// it is not tried, and says so; the watch's own tests hold there, too.
fn again_without_watches(test: &str) -> Result<()> {
    let made = Command::new("unshare")
        .args(["--user", "--map-root-user", "true"])
        .output()?;
    if !made.status.success() {
        let why = String::from_utf8_lossy(&made.stderr);
        eprintln!(
            "not tried, for there is no user namespace here: {}",
            why.trim()
        );
        return Ok(());
    }
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c"])
        .arg(r#"echo 0 > /proc/sys/user/max_inotify_instances && exec "$@""#)
        .arg("sh")
        .arg(std::env::current_exe()?)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(UNWATCHED, "1")
        .output()
        .context("the test cannot be started in a user namespace (unshare)")?;
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (told(&output.stdout), told(&output.stderr));
    let passed = output.status.success() && stdout.contains("1 passed");
    ensure!(passed, "{}: {stdout}\n{stderr}", output.status);
    let says_so = "policies cannot be watched: polling their directory";
    let times = stdout.matches(says_so).count();
    ensure!(
        times == 1,
        "it was said {times} times: {says_so:?}\n{stdout}"
    );
    Ok(())
}

#[test]
fn where_nothing_can_be_watched_the_directory_is_polled_and_the_log_says_so_once() -> Result<()> {
    if std::env::var_os(UNWATCHED).is_none() {
        let thread = std::thread::current();
        return again_without_watches(thread.name().context("a test has a name")?);
    }
    tracing_subscriber::fmt().with_ansi(false).init();
    on_one_thread(async {
        let bench = Bench::new()?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        let policies = bench.open().await?;
        let mut changed = policies.changed();
        assert_eq!(remedy(&policies).await?, Some(Remedy::Escalate));

        bench.put("a.wasm", answering(REBOOT)?)?;
        next(&mut changed).await?;
        assert_eq!(remedy(&policies).await?, Some(Remedy::Reboot));

        // A directory that goes and comes back, with other things in it.
        let aside = bench.beside("aside");
        std::fs::rename(bench.directory(), &aside)?;
        std::fs::create_dir(bench.directory())?;
        bench.put("a.wasm", answering(ESCALATE)?)?;
        while remedy(&policies).await? != Some(Remedy::Escalate) {
            next(&mut changed).await?;
        }
        Ok(())
    })
}
