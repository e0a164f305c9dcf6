//! Which node is looked at when: an event of a watch wakes its node, and a pass says when it wants to look again.
//!
//! One loop awaits in one place and changes its state in another. Passes over different nodes run side by side; two
//! over the same node never do.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use kube::api::Api;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Resource, ResourceExt};
use rectifier_api::{RepairPool, repair_name};
use rectifier_core::name::NodeName;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cluster::{Archived, Cluster, Kind, Open};
use crate::context::Context;
use crate::error::{Error, chain};
use crate::pass::pass;
use crate::persist::Again;
use crate::rate::Rate;
use crate::slim::{SlimNode, SlimRepair};
use crate::{lease, leftovers, pools, retention};

/// After an error a node is looked at again so late. Arbitrary: long enough not to hammer an API that is down.
const AFTER_ERROR: Duration = Duration::from_secs(2);

/// A pass that takes longer hangs: without an end to it this node would never be looked at again. 5 min: far more than
/// the calls of its few steps take together when all is well; one that is cut off goes on from what it wrote.
const PASS_WITHIN: Duration = Duration::from_secs(300);

/// So many passes begin in a second, and so many at once after a rest: of a storm's thousands each reads and writes, and the API
/// server has others to serve. What is in flight, and what is next, waits for none of them.
const PASSES_IN_A_SECOND: u32 = 25;
const PASSES_AT_ONCE: u32 = 50;

#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is moved once"
)]
enum Seen {
    Node(Event<SlimNode>),
    Repair(Event<SlimRepair>),
    Pool(Event<RepairPool>),
}

impl Seen {
    /// Is it the beginning of a list, of what was missed?
    fn begins_anew(&self) -> bool {
        matches!(
            self,
            Seen::Node(Event::Init) | Seen::Repair(Event::Init) | Seen::Pool(Event::Init)
        )
    }

    fn kind(&self) -> Kind {
        match self {
            Seen::Node(_) => Kind::Node,
            Seen::Repair(_) => Kind::Repair,
            Seen::Pool(_) => Kind::Pool,
        }
    }
}

