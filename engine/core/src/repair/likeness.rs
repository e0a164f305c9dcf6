//! What a sick server has and a similar one would not have. A replacement is like it, or it is not made: what cannot be
//! copied is named before anything is touched, and made without only if the pool says so.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::{NodeSeen, Rules};

/// A part of a server that a pool can do without.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Part {
    /// The floating address that leads to it. It stays with the sick server, and is free when that is gone.
    FloatingIp,
    /// The key with which people log in. It is its user's own: the engine's user may not have one of that name.
    KeyPair,
    /// The further networks of a port that is a trunk.
    Trunk,
    /// Volumes beside those of the cluster's PersistentVolumes. They are kept.
    Volumes,
}

/// Something that a similar server would not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Without it none can be made: an image that is gone, a boot volume. The words say what.
    Base(String),
    /// The key pair of this name is not the engine's user's.
    KeyPair(String),
    /// A floating address.
    FloatingIp(String),
    /// A port, by its id, is a trunk.
    Trunk(String),
    /// A volume, by its id.
    Volume(String),
}

impl Lack {
    /// The part that a pool can do without; `None`: nothing can be made without it.
    pub fn part(&self) -> Option<Part> {
        match self {
            Lack::Base(_) => None,
            Lack::KeyPair(_) => Some(Part::KeyPair),
            Lack::FloatingIp(_) => Some(Part::FloatingIp),
            Lack::Trunk(_) => Some(Part::Trunk),
            Lack::Volume(_) => Some(Part::Volumes),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Base(what) => f.write_str(what),
            Lack::KeyPair(name) => write!(f, "the engine's user has no key pair {name}"),
            Lack::FloatingIp(ip) => write!(f, "the floating address {ip} would not lead to it"),
            Lack::Trunk(port) => write!(f, "port {port} is a trunk"),
            Lack::Volume(id) => write!(f, "volume {id} is no PersistentVolume's"),
        }
    }
}

/// Those that the pool does not do without. The volumes that Kubernetes attached to the node are its pods', and follow them.
pub fn forbidden<'a>(
    lacks: &'a [Lack],
    rules: &'a Rules,
    node: Option<&'a NodeSeen>,
) -> impl Iterator<Item = &'a Lack> {
    let attached: BTreeSet<&str> = node
        .iter()
        .flat_map(|node| &node.volumes)
        // `kubernetes.io/csi/DRIVER^ID`
        .filter_map(|name| name.rsplit_once('^'))
        .map(|(_, id)| id)
        .collect();
    lacks.iter().filter(move |lack| {
        let of_pods = matches!(lack, Lack::Volume(id) if attached.contains(id.as_str()));
        let without = lack
            .part()
            .is_some_and(|part| rules.without.contains(&part));
        !of_pods && !without
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{node, rules};
    use super::*;

    fn words(lacks: &[Lack], rules: &Rules, node: &NodeSeen) -> Vec<String> {
        let forbidden = forbidden(lacks, rules, Some(node));
        forbidden.map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_pool_does_without_is_no_hindrance_and_what_nothing_is_made_without_always_is() {
        let lacks = [
            Lack::Base("its image is gone".to_owned()),
            Lack::KeyPair("ops".to_owned()),
            Lack::FloatingIp("203.0.113.7".to_owned()),
            Lack::Trunk("port-1".to_owned()),
            Lack::Volume("volume-1".to_owned()),
        ];
        assert_eq!(words(&lacks, &rules(), &node()).len(), lacks.len());
        let all = [Part::FloatingIp, Part::KeyPair, Part::Trunk, Part::Volumes];
        let without = Rules {
            without: all.into(),
            ..rules()
        };
        assert_eq!(words(&lacks, &without, &node()), ["its image is gone"]);
    }

    #[test]
    fn a_volume_that_kubernetes_attached_is_its_pods() {
        let node = NodeSeen {
            volumes: vec!["kubernetes.io/csi/cinder.csi.openstack.org^volume-1".to_owned()],
            ..node()
        };
        let lacks = ["volume-1", "volume-2"].map(|id| Lack::Volume(id.to_owned()));
        assert_eq!(
            words(&lacks, &rules(), &node),
            ["volume volume-2 is no PersistentVolume's"]
        );
    }
}
