use std::fs::File;
use std::io::Write;

use notify::event::{CreateKind, DataChange, RemoveKind, RenameMode};

use super::*;

fn on_one_thread(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(body);
}

/// Where inotify cannot be used; it polls as often as it can.
fn without_inotify(directory: &Path) -> Watch {
    let mut watch = Watch::with(directory, no_inotify);
    assert!(watch.attached.is_none() && watch.polling.is_some());
    watch.poll = Duration::from_millis(1);
    watch
}

fn no_inotify(_: Arc<Events>) -> notify::Result<RecommendedWatcher> {
    Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch))
}

/// The next change that is told.
async fn told(watch: &mut Watch) {
    while !watch.next().await {}
}

fn happens(events: &Events, kind: EventKind, name: &str) {
    events.heard(Ok(Event::new(kind).add_path(events.directory.join(name))));
}

const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
const RENAMED: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));

#[test]
fn unrest_is_over_when_it_has_been_quiet() {
    let began = Instant::now();
    let mut unrest = Unrest::since(began);
    assert_eq!(unrest.lasts_until(began, false), Some(began + DEBOUNCE));
    let later = began + DEBOUNCE / 2;
    unrest.goes_on(later);
    assert_eq!(
        unrest.lasts_until(began + DEBOUNCE, false),
        Some(later + DEBOUNCE)
    );
    assert_eq!(unrest.lasts_until(later + DEBOUNCE, false), None);
}

#[test]
fn a_file_that_is_being_written_is_waited_for_within_bounds() {
    let began = Instant::now();
    let unrest = Unrest::since(began);
    let quiet = began + DEBOUNCE * 20;
    assert_eq!(
        unrest.lasts_until(quiet, true),
        Some(began + LONGEST_UNREST)
    );
    assert_eq!(unrest.lasts_until(quiet, false), None);
    assert_eq!(unrest.lasts_until(began + LONGEST_UNREST, true), None);
}

#[test]
fn a_directory_that_is_never_quiet_is_looked_at_all_the_same() {
    let began = Instant::now();
    let mut unrest = Unrest::since(began);
    let late = began + LONGEST_UNREST - DEBOUNCE / 2;
    unrest.goes_on(late);
    assert_eq!(
        unrest.lasts_until(late, false),
        Some(began + LONGEST_UNREST)
    );
    unrest.goes_on(began + LONGEST_UNREST);
    assert_eq!(unrest.lasts_until(began + LONGEST_UNREST, false), None);
}

#[test]
fn who_writes_is_known_until_he_closes_or_renames_or_removes() {
    let events = Events::new(Path::new("/policies"));
    for end in [CLOSED, RENAMED, EventKind::Remove(RemoveKind::File)] {
        happens(&events, EventKind::Create(CreateKind::File), "a.wasm");
        assert!(events.writing().is_empty());
        happens(&events, WRITTEN, "a.wasm");
        happens(&events, WRITTEN, "b.wasm");
        happens(&events, end, "a.wasm");
        assert_eq!(events.writing().len(), 1);
        happens(&events, end, "b.wasm");
        assert!(events.writing().is_empty());
    }
}

#[test]
fn only_what_concerns_the_policies_is_heard() {
    let events = Events::new(Path::new("/policies"));
    let heard = || futures_now(events.something.notified());
    for (kind, name) in [
        (WRITTEN, ".a.yaml.swp"),
        (RENAMED, "notes.txt"),
        (
            EventKind::Access(AccessKind::Open(AccessMode::Any)),
            "a.wasm",
        ),
        (
            EventKind::Access(AccessKind::Close(AccessMode::Read)),
            "a.wasm",
        ),
        (RENAMED, "deeper/a.wasm"),
        (RENAMED, "../a.wasm"),
    ] {
        happens(&events, kind, name);
        assert!(!heard(), "{kind:?} {name}");
    }
    for (kind, name) in [
        (RENAMED, "a.wasm"),
        (CLOSED, "a.yaml"),
        (RENAMED, "..data"),
        (EventKind::Remove(RemoveKind::Folder), ""),
    ] {
        happens(&events, kind, name);
        assert!(heard(), "{kind:?} {name}");
    }
    events.heard(Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)));
    assert!(heard());
    assert!(events.writing().is_empty());
}

/// Is it ready at once?
fn futures_now(future: impl Future) -> bool {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.as_mut().poll(&mut context).is_ready()
}

#[test]
fn where_nothing_can_be_watched_the_stamps_are_polled() {
    on_one_thread(async {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("policies");
        std::fs::create_dir(&directory).unwrap();
        let mut watch = without_inotify(&directory);
        // What is there at first: the watch does not know what the first set was made of.
        told(&mut watch).await;
        assert!(!watch.next().await);
        std::fs::write(directory.join("a.wasm"), "a").unwrap();
        told(&mut watch).await;
        assert!(!watch.next().await);
        // A file that grows from poll to poll is not told until it rests.
        let mut file = File::create(directory.join("b.wasm")).unwrap();
        for _ in 0..3 {
            file.write_all(b"more").unwrap();
            assert!(!watch.next().await);
        }
        assert!(watch.next().await);
        std::fs::write(directory.join("notes.txt"), "none of ours").unwrap();
        assert!(!watch.next().await && !watch.next().await);
        std::fs::rename(&directory, folder.path().join("away")).unwrap();
        told(&mut watch).await;
        std::fs::rename(folder.path().join("away"), &directory).unwrap();
        told(&mut watch).await;
    });
}

#[test]
fn when_it_can_be_watched_again_it_is() {
    on_one_thread(async {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = without_inotify(folder.path());
        told(&mut watch).await;
        watch.make = |events| notify::recommended_watcher(move |event| events.heard(event));
        // What happened until then was not heard: that it is watched is a reason to look.
        told(&mut watch).await;
        assert!(watch.attached.is_some() && watch.polling.is_none());
        std::fs::write(folder.path().join("a.wasm"), "a").unwrap();
        told(&mut watch).await;
    });
}

#[test]
fn a_watched_directory_may_be_replaced() {
    on_one_thread(async {
        let folder = tempfile::tempdir().unwrap();
        let (directory, other) = (folder.path().join("policies"), folder.path().join("other"));
        std::fs::create_dir(&directory).unwrap();
        std::fs::create_dir(&other).unwrap();
        let mut watch = Watch::new(&directory);
        std::fs::rename(&directory, folder.path().join("away")).unwrap();
        told(&mut watch).await;
        std::fs::rename(&other, &directory).unwrap();
        told(&mut watch).await;
        std::fs::write(directory.join("a.wasm"), "a").unwrap();
        told(&mut watch).await;
    });
}
