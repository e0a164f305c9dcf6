//! Volumes that are on one node alone: whoever uses one can never leave that node with it.

use std::collections::BTreeMap;

/// What a PersistentVolume says about where it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Volume {
    /// It is a folder or a disk of a node: its source is `local` or `hostPath`.
    pub of_host: bool,
    /// The terms of its required node affinity, of which one must hold; none, if it can be on any node.
    pub terms: Vec<Term>,
}

/// All of these must hold. One without any holds nowhere, as for the scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Term {
    /// Of the node's labels.
    pub labels: Vec<Requirement>,
    /// Of its fields, of which there is one: `metadata.name`.
    pub fields: Vec<Requirement>,
}

/// One of a node selector's requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label's or field's name.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub values: Vec<String>,
}

/// See <https://kubernetes.io/docs/reference/kubernetes-api/definitions/node-selector-requirement-v1-core/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the API's own names say it")]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
}

/// A node, as far as a volume's affinity reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Labels that say which of all nodes one is: each has a value of its own, by which CSI drivers of local disks, too, mark
/// where a volume is. A zone's name does not, though the node may be the only one in it: its replacement is there, too.
const HOSTNAME: &str = "kubernetes.io/hostname";

impl Volume {
    /// Is it on this node alone? `identities` are values that are this node's alone (its UID, its server's id). A volume that a
    /// replacement in the node's place could have, with all labels but those that name the node itself, is not.
    pub fn is_of(&self, node: &Place, identities: &[&str], others: &[Place]) -> bool {
        if self.of_host && self.terms.is_empty() {
            return true;
        }
        if self.terms.is_empty() {
            return false;
        }
        let replacement = replacement_of(node, identities);
        // A folder of this host stays on it, wherever else its affinity would let it be.
        let elsewhere = !self.of_host && self.can_be_on(&replacement);
        !elsewhere && !others.iter().any(|other| self.can_be_on(other))
    }

    /// Can a replacement of this node have it, but not if that is made in another zone?
    pub fn stays_out_of(&self, zone: &str, node: &Place, identities: &[&str]) -> bool {
        let near = replacement_of(node, identities);
        let mut far = near.clone();
        // the cluster's own label, its former one, and those of CSI drivers
        let labels = far.labels.iter_mut();
        labels
            .filter(|(key, _)| key.ends_with("/zone"))
            .for_each(|(_, value)| zone.clone_into(value));
        !self.terms.is_empty() && self.can_be_on(&near) && !self.can_be_on(&far)
    }

    fn can_be_on(&self, place: &Place) -> bool {
        self.terms.iter().any(|term| {
            let mut all = term.labels.iter().map(|wanted| {
                let value = place.labels.get(&wanted.key);
                wanted.holds(value.map(String::as_str))
            });
            let mut fields = term
                .fields
                .iter()
                .map(|wanted| wanted.key == "metadata.name" && wanted.holds(Some(&place.name)));
            let is_empty = term.labels.is_empty() && term.fields.is_empty();
            !is_empty && all.all(|holds| holds) && fields.all(|holds| holds)
        })
    }
}

/// What may be in the node's place: all of its labels but those that name the node itself.
fn replacement_of(node: &Place, identities: &[&str]) -> Place {
    let own = |value: &str| {
        value == node.name
            || Some(value) == node.labels.get(HOSTNAME).map(String::as_str)
            || identities.contains(&value)
    };
    let labels = node.labels.iter().filter(|(_, value)| !own(value));
    Place {
        name: String::new(),
        labels: labels
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    }
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_in = value.is_some_and(|value| self.values.iter().any(|one| one == value));
        let number = |text: &str| text.parse::<i64>().ok();
        let (left, right) = (
            value.and_then(number),
            self.values.first().and_then(|text| number(text)),
        );
        match self.operator {
            Operator::In => is_in,
            Operator::NotIn => !is_in,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => left.zip(right).is_some_and(|(left, right)| left > right),
            Operator::Lt => left.zip(right).is_some_and(|(left, right)| left < right),
        }
    }
}
