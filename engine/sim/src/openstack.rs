//! Nova, Neutron and Glance in memory, at their wire, below [`rectifier_cloud::openstack::OpenStack`].
//!
//! ```text
//! transport ─► front door ──────► compute, network ─► state ─────────► life
//!              faults; a request  image: paths,       servers, ports,  what a server becomes
//!              lands at a drawn   bodies, answers     hosts, actions   as time passes
//!              time
//! ```
//!
//! Faithful in what bites: a create is answered long before its ports are bound, so that a second one with the same ports
//! is taken, too, and one of the two unbinds the other's; a port that was made before outlives its server; a dead host's
//! servers stay `ACTIVE`, and their deletion has no event; a server in `ERROR` cannot be tagged; actions are told of servers
//! that are gone.

mod compute;
mod image;
mod life;
mod network;
mod record;
mod state;
mod wire;

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rectifier_cloud::openstack::transport::{Method, Request, Response, Transport, TransportError};
use rectifier_core::clock::Clock;
use tokio::time::Instant;

use crate::landing::{Landing, lock};
use crate::told::{Teller, Told};
use crate::trace::Trace;
pub(crate) use record::ServerRecord;
use state::State;

/// What a world's cloud is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides every delay and id.
    pub seed: u64,
    /// How long a request takes to land, and its answer to come back.
    pub delay: RangeInclusive<Duration>,
    /// How long each step of a server's life takes.
    pub step: RangeInclusive<Duration>,
    /// The names of the compute hosts.
    pub hosts: Vec<String>,
    /// The names of the availability zones; hosts are in them in turn.
    pub zones: Vec<String>,
    /// Takes in every request.
    pub trace: Trace,
}

impl Default for Options {
    /// Seed 0, 5 to 80 ms a way, 0.2 to 3 s a step, three hosts in one zone.
    fn default() -> Self {
        Self {
            seed: 0,
            delay: Duration::from_millis(5)..=Duration::from_millis(80),
            step: Duration::from_millis(200)..=Duration::from_secs(3),
            hosts: ["c1", "c2", "c3"].map(str::to_owned).into(),
            zones: vec!["nova".to_owned()],
            trace: Trace::default(),
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// So many servers find no host.
    NoValidHost(u32),
    /// The hosts hold no more servers than these, all together.
    Room(usize),
    /// No more servers than these.
    Quota(usize),
    /// Servers that are made from now on run so much later.
    BootDelay(Duration),
    /// A host stops: what it is told it does not hear.
    HostStopped(String),
    /// The cell of a host is down: of its servers Nova tells the id alone, and in a list that is filtered not even that.
    CellDown(String),
    /// The image is deleted.
    ImageGone,
    /// A host loses its power for a moment: the servers on it are off then, and the cloud says so.
    HostRestarted(String),
    /// The next request of this kind is met by this at the front door.
    Door {
        /// `GET`, `POST`, …
        method: Method,
        /// How its path ends.
        path_ends: String,
        /// What happens to it.
        effect: Effect,
    },
}

/// Something that a server has beside what every one has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extra {
    /// A floating address.
    FloatingIp(String),
    /// Its first port is a trunk.
    Trunk,
    /// A volume of this id is attached to it.
    Volume(String),
    /// It boots from a volume of this id.
    BootVolume(String),
    /// It was made with this key pair, of whoever made it.
    Key(String),
    /// A description.
    Description(String),
}

/// What happens to a request at the front door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It is carried out; nobody hears of it.
    AnswerLost,
    /// It never arrives.
    NotSent,
    /// It is answered by somebody who is not the cloud.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Names in lower case.
        headers: Vec<(String, String)>,
    },
}

/// The cloud. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct World {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    landing: Landing,
    trace: Trace,
    /// Counts the requests that have landed, and the faults.
    told: Teller,
}

/// What a project needs to make a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// Flavors: name and id.
    pub flavors: Vec<(String, String)>,
    /// The id of the only image.
    pub image: String,
    /// The id of the only network.
    pub network: String,
}

/// A server as its guest is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) zone: String,
    /// How often it has booted.
    pub(crate) boots: u32,
    pub(crate) is_running: bool,
    /// Its host is there: without it nobody hears the machine, nor it anybody.
    pub(crate) is_reachable: bool,
    /// Somebody else made it, before the world began.
    pub(crate) was_there_before: bool,
    pub(crate) user_data: String,
    pub(crate) address: String,
}

