use std::fs;

use rectifier_core::episode::{AttemptRecord, Course, Sight};
use rectifier_core::name::UnitName;
use rectifier_core::policy::{Remedy, Status, UnitCall, UnitVerb};
use rectifier_core::repair::Problem;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// An episode with a remedy that was begun.
fn memory() -> Memory {
    let call = UnitCall {
        name: UnitName::parse("containerd.service").unwrap(),
        verb: UnitVerb::Restart,
    };
    let attempt = AttemptRecord {
        remedy: Remedy::Unit(call),
        policy: None,
        began: now(),
        settle: 60,
        course: Course::Begun,
        detail: String::new(),
        boot: None,
        invocation: Some("first".to_owned()),
        grant: None,
    };
    let episode = Episode {
        problem: Problem {
            kind: "KernelDeadlock".to_owned(),
            reason: String::new(),
            message: String::new(),
            since: now(),
            source: None,
        },
        sight: Sight {
            status: Status::Yes,
            since: now(),
            transition: None,
            reason: String::new(),
            message: String::new(),
            source: "npd".to_owned(),
            boot: None,
            reset: false,
        },
        recurrences: 0,
        attempts: vec![attempt],
        wait: None,
        handover: None,
        stands: None,
        turn: None,
        forgotten: false,
    };
    let kind = ConditionKind::parse("KernelDeadlock").unwrap();
    Memory {
        episodes: [(kind, episode)].into(),
        last_remedy: Some(now()),
        ..Memory::default()
    }
}

#[test]
fn a_node_without_a_past_has_forgotten_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        Journal::open(folder.path(), now()).unwrap().1,
        Memory::default()
    );
    assert_eq!(
        Journal::open(folder.path(), now()).unwrap().1,
        Memory::default()
    );
}

#[test]
fn an_engine_that_is_killed_between_intent_and_act_knows_that_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(folder.path(), now()).unwrap();
    journal.write(&memory()).unwrap();
    drop(journal);
    let (mut journal, remembered) = Journal::open(folder.path(), now()).unwrap();
    assert_eq!(remembered, memory());
    // An episode that is over leaves no row behind.
    journal.write(&Memory::default()).unwrap();
    drop(journal);
    assert_eq!(
        Journal::open(folder.path(), now()).unwrap().1,
        Memory::default()
    );
}

#[test]
fn a_write_is_on_the_disk_even_if_the_journal_is_never_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(folder.path(), now()).unwrap();
    journal.write(&memory()).unwrap();
    // What the disk holds at this moment is what a killed process leaves.
    let killed = tempfile::tempdir().unwrap();
    fs::copy(
        folder.path().join("journal.redb"),
        killed.path().join("journal.redb"),
    )
    .unwrap();
    assert_eq!(Journal::open(killed.path(), now()).unwrap().1, memory());
}

#[test]
fn a_damaged_journal_is_moved_aside_and_the_loss_is_known() {
    let good = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(good.path(), now()).unwrap();
    journal.write(&memory()).unwrap();
    drop(journal);
    let whole = fs::read(good.path().join("journal.redb")).unwrap();
    let mut scribbled = whole.clone();
    scribbled[4096..8192].fill(0xa5);
    let damages: [&[u8]; 4] = [b"", b"no database", &whole[..whole.len() / 2], &scribbled];
    for (number, damage) in damages.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("journal.redb"), damage).unwrap();
        let (journal, remembered) = Journal::open(folder.path(), now()).unwrap();
        assert!(remembered.lost, "damage {number}");
        assert!(
            folder
                .path()
                .join("journal.redb.damaged-1800000000")
                .exists()
        );
        drop(journal);
        // And it is still known after a restart.
        assert!(Journal::open(folder.path(), now()).unwrap().1.lost);
    }
}

#[test]
fn an_engine_that_is_killed_while_it_moves_a_damaged_journal_aside_still_knows_of_the_loss() {
    let folder = tempfile::tempdir().unwrap();
    // moved aside, and killed before the new one was made
    fs::write(
        folder.path().join("journal.redb.damaged-1700000000"),
        b"no database",
    )
    .unwrap();
    let (journal, remembered) = Journal::open(folder.path(), now()).unwrap();
    assert!(remembered.lost);
    drop(journal);
    // The old file alone is no loss: with a journal beside it, what that says counts.
    let (mut journal, _) = Journal::open(folder.path(), now()).unwrap();
    journal.write(&memory()).unwrap();
    drop(journal);
    assert_eq!(Journal::open(folder.path(), now()).unwrap().1, memory());
}

#[test]
fn a_journal_of_another_layout_is_not_guessed_at() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(folder.path(), now()).unwrap();
    let transaction = journal.database.as_ref().unwrap().begin_write().unwrap();
    transaction
        .open_table(META)
        .unwrap()
        .insert("schema", SCHEMA + 1)
        .unwrap();
    transaction.commit().unwrap();
    drop(journal);
    assert!(Journal::open(folder.path(), now()).unwrap().1.lost);
}

#[test]
fn a_second_engine_on_the_node_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let _journal = Journal::open(folder.path(), now()).unwrap();
    assert!(matches!(
        Journal::open(folder.path(), now()),
        Err(JournalError::Taken { .. })
    ));
    assert!(folder.path().join("journal.redb").exists());
}

