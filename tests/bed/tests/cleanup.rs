//! Nothing outlives a test, however it ends.

mod victim;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rectifier_bed::Bed;
use rectifier_bed::process::{Program, Record};
use victim::Victim;

#[tokio::test]
async fn what_a_killed_owner_started_is_gone_and_its_folder_too() -> Result<()> {
    if victim::is_played() {
        let bed = Bed::new("cleanup-victim")?;
        let _child = Program::new("child", "sleep")
            .arg("infinity")
            .start(bed.dir())?;
        // one that leaves its parent, its group and its session, and has no record
        // (it says so itself, once it has left: the group ends with the shell)
        let away =
            "mkfifo left; setsid sh -c 'echo $$ > left; exec sleep infinity' & cat left > away";
        let shell = Program::new("shell", "sh")
            .args(["-c", away])
            .current_dir(bed.dir());
        shell.start(bed.dir())?.ended().await;
        // and one that somebody recorded, as a machine's supervisor
        let other = Command::new("setsid").args(["sleep", "infinity"]).spawn()?;
        Record::of(i32::try_from(other.id())?)?.write(&bed.dir().join("other.pid"))?;
        return victim::done(bed.dir()).await;
    }
    let victim = Victim::start("what_a_killed_owner_started_is_gone_and_its_folder_too")?;
    let live = |file: &str| {
        Record::read(&victim.bed.join(file))?
            .live()?
            .context("it has ended")
    };
    let (child, other) = (live("child.pid")?, live("other.pid")?);
    let away = std::fs::read_to_string(victim.bed.join("away"))?;
    let away = Record::of(away.trim().parse()?)?
        .live()?
        .context("it has ended")?;

    let dir = victim.kill()?;
    // the kernel ends what the victim had forked itself
    child.ended().await?;
    // and the next bed ends the rest: perhaps it is ours, perhaps that of a test beside us
    let _bed = Bed::new("cleanup-next")?;
    other.ended().await?;
    away.ended().await?;
    assert!(!dir.exists());
    Ok(())
}

#[tokio::test]
async fn a_program_that_dies_at_start_shows_its_last_words_and_where_they_are() -> Result<()> {
    let bed = Bed::new("cleanup-words")?;
    let words = Program::new("moody", "sh").args(["-c", "echo not today >&2; exit 3"]);
    let process = words.start(bed.dir())?;
    let never = async || anyhow::bail!("still not");
    let error = process
        .ready(Duration::from_secs(60), never)
        .await
        .err()
        .context("it was ready?")?;
    let error = format!("{error:#}");
    assert!(error.contains("exit status: 3"), "{error}");
    assert!(error.contains("not today"), "{error}");
    assert!(error.contains("moody.log"), "{error}");
    Ok(())
}

#[tokio::test]
async fn two_beds_of_one_name_share_nothing() -> Result<()> {
    let (one, other) = (Bed::new("cleanup-twins")?, Bed::new("cleanup-twins")?);
    assert_ne!(one.dir(), other.dir());
    assert_ne!(one.port()?.number(), other.port()?.number());
    Ok(())
}
