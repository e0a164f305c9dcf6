//! The name of a part is the hash of what it is made from.

use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Collects the inputs of a part. Each has a label and a length in the hash, so that moving a byte
/// from one input to the next is another key.
#[derive(Clone)]
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn new(recipe: &str) -> Self {
        Self(Sha256::new()).with("recipe", recipe.as_bytes())
    }

    pub(crate) fn with(mut self, label: &str, data: &[u8]) -> Self {
        for field in [label.as_bytes(), data] {
            self.0.update((field.len() as u64).to_le_bytes());
            self.0.update(field);
        }
        self
    }

    /// The content of the file, under the name it has in its folder: where the checkout lies does
    /// not matter.
    pub(crate) fn with_file(self, folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let data =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(self.with(name, &data))
    }

    /// 12 hexadecimal digits: 48 bits are plenty among the few versions that one machine sees.
    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize()[..6])
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_inputs_give_the_same_key() {
        let key = || Key::new("go").with("flags", b"-trimpath").finish();
        assert_eq!(key(), key());
        assert_eq!(key().len(), 12);
    }

    #[test]
    fn any_other_input_gives_another_key() {
        let key = Key::new("go").with("flags", b"-trimpath").finish();
        assert_ne!(key, Key::new("go").with("flags", b"-trimpat").finish());
        assert_ne!(key, Key::new("go").with("flag", b"-trimpath").finish());
        assert_ne!(key, Key::new("go2").with("flags", b"-trimpath").finish());
    }

    #[test]
    fn a_byte_that_moves_between_inputs_is_another_key() {
        let one = Key::new("x").with("a", b"bc").with("d", b"").finish();
        let two = Key::new("x").with("a", b"b").with("d", b"c").finish();
        assert_ne!(one, two);
    }

    #[test]
    fn a_files_folder_is_not_part_of_the_key() {
        let key = || {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("go.mod"), "module x").unwrap();
            Key::new("go")
                .with_file(folder.path(), "go.mod")
                .unwrap()
                .finish()
        };
        assert_eq!(key(), key());
    }
}
