//! Does the cloud have what the cluster says, and nothing of ours beside it? What the engine collects by itself is named here
//! as well as what it never touches: that an adopted server has no Node any more may be a person's plan.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::{ADOPTED, Found, Named, PortFound, ServerFound, is_old, repair_of};
use crate::name::ServerId;

/// A server that was deleted lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// Its host has reported that it ended the machine.
    pub by_host: bool,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A server of ours, not adopted yet, that no Node and no open repair names.
    LeakedServer,
    /// A server of ours that was adopted, and whose Node is gone.
    AdoptedWithoutNode,
    /// A server bears a tag of ours, and does not say of which cluster it is.
    TagWithoutMarks,
    /// Several servers bear one attempt's tag.
    TwinServers,
    /// A port of ours that no server has and no open repair names.
    LeakedPort,
    /// A Node says that it is a server that this project does not have.
    NodeWithoutServer,
    /// Several Nodes say that they are one server.
    SharedServer,
    /// A server was deleted while its host was away: the machine may still run, and write.
    MayStillRun,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 8] = [
        Kind::LeakedServer,
        Kind::AdoptedWithoutNode,
        Kind::TagWithoutMarks,
        Kind::TwinServers,
        Kind::LeakedPort,
        Kind::NodeWithoutServer,
        Kind::SharedServer,
        Kind::MayStillRun,
    ];

    /// What it means, and what to do.
    pub fn text(self) -> &'static str {
        match self {
            Kind::LeakedServer => {
                "a replacement that nobody waits for: the controller deletes it when it is two hours old"
            }
            Kind::AdoptedWithoutNode => {
                "it took a node's place, and its Node is gone: if that was meant, delete the server; the engine never does"
            }
            Kind::TagWithoutMarks => {
                "it bears a repair's tag, but somebody took its marks away: the engine will never touch it"
            }
            Kind::TwinServers => {
                "two creates of one attempt: its repair deletes both; if there is none, delete them"
            }
            Kind::LeakedPort => {
                "no server has it: one of a failed attempt the controller deletes after two hours, an adopted one is yours to delete"
            }
            Kind::NodeWithoutServer => {
                "the machine is not in this project: is the Node of another cloud, or was its server deleted by hand?"
            }
            Kind::SharedServer => "only one of them can be it: delete the Node that is not",
            Kind::MayStillRun => {
                "it was deleted while its host was away: see that the machine is off before its volumes or addresses are used again"
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::LeakedServer => "leaked-server",
            Kind::AdoptedWithoutNode => "adopted-without-node",
            Kind::TagWithoutMarks => "tag-without-marks",
            Kind::TwinServers => "twin-servers",
            Kind::LeakedPort => "leaked-port",
            Kind::NodeWithoutServer => "node-without-server",
            Kind::SharedServer => "shared-server",
            Kind::MayStillRun => "may-still-run",
        })
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The server's or port's id.
    pub id: String,
    /// Its name, or those of the Nodes that name it.
    pub name: String,
    /// The controller deletes it by itself.
    pub collected: bool,
    /// It is so old that this is due.
    pub due: bool,
}

/// Everything that is wrong, in the order of the kinds.
///
/// # Errors
/// The list of servers is not whole.
pub fn audit(
    found: &Found,
    deleted: &[Deleted],
    named: &Named,
    cluster: &str,
    now: Timestamp,
) -> Result<Vec<Finding>, super::Partial> {
    if let Some(unknown) = found.servers.iter().find(|server| !server.known) {
        return Err(super::Partial(unknown.id.clone()));
    }
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(
        found
            .servers
            .iter()
            .filter_map(|server| of_server(server, named, cluster, now)),
    );
    findings.extend(twins(found));
    findings.extend(
        found
            .ports
            .iter()
            .filter_map(|port| of_port(port, named, now)),
    );
    findings.extend(of_nodes(found, named));
    let still = deleted.iter().filter(|server| !server.by_host);
    findings
        .extend(still.map(|server| finding(Kind::MayStillRun, server.id.as_str(), &server.name)));
    findings.sort();
    Ok(findings)
}

fn finding(kind: Kind, id: &str, name: &str) -> Finding {
    Finding {
        kind,
        id: id.to_owned(),
        name: name.to_owned(),
        collected: false,
        due: false,
    }
}

fn of_server(
    server: &ServerFound,
    named: &Named,
    cluster: &str,
    now: Timestamp,
) -> Option<Finding> {
    let of = |kind| finding(kind, server.id.as_str(), &server.name);
    match server.cluster.as_deref() {
        None if attempt_of(server).is_some() => return Some(of(Kind::TagWithoutMarks)),
        Some(own) if own == cluster => {}
        // another cluster's, or nobody's of ours
        Some(_) | None => return None,
    }
    let has_repair = server
        .repair
        .as_ref()
        .is_some_and(|repair| named.repairs.contains(repair));
    if has_repair || named.servers.contains(server.id.as_str()) {
        return None;
    }
    if server.state.as_deref() == Some(ADOPTED) {
        return Some(of(Kind::AdoptedWithoutNode));
    }
    Some(Finding {
        // as a node that is about to register has its name, this needs more than the id
        collected: !named.nodes.contains(&server.name),
        due: is_old(server.created, now),
        ..of(Kind::LeakedServer)
    })
}

