//! A tar (POSIX ustar) whose bytes depend on nothing but what is put into it: no owner, no time,
//! entries in the order of their names.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// What stands under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Folder { mode: u32 },
    File { mode: u32, data: Vec<u8> },
    Link { to: String },
}

/// A tree of files; the folders above an entry come by themselves.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tree(BTreeMap<String, Entry>);

impl Tree {
    /// Puts an entry at a path that is relative to the root, without `.` or `..`.
    pub(crate) fn put(&mut self, path: &str, entry: Entry) {
        for (end, _) in path.match_indices('/') {
            let above = self.0.entry(path[..end].to_owned());
            above.or_insert(Entry::Folder { mode: 0o755 });
        }
        self.0.insert(path.to_owned(), entry);
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, data: Vec<u8>) {
        self.put(path, Entry::File { mode, data });
    }

    /// The archive.
    ///
    /// # Errors
    /// A name or a link's target has more than 100 bytes, or a file more than 8 GiB.
    pub(crate) fn archive(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for (path, entry) in &self.0 {
            let (kind, mode, data, link): (u8, u32, &[u8], &str) = match entry {
                Entry::Folder { mode } => (b'5', *mode, &[], ""),
                Entry::File { mode, data } => (b'0', *mode, data, ""),
                Entry::Link { to } => (b'2', 0o777, &[], to),
            };
            let slash = if kind == b'5' { "/" } else { "" };
            out.extend(header(
                &format!("{path}{slash}"),
                kind,
                mode,
                data.len(),
                link,
            )?);
            out.extend_from_slice(data);
            out.resize(out.len().next_multiple_of(BLOCK), 0);
        }
        // two empty blocks are the end
        out.resize(out.len() + 2 * BLOCK, 0);
        Ok(out)
    }
}

const BLOCK: usize = 512;

/// The fields stand at the offsets of pax(1), "ustar Interchange Format". Numbers are octal and end
/// with a zero byte; owner and time are zero.
fn header(name: &str, kind: u8, mode: u32, size: usize, link: &str) -> Result<[u8; BLOCK]> {
    if name.len() > 100 || link.len() > 100 || size >= 1 << 33 {
        bail!("{name} does not fit into a tar's header");
    }
    let mut block = [0; BLOCK];
    let mut set = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    set(0, name.as_bytes());
    set(100, format!("{mode:07o}").as_bytes());
    set(108, b"0000000");
    set(116, b"0000000");
    set(124, format!("{size:011o}").as_bytes());
    set(136, b"00000000000");
    set(148, b"        "); // the checksum counts itself as blanks
    set(156, &[kind]);
    set(157, link.as_bytes());
    set(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.file("usr/bin/sh", 0o755, b"shell".to_vec());
        tree.put(
            "bin",
            Entry::Link {
                to: "usr/bin".to_owned(),
            },
        );
        tree.put("tmp", Entry::Folder { mode: 0o1777 });
        tree
    }

    #[test]
    fn the_order_in_which_entries_were_put_does_not_matter() {
        let mut other = Tree::default();
        other.put("tmp", Entry::Folder { mode: 0o1777 });
        other.put(
            "bin",
            Entry::Link {
                to: "usr/bin".to_owned(),
            },
        );
        other.file("usr/bin/sh", 0o755, b"shell".to_vec());
        assert_eq!(tree().archive().unwrap(), other.archive().unwrap());
    }

    #[test]
    fn tar_reads_what_was_written() {
        let mut list = Command::new("tar");
        list.args(["--list", "--verbose", "--numeric-owner"])
            .env("TZ", "UTC")
            .env("LC_ALL", "C");
        let mut list = list
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        list.stdin
            .take()
            .unwrap()
            .write_all(&tree().archive().unwrap())
            .unwrap();
        let output = list.wait_with_output().unwrap();
        assert!(output.status.success());
        let listed = String::from_utf8(output.stdout).unwrap();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<_> = listed.lines().map(words).collect();
        assert_eq!(
            lines,
            [
                "lrwxrwxrwx 0/0 0 1970-01-01 00:00 bin -> usr/bin",
                "drwxrwxrwt 0/0 0 1970-01-01 00:00 tmp/",
                "drwxr-xr-x 0/0 0 1970-01-01 00:00 usr/",
                "drwxr-xr-x 0/0 0 1970-01-01 00:00 usr/bin/",
                "-rwxr-xr-x 0/0 5 1970-01-01 00:00 usr/bin/sh",
            ]
        );
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused_and_not_cut() {
        let mut tree = Tree::default();
        tree.file(&"x".repeat(101), 0o644, Vec::new());
        assert!(
            tree.archive()
                .unwrap_err()
                .to_string()
                .contains("does not fit")
        );
    }
}
