//! Is it still what it was? A digest of what lies in some of the checkout's folders.

use anyhow::{Context, Result, bail};

use crate::Cache;
use crate::command::command;
use crate::key::Key;

impl Cache {
    /// Of the files that git knows, as they lie there now, in these folders and files of the checkout:
    /// 12 hexadecimal digits. What somebody's tools left there does not count.
    ///
    /// # Errors
    /// Git does not answer or knows nothing there, or a file cannot be read.
    pub fn digest(&self, paths: &[&str]) -> Result<String> {
        let mut git = command("git");
        git.args(["ls-files", "-z", "--error-unmatch", "--"])
            .args(paths);
        let output = git
            .current_dir(self.checkout())
            .output()
            .context("cannot start git")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("git ls-files failed ({}): {}", output.status, said.trim());
        }
        let mut names: Vec<&str> = std::str::from_utf8(&output.stdout)
            .context("a file's name is no UTF-8")?
            .split_terminator('\0')
            .collect();
        names.sort_unstable();
        names
            .into_iter()
            // one that was removed and is not committed yet
            .filter(|name| self.checkout().join(name).exists())
            .try_fold(Key::new("digest 1"), |key, name| {
                key.with_file(self.checkout(), name)
            })
            .map(Key::finish)
    }
}
