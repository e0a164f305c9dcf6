//! What a dynamic program needs beside itself: its loader, and the libraries that this finds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::tar::Tree;
use crate::command::output;

/// A tree of programs to take from: `/`, or another Debian's root.
pub(crate) struct Root<'a>(pub(crate) &'a Path);

impl Root<'_> {
    /// Copies the program at `path` (absolute, as seen in this root) to `to` in the image, with all
    /// that it needs, each at the path where its loader looks for it.
    pub(crate) fn copy(&self, path: &str, to: &str, tree: &mut Tree) -> Result<()> {
        let program = self.read(path)?;
        let loader = interpreter(&program).with_context(|| format!("{path} is no ELF program"))?;
        tree.file(&merged(to), 0o755, program);
        let Some(loader) = loader else { return Ok(()) };
        for library in self.libraries(&loader, path)? {
            tree.file(&merged(&library), 0o755, self.read(&library)?);
        }
        tree.file(&merged(&loader), 0o755, self.read(&loader)?);
        Ok(())
    }

    /// Asks the program's own loader, inside its own root: it finds what it would find there.
    fn libraries(&self, loader: &str, path: &str) -> Result<Vec<String>> {
        let mut list = match self.0 == Path::new("/") {
            true => Command::new(loader),
            false => {
                let mut chroot = Command::new("chroot");
                chroot.arg(self.0).arg(loader);
                chroot
            }
        };
        list.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD");
        listed(&output(list.args(["--list", path]))?)
    }

    /// Reads a file, following links as they would be followed inside the root: an absolute link
    /// starts again at it.
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let mut at = self.inside(Path::new(path));
        // as many as the kernel follows
        for _ in 0..40 {
            let Ok(to) = std::fs::read_link(&at) else {
                let read = std::fs::read(&at);
                return read.with_context(|| format!("cannot read {}", at.display()));
            };
            at = match to.is_absolute() {
                true => self.inside(&to),
                false => at.parent().unwrap_or(self.0).join(to),
            };
        }
        bail!("{path} is a link that leads nowhere")
    }

    fn inside(&self, path: &Path) -> PathBuf {
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// The image has Debian's shape, in which `/bin` and `/lib` are links into `/usr`.
pub(crate) const MERGED: &[&str] = &["bin", "lib", "lib64", "sbin"];

/// The path in such a tree, relative to its root.
fn merged(path: &str) -> String {
    let path = path.trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    match MERGED.contains(&first) {
        true => format!("usr/{path}"),
        false => path.to_owned(),
    }
}

/// The paths in what `ld.so --list` prints: `NAME => PATH (ADDRESS)`, or `PATH (ADDRESS)`. The
/// kernel's own library has no path.
fn listed(list: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for line in list.lines() {
        let found = line
            .split_once("=>")
            .map_or(line, |(_, found)| found)
            .trim();
        if found == "not found" {
            bail!("a library is missing: {}", line.trim());
        }
        if found.starts_with('/') {
            let path = found.split_once(" (").map_or(found, |(path, _)| path);
            paths.push(path.to_owned());
        }
    }
    Ok(paths)
}

/// The loader that an ELF file asks for: `PT_INTERP` of its program headers (elf(5)). `Ok(None)` is
/// a static program; an error is no 64-bit little-endian ELF.
fn interpreter(elf: &[u8]) -> Result<Option<String>> {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, size: usize| -> Result<u64> {
        let field = elf.get(at..at + size).context("cut off")?;
        Ok(field
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    if elf.get(..6) != Some(b"\x7fELF\x02\x01") {
        bail!("not a 64-bit little-endian ELF file");
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for index in 0..count {
        let header = usize::try_from(table + index * size)?;
        if number(header, 4)? == PT_INTERP {
            let start = usize::try_from(number(header + 8, 8)?)?;
            let length = usize::try_from(number(header + 32, 8)?)?;
            let path = elf.get(start..start + length).context("cut off")?;
            // it ends with a zero byte
            return Ok(Some(String::from_utf8(path[..length - 1].to_vec())?));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_asks_for_a_loader_and_its_libraries_are_found() {
        let me = std::env::current_exe().unwrap();
        let loader = interpreter(&std::fs::read(&me).unwrap()).unwrap().unwrap();
        assert!(loader.contains("ld-linux"), "{loader}");
        let libraries = Root(Path::new("/"))
            .libraries(&loader, me.to_str().unwrap())
            .unwrap();
        assert!(
            libraries.iter().any(|path| path.ends_with("/libc.so.6")),
            "{libraries:?}"
        );
        assert!(
            libraries.iter().all(|path| Path::new(path).is_file()),
            "{libraries:?}"
        );
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(interpreter(b"#!/bin/sh\n").is_err());
        assert!(interpreter(b"\x7fELF\x02\x01").is_err());
    }

    #[test]
    fn the_loaders_list_gives_paths_and_a_missing_library_is_an_error() {
        let list = "\tlinux-vdso.so.1 (0x7ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 \
                    (0x7f)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        let paths = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(listed(list).unwrap(), paths);
        assert!(listed("\tlibnone.so => not found\n").is_err());
    }

    #[test]
    fn a_link_is_followed_inside_its_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/here"), "the root's").unwrap();
        std::os::unix::fs::symlink("/etc/here", root.path().join("link")).unwrap();
        assert_eq!(Root(root.path()).read("/link").unwrap(), b"the root's");
    }

    #[test]
    fn an_image_has_the_shape_in_which_lib_is_a_link_into_usr() {
        assert_eq!(
            merged("/lib64/ld-linux-x86-64.so.2"),
            "usr/lib64/ld-linux-x86-64.so.2"
        );
        assert_eq!(merged("/usr/bin/systemctl"), "usr/bin/systemctl");
        assert_eq!(merged("/rectifier-engine"), "rectifier-engine");
    }
}
