//! What similar servers would lack, as it was last looked at. Who waits for a turn, or for a person's word, is looked at every
//! few seconds; to ask the cloud half a dozen things each time would be a load without news.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rectifier_api::Provisioning;
use rectifier_core::clock::seconds_between;
use rectifier_core::name::{NodeName, ServerId};
use rectifier_core::policy::Seconds;
use rectifier_core::repair::Lack;

/// It is looked at again after this. 5 min: an image or a key pair seldom goes, and one that goes in between costs an
/// attempt that is taken back, no more.
const HOLDS: Seconds = 300;

/// For what it was looked at: the server, what the pool makes of it, and a person's last word to look again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) server: ServerId,
    pub(crate) provisioning: Provisioning,
    pub(crate) retried_at: Option<Timestamp>,
}

/// By node.
#[derive(Default)]
pub(super) struct Lacks(BTreeMap<NodeName, (Asked, Timestamp, Vec<Lack>)>);

impl Lacks {
    pub(super) fn keep(&mut self, node: &NodeName, asked: Asked, lacks: Vec<Lack>, now: Timestamp) {
        self.0.insert(node.clone(), (asked, now, lacks));
    }

    pub(super) fn known(
        &self,
        node: &NodeName,
        asked: &Asked,
        now: Timestamp,
    ) -> Option<Vec<Lack>> {
        let (for_what, at, lacks) = self.0.get(node)?;
        let holds = for_what == asked && *at <= now && seconds_between(*at, now) < HOLDS;
        holds.then(|| lacks.clone())
    }

    pub(super) fn forget(&mut self, node: &NodeName) {
        self.0.remove(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_a_while_for_the_same_question() {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let node = NodeName::parse("worker-1").unwrap();
        let provisioning = serde_json::json!({"userData": "x", "apiServer": "https://x"});
        let asked = Asked {
            server: ServerId::parse("s").unwrap(),
            provisioning: serde_json::from_value(provisioning).unwrap(),
            retried_at: None,
        };
        let mut lacks = Lacks::default();
        lacks.keep(&node, asked.clone(), Vec::new(), at(1000));
        assert!(lacks.known(&node, &asked, at(1299)).is_some());
        // too old, or of a clock that has jumped back
        assert!(lacks.known(&node, &asked, at(1300)).is_none());
        assert!(lacks.known(&node, &asked, at(999)).is_none());
        let retried = Asked {
            retried_at: Some(at(1001)),
            ..asked.clone()
        };
        let rolled = Asked {
            provisioning: Provisioning {
                image: Some("i".to_owned()),
                ..asked.provisioning.clone()
            },
            ..asked.clone()
        };
        for other in [retried, rolled] {
            assert!(lacks.known(&node, &other, at(1001)).is_none());
        }
        lacks.forget(&node);
        assert!(lacks.known(&node, &asked, at(1001)).is_none());
    }
}
