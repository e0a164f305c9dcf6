use super::*;
use crate::repair::Replacement;

const CLUSTER: &str = "ours";
const UID: &str = "6f1c2a3b-0000-4000-8000-000000000000";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn late() -> Timestamp {
    at(2 * 3600 + 1)
}

fn server() -> ServerFound {
    ServerFound {
        id: ServerId::parse("s").unwrap(),
        name: "worker-1-r6f1c21".to_owned(),
        cluster: Some(CLUSTER.to_owned()),
        repair: Some(UID.to_owned()),
        state: Some(PROVISIONAL.to_owned()),
        tags: vec![format!("rectifier-{UID}-1")],
        created: Some(at(0)),
        known: true,
    }
}

fn port() -> PortFound {
    PortFound {
        id: PortId::parse("p").unwrap(),
        name: format!("rectifier-{UID}-1-0"),
        adopted: false,
        device: None,
        created: Some(at(0)),
    }
}

fn taken(server: ServerFound, port: PortFound, named: &Named, now: Timestamp) -> (bool, bool) {
    let found = Found {
        servers: vec![server],
        ports: vec![port],
    };
    let taken = leftovers(&found, named, CLUSTER, now).unwrap();
    let is = |wanted: &Leftover| taken.contains(wanted);
    (
        is(&Leftover::Server(found.servers[0].id.clone())),
        is(&Leftover::Port(found.ports[0].id.clone())),
    )
}

#[test]
fn what_nobody_names_is_taken_after_two_hours_and_not_before() {
    let nobody = Named::default();
    assert_eq!(taken(server(), port(), &nobody, late()), (true, true));
    let early = at(2 * 3600);
    assert_eq!(taken(server(), port(), &nobody, early), (false, false));
    let (mut ageless, mut ageless_port) = (server(), port());
    (ageless.created, ageless_port.created) = (None, None);
    assert_eq!(
        taken(ageless, ageless_port, &nobody, late()),
        (false, false)
    );
}

#[test]
fn what_is_anothers_adopted_or_in_use_is_never_taken() {
    let nobody = Named::default();
    let others: [fn(&mut ServerFound); 6] = [
        |server| server.cluster = Some("theirs".to_owned()),
        |server| server.cluster = None,
        |server| server.state = Some(ADOPTED.to_owned()),
        |server| server.state = None,
        |server| server.repair = None,
        |server| server.created = Some(at(100)),
    ];
    for other in others {
        let mut changed = server();
        other(&mut changed);
        assert!(
            !taken(changed.clone(), port(), &nobody, late()).0,
            "{changed:?}"
        );
    }
    let others: [fn(&mut PortFound); 4] = [
        |port| port.adopted = true,
        |port| port.device = Some(ServerId::parse("s").unwrap()),
        |port| port.name = "database".to_owned(),
        |port| port.created = Some(at(100)),
    ];
    for other in others {
        let mut changed = port();
        other(&mut changed);
        assert!(
            !taken(server(), changed.clone(), &nobody, late()).1,
            "{changed:?}"
        );
    }
}

#[test]
fn a_list_that_is_not_whole_takes_nothing() {
    let unknown = ServerFound {
        known: false,
        ..server()
    };
    let found = Found {
        servers: vec![server(), unknown],
        ports: vec![port()],
    };
    assert!(leftovers(&found, &Named::default(), CLUSTER, late()).is_err());
}

#[test]
fn what_a_node_or_an_open_repair_names_is_not_taken() {
    let mut by_provider = Named::default();
    by_provider.node("x", Some(&ServerId::parse("s").unwrap()));
    assert_eq!(taken(server(), port(), &by_provider, late()), (false, true));
    let mut by_name = Named::default();
    by_name.node("worker-1-r6f1c21", None);
    assert_eq!(taken(server(), port(), &by_name, late()), (false, true));

    // it may have posted, and not yet written down what came of it
    let mut open = Named::default();
    open.repair(UID, &Record::default());
    assert_eq!(taken(server(), port(), &open, late()), (false, false));
}

#[test]
fn of_an_open_repair_also_the_sick_server_and_its_ports_are_named() {
    let sick = |phase| {
        let mut named = Named::default();
        named.repair(
            "another",
            &Record {
                phase,
                server_id: Some("s".to_owned()),
                server_ports: vec!["p".to_owned()],
                ..Record::default()
            },
        );
        taken(server(), port(), &named, late())
    };
    assert_eq!(sick(Phase::DeletingServer), (false, false));
    for over in [Phase::Replaced, Phase::Recovered, Phase::Cancelled] {
        assert_eq!(sick(over), (true, true), "{over:?}");
    }
}

#[test]
fn a_server_of_which_nothing_is_known_is_not_taken() {
    let nobody = Named::default();
    let mut found = server();
    assert!(takes_server(&found, &nobody, CLUSTER, late()));
    found.known = false;
    assert!(!takes_server(&found, &nobody, CLUSTER, late()));
}

#[test]
fn of_a_repair_that_is_over_only_the_replacement_that_serves_is_named() {
    let over = |phase, attempt: &str| {
        let record = Record {
            phase,
            replacement: Some(Replacement {
                name: "worker-1-r6f1c21".to_owned(),
                server_id: Some(attempt.to_owned()),
                ports: vec![if attempt == "s" { "p" } else { "other" }.to_owned()],
                ..Replacement::default()
            }),
            ..Record::default()
        };
        let mut named = Named::default();
        // an archived copy has another UID
        named.repair("copy", &record);
        named
    };
    assert_eq!(
        taken(server(), port(), &over(Phase::Replaced, "s"), late()),
        (false, false)
    );
    // of the same repair, but of an attempt that was given up
    let mut earlier = server();
    earlier.name = "worker-1-r6f1c22".to_owned();
    assert_eq!(
        taken(earlier, port(), &over(Phase::Replaced, "later"), late()),
        (true, true)
    );
    assert_eq!(
        taken(server(), port(), &over(Phase::Cancelled, "s"), late()),
        (true, true),
        "it came after its repair was called off"
    );
}

#[test]
fn a_name_that_is_not_ours_says_no_repair() {
    assert_eq!(repair_of(&format!("rectifier-{UID}-12-0")), Some(UID));
    for other in [
        "",
        "rectifier-",
        "rectifier-1-0",
        "rectifier-a-b-0",
        "x-a-1-0",
        "rectifier-a-1-x",
        "rectifier-a-1-",
        "rectifier-a--1",
        "rectifier--1-0",
    ] {
        assert_eq!(repair_of(other), None, "{other}");
    }
}

/// The names that a repair gives are those that are known here.
#[test]
fn a_ports_name_says_of_which_repair_it_is() {
    let replacement = Replacement {
        tag: format!("rectifier-{UID}-3"),
        ..Replacement::default()
    };
    assert_eq!(repair_of(&replacement.port_name(1)), Some(UID));
}
