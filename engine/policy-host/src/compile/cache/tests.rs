use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

fn compiled() -> Vec<u8> {
    let compiling = crate::engine::compiling(Metering::Epoch).unwrap();
    compiling.precompile_component(EMPTY).unwrap()
}

fn kept(folder: &Path) -> (Engine, Cache, PathBuf) {
    let engine = crate::engine::running(Metering::Epoch).unwrap();
    let cache = Cache::open(folder, Metering::Epoch).unwrap();
    cache.keep(&engine, &[7; 32], &compiled()).unwrap();
    let path = cache.path(&[7; 32]);
    assert!(cache.has(&[7; 32]) && !cache.has(&[8; 32]));
    assert!(cache.load(&engine, &[7; 32]).is_some());
    assert!(cache.load(&engine, &[8; 32]).is_none());
    (engine, cache, path)
}

#[test]
fn what_was_compiled_for_another_kind_of_engine_is_neither_found_nor_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("cache");
    let (_, cache, _) = kept(&folder);
    let other = crate::engine::running(Metering::Fuel).unwrap();
    let others = Cache::open(&folder, Metering::Fuel).unwrap();
    assert!(!others.has(&[7; 32]));
    assert!(cache.load(&other, &[7; 32]).is_none());
    assert!(others.keep(&other, &[7; 32], &compiled()).is_err());
}

/// As if it had been used so many seconds ago, counted from the youngest.
fn used(cache: &Cache, module: u8, seconds_ago: u64) {
    let file = File::options()
        .write(true)
        .open(cache.path(&[module; 32]))
        .unwrap();
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - seconds_ago);
    file.set_modified(moment).unwrap();
}

#[test]
fn a_torn_or_flipped_or_foreign_file_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, cache, path) = kept(&folder.path().join("cache"));
    let good = std::fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[HEADER + 100] ^= 1;
    for bad in [&good[..good.len() / 2], &flipped, &good[HEADER..], b""] {
        std::fs::write(&path, bad).unwrap();
        assert!(cache.load(&engine, &[7; 32]).is_none());
    }
    std::fs::write(&path, &good).unwrap();
    assert!(cache.load(&engine, &[7; 32]).is_some());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(cache.load(&engine, &[7; 32]).is_none());
}

#[test]
fn a_file_that_is_no_good_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, cache, path) = kept(&folder.path().join("cache"));
    std::fs::write(&path, "torn").unwrap();
    cache.keep(&engine, &[7; 32], &compiled()).unwrap();
    assert!(cache.load(&engine, &[7; 32]).is_some());
}

#[test]
fn it_is_bounded_and_what_was_used_longest_ago_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let engine = crate::engine::running(Metering::Epoch).unwrap();
    let compiled = compiled();
    let room_for_three = 3 * (HEADER + compiled.len()) as u64 + 1;
    let cache = Cache::bounded(
        &folder.path().join("cache"),
        Metering::Epoch,
        room_for_three,
    )
    .unwrap();
    let keep = |module: u8| cache.keep(&engine, &[module; 32], &compiled).unwrap();
    let here = || {
        (1..=9)
            .filter(|module| cache.has(&[*module; 32]))
            .collect::<Vec<u8>>()
    };
    for module in 1..=3 {
        keep(module);
        used(&cache, module, 100 - u64::from(module));
    }
    assert_eq!(here(), [1, 2, 3]);
    // being loaded is being used
    assert!(cache.load(&engine, &[1; 32]).is_some());
    keep(4);
    assert_eq!(here(), [1, 3, 4]);
    // what replaces itself is there twice for a moment
    keep(4);
    assert!(here().contains(&4) && here().len() >= 2);
    // a smaller bound, as after an upgrade, holds from the start
    let bound = room_for_three / 3;
    let smaller = Cache::bounded(&folder.path().join("cache"), Metering::Epoch, bound).unwrap();
    assert_eq!(here().len(), 1);
    let tiny = Cache {
        bound: 10,
        ..smaller
    };
    tiny.keep(&engine, &[9; 32], &compiled).unwrap();
    assert!(!tiny.has(&[9; 32]));
}

#[test]
fn whoever_reads_a_file_that_is_removed_reads_it_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, cache, path) = kept(&folder.path().join("cache"));
    let reading = private::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(whole(&read(reading, BOUND).unwrap(), &[7; 32]).is_some());
    assert!(cache.load(&engine, &[7; 32]).is_none());
}

#[test]
fn what_a_killed_writer_left_is_swept_and_a_living_one_is_not_disturbed() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("cache");
    let (engine, first, _) = kept(&folder);
    // As a writer leaves it when he is killed.
    let left = folder.join(".writing-dead");
    std::fs::write(&left, "half").unwrap();
    std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o600)).unwrap();
    let second = Cache::open(&folder, Metering::Epoch).unwrap();
    assert!(!left.exists());
    assert!(first.load(&engine, &[7; 32]).is_some());
    assert!(second.load(&engine, &[7; 32]).is_some());
}

#[test]
fn several_writers_and_readers_in_a_cache_that_is_too_small_only_ever_find_whole_files() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("cache");
    let engine = crate::engine::running(Metering::Epoch).unwrap();
    let compiled = compiled();
    let bound = 2 * (HEADER + compiled.len()) as u64 + 1;
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (folder, engine, compiled) = (&folder, &engine, &compiled);
            scope.spawn(move || {
                // Each as another process would have it, sweeping included.
                for round in 0..10 {
                    let cache = Cache::bounded(folder, Metering::Epoch, bound).unwrap();
                    let module = [(thread + round) % 5; 32];
                    if cache.load(engine, &module).is_none() {
                        cache.write(&module, compiled).unwrap();
                    }
                }
            });
        }
    });
    let cache = Cache::bounded(&folder, Metering::Epoch, bound).unwrap();
    let kept = cache.kept().unwrap();
    assert!(kept.iter().map(|file| file.bytes).sum::<u64>() <= bound);
    for file in kept {
        let bytes = std::fs::read(&file.path).unwrap();
        assert!((0..5).any(|module| whole(&bytes, &[module; 32]).is_some()));
    }
    assert_eq!(
        std::fs::read_dir(&folder).unwrap().count(),
        cache.kept().unwrap().len()
    );
}
