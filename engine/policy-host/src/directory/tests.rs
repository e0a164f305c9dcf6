use std::io::Write;
use std::os::unix::fs::symlink;

use super::*;

fn limits() -> Limits {
    Limits {
        module_bytes: 10,
        ..Limits::default()
    }
}

fn once(directory: &Path) -> Look {
    look(directory, &limits(), &mut Stamps::default(), Care::Quick).unwrap()
}

fn module(directory: &Path, name: &str) -> std::result::Result<Vec<u8>, String> {
    let candidate = read(directory, name, &limits()).unwrap().unwrap();
    candidate.module.map_err(|failure| failure.message)
}

#[test]
fn a_link_a_pipe_a_folder_a_device_or_too_large_a_file_is_named_and_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("good.wasm"), "good").unwrap();
    std::fs::write(path("good.yaml"), "mode: enforce").unwrap();
    std::fs::write(path("large.wasm"), "eleven byte").unwrap();
    std::fs::write(path("other.txt"), "other").unwrap();
    let sparse = std::fs::File::create(path("sparse.wasm")).unwrap();
    sparse.set_len(10 << 30).unwrap();
    symlink("/etc/passwd", path("link.wasm")).unwrap();
    nix::unistd::mkfifo(&path("pipe.wasm"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::fs::create_dir(path("folder.wasm")).unwrap();
    let why = |name: &str| module(folder.path(), name).unwrap_err();
    let mut names = vec!["folder", "good", "large", "link", "pipe", "sparse"];
    // Only root may make a device, and not everywhere.
    let (kind, mode) = (
        nix::sys::stat::SFlag::S_IFCHR,
        nix::sys::stat::Mode::S_IRWXU,
    );
    let zero = nix::sys::stat::makedev(1, 5);
    if nix::sys::stat::mknod(&path("device.wasm"), kind, mode, zero).is_ok() {
        names.insert(0, "device");
        assert!(why("device").contains("no regular file"));
    }
    assert_eq!(once(folder.path()).keys().collect::<Vec<_>>(), names);
    assert_eq!(module(folder.path(), "good").unwrap(), b"good");
    assert!(why("large").contains("larger than the limit of 10 bytes"));
    assert!(why("sparse").contains("larger than the limit of 10 bytes"));
    assert!(why("link").contains("symbolic link"));
    assert!(why("pipe").contains("no regular file"));
    assert!(why("folder").contains("no regular file"));
    let seen = once(folder.path());
    assert!(seen["good"].module.is_some() && seen["sparse"].module.is_none());
}

#[test]
fn a_look_and_a_reading_agree_on_every_fingerprint() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("bare.wasm"), "a").unwrap();
    std::fs::write(path("with.wasm"), "a").unwrap();
    std::fs::write(path("with.yaml"), "mode: monitor").unwrap();
    std::fs::write(path("no-text.wasm"), "a").unwrap();
    std::fs::write(path("no-text.yaml"), b"\xff").unwrap();
    std::fs::write(path("large.wasm"), "eleven byte").unwrap();
    std::fs::write(path("two.wasm"), "a").unwrap();
    std::fs::write(path("two.wasm.zst"), "a").unwrap();
    let look = once(folder.path());
    for (name, seen) in &look {
        let candidate = read(folder.path(), name, &limits()).unwrap().unwrap();
        assert_eq!(candidate.fingerprint(), seen.fingerprint, "{name}");
    }
    assert_eq!(look.len(), 5);
    let different: std::collections::BTreeSet<_> =
        look.values().map(|seen| seen.fingerprint).collect();
    assert_eq!(different.len(), 5);
}

