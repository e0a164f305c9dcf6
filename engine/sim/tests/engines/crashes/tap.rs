//! Where the requests of one controller process pass on their way out.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::openstack::transport::{self, Method, Transport, TransportError};
use rectifier_controller::Context;
use rectifier_sim::openstack::World;
use rectifier_sim::scene::Scene;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower_service::Service;

use super::fault::Fault;
use crate::rbac::Deed;

/// What befalls the controller at one of its points: a request of its own that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blow {
    /// It is killed before the request leaves.
    KilledBefore,
    /// It is killed as the request leaves, which lands all the same: its successor may look before.
    KilledAsItLeaves,
    /// It is killed when the request has been carried out, before it hears the answer.
    KilledAfter,
    /// The request is two minutes on its way, and no other of this process arrives any more: another takes over meanwhile.
    Late,
    /// The answer is lost, and the API server answers nothing for a minute.
    ApiAway,
}

impl Blow {
    pub(crate) const ALL: [Blow; 5] = [
        Blow::KilledBefore,
        Blow::KilledAfter,
        Blow::KilledAsItLeaves,
        Blow::Late,
        Blow::ApiAway,
    ];

    /// Before and after each point, and one of the others at each in turn.
    pub(crate) fn some(index: usize) -> [Blow; 3] {
        let [before, after, others @ ..] = Self::ALL;
        [before, after, others[index % others.len()]]
    }
}

const LATE: Duration = Duration::from_secs(120);
const AWAY: Duration = Duration::from_secs(60);

#[derive(Default)]
struct State {
    points: Vec<String>,
    deeds: BTreeSet<Deed>,
    calls: BTreeSet<&'static str>,
    blow: Option<(usize, Blow)>,
    /// What was asked of the cloud, in its order.
    asked: Vec<String>,
    fault: Option<(usize, Fault)>,
    away_until: Option<Instant>,
    is_cut_off: bool,
    /// Requests whose sender is gone.
    on_their_way: JoinSet<()>,
}

/// Shared by the ways to the API server and to the cloud.
#[derive(Clone, Default)]
pub(crate) struct Tap {
    state: Arc<Mutex<State>>,
    struck: Arc<Notify>,
}

/// What becomes of a request.
enum Fate {
    Passes,
    Struck(Blow),
    /// Nobody answers.
    Away,
    /// It does not arrive, and nobody says so.
    Lost,
}

impl Tap {
    /// At the point of this index, counted from 0, the blow falls.
    pub(crate) fn new(blow: Option<(usize, Blow)>) -> Self {
        let tap = Self::default();
        tap.state().blow = blow;
        tap
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request to the cloud of this index, counted from 0, meets this.
    pub(crate) fn faulty(fault: (usize, Fault)) -> Self {
        let tap = Self::default();
        tap.state().fault = Some(fault);
        tap
    }

    /// The requests to the cloud, in their order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// Notes a request to the cloud. What befalls it.
    fn ask(&self, what: String) -> Option<Fault> {
        let mut state = self.state();
        let at = state.asked.len();
        state.asked.push(what);
        let due = state.fault.take_if(|(index, _)| *index == at);
        due.map(|(_, fault)| fault)
    }

    /// When the blow has fallen.
    pub(crate) async fn struck(&self) {
        self.struck.notified().await;
    }

    /// The requests that changed something, in their order.
    pub(crate) fn points(&self) -> Vec<String> {
        self.state().points.clone()
    }

    /// What was asked of the API server.
    pub(crate) fn deeds(&self) -> BTreeSet<Deed> {
        self.state().deeds.clone()
    }

    /// What was asked of the cloud, by the names of its calls.
    pub(crate) fn calls(&self) -> BTreeSet<&'static str> {
        self.state().calls.clone()
    }

    /// A controller process whose requests pass here.
    pub(crate) fn controller(&self, scene: &Scene, identity: &str) -> Context {
        let whole = scene.controller(identity);
        let to_api = ToApi {
            client: whole.client,
            tap: self.clone(),
        };
        let to_cloud = ToCloud {
            cloud: scene.cloud.clone(),
            tap: self.clone(),
        };
        let tap = self.clone();
        let cloud = OpenStack::over(to_cloud).observed(Arc::new(move |call, _| {
            tap.state().calls.insert(call);
        }));
        Context {
            client: Client::new(to_api, "default"),
            cloud: Arc::new(cloud),
            ..whole
        }
    }

