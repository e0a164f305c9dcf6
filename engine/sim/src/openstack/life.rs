//! What a server becomes as time passes.

use rectifier_core::clock::Timestamp;
use tokio::time::Instant;

use super::state::{Server, State};

/// What comes next in a server's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A host is found, and its ports are bound.
    Placed,
    /// It runs for the first time.
    Built,
    Rebooted,
    Stopped,
    Started,
    /// Its host has ended it.
    Terminated,
}

impl State {
    /// Lets everything happen that was due by now, in its order.
    pub(super) fn settle(&mut self, now: Instant, wall: Timestamp) {
        (self.now, self.wall) = (now, wall);
        loop {
            let due = self
                .servers
                .iter()
                .filter_map(|(id, server)| Some((server.next?, server.number, id.clone())))
                .filter(|((at, _), _, _)| *at <= now)
                .min_by_key(|((at, _), number, _)| (*at, *number));
            let Some(((at, step), _, id)) = due else {
                return;
            };
            if let Some(server) = self.servers.get_mut(&id) {
                server.next = None;
            }
            // A host that is down does nothing; what is asked of it is never done.
            let host = self.servers.get(&id).and_then(|server| server.host);
            if step == Step::Placed || self.is_up(host) {
                self.take(&id, step, at);
            }
        }
    }

    fn take(&mut self, id: &str, step: Step, at: Instant) {
        // When it was due: nobody may have looked for long.
        let ago = self.now.duration_since(at);
        let moment = self.wall.checked_sub(ago).unwrap_or(self.wall);
        match step {
            Step::Placed => self.place(id, moment, at),
            Step::Built => {
                self.ends(id, "compute__do_build_and_run_instance", moment, |server| {
                    (server.status, server.vm, server.power) = ("ACTIVE", "active", 1);
                    server.boots += 1;
                });
                for port in self.ports.values_mut().filter(|port| port.device == id) {
                    port.status = "ACTIVE";
                }
            }
            Step::Rebooted => self.ends(id, "compute_reboot_instance", moment, |server| {
                (server.status, server.vm, server.power) = ("ACTIVE", "active", 1);
                server.boots += 1;
            }),
            Step::Stopped => self.ends(id, "compute_stop_instance", moment, |server| {
                (server.status, server.vm, server.power) = ("SHUTOFF", "stopped", 4);
            }),
            Step::Started => self.ends(id, "compute_start_instance", moment, |server| {
                (server.status, server.vm, server.power) = ("ACTIVE", "active", 1);
                server.boots += 1;
            }),
            Step::Terminated => {
                self.ends(id, "compute_terminate_instance", moment, |_| {});
                self.bury(id);
            }
        }
    }

    /// A step is over, and its host says so.
    fn ends(
        &mut self,
        id: &str,
        event: &'static str,
        moment: Timestamp,
        change: impl FnOnce(&mut Server),
    ) {
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        server.task = None;
        change(server);
        if let Some(action) = server.actions.last_mut() {
            action.event = Some((event, action.started, moment));
        }
    }

    /// Finds a host and binds the ports, or gives up.
    fn place(&mut self, id: &str, moment: Timestamp, at: Instant) {
        let zone = self.servers.get(id).and_then(|server| server.zone.clone());
        let placed = self
            .servers
            .values()
            .filter(|server| server.host.is_some() && !server.is_gone);
        let is_full = self.room.is_some_and(|room| placed.count() >= room);
        let host = match self.no_valid_host {
            0 if is_full => None,
            0 => self.any_host(zone.as_deref()),
            _ => {
                self.no_valid_host -= 1;
                None
            }
        };
        let Some(host) = host else {
            self.fails(
                id,
                "No valid host was found. There are not enough hosts available.",
                moment,
            );
            return;
        };
        let ports = self
            .servers
            .get(id)
            .map(|server| server.ports.clone())
            .unwrap_or_default();
        let is_taken = |port: &String| {
            let port = self.ports.get(port);
            port.is_none_or(|port| !port.device.is_empty() && port.device != id)
        };
        if ports.iter().any(is_taken) {
            // Its clean-up unbinds what it was to have, though it is another's by now.
            self.unbind(&ports);
            self.fails(
                id,
                "Build of instance aborted: a port is still in use.",
                moment,
            );
            return;
        }
        for port in &ports {
            if let Some(port) = self.ports.get_mut(port) {
                port.device = id.to_owned();
            }
        }
        let wants_port = self.servers.get(id).is_some_and(|server| server.wants_port);
        if wants_port {
            let port = self.novas_port(id, moment);
            if let Some(server) = self.servers.get_mut(id) {
                server.ports.push(port);
            }
        }
        let (zone, takes) = (self.hosts[host].zone.clone(), self.step() + self.boot_delay);
        if let Some(server) = self.servers.get_mut(id) {
            (server.host, server.zone, server.task) = (Some(host), Some(zone), Some("spawning"));
            server.next = Some((at + takes, Step::Built));
        }
    }

    fn fails(&mut self, id: &str, why: &str, moment: Timestamp) {
        if let Some(server) = self.servers.get_mut(id) {
            (server.status, server.vm, server.task) = ("ERROR", "error", None);
            server.fault = Some((why.to_owned(), moment));
            if let Some(action) = server.actions.last_mut() {
                action.message = Some("Error");
            }
        }
    }

    fn unbind(&mut self, ports: &[String]) {
        for id in ports {
            if let Some(port) = self.ports.get_mut(id) {
                port.device.clear();
                port.status = "DOWN";
            }
        }
    }

    /// The server is no more. Its ports are free, or gone with it.
    pub(super) fn bury(&mut self, id: &str) {
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        (server.is_gone, server.task, server.next) = (true, None, None);
        server.gone_at = Some(self.wall);
        server.metadata.clear();
        server.tags.clear();
        self.ports
            .retain(|_, port| !(port.is_novas && port.device == id));
        for port in self.ports.values_mut().filter(|port| port.device == id) {
            port.device.clear();
            port.status = "DOWN";
        }
    }
}