impl World {
    /// An empty cloud with three flavors, an image and a network.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Self {
        let mut chance = fastrand::Rng::with_seed(options.seed);
        let state = State::new(&options, chance.fork());
        Self {
            inner: Arc::new(Inner {
                clock,
                state: Mutex::new(state),
                landing: Landing::new(options.delay, chance),
                trace: options.trace,
                told: Teller::default(),
            }),
        }
    }

    /// What servers are made of here.
    pub fn stock(&self) -> Stock {
        lock(&self.inner.state).stock()
    }

    /// Lets something go wrong, from now on.
    pub fn fault(&self, fault: Fault) {
        self.now(|state| state.fault(fault));
        self.tell();
    }

    /// Lets everything go well again. How many faults at the door, and servers without a host, had not come to pass.
    pub fn clear_faults(&self) -> usize {
        let left = self.now(State::clear_faults);
        self.tell();
        left
    }

    /// The name of the host that a server is on.
    pub fn host_of(&self, server: &str) -> Option<String> {
        self.now(|state| state.host_of(server))
    }

    /// The names of a zone's hosts.
    pub fn hosts_in(&self, zone: &str) -> Vec<String> {
        self.now(|state| {
            let hosts = state.hosts.iter().filter(|host| host.zone == zone);
            hosts.map(|host| host.name.clone()).collect()
        })
    }

    /// All machines that have a host.
    pub(crate) fn machines(&self) -> Vec<Machine> {
        self.now(|state| state.machines())
    }

    /// When the next server becomes another.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.now(|state| state.next_due())
    }

    /// The names of all servers that are there, with their tags.
    pub fn servers(&self) -> Vec<(String, Vec<String>)> {
        self.now(|state| state.servers_there())
    }

    /// How many servers were ever asked for.
    pub fn asked_for(&self) -> usize {
        self.now(|state| state.servers.len())
    }

    /// How many requests about such things have landed, e.g. `images`.
    pub fn asked_of(&self, what: &str) -> usize {
        self.now(|state| state.asked.get(what).copied().unwrap_or(0))
    }

    /// The ids of all ports.
    pub fn ports(&self) -> Vec<String> {
        self.now(|state| state.ports.keys().cloned().collect())
    }

    /// A server that somebody else made: on the network, with a port that Nova made, in a zone if one is named.
    pub fn foreign_server(&self, name: &str, zone: Option<&str>) -> String {
        self.now(|state| state.foreign_server(name, zone))
    }

    /// Gives a server something.
    pub fn give(&self, server: &str, extra: Extra) {
        self.now(|state| state.give(server, extra));
    }

    /// The same, with the id that it has. It has none of its own if that is another's already.
    pub(crate) fn given_server(&self, id: &str, name: &str, zone: Option<&str>) -> String {
        self.now(|state| {
            let made = state.foreign_server(name, zone);
            state.rename(made, id)
        })
    }

    /// The world as it is at this moment: what was due has happened.
    fn now<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.inner.state);
        state.settle(Instant::now(), self.inner.clock.now());
        look(&mut state)
    }

    /// Told of the requests that land (their answers are on their way yet), and of the faults.
    pub fn landed(&self) -> Told {
        self.inner.told.told()
    }

    fn tell(&self) {
        self.inner.told.tell();
    }

    fn serve(&self, request: &Request) -> Result<Response, TransportError> {
        self.tell();
        let answered = self.met(request);
        let (status, body): (_, &[u8]) = match &answered {
            Ok(response) => (response.status, &response.body),
            Err(_) => (0, &[]),
        };
        let now = self.inner.clock.now();
        let (method, path) = (request.method, &request.path);
        let what = format_args!("{method:?} {path:?} {status}");
        self.inner.trace.note(now, "cloud", what, body);
        answered
    }

    fn met(&self, request: &Request) -> Result<Response, TransportError> {
        self.now(|state| {
            state.count(request);
            match state.met_at_the_door(request) {
                Some(Effect::NotSent) => Err(TransportError::NotSent("connection refused".into())),
                Some(Effect::Answer { status, headers }) => Ok(Response {
                    status,
                    headers,
                    body: b"<html>somebody else</html>".to_vec(),
                }),
                Some(Effect::AnswerLost) => {
                    wire::answer(state, request);
                    Err(TransportError::Lost("connection reset".into()))
                }
                None => Ok(wire::answer(state, request)),
            }
        })
    }
}

#[async_trait]
impl Transport for World {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let world = self.clone();
        let answered = self.inner.landing.send(move || world.serve(&request));
        answered
            .await
            .unwrap_or_else(|ended| Err(TransportError::Lost(ended.into())))
    }
}
