//! Words that many nodes share, kept once: thousands of nodes have the same label keys, the same reasons, and nearly all of
//! the same conditions.

use std::collections::HashSet;
use std::sync::Arc;

/// Each word once, as long as anybody uses it.
#[derive(Default)]
pub(super) struct Words {
    all: HashSet<Arc<str>>,
    /// When it holds so many, those that nobody uses any more are looked for.
    sweep_at: usize,
}

/// Not worth a sweep.
const FEW: usize = 1024;

impl Words {
    pub(super) fn keep(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.all.get(word) {
            return known.clone();
        }
        if self.all.len() >= self.sweep_at {
            self.all.retain(|word| Arc::strong_count(word) > 1);
            self.sweep_at = FEW.max(self.all.len() * 2);
        }
        let new: Arc<str> = word.into();
        self.all.insert(new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once_and_not_longer_than_it_is_used() {
        let mut words = Words::default();
        let first = words.keep("KernelHasNoDeadlock");
        assert!(Arc::ptr_eq(&first, &words.keep("KernelHasNoDeadlock")));
        for n in 0..10 * FEW {
            words.keep(&format!("restarted {n} times"));
        }
        assert!(words.all.len() <= FEW + 1, "{}", words.all.len());
        assert!(Arc::ptr_eq(&first, &words.keep("KernelHasNoDeadlock")));
    }
}