#[test]
fn a_packed_module_is_the_same_policy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // So little does not become less by packing it.
    let limits = Limits::default();
    let once = || look(folder.path(), &limits, &mut Stamps::default(), Care::Quick).unwrap();
    std::fs::write(path("a.wasm"), "module").unwrap();
    let plain = once();
    std::fs::remove_file(path("a.wasm")).unwrap();
    let file = std::fs::File::create(path("a.wasm.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gzip.write_all(b"module").unwrap();
    gzip.finish().unwrap();
    let packed = once();
    assert_eq!(packed["a"].file, "a.wasm.gz");
    assert_eq!(packed["a"].fingerprint, plain["a"].fingerprint);
    assert_eq!(packed["a"].module, plain["a"].module);
    let candidate = read(folder.path(), "a", &limits).unwrap().unwrap();
    assert_eq!(candidate.module.unwrap(), b"module");
}

#[test]
fn two_forms_of_one_policy_are_refused_naming_both() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.wasm"), "a").unwrap();
    std::fs::write(folder.path().join("a.wasm.zst"), "a").unwrap();
    let why = module(folder.path(), "a").unwrap_err();
    assert!(
        why.contains("a.wasm and a.wasm.zst are forms of one policy"),
        "{why}"
    );
    assert_eq!(once(folder.path())["a"].file, "a.wasm");
}

#[test]
fn a_mounted_config_map_is_read_through_its_present_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (generation, text) in [("..1", "old"), ("..2", "new")] {
        std::fs::create_dir(path(generation)).unwrap();
        std::fs::write(path(generation).join("a.wasm"), text).unwrap();
    }
    symlink("..1", path("..data")).unwrap();
    symlink("..data/a.wasm", path("a.wasm")).unwrap();
    assert_eq!(module(folder.path(), "a").unwrap(), b"old");
    let old = once(folder.path());
    symlink("..2", path("..data_tmp")).unwrap();
    std::fs::rename(path("..data_tmp"), path("..data")).unwrap();
    assert_eq!(module(folder.path(), "a").unwrap(), b"new");
    assert_ne!(once(folder.path()), old);
}

#[test]
fn a_link_of_data_that_leads_nowhere_or_out_is_an_unreadable_directory() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("a.wasm"), "secret").unwrap();
    let read = || {
        look(
            folder.path(),
            &limits(),
            &mut Stamps::default(),
            Care::Quick,
        )
    };
    let data = folder.path().join("..data");
    symlink("..gone", &data).unwrap();
    assert_eq!(read().unwrap_err().kind(), ErrorKind::NotFound);
    std::fs::remove_file(&data).unwrap();
    symlink(outside.path(), &data).unwrap();
    let refused = read().unwrap_err().to_string();
    assert!(refused.contains("..data leads out of it"), "{refused}");
}

#[test]
fn a_file_is_read_again_until_its_stamp_can_be_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wasm");
    let mut stamps = Stamps::default();
    let mut fingerprint = |text: &str| {
        // In place, of the same length, within a tick: the stamp may well be the same.
        std::fs::write(&path, text).unwrap();
        let look = look(folder.path(), &limits(), &mut stamps, Care::Quick).unwrap();
        look["a"].fingerprint
    };
    let (one, two) = (fingerprint("one"), fingerprint("two"));
    assert_ne!(one, two);
    for _ in 0..100 {
        assert_eq!(fingerprint("one"), one);
        assert_eq!(fingerprint("two"), two);
    }
}

#[test]
fn a_sidecar_changes_the_fingerprint() {
    let bare = Candidate {
        module: Ok(b"a".to_vec()),
        sidecar: None,
    };
    let with = |text: &str| Candidate {
        sidecar: Some(("a.yaml".to_owned(), Ok(text.to_owned()))),
        ..bare.clone()
    };
    assert_eq!(bare.fingerprint(), bare.fingerprint());
    assert_ne!(bare.fingerprint(), with("").fingerprint());
    assert_ne!(with("").fingerprint(), with("mode: monitor").fingerprint());
}

#[test]
fn what_is_no_policy_does_not_concern_us() {
    for file in ["a.wasm", "a.wasm.gz", "a.yaml", "..data", "..2026_01"] {
        assert!(concerns(file), "{file}");
    }
    for file in [".a.yaml.swp", "a.txt", "a.yaml~", ".a.wasm", "4913"] {
        assert!(!concerns(file), "{file}");
    }
}
