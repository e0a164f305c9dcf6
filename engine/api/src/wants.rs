//! What a person wants done to a node: said when they open its repair, or on one that is open.

use kube::ResourceExt;
use rectifier_core::repair::{Rung, WANTS};

use crate::NodeRepair;

/// The annotation counts more than the spec: it is said later. One that names no rung says nothing (admission refuses it).
pub fn wants(repair: &NodeRepair) -> Option<Rung> {
    let said = repair.annotations().get(WANTS);
    said.and_then(|said| rung(said.trim()))
        .or(repair.spec.wants)
}

fn rung(word: &str) -> Option<Rung> {
    [Rung::Reboot, Rung::HardReboot, Rung::Replace]
        .into_iter()
        .find(|rung| format!("{rung:?}") == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_rungs_name_and_nothing_else_is() {
        assert_eq!(rung("Replace"), Some(Rung::Replace));
        assert_eq!(rung("HardReboot"), Some(Rung::HardReboot));
        assert_eq!(rung("replace"), None);
    }
}
