//! What a policy is told of the rungs that the control plane has: may they be taken now, and if not, why.

use super::attempts::ATTEMPTS;
use super::history;
use super::judge::touchable;
use super::seen::Seen;
use crate::policy::Gate;
use crate::reason::Reason;

/// The gates of a reboot by the cloud, and of a replacement.
pub fn gates(seen: &Seen) -> (Gate, Gate) {
    let shut = shut(seen);
    let gate = |own: Option<String>| match own.or_else(|| shut.clone()) {
        Some(why) => Gate::Closed(why),
        None => Gate::Open,
    };
    (gate(no_reboot(seen)), gate(no_replacement(seen)))
}

/// What holds for both.
fn shut(seen: &Seen) -> Option<String> {
    if let Err(none) = seen.pool {
        return Some(Reason::from(none).text().to_owned());
    }
    let next = touchable(seen).err()?;
    Some(next.record.message)
}

fn no_reboot(seen: &Seen) -> Option<String> {
    (!history::may_hard_reboot(seen)).then(|| Reason::RebootedAlready.text().to_owned())
}

fn no_replacement(seen: &Seen) -> Option<String> {
    let provisions = seen.pool.as_ref().is_ok_and(|rules| rules.provisions);
    if !provisions {
        return Some("the pool has no provisioning".to_owned());
    }
    let failed = history::failed_replacements(seen);
    (failed >= ATTEMPTS).then(|| format!("{failed} replacements of this node failed within a day"))
}
