//! The real node engines, one on each machine that is up and whose Node is there, as a DaemonSet keeps them.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use rectifier_core::clock::Clock;
use rectifier_core::name::NodeName;
use rectifier_core::switches::Switches;
use rectifier_node::{Config, Error, History, Journal, JournalError, Parts};
use rectifier_policy_host::Advisor;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::cluster::is_on;
use crate::kubernetes::{ApiServer, Identity};
use crate::machine::Machines;

/// The ServiceAccount of the DaemonSet's pods (`deploy/rbac.yaml`).
const NAMESPACE: &str = "rectifier-agents";
const ACCOUNT: &str = "rectifier-node";

/// Keeps them running.
pub(crate) struct Agents {
    pub(crate) api: ApiServer,
    pub(crate) machines: Machines,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policies: Arc<dyn Advisor>,
    pub(crate) config: Config,
}

/// One that runs; dropped, it is killed.
struct Running {
    number: u64,
    engine: JoinSet<Result<(), rectifier_node::Error>>,
}

impl Agents {
    /// Ends only if an engine does, which none ever should; then it says why.
    pub(crate) async fn run(self) -> String {
        let (mut changes, mut machines) = (self.api.listen(), self.machines.told());
        let mut running: BTreeMap<String, Running> = BTreeMap::new();
        loop {
            let wanted = self.wanted();
            running.retain(|server, is| {
                let number = wanted.get(server).map(|(_, number)| *number);
                number == Some(is.number)
            });
            for (server, (name, number)) in wanted {
                if running.contains_key(&server) {
                    continue;
                }
                match self.start(&server, &name) {
                    Ok(engine) => drop(running.insert(server, Running { number, engine })),
                    Err(why) => return format!("{name}: {why}"),
                }
            }
            let mut again = Vec::new();
            for (server, is) in &mut running {
                match is.engine.try_join_next() {
                    None => {}
                    // it asks to be started anew
                    Some(Ok(Err(Error::Journal(JournalError::Back { .. })))) => {
                        again.push(server.clone());
                    }
                    Some(ended) => {
                        return format!("the node engine on {server} ended: {ended:?}");
                    }
                }
            }
            if !again.is_empty() {
                running.retain(|server, _| !again.contains(server));
                continue;
            }
            let due = self.machines.next_due();
            tokio::select! {
                biased;
                () = changes.changed() => {}
                () = machines.changed() => {}
                () = async { match due { Some(due) => sleep_until(due).await, None => pending().await } } => {}
            }
        }
    }

    /// By server: the node's name, and its engine's number.
    fn wanted(&self) -> BTreeMap<String, (String, u64)> {
        let nodes = self.api.objects("nodes");
        let mut wanted = self.machines.agents();
        wanted.retain(|server, (name, _)| nodes.iter().any(|node| is_on(node, server, name)));
        wanted
    }

    /// By the token of its pod, which names the node.
    fn identity(&self, name: &str) -> Identity {
        let nodes = self.api.objects("nodes");
        let node = nodes.iter().find(|node| node["metadata"]["name"] == name);
        let uid = node.and_then(|node| node["metadata"]["uid"].as_str());
        Identity::account(NAMESPACE, ACCOUNT).on_node(name, uid.unwrap_or_default())
    }

    fn start(
        &self,
        server: &str,
        name: &str,
    ) -> Result<JoinSet<Result<(), rectifier_node::Error>>, String> {
        let disk = self.machines.disk(server).ok_or("the machine is gone")?;
        let parts = Parts {
            config: self.config.clone(),
            node: NodeName::parse(name).map_err(|error| error.to_string())?,
            clock: self.clock.clone(),
            switches: Switches::default(),
            policies: self.policies.clone(),
            client: self
                .api
                .client_of(&format!("agent@{name}"), self.identity(name)),
            machine: self.machines.machine(server),
            history: History::default(),
            journal: Journal::on(disk).map_err(|error| format!("{error:?}"))?,
        };
        let mut engine = JoinSet::new();
        engine.spawn(rectifier_node::run(parts, pending()));
        Ok(engine)
    }
}
