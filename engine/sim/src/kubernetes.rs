//! A Kubernetes API server in memory, below an unchanged [`kube::Client`].
//!
//! ```text
//! client ─► door ──────────────► serve ───────► verbs ─────────► store
//!           a request belongs    path, query,   what each verb   objects, revisions,
//!           to the world from    body; the      means            what watches are told
//!           here: it lands at    answer
//!           a drawn time
//! ```
//!
//! Faithful in what the engines use: opaque resource versions and 409 on stale ones; watches with initial events, lag, cuts
//! and 410; the status subresource; merge and JSON patches; server-side apply; selectors; eviction with PodDisruptionBudgets
//! (429); finalizers; graceful deletion of pods; preconditions; what the schemas and CEL rules of our CRDs and our admission
//! policies refuse; bootstrap tokens and certificate signing requests. Everything else is refused: a gap must not look like
//! an answer. Managed fields are there from an object's first apply on. It asks for no other credentials: RBAC is the test
//! bed's to prove.

mod admission;
mod answer;
mod apply;
mod csr;
mod door;
mod event;
mod eviction;
mod gate;
mod given;
mod identity;
mod kind;
mod label;
mod nature;
mod object;
mod rules;
mod schema;
mod serve;
mod store;
mod target;
mod verb;
mod watch;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use rectifier_core::clock::Clock;

use crate::landing::{Landing, lock};
use crate::record::Record;
use crate::trace::Trace;
pub use admission::UnknownPolicy;
use apply::{Operation, Writer};
use door::Door;
pub(crate) use gate::{Gate, Write};
use identity::Credential;
pub use identity::Identity;
pub(crate) use nature::Object;
pub use rules::UnknownRule;
use store::Store;
use verb::Part;

/// What a world's API server is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides every delay, UID and token. The same seed, and the same requests at the same times, give the same world.
    pub seed: u64,
    /// How long a request takes to land, an answer to come back, and an event to reach a watch: each is drawn from this.
    pub delay: RangeInclusive<Duration>,
    /// How many changes are remembered for watches (whoever asks for older ones gets 410), and how many requests.
    pub history: usize,
    /// Takes in every request.
    pub trace: Trace,
    /// Takes in every change, while it is kept.
    pub record: Record,
}

impl Default for Options {
    /// Seed 0, delays of 1 to 20 ms, 10 000 changes.
    fn default() -> Self {
        Self {
            seed: 0,
            delay: Duration::from_millis(1)..=Duration::from_millis(20),
            history: 10_000,
            trace: Trace::default(),
            record: Record::default(),
        }
    }
}

/// The API server. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct ApiServer {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    store: Mutex<Store>,
    requests: Mutex<VecDeque<Request>>,
    history: usize,
    trace: Trace,
    record: Record,
    gate: Mutex<Option<Gate>>,
    /// What nobody may do anything to.
    forbidden: Mutex<Option<String>>,
    landing: Landing,
    landed: AtomicU64,
    /// Who kubelets and controllers are to whoever asks whose a field is: of the main half, and of the status.
    nature: [Arc<Writer>; 2],
    /// Who they are to admission.
    itself: Arc<Identity>,
}

/// One request, as the world's own record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asked: the name that its [client](ApiServer::client) was made with.
    pub who: String,
    /// `GET`, `POST`, …
    pub method: String,
    /// With the query.
    pub path: String,
    /// The answer's HTTP status.
    pub code: u16,
}

impl ApiServer {
    /// An empty cluster.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Self {
        let mut chance = fastrand::Rng::with_seed(options.seed);
        let mut store = Store::new(options.history, chance.fork());
        store.record = options.record.clone();
        Self {
            inner: Arc::new(Inner {
                clock,
                store: Mutex::new(store),
                requests: Mutex::default(),
                history: options.history,
                trace: options.trace,
                record: options.record,
                gate: Mutex::default(),
                forbidden: Mutex::default(),
                landing: Landing::new(options.delay, chance),
                landed: AtomicU64::new(0),
                nature: [Part::Main, Part::Status]
                    .map(|part| Arc::new(Writer::new(Operation::Update, "nature", part))),
                itself: Arc::new(Identity::user("system:masters")),
            }),
        }
    }

    /// A client of it. To be made and used on a runtime of one thread.
    pub fn client(&self, who: &str) -> Client {
        self.client_of(who, Identity::user(who))
    }

    /// The same, who is this one to the API server.
    pub fn client_of(&self, who: &str, identity: Identity) -> Client {
        let credential = Credential::Identity(Arc::new(identity));
        Client::new(Door::new(self.clone(), who, credential), "default")
    }

    /// The same, who comes with a bootstrap token: whether it is any good shows at each request.
    pub fn client_with_token(&self, who: &str, token: &str) -> Client {
        let credential = Credential::Token(token.to_owned());
        Client::new(Door::new(self.clone(), who, credential), "default")
    }

    /// Serves the kind that `crd` defines.
    ///
    /// # Errors
    /// It has a CEL rule that is not known here.
    pub fn install(&self, crd: &CustomResourceDefinition) -> Result<(), UnknownRule> {
        let kind = kind::Kind::defined(crd)?;
        lock(&self.inner.store).kinds.push(Arc::new(kind));
        Ok(())
    }

    /// The requests that have landed, in their order: the newest, as many as changes are remembered.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.inner.requests).iter().cloned().collect()
    }

    /// Counts the requests that have landed; their answers are on their way yet.
    pub fn landed(&self) -> u64 {
        self.inner.landed.load(Ordering::SeqCst)
    }

    /// Ends every watch, as a connection that breaks does.
    pub fn cut_watches(&self) {
        lock(&self.inner.store).cut_watches();
    }

    /// Forgets all changes until now, as etcd's compaction does: who asks for later ones than he has seen gets 410.
    pub fn forget_history(&self) {
        lock(&self.inner.store).forget_history();
    }
}
