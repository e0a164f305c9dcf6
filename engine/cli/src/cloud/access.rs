//! `rectifier cloud access-rules`.

use rectifier_cloud::openstack::access::ACCESS_RULES;

use crate::output;
use crate::verdict::Verdict;

/// In the form that OpenStack's own client reads.
pub(crate) fn run() -> anyhow::Result<Verdict> {
    output::json(&ACCESS_RULES)?;
    Ok(Verdict::of(true))
}
