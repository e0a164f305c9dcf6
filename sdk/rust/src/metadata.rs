//! The custom section that the macro [`policy!`](crate::policy!) writes.

/// The bytes of a section.
pub const fn section<const N: usize>(text: &str) -> [u8; N] {
    let (text, mut bytes, mut at) = (text.as_bytes(), [0; N], 0);
    while at < N {
        bytes[at] = text[at];
        at += 1;
    }
    bytes
}
