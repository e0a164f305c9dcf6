//! What a pass may use: clock, policies, API server, systemd, switches. Nothing of it is reached in another way, so that
//! a simulator can own all of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::Client;
use rectifier_core::clock::Clock;
use rectifier_core::episode::Limits;
use rectifier_core::name::{NodeName, UnitName};
use rectifier_core::switches::Switches;
use rectifier_policy_host::Advisor;

use crate::config::Config;
use crate::history::History;
use crate::machine::Machine;
use crate::npd;
use crate::tell::Teller;
use crate::trouble::Trouble;

pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) node: NodeName,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) switches: Switches,
    pub(crate) policies: Arc<dyn Advisor>,
    pub(crate) client: Client,
    pub(crate) machine: Arc<dyn Machine>,
    pub(crate) npd: npd::Reader,
    pub(crate) npd_trouble: Trouble,
    /// Somebody inhibits a reboot that is offered.
    pub(crate) inhibited: Trouble,
    pub(crate) counters_trouble: Trouble,
    /// What rules of problems name, and nobody knows.
    pub(crate) unknown: Trouble,
    /// A problem that a rule makes, and no policy handles.
    pub(crate) unhandled: Trouble,
    /// The units that rules of problems are about.
    pub(crate) watched: BTreeSet<UnitName>,
    pub(crate) teller: Teller,
    pub(crate) history: History,
}
