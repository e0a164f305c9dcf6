//! What is kept of the repairs that are over.

use jiff::Timestamp;
use kube::ResourceExt;
use rectifier_api::NodeRepair;
use rectifier_core::repair;

use super::made::Made;
use crate::slim::SlimRepair;

/// A repair that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archived {
    pub(crate) uid: String,
    pub(crate) pool: Option<String>,
    /// Whose it was.
    pub(crate) node: String,
    /// What the node's next repair is to know of it.
    pub(crate) story: repair::Archived,
    /// What took its node's place.
    pub(crate) made: Option<Made>,
}

impl Archived {
    /// Of a copy that was just made.
    pub(crate) fn new(copy: &NodeRepair) -> Option<Self> {
        let record = copy.status.as_ref()?;
        Some(Self {
            uid: copy.uid()?,
            pool: record.pool.clone(),
            node: copy.spec.node_name.clone(),
            story: repair::Archived::of(&copy.spec.request(), record)?,
            made: Made::new(copy),
        })
    }

    /// Of an archived copy; `None` if its status is not written yet.
    pub(crate) fn of(copy: &SlimRepair) -> Option<Self> {
        let status = Some(&copy.status).filter(|status| status.phase.is_final())?;
        Some(Self {
            uid: copy.uid()?,
            pool: status.pool.clone(),
            node: copy.spec.node_name.clone(),
            story: repair::Archived {
                node_uid: copy.spec.node_uid.clone(),
                problem: copy.spec.problem.kind.clone(),
                phase: status.phase,
                reason: status.reason,
                ended: status.since?,
                tried: status.tried.clone(),
            },
            made: Made::of(copy),
        })
    }

    /// When it was over.
    pub(crate) fn ended(&self) -> Timestamp {
        self.story.ended
    }
}
