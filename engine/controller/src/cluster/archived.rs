//! What is kept of the repairs that are over.

use jiff::Timestamp;
use kube::ResourceExt;

use super::made::Made;
use crate::slim::SlimRepair;

/// A repair that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archived {
    pub(crate) uid: String,
    pub(crate) pool: Option<String>,
    pub(crate) ended: Timestamp,
    /// What took its node's place.
    pub(crate) made: Option<Made>,
}

impl Archived {
    /// Of an archived copy; `None` if its status is not written yet.
    pub(crate) fn of(copy: &SlimRepair) -> Option<Self> {
        let status = Some(&copy.status).filter(|status| status.phase.is_final())?;
        Some(Self {
            uid: copy.uid()?,
            pool: status.pool.clone(),
            ended: status.since?,
            made: Made::of(copy),
        })
    }
}