/// Runs until the process has to end.
///
/// # Errors
/// The Lease is lost, or a watch ended: no engine limps on without its eyes.
pub async fn run(ctx: Context) -> Result<(), Error> {
    let leading = lease::acquire(&ctx).await?;
    let term = leading.term;
    tracing::info!(term, identity = ctx.settings.identity, "leading");
    let mut lease = JoinSet::new();
    let cluster = Arc::<Cluster>::default();
    lease.spawn(lease::keep(ctx.clone(), leading));
    let mut keepers = JoinSet::new();
    keepers.spawn(leftovers::keep(ctx.clone(), term));
    keepers.spawn(pools::keep(ctx.clone(), Arc::clone(&cluster), term));
    keepers.spawn(retention::keep(ctx.clone(), Arc::clone(&cluster), term));
    ctx.telemetry.leads(&cluster, &ctx.policies, &ctx.clock);
    let mut engine = Engine {
        cluster,
        term,
        since: ctx.now(),
        due: BTreeMap::new(),
        running: BTreeSet::new(),
        passes: JoinSet::new(),
        rate: Rate::new(PASSES_IN_A_SECOND, PASSES_AT_ONCE),
        ctx,
    };
    engine.cluster.unsettled(engine.since);
    let mut policies = engine.ctx.policies.changed();
    let mut events = watch(&engine.ctx, &engine.cluster);
    loop {
        engine.start_due();
        let next = engine.next_due();
        tokio::select! {
            biased;
            ended = lease.join_next() => return Err(ended.and_then(Result::ok).unwrap_or(Error::Ended("the lease's renewal"))),
            ended = keepers.join_next() => return Err(ended.and_then(Result::ok).unwrap_or(Error::Ended("a keeper"))),
            event = events.next() => engine.apply(event.ok_or(Error::Ended("a watch"))?),
            Some(done) = engine.passes.join_next() => match done {
                Ok((node, result)) => engine.passed(node, result)?,
                Err(_) => return Err(Error::Ended("a pass")),
            },
            changed = policies.changed() => {
                changed.map_err(|_| Error::Ended("the policies"))?;
                engine.wake_all();
            }
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

fn watch(
    ctx: &Context,
    cluster: &Arc<Cluster>,
) -> futures::stream::SelectAll<futures::stream::BoxStream<'static, Seen>> {
    let client = || ctx.client.clone();
    // small pages: one is in memory as a whole while it is parsed
    let config = || watcher::Config::default().page_size(100);
    let pools = watcher(Api::<RepairPool>::all(client()), config());
    let repairs = watcher(Api::<SlimRepair>::all(client()), config());
    let nodes = watcher(Api::<SlimNode>::all(client()), config());
    futures::stream::select_all([
        lasting(pools, (ctx, cluster), Kind::Pool)
            .map(Seen::Pool)
            .boxed(),
        lasting(repairs, (ctx, cluster), Kind::Repair)
            .map(Seen::Repair)
            .boxed(),
        lasting(nodes, (ctx, cluster), Kind::Node)
            .map(Seen::Node)
            .boxed(),
    ])
}

/// A watch that was cut is taken up again, a second later; until then what it told stays as it was.
fn lasting<K: Resource + Send + 'static>(
    events: impl futures::Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static,
    (ctx, cluster): (&Context, &Arc<Cluster>),
    kind: Kind,
) -> futures::stream::BoxStream<'static, Event<K>> {
    let (ctx, cluster) = (ctx.clone(), Arc::clone(cluster));
    events
        .or_else(move |error| {
            ctx.telemetry.cut(kind);
            cluster.cut(ctx.now());
            async move {
                tracing::warn!("a watch was cut, and is taken up again: {}", chain(&error));
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(error)
            }
        })
        .filter_map(async |event| event.ok())
        .boxed()
}

struct Engine {
    ctx: Context,
    cluster: Arc<Cluster>,
    term: i64,
    /// Since when this process watches.
    since: Timestamp,
    due: BTreeMap<NodeName, Instant>,
    running: BTreeSet<NodeName>,
    passes: JoinSet<(NodeName, Result<Again, Error>)>,
    rate: Rate,
}

impl Engine {
    fn apply(&mut self, seen: Seen) {
        self.cluster.heard(seen.kind(), self.ctx.now());
        if seen.begins_anew() {
            self.cluster.unsettled(self.ctx.now());
        }
        match seen {
            Seen::Node(Event::Init) => self.cluster.nodes_begin(),
            // what went away while the watch was cut
            Seen::Node(Event::InitDone) => {
                for node in self.cluster.nodes_end() {
                    self.wake(node);
                }
            }
            Seen::Node(Event::Apply(node) | Event::InitApply(node)) => {
                if let Some((name, true)) = self.cluster.see(&node, self.ctx.now()) {
                    self.wake(name);
                }
            }
            Seen::Node(Event::Delete(node)) => {
                if let Ok(name) = NodeName::parse(node.name_any()) {
                    self.cluster.forget(&name);
                    self.wake(name);
                }
            }
            Seen::Repair(Event::Apply(repair) | Event::InitApply(repair)) => {
                self.see_repair(&repair, true)
            }
            Seen::Repair(Event::Delete(repair)) => self.see_repair(&repair, false),
            Seen::Pool(Event::Apply(pool)) => {
                if self.cluster.see_pool(pool.name_any(), Some(pool)) {
                    self.wake_all();
                }
            }
            Seen::Pool(Event::InitApply(pool)) => {
                self.cluster.see_pool(pool.name_any(), Some(pool));
            }
            Seen::Pool(Event::Delete(pool)) => {
                self.cluster.see_pool(pool.name_any(), None);
                self.wake_all();
            }
            Seen::Repair(Event::Init) => self.cluster.repairs_begin(),
            Seen::Pool(Event::Init) => self.cluster.pools_begin(),
            // what went away while the watch was cut woke nobody
            Seen::Repair(Event::InitDone) => {
                for node in self.cluster.repairs_end() {
                    self.wake(node);
                }
            }
            Seen::Pool(Event::InitDone) => {
                self.cluster.pools_end();
                self.wake_all();
            }
        }
    }

