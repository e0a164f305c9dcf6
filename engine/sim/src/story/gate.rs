//! Holds a repair in each of the controller's phases: what is written to change it is refused until it is let go. The
//! refused write says that the controller has seen its step done.

use std::sync::{Arc, Mutex};

use rectifier_core::repair::Phase;
use serde_json::Value;

use crate::kubernetes::{ApiServer, Gate, Write};
use crate::landing::lock;
use crate::scene::CONTROLLER;

/// Where a repair is held.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// In the phase whose step is done.
    phase: Option<String>,
    /// The phase that it may leave.
    let_go: Option<String>,
}

impl Held {
    pub(super) fn is_held_in(&self, phase: Phase) -> bool {
        self.phase.as_ref() == Some(&format!("{phase:?}"))
    }

    pub(super) fn let_go(&mut self) {
        self.let_go = self.phase.take();
    }
}

/// Closed in every phase but the node engine's own.
pub(super) fn gate(api: &ApiServer, sick: &str, held: Arc<Mutex<Held>>) -> Gate {
    let (api, name) = (api.clone(), format!("{sick}.repair"));
    let path = format!("/noderepairs/{name}/status");
    Arc::new(move |write: &Write<'_>| {
        if write.who != CONTROLLER || !write.path.ends_with(&path) {
            return false;
        }
        let repairs = api.objects("noderepairs.rectifier.dev");
        let own = repairs
            .iter()
            .find(|repair| repair["metadata"]["name"] == name.as_str());
        let phase = |repair: &Value| repair["status"]["phase"].as_str().map(str::to_owned);
        let (Some(is), Some(next)) = (own.and_then(|own| phase(own)), phase(&write.body)) else {
            return false;
        };
        let mut held = lock(&held);
        let may = is == next
            || is == format!("{:?}", Phase::HealingInNode)
            || held.let_go.as_ref() == Some(&is);
        if !may {
            held.phase = Some(is);
        }
        !may
    })
}
