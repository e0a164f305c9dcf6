//! The page: drawn on the server, kept fresh by server-sent events, pictures first. It works without its script, too; then
//! it is fresh when it is loaded.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use rectifier_core::budget::State;

use crate::{Health, Line, Model, Node, Pool, Repair, Speaker};

/// Lines of the story that are shown.
const STORY: usize = 80;
/// Repairs that are shown.
const REPAIRS: usize = 12;

/// What the page may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// It has buttons that break things: in a demonstration alone.
    pub breaks: bool,
}

/// What may be done to a node, and in what words.
const NODE_ACTS: [(&str, &str); 7] = [
    ("stop-service", "kill proxy.service"),
    ("break-until-boot", "break it until the next boot"),
    ("break-for-good", "break it for good"),
    ("silence-agent", "silence the node's engine"),
    ("reboot", "reboot"),
    ("hang", "hang the machine"),
    ("mend", "mend by hand"),
];

impl Page {
    /// `Content-Security-Policy`: nothing from elsewhere, nothing inline.
    pub const POLICY: &'static str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    /// The style sheet, at `/style.css`.
    pub const STYLE: &'static str = include_str!("style.css");
    /// The script, at `/live.js`.
    pub const SCRIPT: &'static str = include_str!("live.js");

    /// The whole page.
    pub fn document(self, model: &Model) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { "Rectifier" }
                    link rel="stylesheet" href="/style.css";
                    script src="/live.js" defer {}
                }
                body {
                    main id="live" { (PreEscaped(self.content(model))) }
                }
            }
        }
        .into_string()
    }

    /// What is in `main`: an event of `/events` brings it anew.
    pub fn content(self, model: &Model) -> String {
        html! {
            header {
                h1 { "Rectifier" }
                p {
                    time { (model.at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()) }
                    " · " (counted(model))
                }
            }
            section.pools aria-label="pools" {
                @for pool in &model.pools { (breaker(pool)) }
            }
            section.zones aria-label="nodes by zone" {
                @for zone in &model.zones {
                    div.zone {
                        h2 {
                            @if zone.name.is_empty() { "no zone" } @else { (zone.name) }
                            @if self.breaks {
                                form method="post" action="/act" {
                                    input type="hidden" name="of" value=(zone.name);
                                    button name="what" value="darken" { "darken" }
                                    button name="what" value="lighten" { "light" }
                                }
                            }
                        }
                        div.nodes {
                            @for node in &zone.nodes { (self.node(node)) }
                        }
                    }
                }
            }
            section.repairs aria-label="repairs" {
                h2 { "Repairs" }
                @if model.repairs.is_empty() { p.faint { "none yet" } }
                @for repair in model.repairs.iter().take(REPAIRS) { (ladder(repair)) }
            }
            section.story aria-label="story" {
                h2 { "What happens, and why" }
                ol {
                    @for line in model.story.iter().rev().take(STORY) { (told(line)) }
                }
            }
        }
        .into_string()
    }

    fn node(self, node: &Node) -> Markup {
        let cordoned = node.is_cordoned.then_some("cordoned");
        html! {
            details.node.(class(node.health)) id={ "node-" (node.name) } {
                summary {
                    b { (node.name) }
                    span { (node.pods) " pods" }
                    span { (words(node.health)) @if let Some(cordoned) = cordoned { ", " (cordoned) } }
                }
                @for (problem, message) in &node.problems {
                    p { b { (problem) } @if !message.is_empty() { ": " (message) } }
                }
                @match &node.why {
                    Some(why) => p { (why) },
                    None => p.faint { "nothing is done, since nothing is wrong" },
                }
                @if self.breaks {
                    form method="post" action="/act" {
                        input type="hidden" name="of" value=(node.name);
                        @for (act, words) in NODE_ACTS {
                            button name="what" value=(act) { (words) }
                        }
                    }
                }
            }
        }
    }
}

fn class(health: Health) -> &'static str {
    match health {
        Health::Well => "well",
        Health::New => "new",
        Health::Sick => "sick",
        Health::Repairing => "repairing",
        Health::Unheard => "unheard",
    }
}