    /// Archived copies bear other names, and wake nobody.
    fn see_repair(&mut self, repair: &SlimRepair, there: bool) {
        let Ok(node) = NodeName::parse(&repair.spec.node_name) else {
            return;
        };
        if repair.name_any() == repair_name(&node) {
            let open = Open::of(repair);
            self.cluster.see_repair(node.clone(), there.then_some(open));
            self.wake(node);
        } else {
            let kept = Archived::of(repair).filter(|_| there);
            self.cluster.see_archived(repair.name_any(), kept);
        }
    }

    fn wake(&mut self, node: NodeName) {
        self.due.insert(node, Instant::now());
    }

    /// All that have to be looked at: what is well, and in no repair, needs no look.
    fn wake_all(&mut self) {
        for node in self.cluster.concerned() {
            self.wake(node);
        }
    }

    fn next_due(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        if !self.cluster.is_complete() {
            return far;
        }
        let waiting = self
            .due
            .iter()
            .filter(|(node, _)| !self.running.contains(*node));
        let now = Instant::now();
        let free = self.rate.free(now);
        let next = waiting.map(|(_, at)| match *at <= now {
            true => free,
            false => *at,
        });
        next.min().unwrap_or(far)
    }

    fn start_due(&mut self) {
        if !self.cluster.is_complete() {
            return;
        }
        let now = Instant::now();
        let due = self.due.iter();
        let due = due.filter(|(node, at)| **at <= now && !self.running.contains(*node));
        let mut due: Vec<(Instant, &NodeName)> = due.map(|(node, at)| (*at, node)).collect();
        // the longest due first
        due.sort();
        let urgent = LazyCell::new(|| self.cluster.urgent(self.ctx.now()));
        let begin = due
            .into_iter()
            .filter(|(_, node)| self.rate.take(now) || urgent.contains(*node));
        let begin: Vec<NodeName> = begin.map(|(_, node)| node.clone()).collect();
        for node in begin {
            self.due.remove(&node);
            self.running.insert(node.clone());
            let (ctx, cluster) = (self.ctx.clone(), Arc::clone(&self.cluster));
            let (term, since) = (self.term, self.since);
            self.passes.spawn(async move {
                let pass = pass(&ctx, &cluster, term, since, &node);
                let result = tokio::time::timeout(PASS_WITHIN, pass).await;
                let result = result.unwrap_or(Err(Error::NoAnswer("a request of this pass")));
                (node, result)
            });
        }
    }

    /// # Errors
    /// The pass found out that somebody else leads: the process must end.
    fn passed(&mut self, node: NodeName, result: Result<Again, Error>) -> Result<(), Error> {
        self.running.remove(&node);
        let again = match result {
            Ok(again) => again,
            Err(error) if error.is_end() => return Err(error),
            Err(error) if error.is_lost() => Some(Duration::ZERO),
            Err(error) => {
                self.ctx.telemetry.failed(&error);
                if error.is_outage() {
                    self.cluster.failed(&node, self.ctx.now());
                }
                tracing::warn!(%node, "this pass did nothing more, and is repeated: {}", chain(&error));
                Some(AFTER_ERROR.max(self.cluster.crowd()))
            }
        };
        if let Some(after) = again {
            let at = Instant::now() + after;
            // an event that came during the pass wants an earlier look
            self.due
                .entry(node)
                .and_modify(|due| *due = (*due).min(at))
                .or_insert(at);
        }
        Ok(())
    }
}