/// The tag of the attempt that made it: `rectifier-UID-ATTEMPT`.
fn attempt_of(server: &ServerFound) -> Option<&String> {
    // a port of the attempt would be called so, and a number
    let is_attempt = |tag: &&String| repair_of(&format!("{tag}-0")).is_some();
    server.tags.iter().find(is_attempt)
}

fn twins(found: &Found) -> Vec<Finding> {
    let mut by_tag: BTreeMap<&String, Vec<&ServerFound>> = BTreeMap::new();
    for server in &found.servers {
        if let Some(tag) = attempt_of(server) {
            by_tag.entry(tag).or_default().push(server);
        }
    }
    let several = by_tag.into_values().filter(|servers| servers.len() > 1);
    several
        .flatten()
        .map(|server| finding(Kind::TwinServers, server.id.as_str(), &server.name))
        .collect()
}

fn of_port(port: &PortFound, named: &Named, now: Timestamp) -> Option<Finding> {
    let has_repair = repair_of(&port.name).is_some_and(|repair| named.repairs.contains(repair));
    if port.device.is_some()
        || has_repair
        || named.ports.contains(port.id.as_str()) && !port.adopted
    {
        return None;
    }
    Some(Finding {
        collected: !port.adopted && repair_of(&port.name).is_some(),
        due: is_old(port.created, now),
        ..finding(Kind::LeakedPort, port.id.as_str(), &port.name)
    })
}

