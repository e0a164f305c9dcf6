//! Which volumes keep their pods on one node for ever.

use crate::repair::volume::{Operator, Place, Requirement, Term, Volume};

const ZONE: &str = "topology.kubernetes.io/zone";

fn place(name: &str, zone: &str) -> Place {
    let labels = [
        ("kubernetes.io/hostname", name),
        ("topology.topolvm.io/node", name),
        ("disk", "ssd"),
        (ZONE, zone),
    ];
    Place {
        name: name.to_owned(),
        labels: labels
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    }
}

fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
    Requirement {
        key: key.to_owned(),
        operator,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

fn by_labels(labels: &[Requirement]) -> Term {
    Term {
        labels: labels.to_vec(),
        fields: Vec::new(),
    }
}

fn is_in(key: &str, values: &[&str]) -> Vec<Term> {
    vec![by_labels(&[requirement(key, Operator::In, values)])]
}

fn is_stuck(of_host: bool, terms: Vec<Term>) -> bool {
    let others = [place("worker-2", "az-2"), place("worker-3", "az-3")];
    Volume { of_host, terms }.is_of(&place("worker-1", "az-1"), &["server-1"], &others)
}

#[test]
fn a_folder_of_the_host_stays_on_it() {
    assert!(is_stuck(
        true,
        is_in("kubernetes.io/hostname", &["worker-1"])
    ));
    assert!(is_stuck(true, Vec::new()), "a hostPath names no node");
    assert!(
        !is_stuck(true, is_in("kubernetes.io/hostname", &["worker-2"])),
        "it is another's"
    );
    // its label would be on the replacement, the disk would not
    assert!(is_stuck(true, is_in(ZONE, &["az-1"])));
}

#[test]
fn a_volume_that_names_the_node_stays_on_it_whatever_the_label_is_called() {
    assert!(is_stuck(
        false,
        is_in("kubernetes.io/hostname", &["worker-1"])
    ));
    assert!(is_stuck(
        false,
        is_in("topology.topolvm.io/node", &["worker-1"])
    ));
    let field = Term {
        labels: Vec::new(),
        fields: vec![requirement("metadata.name", Operator::In, &["worker-1"])],
    };
    assert!(is_stuck(false, vec![field]));
    let mut node = place("worker-1", "az-1");
    node.labels
        .insert("csi/instance".to_owned(), "server-1".to_owned());
    let volume = Volume {
        of_host: false,
        terms: is_in("csi/instance", &["server-1"]),
    };
    assert!(volume.is_of(&node, &["server-1"], &[]));
}

#[test]
fn a_volume_of_a_zone_moves_to_the_replacement_though_the_node_is_the_only_one_there() {
    assert!(!is_stuck(false, is_in(ZONE, &["az-1"])));
    assert!(!is_stuck(false, Vec::new()));
    assert!(!is_stuck(false, is_in("disk", &["ssd"])));
}

#[test]
fn a_volume_that_another_node_can_have_moves_there() {
    assert!(!is_stuck(
        false,
        is_in("kubernetes.io/hostname", &["worker-1", "worker-2"])
    ));
    let either = [
        is_in("kubernetes.io/hostname", &["worker-1"]),
        is_in(ZONE, &["az-3"]),
    ]
    .concat();
    assert!(!is_stuck(false, either), "one of its terms is enough");
    let all = by_labels(&[
        requirement("kubernetes.io/hostname", Operator::In, &["worker-1"]),
        requirement(ZONE, Operator::In, &["az-3"]),
    ]);
    assert!(
        is_stuck(false, vec![all]),
        "all requirements of a term must hold"
    );
}

#[test]
fn requirements_mean_what_they_mean_to_the_scheduler() {
    let only = |requirement: Requirement| is_stuck(false, vec![by_labels(&[requirement])]);
    assert!(!only(requirement("disk", Operator::Exists, &[])));
    assert!(only(requirement("tape", Operator::Exists, &[])));
    assert!(!only(requirement("tape", Operator::DoesNotExist, &[])));
    assert!(!only(requirement("disk", Operator::NotIn, &["hdd"])));
    assert!(only(requirement("disk", Operator::NotIn, &["ssd"])));
    assert!(only(requirement("disk", Operator::Gt, &["1"])), "no number");
    assert!(
        is_stuck(false, vec![Term::default()]),
        "an empty term holds nowhere"
    );
    let mut other = place("worker-2", "az-2");
    other.labels.insert("generation".to_owned(), "3".to_owned());
    for (operator, than, can) in [
        (Operator::Gt, "2", true),
        (Operator::Gt, "3", false),
        (Operator::Lt, "4", true),
        (Operator::Lt, "3", false),
    ] {
        let volume = Volume {
            of_host: false,
            terms: vec![by_labels(&[requirement("generation", operator, &[than])])],
        };
        let stuck = volume.is_of(&place("worker-1", "az-1"), &[], &[other.clone()]);
        assert_eq!(stuck, !can, "{operator:?} {than}");
    }
}

#[test]
fn a_node_is_known_by_its_name_and_by_its_hostname() {
    let mut node = place("worker-1", "az-1");
    for (key, value) in [
        ("kubernetes.io/hostname", "host-1"),
        ("csi/node", "worker-1"),
        ("csi/host", "host-1"),
    ] {
        node.labels.insert(key.to_owned(), value.to_owned());
    }
    for (key, value, stuck) in [
        ("kubernetes.io/hostname", "host-1", true),
        ("csi/node", "worker-1", true),
        ("csi/host", "host-1", true),
        (ZONE, "az-1", false),
    ] {
        let volume = Volume {
            of_host: false,
            terms: is_in(key, &[value]),
        };
        assert_eq!(volume.is_of(&node, &[], &[]), stuck, "{key}");
    }
}

#[test]
fn a_term_holds_where_its_labels_and_its_fields_hold() {
    let term = |labels: &[Requirement], key: &str, name: &str| {
        let term = Term {
            labels: labels.to_vec(),
            fields: vec![requirement(key, Operator::In, &[name])],
        };
        is_stuck(false, vec![term])
    };
    let ssd = [requirement("disk", Operator::In, &["ssd"])];
    let hdd = [requirement("disk", Operator::In, &["hdd"])];
    assert!(!term(&[], "metadata.name", "worker-2"));
    assert!(!term(&ssd, "metadata.name", "worker-2"));
    assert!(term(&hdd, "metadata.name", "worker-2"));
    assert!(term(&ssd, "metadata.name", "worker-1"));
    assert!(term(&ssd, "metadata.uid", "worker-2"), "no such field");
}

#[test]
fn a_volume_of_a_zone_keeps_its_pods_out_of_another() {
    let keeps = |zone: &str, terms: Vec<Term>| {
        let volume = Volume {
            of_host: false,
            terms,
        };
        volume.stays_out_of(zone, &place("worker-1", "az-1"), &["server-1"])
    };
    assert!(keeps("az-2", is_in(ZONE, &["az-1"])));
    assert!(!keeps("az-1", is_in(ZONE, &["az-1"])));
    assert!(!keeps("az-2", is_in(ZONE, &["az-1", "az-2"])), "of both");
    assert!(!keeps("az-2", is_in("disk", &["ssd"])));
    assert!(!keeps("az-2", Vec::new()));
    // on the node alone: it would not be with a replacement in this zone, either
    assert!(!keeps(
        "az-2",
        is_in("kubernetes.io/hostname", &["worker-1"])
    ));
}
