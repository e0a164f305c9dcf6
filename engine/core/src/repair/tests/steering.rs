//! What each hand does to a repair in each phase: the table in `deploy/docs/hands.md` is made of these decisions.

use super::hands::about_to_act;
use super::*;

type Say = fn(&mut Seen);

/// The hands, as the table's head has them.
const HANDS: [(&str, Say); 8] = [
    ("stop switch, pause", |seen| {
        seen.hands.stop = Stop::Stopped("fire".to_owned());
    }),
    ("breaker open", |seen| {
        seen.hands.storm = Some((Reason::BreakerOpen, String::new()));
    }),
    ("pool to Observe", |seen| {
        if let Ok(rules) = &mut seen.pool {
            rules.acts = false;
        }
    }),
    ("reject", |seen| seen.hands.reject = Some("no".to_owned())),
    ("delete, cancel", |seen| seen.hands.deleted = true),
    ("uncordon", |seen| {
        if let Some(node) = &mut seen.node {
            node.unschedulable = false;
            node.cordoned_by = None;
        }
    }),
    ("retry", |seen| seen.request.retry = Some("1".to_owned())),
    ("wants another rung", |seen| {
        seen.request.wants = Some(Rung::HardReboot);
        seen.request.retry = Some("HardReboot".to_owned());
    }),
];

/// In each phase that is not final: a look in which it would go on by itself, if it can.
fn looks() -> Vec<(String, Seen)> {
    let acting = about_to_act();
    let mut looks = Vec::new();
    for phase in Phase::ALL.into_iter().filter(|phase| !phase.is_final()) {
        let own = acting.iter().find(|look| look.record.phase == phase);
        let mut look = own.cloned().unwrap_or_else(|| seen(phase));
        if phase == Phase::GrantOffered {
            look.record.rung = Some(Rung::Reboot);
            look.record.grant = Some(Grant {
                id: "grant".to_owned(),
                boot_id: "boot-1".to_owned(),
                node_uid: NODE_UID.to_owned(),
                until: at(1000),
            });
        }
        if phase == Phase::HealingInNode {
            look.node = Some(node());
            look.record.rung = None;
            look.request.asks = Asks::InNode;
        }
        let name = format!("{phase:?}");
        if phase == Phase::NeedsHuman {
            let mut after = look.clone();
            after.record.committed_at = Some(at(50));
            looks.push((format!("{name}, before the commit"), look));
            looks.push((format!("{name}, after it"), after));
            continue;
        }
        looks.push((name, look));
    }
    looks
}

fn outcome(free: &Seen, say: Say) -> String {
    let goes_on = decide(free).unwrap();
    let mut told = free.clone();
    say(&mut told);
    let next = decide(&told).unwrap();
    let before = free.record.phase;
    let same_step = (next.record.phase, &next.act) == (goes_on.record.phase, &goes_on.act);
    let rests = next.record.halted_at.is_some() && goes_on.record.halted_at.is_none();
    let words =
        next.record.message.contains("too late") || next.record.message.contains("waits until");
    match next.record.phase {
        _ if words => "too late".to_owned(),
        Phase::RollingBack if before != Phase::RollingBack => "**taken back**".to_owned(),
        Phase::Cancelled => "**ended**".to_owned(),
        _ if same_step && rests => "its time stands".to_owned(),
        _ if same_step => "–".to_owned(),
        phase if phase == before && next.act.is_none() && rests => "held".to_owned(),
        phase if phase == before && next.act.is_none() => match next.reason {
            Reason::RetryAsked => "**another try**".to_owned(),
            _ => "held".to_owned(),
        },
        phase => format!("→ {phase:?}"),
    }
}

fn table() -> String {
    let head: Vec<&str> = HANDS.iter().map(|(name, _)| *name).collect();
    let mut text = format!(
        "| phase | {} |\n|---|{}\n",
        head.join(" | "),
        "---|".repeat(head.len())
    );
    for (name, look) in looks() {
        let cells = HANDS.map(|(_, say)| outcome(&look, say));
        text.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    }
    text
}

#[test]
fn the_table_of_hands_is_what_is_decided() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/docs/hands.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("<!-- table -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let now = format!("{before}<!-- table -->\n{}<!-- end -->{after}", table());
    if std::env::var_os("RECTIFIER_WRITE_DOCS").is_some() {
        std::fs::write(path, &now).unwrap();
        return;
    }
    assert!(
        page == now,
        "deploy/docs/hands.md is stale: RECTIFIER_WRITE_DOCS=1 cargo test --package rectifier-core --lib table_of_hands\n{}",
        table()
    );
}
