//! What the cloud has.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use rectifier_cloud::openstack::transport::Request;
use rectifier_core::clock::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::life::Step;
use super::{Effect, Extra, Fault, Machine, Options, Stock};

pub(super) const NETWORK_NAME: &str = "demo-net";
pub(super) const PROJECT: &str = "02e73efde420472499f86711c01eb367";
pub(super) const USER: &str = "7dcc02642eab4e148c86a1d4ce4a2918";

pub(super) struct State {
    /// By id; the deleted ones, too, for their actions.
    pub(super) servers: BTreeMap<String, Server>,
    pub(super) ports: BTreeMap<String, Port>,
    pub(super) hosts: Vec<Host>,
    pub(super) zones: Vec<String>,
    pub(super) flavors: Vec<(String, String)>,
    pub(super) image: String,
    pub(super) image_is_gone: bool,
    pub(super) network: String,
    pub(super) subnet: String,
    pub(super) group: String,
    pub(super) quota: Option<usize>,
    pub(super) no_valid_host: u32,
    pub(super) room: Option<usize>,
    pub(super) boot_delay: Duration,
    door: Vec<Fault>,
    chance: fastrand::Rng,
    step: RangeInclusive<Duration>,
    made: u64,
    /// How many requests have landed, by the first part of their path.
    pub(super) asked: BTreeMap<String, usize>,
    pub(super) now: Instant,
    pub(super) wall: Timestamp,
}

pub(super) struct Host {
    pub(super) name: String,
    pub(super) zone: String,
    pub(super) is_up: bool,
    /// The database that knows its servers is there.
    pub(super) is_known: bool,
}

#[derive(Debug)]
pub(super) struct Server {
    /// Its place in the order in which servers were made.
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) is_gone: bool,
    /// When it went.
    pub(super) gone_at: Option<Timestamp>,
    pub(super) status: &'static str,
    pub(super) vm: &'static str,
    pub(super) task: Option<&'static str>,
    pub(super) power: u8,
    pub(super) fault: Option<(String, Timestamp)>,
    pub(super) host: Option<usize>,
    pub(super) zone: Option<String>,
    pub(super) flavor: (String, String),
    pub(super) image: String,
    pub(super) key: Value,
    pub(super) description: Value,
    pub(super) floating: Vec<String>,
    pub(super) volumes: Vec<String>,
    pub(super) config_drive: bool,
    pub(super) group: Option<String>,
    pub(super) metadata: BTreeMap<String, Value>,
    pub(super) tags: Vec<String>,
    /// Ports that it was asked to have, and is to have.
    pub(super) ports: Vec<String>,
    /// It is to get a port that Nova makes, and removes.
    pub(super) wants_port: bool,
    pub(super) actions: Vec<Action>,
    /// What comes next, and when.
    pub(super) next: Option<(Instant, Step)>,
    pub(super) boots: u32,
    /// Somebody else made it, before the world began.
    pub(super) was_there_before: bool,
    /// What its guest reads when it boots for the first time.
    pub(super) user_data: String,
}

#[derive(Debug)]
pub(super) struct Action {
    pub(super) action: &'static str,
    /// A person's, or a program's; the cloud's own have none.
    pub(super) by: Option<&'static str>,
    pub(super) request: String,
    pub(super) started: Timestamp,
    pub(super) event: Option<(&'static str, Timestamp, Timestamp)>,
    pub(super) message: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) created: Timestamp,
    pub(super) device: String,
    pub(super) status: &'static str,
    pub(super) mac: String,
    pub(super) address: String,
    pub(super) groups: Vec<Value>,
    pub(super) pairs: Vec<Value>,
    pub(super) security: bool,
    pub(super) vnic: String,
    pub(super) tags: Vec<Value>,
    pub(super) is_trunk: bool,
    /// It goes with its server.
    pub(super) is_novas: bool,
}

