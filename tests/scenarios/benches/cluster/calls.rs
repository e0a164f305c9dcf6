//! The controller's requests to both APIs.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rectifier_bed::kubernetes::Record;
use rectifier_bed::openstack::Request;
use rectifier_scenarios::evidence::CONTROLLER;
use rectifier_scenarios::wait::text;

use rectifier_scenarios::site::Site;

/// Which API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum To {
    Kubernetes,
    OpenStack,
}

/// One request that has had its answer.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) to: To,
    pub(crate) what: String,
    /// Of a repair's record: its phase.
    pub(crate) phase: String,
    pub(crate) writes: bool,
    pub(crate) received: Timestamp,
    pub(crate) answered: Timestamp,
}

impl Call {
    pub(crate) fn took(&self) -> SignedDuration {
        self.answered.duration_since(self.received)
    }

    fn of_record(record: &Record) -> Self {
        let object = &record.object;
        let sub = match object.subresource.as_str() {
            "" => String::new(),
            sub => format!("/{sub}"),
        };
        Self {
            to: To::Kubernetes,
            what: format!("{} {}{sub}", record.verb, object.resource),
            phase: text(&record.body, "/status/phase").to_owned(),
            writes: !["get", "list"].contains(&record.verb.as_str()),
            received: record.received,
            answered: record.answered,
        }
    }

    fn of_request(request: &Request) -> Self {
        let what = request.shape();
        Self {
            to: To::OpenStack,
            writes: !what.starts_with("GET ") && !what.contains(" identity"),
            what,
            phase: String::new(),
            received: request.received,
            answered: request.answered,
        }
    }
}

/// Those of repairs that were received in that time, in the order of their arrival. What the controller does beside them is
/// not among them: watches, its Lease, and what pools' statuses say.
pub(crate) fn within(
    site: &Site,
    records: &[Record],
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Call>> {
    let of_repairs = |record: &&Record| {
        let (verb, resource) = (record.verb.as_str(), record.object.resource.as_str());
        record.user == CONTROLLER
            && verb != "watch"
            && (verb, resource) != ("update", "leases")
            && resource != "repairpools"
    };
    let requests = site.openstack.requests()?;
    let mut calls: Vec<Call> = records
        .iter()
        .filter(of_repairs)
        .map(Call::of_record)
        .chain(requests.iter().map(Call::of_request))
        .filter(|call| from <= call.received && call.received <= until)
        .collect();
    calls.sort_by_key(|call| call.received);
    Ok(calls)
}

/// How often each kind of request was made, and how long the answers took in all, in the order of their first.
#[derive(Debug, Default)]
pub(crate) struct Table {
    order: Vec<(To, String)>,
    rows: BTreeMap<(To, String), (usize, SignedDuration)>,
}

impl Table {
    pub(crate) fn add(&mut self, call: &Call) {
        let key = (call.to, call.what.clone());
        if !self.rows.contains_key(&key) {
            self.order.push(key.clone());
        }
        let (times, took) = self.rows.entry(key).or_default();
        *times += 1;
        *took += call.took();
    }

    /// Shared by so many repairs.
    pub(crate) fn print(&self, repairs: usize) {
        let share = |amount: f64| amount / repairs as f64;
        println!("       ms  times  request");
        for key in &self.order {
            let (times, took) = &self.rows[key];
            println!(
                "  {:7.1} {:6.1}  {:?}: {}",
                share(took.as_secs_f64() * 1e3),
                share(*times as f64),
                key.0,
                key.1
            );
        }
    }

    /// How many to that API, shared by so many repairs.
    pub(crate) fn count(&self, to: To, repairs: usize) -> f64 {
        let rows = self.rows.iter().filter(|((of, _), _)| *of == to);
        let times: usize = rows.map(|(_, (times, _))| times).sum();
        times as f64 / repairs as f64
    }
}

/// How much of the time in which calls were made was any of them under way. They are in the order of their arrival.
pub(crate) fn busy<'a>(calls: impl Iterator<Item = &'a Call>, until: Timestamp) -> SignedDuration {
    let mut sum = SignedDuration::ZERO;
    let mut end = Timestamp::MIN;
    for call in calls {
        let (from, to) = (call.received.max(end), call.answered.min(until));
        if to > from {
            sum += to.duration_since(from);
        }
        end = end.max(to);
    }
    sum
}
