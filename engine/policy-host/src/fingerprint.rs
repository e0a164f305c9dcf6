//! Tells two versions of a policy apart: by the module, however it is packed, and by the sidecar's text.

use sha2::{Digest, Sha256};

use crate::Failure;
use crate::compile::hex;

/// Equal if and only if it is the same policy with the same sidecar, or fails to be read in the same way.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of the module's sha256, and the sidecar's text if there is one.
    pub(crate) fn of(
        module: Result<[u8; 32], &Failure>,
        sidecar: Option<&Result<String, Failure>>,
    ) -> Self {
        let failed = |failure: &Failure| Sha256::digest(&failure.message).into();
        let mut digest = Sha256::new();
        let mut add = |part: Result<[u8; 32], [u8; 32]>| match part {
            Ok(content) => digest.update([&[1][..], &content].concat()),
            Err(message) => digest.update([&[2][..], &message].concat()),
        };
        add(module.map_err(failed));
        if let Some(text) = sidecar {
            add(text
                .as_ref()
                .map(|text| Sha256::digest(text).into())
                .map_err(failed));
        }
        Self(digest.finalize().into())
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "a fingerprint is 64 hexadecimal digits";
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() || !text.is_ascii() {
            return Err(WRONG);
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| WRONG)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        let fingerprint = Fingerprint::of(Ok([0xa7; 32]), None);
        assert_eq!(
            Fingerprint::try_from(fingerprint.to_string()),
            Ok(fingerprint)
        );
        for wrong in ["", "a7", &"x".repeat(64), &"é".repeat(32)] {
            assert!(
                Fingerprint::try_from(wrong.to_string()).is_err(),
                "{wrong:?}"
            );
        }
    }
}