fn of_nodes(found: &Found, named: &Named) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (server, nodes) in &named.claims {
        let names = nodes.join(", ");
        if nodes.len() > 1 {
            findings.push(finding(Kind::SharedServer, server, &names));
        }
        let is_there = found.servers.iter().any(|one| one.id.as_str() == server);
        if !is_there && !named.going.contains(server) {
            findings.push(finding(Kind::NodeWithoutServer, server, &names));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::{AGE, PROVISIONAL};
    use super::*;
    use crate::name::PortId;
    use crate::repair::{Phase, Record, Replacement};

    const CLUSTER: &str = "ours";
    const UID: &str = "6f1c2a3b-0000-4000-8000-000000000000";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn server(id: &str) -> ServerFound {
        ServerFound {
            id: ServerId::parse(id).unwrap(),
            name: format!("name-of-{id}"),
            cluster: Some(CLUSTER.to_owned()),
            repair: Some(UID.to_owned()),
            state: Some(PROVISIONAL.to_owned()),
            tags: vec!["theirs".to_owned(), format!("rectifier-{UID}-1")],
            created: Some(at(0)),
            known: true,
        }
    }

    fn port(adopted: bool) -> PortFound {
        PortFound {
            id: PortId::parse("p").unwrap(),
            name: format!("rectifier-{UID}-1-0"),
            adopted,
            device: None,
            created: Some(at(0)),
        }
    }

    fn kinds(
        servers: Vec<ServerFound>,
        ports: Vec<PortFound>,
        named: &Named,
    ) -> Vec<(Kind, bool, bool)> {
        let found = Found { servers, ports };
        let audited = audit(&found, &[], named, CLUSTER, at(60)).unwrap();
        audited
            .into_iter()
            .map(|one| (one.kind, one.collected, one.due))
            .collect()
    }

    fn node(server: &str) -> Named {
        let mut named = Named::default();
        named.node(
            &format!("name-of-{server}"),
            Some(&ServerId::parse(server).unwrap()),
        );
        named
    }

    #[test]
    fn a_cluster_and_its_cloud_that_say_the_same_are_well() {
        let adopted = ServerFound {
            state: Some(ADOPTED.to_owned()),
            ..server("s")
        };
        let bound = PortFound {
            device: Some(adopted.id.clone()),
            ..port(true)
        };
        assert_eq!(kinds(vec![adopted], vec![bound], &node("s")), []);
        let theirs = ServerFound {
            cluster: Some("theirs".to_owned()),
            ..server("s")
        };
        let nobodys = ServerFound {
            cluster: None,
            tags: vec!["rectifier-x".to_owned()],
            ..server("t")
        };
        assert_eq!(
            kinds(vec![theirs, nobodys], Vec::new(), &Named::default()),
            []
        );
    }

    #[test]
    fn what_an_open_repair_works_on_is_no_finding() {
        let mut named = Named::default();
        let open = Record {
            phase: Phase::Joining,
            replacement: Some(Replacement {
                ports: vec!["p".to_owned()],
                ..Replacement::default()
            }),
            ..Record::default()
        };
        named.repair(UID, &open);
        assert_eq!(kinds(vec![server("s")], vec![port(false)], &named), []);
    }

    #[test]
    fn whatever_nobody_names_is_found_and_told_apart() {
        let nobody = Named::default();
        let leaked = (Kind::LeakedServer, true, false);
        assert_eq!(kinds(vec![server("s")], Vec::new(), &nobody), [leaked]);
        let old = ServerFound {
            created: Some(at(-7200)),
            ..server("s")
        };
        assert_eq!(
            kinds(vec![old], Vec::new(), &nobody),
            [(Kind::LeakedServer, true, true)]
        );
        let adopted = ServerFound {
            state: Some(ADOPTED.to_owned()),
            ..server("s")
        };
        assert_eq!(
            kinds(vec![adopted], Vec::new(), &nobody),
            [(Kind::AdoptedWithoutNode, false, false)]
        );
        let unmarked = ServerFound {
            cluster: None,
            ..server("s")
        };
        assert_eq!(
            kinds(vec![unmarked], Vec::new(), &nobody),
            [(Kind::TagWithoutMarks, false, false)]
        );
        assert_eq!(
            kinds(Vec::new(), vec![port(false)], &nobody),
            [(Kind::LeakedPort, true, false)]
        );
        assert_eq!(
            kinds(Vec::new(), vec![port(true)], &nobody),
            [(Kind::LeakedPort, false, false)]
        );
        let old = PortFound {
            created: Some(at(60 - i64::from(AGE) - 1)),
            ..port(false)
        };
        assert_eq!(
            kinds(Vec::new(), vec![old], &nobody),
            [(Kind::LeakedPort, true, true)]
        );
        // a server has it, an open repair has, or it is a node's and adopted or not
        let used = PortFound {
            device: Some(ServerId::parse("s").unwrap()),
            ..port(false)
        };
        assert!(kinds(Vec::new(), vec![used], &nobody).is_empty());
        let mut own = Named::default();
        own.repairs.insert(UID.to_owned());
        assert!(kinds(Vec::new(), vec![port(false)], &own).is_empty());
        let mut named = Named::default();
        named.ports.insert("p".to_owned());
        assert!(kinds(Vec::new(), vec![port(false)], &named).is_empty());
        assert_eq!(
            kinds(Vec::new(), vec![port(true)], &named),
            [(Kind::LeakedPort, false, false)]
        );
        // each says what to do, and no two the same
        let mut texts: Vec<&str> = Kind::ALL.iter().map(|kind| kind.text()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Kind::ALL.len());
        assert!(texts.iter().all(|text| text.contains(' ')));
        // a Node of its name, that is another server: the controller keeps its hands off
        let mut other = Named::default();
        other.node("name-of-s", None);
        assert_eq!(
            kinds(vec![server("s")], Vec::new(), &other),
            [(Kind::LeakedServer, false, false)]
        );
    }

    #[test]
    fn servers_and_nodes_that_are_not_one_to_one_are_found() {
        let twin = (Kind::TwinServers, false, false);
        let mut both = node("a");
        both.node("b", Some(&ServerId::parse("b").unwrap()));
        let twins = [server("a"), server("b")].map(|one| ServerFound {
            state: Some(ADOPTED.to_owned()),
            ..one
        });
        assert_eq!(kinds(twins.into(), Vec::new(), &both), [twin, twin]);
        let mut shared = node("gone");
        shared.node("again", Some(&ServerId::parse("gone").unwrap()));
        assert_eq!(
            kinds(Vec::new(), Vec::new(), &shared),
            [
                (Kind::NodeWithoutServer, false, false),
                (Kind::SharedServer, false, false)
            ]
        );
        // an open repair takes it away: its Node stays until the replacement is there
        let mut going = node("gone");
        let record = Record {
            phase: Phase::DeletingServer,
            server_id: Some("gone".to_owned()),
            committed_at: Some(at(0)),
            ..Record::default()
        };
        going.repair(UID, &record);
        assert!(kinds(Vec::new(), Vec::new(), &going).is_empty());
    }

    #[test]
    fn a_deleted_machine_that_no_host_ended_may_still_run() {
        let deleted = [true, false].map(|by_host| Deleted {
            id: ServerId::parse("s").unwrap(),
            name: format!("ended: {by_host}"),
            by_host,
        });
        let found = audit(
            &Found::default(),
            &deleted,
            &Named::default(),
            CLUSTER,
            at(0),
        )
        .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].kind, found[0].name.as_str()),
            (Kind::MayStillRun, "ended: false")
        );
    }

    #[test]
    fn half_a_list_is_no_audit() {
        let found = Found {
            servers: vec![ServerFound {
                known: false,
                ..server("s")
            }],
            ports: Vec::new(),
        };
        assert!(audit(&found, &[], &Named::default(), CLUSTER, at(0)).is_err());
    }

    #[test]
    fn every_kind_has_a_name_and_a_word_of_what_to_do() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
            assert!(!kind.text().is_empty());
        }
    }
}
