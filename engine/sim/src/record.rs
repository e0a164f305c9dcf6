//! What happened in a world, thing by thing: its own record, by which a story is proven, whatever the engines say of it.
//!
//! It is kept only while somebody wants it: a world of hours would remember too much.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rectifier_core::clock::{Clock, Timestamp};
use rectifier_core::policy::UnitVerb;
use serde_json::Value;

use crate::landing::lock;

/// One record for all parts of a world. Cheap to clone; all clones are one. The default one is never kept.
#[derive(Clone, Default)]
pub struct Record(Option<Arc<Inner>>);

struct Inner {
    clock: Arc<dyn Clock>,
    is_kept: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whose request is carried out.
    who: String,
    entries: Vec<Entry>,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) what: Happened,
}

#[derive(Debug, Clone)]
pub(crate) enum Happened {
    /// An object was made, changed or removed.
    Object(Changed),
    /// Something on the machine of that server.
    Machine { server: String, what: OnMachine },
}

/// A change of an object at the API server.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    /// By whose request; empty for kubelets, controllers and Node Problem Detector.
    pub(crate) who: String,
    /// The qualified plural of its kind.
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) before: Option<Arc<Value>>,
    pub(crate) after: Option<Arc<Value>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OnMachine {
    /// The node's engine, and nobody else can, asked systemd for it.
    UnitAsked(String, UnitVerb),
    UnitStarted(String),
    /// The node's engine asked logind for it.
    RebootAsked,
    GoesDown,
    Booted,
}

impl Record {
    /// Of a world with that clock; not kept yet.
    pub(crate) fn of(clock: Arc<dyn Clock>) -> Self {
        Self(Some(Arc::new(Inner {
            clock,
            is_kept: AtomicBool::new(false),
            state: Mutex::default(),
        })))
    }

    /// Is it kept from now on? Either way what it held is forgotten.
    pub(crate) fn keep(&self, is_kept: bool) {
        if let Some(inner) = &self.0 {
            inner.is_kept.store(is_kept, Ordering::Relaxed);
            lock(&inner.state).entries.clear();
        }
    }

    fn kept(&self) -> Option<&Inner> {
        self.0
            .as_deref()
            .filter(|inner| inner.is_kept.load(Ordering::Relaxed))
    }

    /// What changes from now on is by this one's request.
    pub(crate) fn asked_by(&self, who: &str) {
        if let Some(inner) = self.kept() {
            who.clone_into(&mut lock(&inner.state).who);
        }
    }

    pub(crate) fn object(
        &self,
        (kind, name): (&str, &str),
        before: Option<&Arc<Value>>,
        after: Option<&Arc<Value>>,
    ) {
        let Some(inner) = self.kept() else {
            return;
        };
        let mut state = lock(&inner.state);
        let changed = Changed {
            who: state.who.clone(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        };
        state.entries.push(Entry {
            at: inner.clock.now(),
            what: Happened::Object(changed),
        });
    }

    pub(crate) fn machine(&self, server: &str, what: OnMachine) {
        let Some(inner) = self.kept() else {
            return;
        };
        let server = server.to_owned();
        lock(&inner.state).entries.push(Entry {
            at: inner.clock.now(),
            what: Happened::Machine { server, what },
        });
    }

    /// Looks at all of it, in its order.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&[Entry]) -> T) -> T {
        match &self.0 {
            Some(inner) => look(&lock(&inner.state).entries),
            None => look(&[]),
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("is_kept", &self.kept().is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::WorldClock;

    #[tokio::test(start_paused = true)]
    async fn only_what_happens_while_it_is_kept_is_in_it() {
        let record = Record::of(Arc::new(WorldClock::starting(Timestamp::UNIX_EPOCH)));
        let count = || record.read(<[Entry]>::len);
        record.machine("s", OnMachine::Booted);
        assert_eq!(count(), 0);
        record.keep(true);
        record.asked_by("somebody");
        record.object(("nodes", "n"), None, None);
        assert_eq!(count(), 1);
        let who = record.read(|entries| match &entries[0].what {
            Happened::Object(changed) => changed.who.clone(),
            Happened::Machine { .. } => String::new(),
        });
        assert_eq!(who, "somebody");
        record.keep(false);
        assert_eq!(count(), 0);
    }
}
