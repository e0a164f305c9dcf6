//! What a watch has told of one kind of object.

use std::collections::BTreeMap;

/// A list that is under way counts only when it is whole: half of the pools would make two that select a node look like one.
pub(super) struct Listed<K, V> {
    pub(super) whole: BTreeMap<K, V>,
    /// A list that has not ended yet.
    listing: Option<BTreeMap<K, V>>,
    /// One has ended.
    pub(super) complete: bool,
}

impl<K, V> Default for Listed<K, V> {
    fn default() -> Self {
        Self {
            whole: BTreeMap::new(),
            listing: None,
            complete: false,
        }
    }
}

impl<K: Ord + Clone, V> Listed<K, V> {
    pub(super) fn begins(&mut self) {
        self.listing = Some(BTreeMap::new());
    }

    pub(super) fn is_listing(&self) -> bool {
        self.listing.is_some()
    }

    /// What it does not name is gone: these.
    pub(super) fn ends(&mut self) -> Vec<K> {
        let Some(list) = self.listing.take() else {
            return Vec::new();
        };
        self.complete = true;
        let before = std::mem::replace(&mut self.whole, list);
        let gone = |key: &K| !self.whole.contains_key(key);
        before.into_keys().filter(gone).collect()
    }

    /// What we did ourselves is so, whatever a list that began before it says.
    pub(super) fn add(&mut self, key: K, value: V)
    where
        V: Clone,
    {
        if let Some(list) = &mut self.listing {
            list.insert(key.clone(), value.clone());
        }
        self.whole.insert(key, value);
    }

    pub(super) fn set(&mut self, key: K, value: Option<V>) {
        let now = self.listing.as_mut().unwrap_or(&mut self.whole);
        match value {
            Some(value) => now.insert(key, value),
            None => now.remove(&key),
        };
    }
}