impl State {
    pub(super) fn new(options: &Options, mut chance: fastrand::Rng) -> Self {
        let mut id = || id(&mut chance);
        let flavors = ["m1.tiny", "m1.small", "m1.large"].map(|name| (name.to_owned(), id()));
        let (image, network, subnet, group) = (id(), id(), id(), id());
        let hosts = options.hosts.iter().zip(options.zones.iter().cycle());
        Self {
            servers: BTreeMap::new(),
            ports: BTreeMap::new(),
            hosts: hosts
                .map(|(name, zone)| Host {
                    name: name.clone(),
                    zone: zone.clone(),
                    is_up: true,
                    is_known: true,
                })
                .collect(),
            zones: options.zones.clone(),
            flavors: flavors.into(),
            image,
            image_is_gone: false,
            network,
            subnet,
            group,
            quota: None,
            no_valid_host: 0,
            room: None,
            boot_delay: Duration::ZERO,
            door: Vec::new(),
            step: options.step.clone(),
            asked: BTreeMap::new(),
            made: 0,
            now: Instant::now(),
            wall: Timestamp::UNIX_EPOCH,
            chance,
        }
    }

    pub(super) fn stock(&self) -> Stock {
        Stock {
            flavors: self.flavors.clone(),
            image: self.image.clone(),
            network: self.network.clone(),
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::NoValidHost(count) => self.no_valid_host = count,
            Fault::Room(most) => self.room = Some(most),
            Fault::Quota(most) => self.quota = Some(most),
            Fault::BootDelay(delay) => self.boot_delay = delay,
            Fault::HostStopped(name) => {
                let hosts = self.hosts.iter_mut().filter(|host| host.name == name);
                hosts.for_each(|host| host.is_up = false);
            }
            Fault::CellDown(name) => {
                let hosts = self.hosts.iter_mut().filter(|host| host.name == name);
                hosts.for_each(|host| host.is_known = false);
            }
            Fault::ImageGone => self.image_is_gone = true,
            Fault::HostRestarted(name) => self.restart_host(&name),
            Fault::Door { .. } => self.door.push(fault),
        }
    }

    /// Its servers are off, and the cloud notices: it notes a stop that nobody asked for.
    fn restart_host(&mut self, name: &str) {
        let (wall, request) = (self.wall, self.request_id());
        let at = self.hosts.iter().position(|host| host.name == name);
        let servers = self.servers.values_mut();
        let on_it = servers.filter(|server| !server.is_gone && server.host == at && at.is_some());
        for server in on_it.filter(|server| server.vm == "active") {
            (server.status, server.vm, server.power, server.task) = ("SHUTOFF", "stopped", 4, None);
            server.next = None;
            server.actions.push(Action {
                action: "stop",
                by: None,
                request: request.clone(),
                started: wall,
                event: Some(("compute_stop_instance", wall, wall)),
                message: None,
            });
        }
    }

    pub(super) fn clear_faults(&mut self) -> usize {
        let left = self.door.len() + self.no_valid_host as usize;
        self.no_valid_host = 0;
        self.quota = None;
        self.boot_delay = Duration::ZERO;
        self.door.clear();
        for host in &mut self.hosts {
            (host.is_up, host.is_known) = (true, true);
        }
        left
    }

    /// Each fault at the door meets one request.
    pub(super) fn met_at_the_door(&mut self, request: &Request) -> Option<Effect> {
        let path = format!("/{}", request.path.join("/"));
        let meets = |fault: &Fault| match fault {
            Fault::Door {
                method, path_ends, ..
            } => *method == request.method && path.ends_with(path_ends.as_str()),
            _ => false,
        };
        let at = self.door.iter().position(meets)?;
        match self.door.remove(at) {
            Fault::Door { effect, .. } => Some(effect),
            _ => None,
        }
    }

    pub(super) fn host_of(&self, server: &str) -> Option<String> {
        let host = self.hosts.get(self.servers.get(server)?.host?)?;
        Some(host.name.clone())
    }

    pub(super) fn machines(&self) -> Vec<Machine> {
        let there = self.servers.iter().filter(|(_, server)| !server.is_gone);
        let mut machines: Vec<_> = there
            .filter_map(|(id, server)| {
                let host = self.hosts.get(server.host?)?;
                let machine = Machine {
                    id: id.clone(),
                    name: server.name.clone(),
                    zone: host.zone.clone(),
                    boots: server.boots,
                    is_running: server.power == 1,
                    is_reachable: host.is_up,
                    was_there_before: server.was_there_before,
                    user_data: server.user_data.clone(),
                    address: self.address_of(id),
                };
                Some((server.number, machine))
            })
            .collect();
        machines.sort_by_key(|(number, _)| *number);
        machines.into_iter().map(|(_, machine)| machine).collect()
    }