    fn fate(&self, point: Option<String>, is_api: bool) -> Fate {
        let mut state = self.state();
        if state.is_cut_off {
            return Fate::Lost;
        }
        if is_api && state.away_until.is_some_and(|until| Instant::now() < until) {
            return Fate::Away;
        }
        let Some(point) = point else {
            return Fate::Passes;
        };
        let at = state.points.len();
        state.points.push(point);
        let Some((_, blow)) = state.blow.take_if(|(index, _)| *index == at) else {
            return Fate::Passes;
        };
        match blow {
            Blow::Late => state.is_cut_off = true,
            Blow::ApiAway => state.away_until = Some(Instant::now() + AWAY),
            Blow::KilledBefore | Blow::KilledAsItLeaves | Blow::KilledAfter => {}
        }
        Fate::Struck(blow)
    }

    /// `sent` lands on its own once it is polled; `broken` is what a sender sees whom nobody answers.
    async fn pass<T, E>(
        &self,
        fate: Fate,
        sent: BoxFuture<'static, Result<T, E>>,
        broken: impl FnOnce() -> E,
        is_api: bool,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let blow = match fate {
            Fate::Passes => return sent.await,
            Fate::Away => return Err(broken()),
            Fate::Lost => return pending().await,
            Fate::Struck(blow) => blow,
        };
        let answered = match blow {
            Blow::KilledBefore => None,
            Blow::KilledAsItLeaves => {
                self.state().on_their_way.spawn(sent.map(drop));
                None
            }
            Blow::KilledAfter => {
                drop(sent.await);
                None
            }
            Blow::Late => {
                let late = sleep(LATE).then(|()| sent.map(drop));
                self.state().on_their_way.spawn(late);
                None
            }
            Blow::ApiAway => {
                let answered = sent.await;
                Some(if is_api { Err(broken()) } else { answered })
            }
        };
        self.struck.notify_one();
        match answered {
            Some(answered) => answered,
            None => pending().await,
        }
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

struct ToApi {
    client: Client,
    tap: Tap,
}

impl Service<Request<Body>> for ToApi {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, _: &mut Poller<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (client, tap) = (self.client.clone(), self.tap.clone());
        Box::pin(async move {
            let path = request
                .uri()
                .path_and_query()
                .map_or("/", |all| all.as_str());
            let deed = Deed::of(request.method().as_str(), path)?;
            tap.state().deeds.insert(deed.clone());
            // what is renewed for ever is no step of anything
            let is_point =
                !["get", "list", "watch"].contains(&deed.verb) && deed.resource != "leases";
            let fate = tap.fate(
                is_point.then(|| format!("{} {}", deed.verb, deed.resource)),
                true,
            );
            let sent = Box::pin(async move { Ok(client.send(request).await?) });
            tap.pass(fate, sent, || "connection refused".into(), true)
                .await
        })
    }
}

struct ToCloud {
    cloud: World,
    tap: Tap,
}

#[async_trait]
impl Transport for ToCloud {
    async fn send(
        &self,
        request: transport::Request,
    ) -> Result<transport::Response, TransportError> {
        let first = request.path.first().map_or("", String::as_str);
        let asked = format!("{:?} {first}", request.method);
        if let Some(fault) = self.tap.ask(asked) {
            return fault.befalls(&self.cloud, request).await;
        }
        let point = (request.method != Method::Get).then(|| {
            let body = request.body.iter().flat_map(|body| body.as_object());
            let what = body.flat_map(|body| body.keys()).next();
            format!(
                "{:?} {first} {}",
                request.method,
                what.map_or("", String::as_str)
            )
        });
        let fate = self.tap.fate(point, false);
        let cloud = self.cloud.clone();
        let sent = Box::pin(async move { cloud.send(request).await });
        let broken = || TransportError::NotSent("connection refused".into());
        self.tap.pass(fate, sent, broken, false).await
    }
}