fn words(health: Health) -> &'static str {
    match health {
        Health::Well => "well",
        Health::New => "new, not taken in yet",
        Health::Sick => "sick",
        Health::Repairing => "in repair",
        Health::Unheard => "not heard",
    }
}

fn counted(model: &Model) -> String {
    let all = model.nodes().count();
    let well = model
        .nodes()
        .filter(|node| node.health == Health::Well)
        .count();
    let open = model.repairs.iter().filter(|repair| repair.is_open).count();
    let repairs = if open == 1 { "repair" } else { "repairs" };
    format!("{well} of {all} nodes are well, {open} {repairs} under way")
}

fn breaker(pool: &Pool) -> Markup {
    let (class, words) = match (pool.breaker, pool.message.is_empty()) {
        (State::Open, _) => ("open", "nothing is begun"),
        (State::Trickle, _) => ("trickle", "repairs begin again"),
        (State::Closed, false) => ("held", "nothing is begun"),
        (State::Closed, true) => ("closed", "repairs may begin"),
    };
    let clock = |at: &Timestamp| at.strftime("%H:%M:%S").to_string();
    html! {
        div.pool.(class) {
            p { "pool " b { (pool.name) } ", " (pool.nodes) " nodes: " b { (words) } }
            @if !pool.message.is_empty() {
                p {
                    (pool.message)
                    @if let Some(since) = &pool.since { ". Since " (clock(since)) }
                    @if let Some(again) = &pool.looks_again { ", looks again at " (clock(again)) }
                }
            }
        }
    }
}

fn ladder(repair: &Repair) -> Markup {
    let state = match (repair.is_open, repair.needs_human) {
        (_, true) => "human",
        (true, false) => "open",
        (false, false) => "over",
    };
    html! {
        div.repair.(state) {
            p {
                b { (repair.node) }
                @if let Some(new) = &repair.replacement { " → " b { (new) } }
                " " (repair.problem) ": " (repair.phase)
            }
            ol.ladder {
                @for step in &repair.steps {
                    li { (step.phase) " " small { (step.seconds) " s" } }
                }
            }
            @if !repair.message.is_empty() { p.faint { (repair.message) } }
        }
    }
}

fn told(line: &Line) -> Markup {
    let (who, speaker) = match line.who {
        Speaker::Person => ("somebody", "person"),
        Speaker::NodeEngine => ("node engine", "node-engine"),
        Speaker::Controller => ("controller", "controller"),
    };
    html! {
        li.(speaker).warns[line.warns] {
            time { (line.at.strftime("%H:%M:%S").to_string()) }
            span.who { (who) }
            span.of { (line.node) }
            span { (line.text) }
        }
    }
}

#[cfg(test)]
mod tests {
    use rectifier_api::RepairPool;
    use serde_json::{Value, json};

    use super::*;
    use crate::Objects;

    #[test]
    fn a_pool_says_whether_repairs_may_begin_and_by_which_rule_not() {
        let shown = |breaker: Value| {
            let pool: RepairPool = serde_json::from_value(json!({
                "apiVersion": "rectifier.dev/v1alpha1", "kind": "RepairPool", "metadata": {"name": "web"},
                "spec": {"nodeSelector": {}}, "status": {"nodes": 10, "breaker": breaker},
            }))
            .unwrap();
            let objects = Objects {
                pools: vec![pool],
                ..Objects::default()
            };
            Page::default().content(&Model::new(Timestamp::UNIX_EPOCH, &objects, &[]))
        };
        let since = "2026-01-01T10:00:00Z";
        let open = json!({"state": "Open", "since": since, "looksAgain": "2026-01-01T10:30:00Z", "message": "5 of 10"});
        let held = json!({"state": "Closed", "message": "not watched for long"});
        for (breaker, words) in [
            (
                open,
                [
                    "nothing is begun",
                    "5 of 10. Since 10:00:00, looks again at 10:30:00",
                ],
            ),
            (held, ["nothing is begun", "not watched for long"]),
            (
                json!({"state": "Closed"}),
                ["repairs may begin", "10 nodes"],
            ),
        ] {
            let page = shown(breaker);
            for words in words {
                assert!(page.contains(words), "{words}: {page}");
            }
        }
    }
}