/// A file system of 4 MiB, and what fills it. Only root may mount one.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mounted() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]);
        assert!(mount.arg(folder.path()).status().unwrap().success());
        Self { folder }
    }

    fn remount(&self, how: &str) {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-o", &format!("remount,{how}")]);
        assert!(mount.arg(self.folder.path()).status().unwrap().success());
    }

    fn fill(&self) {
        let filler = self.folder.path().join("filler");
        let error = fs::write(filler, vec![1; 16 << 20]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    fn empty(&self) {
        fs::remove_file(self.folder.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let mut umount = std::process::Command::new("umount");
        let _ = umount.arg("--lazy").arg(self.folder.path()).status();
    }
}

/// An episode with more in it than fits in what a file has to spare.
fn long() -> Memory {
    let mut memory = memory();
    for episode in memory.episodes.values_mut() {
        episode.problem.message = "x".repeat(3 << 20);
    }
    memory
}

#[test]
fn a_full_disk_loses_nothing_and_is_written_to_again_when_there_is_room() {
    let disk = SmallDisk::mounted();
    let (mut journal, _) = Journal::open(disk.folder.path(), now()).unwrap();
    journal.write(&memory()).unwrap();
    disk.fill();
    for _ in 0..2 {
        let error = journal.write(&long()).unwrap_err();
        assert!(
            matches!(error, JournalError::Write(_) | JournalError::Open { .. }),
            "{error:?}"
        );
    }
    disk.empty();
    let other = Memory {
        last_grant: Some("grant".to_owned()),
        ..memory()
    };
    journal.write(&other).unwrap();
    drop(journal);
    assert_eq!(Journal::open(disk.folder.path(), now()).unwrap().1, other);
}

#[test]
fn a_journal_that_could_not_be_opened_is_read_and_not_overwritten_when_it_can() {
    let disk = SmallDisk::mounted();
    let (mut journal, _) = Journal::open(disk.folder.path(), now()).unwrap();
    journal.write(&memory()).unwrap();
    drop(journal);
    disk.remount("ro");
    let error = Journal::open(disk.folder.path(), now()).err().unwrap();
    assert!(matches!(error, JournalError::Open { .. }), "{error:?}");
    let mut closed = Journal::closed(disk.folder.path(), now());
    let error = closed.write(&Memory::lost()).unwrap_err();
    assert!(matches!(error, JournalError::Open { .. }), "{error:?}");
    disk.remount("rw");
    let error = closed.write(&Memory::lost()).unwrap_err();
    assert!(matches!(error, JournalError::Back { .. }), "{error:?}");
    drop(closed);
    assert_eq!(
        Journal::open(disk.folder.path(), now()).unwrap().1,
        memory()
    );
}

#[test]
fn a_node_without_a_past_whose_disk_is_full_has_one_when_there_is_room() {
    let disk = SmallDisk::mounted();
    disk.fill();
    let error = Journal::open(disk.folder.path(), now()).err().unwrap();
    assert!(
        matches!(error, JournalError::Write(_) | JournalError::Open { .. }),
        "{error:?}"
    );
    let mut closed = Journal::closed(disk.folder.path(), now());
    assert!(closed.write(&Memory::lost()).is_err());
    disk.empty();
    let error = closed.write(&Memory::lost()).unwrap_err();
    assert!(matches!(error, JournalError::Back { .. }), "{error:?}");
    drop(closed);
    let remembered = Journal::open(disk.folder.path(), now()).unwrap().1;
    assert_eq!(remembered, Memory::default());
}

#[test]
fn what_was_damaged_while_it_could_not_be_written_is_for_a_new_process() {
    let disk = SmallDisk::mounted();
    let (mut journal, _) = Journal::open(disk.folder.path(), now()).unwrap();
    disk.fill();
    assert!(journal.write(&long()).is_err());
    fs::write(disk.folder.path().join("journal.redb"), b"no database").unwrap();
    let error = journal.write(&memory()).unwrap_err();
    assert!(matches!(error, JournalError::Back { .. }), "{error:?}");
}

fn told(number: usize) -> Told {
    Told {
        at: now(),
        problem: "KernelDeadlock".to_owned(),
        reason: "ProblemSeen".to_owned(),
        text: number.to_string(),
        warns: true,
    }
}

#[test]
fn what_was_told_is_kept_over_restarts_and_the_oldest_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, memory) = Journal::open(folder.path(), now()).unwrap();
    assert!(journal.told().is_empty());
    // also while nothing else changes
    journal.write_with(&memory, &[told(0), told(1)]).unwrap();
    let many: Vec<Told> = (2..KEPT + 1).map(told).collect();
    journal.write_with(&memory, &many).unwrap();
    journal.write(&memory).unwrap();
    drop(journal);
    let (journal, _) = Journal::open(folder.path(), now()).unwrap();
    let kept = journal.told();
    assert_eq!(kept.len(), KEPT);
    assert_eq!(kept.first(), Some(&told(1)));
    assert_eq!(kept.last(), Some(&told(KEPT)));
}
