//! Servers as the cloud described them a moment ago, each kept for one look.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use rectifier_cloud::Server;
use rectifier_core::clock::seconds_between;
use rectifier_core::name::NodeName;
use rectifier_core::policy::Seconds;

/// An answer is as good as one that comes now for so long. 3 s: a slow cloud's answer is as old when it arrives.
const HOLDS: Seconds = 3;

/// One that asks; it counts until it is dropped.
pub(crate) struct Asking<'a>(&'a AtomicUsize);

impl<'a> Asking<'a> {
    pub(super) fn begin(count: &'a AtomicUsize, at_a_time: usize) -> Option<Self> {
        let one_more = |now: usize| (now < at_a_time).then_some(now + 1);
        count
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more)
            .ok()?;
        Some(Self(count))
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// By node.
#[derive(Default)]
pub(super) struct Described(BTreeMap<NodeName, (Timestamp, Server)>);

impl Described {
    pub(super) fn keep(&mut self, node: &NodeName, server: Server, now: Timestamp) {
        self.0.insert(node.clone(), (now, server));
    }

    pub(super) fn holds(&self, node: &NodeName, now: Timestamp) -> bool {
        // a clock that has jumped back says nothing of an age
        self.0
            .get(node)
            .is_some_and(|(at, _)| *at <= now && seconds_between(*at, now) < HOLDS)
    }

    pub(super) fn take(&mut self, node: &NodeName, now: Timestamp) -> Option<Server> {
        let holds = self.holds(node, now);
        let (_, server) = self.0.remove(node)?;
        holds.then_some(server)
    }

    pub(super) fn forget(&mut self, node: &NodeName) {
        self.0.remove(node);
    }
}

#[cfg(test)]
mod tests {
    use rectifier_cloud::ServerStatus;
    use rectifier_core::name::ServerId;

    use super::*;

    fn server() -> Server {
        Server {
            id: ServerId::parse("s").unwrap(),
            name: "worker-1".to_owned(),
            status: ServerStatus::Active,
            task: None,
            power: None,
            fault: None,
            created: None,
            locked: false,
            project: None,
            zone: None,
            tags: Vec::new(),
            metadata: BTreeMap::new(),
            addresses: Vec::new(),
        }
    }

    #[test]
    fn so_many_ask_at_a_time() {
        let count = AtomicUsize::new(0);
        let first = Asking::begin(&count, 2);
        let second = Asking::begin(&count, 2);
        assert!(first.is_some() && second.is_some());
        assert!(Asking::begin(&count, 2).is_none());
        drop(first);
        assert!(Asking::begin(&count, 2).is_some());
    }

    #[test]
    fn it_holds_for_a_moment_and_for_one_look() {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let node = NodeName::parse("worker-1").unwrap();
        let kept = || {
            let mut described = Described::default();
            described.keep(&node, server(), at(1000));
            described
        };
        let mut described = kept();
        assert!(described.take(&node, at(1002)).is_some());
        assert!(described.take(&node, at(1002)).is_none());
        // too old, or of a clock that has jumped back
        assert!(kept().take(&node, at(1003)).is_none());
        assert!(kept().take(&node, at(999)).is_none());
        let mut described = kept();
        described.forget(&node);
        assert!(!described.holds(&node, at(1000)));
    }
}