    /// That of its first port.
    fn address_of(&self, server: &str) -> String {
        let ports = self.ports.values().filter(|port| port.device == server);
        let first = ports.min_by_key(|port| port.number);
        first.map_or(String::new(), |port| port.address.clone())
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        let next = self.servers.values().filter_map(|server| server.next);
        next.map(|(at, _)| at).min()
    }

    pub(super) fn servers_there(&self) -> Vec<(String, Vec<String>)> {
        let there = self.servers.values().filter(|server| !server.is_gone);
        there
            .map(|server| (server.name.clone(), server.tags.clone()))
            .collect()
    }

    pub(super) fn foreign_server(&mut self, name: &str, zone: Option<&str>) -> String {
        let (request, flavor) = (self.request_id(), self.flavors[1].1.clone());
        let wanted = json!({
            "name": name, "flavorRef": flavor, "imageRef": self.image, "networks": "auto",
            "availability_zone": zone,
        });
        let usual = std::mem::replace(&mut self.step, Duration::ZERO..=Duration::ZERO);
        let id = super::compute::make(self, &wanted, &Value::Null, &request);
        if let Some(server) = self.servers.get_mut(&id) {
            server.was_there_before = true;
        }
        self.settle(self.now, self.wall);
        self.step = usual;
        id
    }

    pub(super) fn count(&mut self, request: &Request) {
        let what = request.path.first().cloned().unwrap_or_default();
        *self.asked.entry(what).or_default() += 1;
    }

    pub(super) fn give(&mut self, id: &str, extra: Extra) {
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        match extra {
            Extra::FloatingIp(ip) => server.floating.push(ip),
            Extra::Volume(id) => server.volumes.push(id),
            Extra::BootVolume(id) => {
                server.volumes.push(id);
                server.image.clear();
            }
            Extra::Key(name) => server.key = name.into(),
            Extra::Description(words) => server.description = words.into(),
            Extra::Trunk => {
                let mut ports = self.ports.values_mut();
                if let Some(port) = ports.find(|port| port.device == id) {
                    port.is_trunk = true;
                }
            }
        }
    }

    /// Gives a server another id, unless that is taken; its id then.
    pub(super) fn rename(&mut self, from: String, to: &str) -> String {
        if self.servers.contains_key(to) {
            return from;
        }
        if let Some(server) = self.servers.remove(&from) {
            self.servers.insert(to.to_owned(), server);
        }
        for port in self.ports.values_mut().filter(|port| port.device == from) {
            port.device = to.to_owned();
        }
        to.to_owned()
    }

    pub(super) fn id(&mut self) -> String {
        id(&mut self.chance)
    }

    pub(super) fn request_id(&mut self) -> String {
        format!("req-{}", self.id())
    }

    /// Its place among all that was made.
    pub(super) fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// How long the next step of a server's life takes.
    pub(super) fn step(&mut self) -> Duration {
        let (least, most) = (*self.step.start(), *self.step.end());
        let span = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(self.chance.u64(0..=span))
    }

    /// A host that is up, in the zone if one is named.
    pub(super) fn any_host(&mut self, zone: Option<&str>) -> Option<usize> {
        let fits = |host: &Host| host.is_up && zone.is_none_or(|zone| host.zone == zone);
        let fitting: Vec<usize> = (0..self.hosts.len())
            .filter(|at| fits(&self.hosts[*at]))
            .collect();
        match fitting.as_slice() {
            [] => None,
            fitting => Some(fitting[self.chance.usize(..fitting.len())]),
        }
    }

    /// Its cell is not down. One that was never scheduled is in none.
    pub(super) fn is_known(&self, host: Option<usize>) -> bool {
        host.and_then(|at| self.hosts.get(at))
            .is_none_or(|host| host.is_known)
    }

    pub(super) fn is_up(&self, host: Option<usize>) -> bool {
        host.and_then(|at| self.hosts.get(at))
            .is_some_and(|host| host.is_up)
    }
}

fn id(chance: &mut fastrand::Rng) -> String {
    let drawn = format!("{:032x}", chance.u128(..));
    let (a, b, c, d) = (&drawn[..8], &drawn[8..12], &drawn[13..16], &drawn[17..20]);
    format!("{a}-{b}-4{c}-8{d}-{}", &drawn[20..])
}
