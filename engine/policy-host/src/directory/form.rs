//! The forms in which a module may lie in the directory, and unpacking them within a limit: a ConfigMap holds 1 MiB.

use std::io::{BufRead, BufReader, Error, Read, Result};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

/// How a module is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `NAME.wasm`.
    Plain,
    /// `NAME.wasm.gz`.
    Gzip,
    /// `NAME.wasm.zst`.
    Zstd,
}

/// What a zstd frame may ask to be kept in memory: what `zstd -19` asks for, or as much as the module may have.
const WINDOW: u64 = 8 << 20;

impl Form {
    pub(super) const ALL: [(Form, &str); 3] = [
        (Form::Plain, ".wasm"),
        (Form::Gzip, ".wasm.gz"),
        (Form::Zstd, ".wasm.zst"),
    ];

    /// NAME and form, if that is what a file's name says. A hidden file is somebody's work in progress.
    pub(super) fn of(file: &str) -> Option<(&str, Form)> {
        let found = Form::ALL
            .iter()
            .find_map(|(form, end)| Some((file.strip_suffix(end)?, *form)));
        found.filter(|(name, _)| !name.is_empty() && !name.starts_with('.'))
    }

    /// Hands what is packed in `source` to `sink`, piece by piece, and returns how much it was. Stops as soon as it is
    /// more than `limit`, however little that took in its packed form.
    pub(super) fn unpack(
        self,
        source: impl Read,
        limit: u64,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<u64> {
        let mut source = BufReader::new(source);
        match self {
            Form::Plain => pour(&mut source, limit, sink),
            Form::Gzip => pour(&mut MultiGzDecoder::new(source), limit, sink),
            Form::Zstd => {
                let window = limit.max(WINDOW);
                let mut frame = StreamingDecoder::new_with_max_window_size(&mut source, window)
                    .map_err(Error::other)?;
                let poured = pour(&mut frame, limit, sink)?;
                let decoder = frame.into_frame_decoder();
                let (said, is) = (
                    decoder.get_checksum_from_data(),
                    decoder.get_calculated_checksum(),
                );
                if said.is_some() && said != is {
                    return Err(Error::other("its checksum is wrong"));
                }
                if !source.fill_buf()?.is_empty() {
                    return Err(Error::other("something follows its zstd frame"));
                }
                Ok(poured)
            }
        }
    }
}

/// The module in a file of this name, unpacked as its name says.
///
/// # Errors
/// It is torn, or holds more than `limit` bytes.
pub fn unpack(file: &str, packed: &[u8], limit: u64) -> Result<Vec<u8>> {
    let found = Form::ALL.iter().rfind(|(_, end)| file.ends_with(end));
    let form = found.map_or(Form::Plain, |(form, _)| *form);
    let mut bytes = Vec::new();
    form.unpack(packed, limit, &mut |piece| bytes.extend_from_slice(piece))?;
    Ok(bytes)
}

/// It is more than the limit.
#[derive(Debug, thiserror::Error)]
#[error("it is larger than the limit of {0} bytes")]
pub(super) struct TooLarge(pub(super) u64);

fn pour(source: &mut dyn Read, limit: u64, sink: &mut dyn FnMut(&[u8])) -> Result<u64> {
    let mut buffer = vec![0; 64 << 10];
    let mut poured = 0;
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok(poured),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        poured += read as u64;
        if poured > limit {
            return Err(Error::other(TooLarge(limit)));
        }
        sink(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn unpacked(form: Form, packed: &[u8], limit: u64) -> std::result::Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        form.unpack(packed, limit, &mut |piece| bytes.extend_from_slice(piece))
            .map_err(|error| error.to_string())
            .map(|poured| {
                assert_eq!(poured, bytes.len() as u64);
                bytes
            })
    }

    #[test]
    fn every_form_gives_the_same_bytes() {
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let size = bytes.len() as u64;
        for (form, packed) in [
            (Form::Plain, bytes.clone()),
            (Form::Gzip, gzip(&bytes)),
            (Form::Zstd, zstd(&bytes)),
        ] {
            assert_eq!(unpacked(form, &packed, size).unwrap(), bytes, "{form:?}");
            let refused = unpacked(form, &packed, size - 1).unwrap_err();
            assert_eq!(
                refused,
                format!("it is larger than the limit of {} bytes", size - 1)
            );
        }
    }

    #[test]
    fn a_file_is_unpacked_as_its_name_says() {
        for (file, packed) in [
            ("a.wasm", b"one".to_vec()),
            ("a.wasm.gz", gzip(b"one")),
            ("a.wasm.zst", zstd(b"one")),
        ] {
            assert_eq!(unpack(file, &packed, 3).unwrap(), b"one", "{file}");
            assert!(unpack(file, &packed, 2).is_err(), "{file}");
        }
        assert!(unpack("a.wasm.gz", b"one", 3).is_err());
    }

    #[test]
    fn two_gzip_members_are_one_file() {
        let packed = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(unpacked(Form::Gzip, &packed, 7).unwrap(), b"one two");
    }

    #[test]
    fn a_torn_or_rotten_or_continued_file_is_refused() {
        for (form, good) in [
            (Form::Gzip, gzip(&[7; 5000])),
            (Form::Zstd, zstd(&[7; 5000])),
        ] {
            let mut rotten = good.clone();
            *rotten.last_mut().unwrap() ^= 1;
            let continued = [&good[..], b"more"].concat();
            for bad in [
                &good[..good.len() / 2],
                &rotten,
                &continued,
                b"",
                b"rubbish",
            ] {
                assert!(unpacked(form, bad, 5000).is_err(), "{form:?} {bad:?}");
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let zeros = vec![0; 64 << 20];
        for (form, bomb) in [(Form::Gzip, gzip(&zeros)), (Form::Zstd, zstd(&zeros))] {
            assert!(bomb.len() < 100_000, "{form:?} {}", bomb.len());
            let mut poured = 0;
            let stopped = form.unpack(&bomb[..], 1 << 20, &mut |piece| poured += piece.len());
            assert!(stopped.unwrap_err().to_string().contains("1048576 bytes"));
            assert!(poured <= 1 << 20);
        }
    }

    #[test]
    fn a_frame_that_asks_for_a_huge_window_is_refused() {
        // magic; no single segment, no checksum; a window of 2^31 bytes; an empty last block
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 0x01, 0, 0];
        let refused = unpacked(Form::Zstd, &frame, 10).unwrap_err();
        assert!(refused.to_lowercase().contains("window"), "{refused}");
    }

    #[test]
    fn a_name_says_its_form() {
        let of = |file: &'static str| Form::of(file);
        assert_eq!(of("a.wasm"), Some(("a", Form::Plain)));
        assert_eq!(of("a.b.wasm.gz"), Some(("a.b", Form::Gzip)));
        assert_eq!(of("a.wasm.zst"), Some(("a", Form::Zstd)));
        for other in ["a.yaml", ".a.wasm", ".wasm", "wasm", "a.wasm.xz", "a.gz"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
