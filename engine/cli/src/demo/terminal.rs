//! The live view: nodes by zone, the repairs as ladders, the story. `q` ends it.

use std::net::SocketAddr;
use std::path::Path;

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Row, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};
use rectifier_story::World;
use rectifier_view::{Health, Model, Speaker};
use tokio::sync::watch;

use super::world::Now;

pub(super) async fn show(
    seen: &mut watch::Receiver<Now>,
    page: Option<SocketAddr>,
    policies: &Path,
) -> anyhow::Result<()> {
    let head = match page {
        Some(page) => format!("http://{page}/   policies: {}   q ends", policies.display()),
        None => format!("policies: {}   q ends", policies.display()),
    };
    let mut terminal = ratatui::try_init()?;
    let ended = live(seen, &head, &mut terminal).await;
    ratatui::try_restore()?;
    ended?;
    // What was seen is gone with the screen: a line a story stays.
    for ended in &seen.borrow().ended {
        let words = if ended.is_well { "well" } else { "NOT WELL" };
        println!("{words:<9} {:>5} s  {}", ended.seconds, ended.story.title());
    }
    Ok(())
}

async fn live(
    seen: &mut watch::Receiver<Now>,
    head: &str,
    terminal: &mut ratatui::DefaultTerminal,
) -> anyhow::Result<()> {
    loop {
        let now = seen.borrow_and_update().clone();
        terminal.draw(|frame| draw(frame, &now, head))?;
        if now.is_over || wants_to_end()? || seen.changed().await.is_err() {
            return Ok(());
        }
    }
}

fn wants_to_end() -> std::io::Result<bool> {
    while event::poll(std::time::Duration::ZERO)? {
        if let Event::Key(key) = event::read()? {
            let interrupts =
                key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if interrupts || key.code == KeyCode::Char('q') {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn draw(frame: &mut Frame<'_>, now: &Now, head: &str) {
    let Some(model) = &now.model else {
        return;
    };
    let tallest = model.zones.iter().map(|zone| zone.nodes.len()).max();
    let nodes = u16::try_from(tallest.unwrap_or(0)).unwrap_or(u16::MAX);
    let [title, grid, repairs, story] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(nodes.saturating_add(2)),
        Constraint::Length(7),
        Constraint::Min(3),
    ])
    .areas(frame.area());
    let told = now
        .story
        .map_or("all is well", rectifier_story::Story::title);
    let rows = vec![
        Row::styled(
            format!("Rectifier, {}: {told}", World::Embedded),
            Style::new().add_modifier(Modifier::BOLD),
        ),
        Row::styled(
            format!("{}   {head}", model.at.strftime("%H:%M:%S")),
            Style::new().fg(Color::DarkGray),
        ),
    ];
    frame.render_widget(Paragraph::new(rows), title);
    draw_nodes(frame, grid, model);
    draw_repairs(frame, repairs, model);
    draw_story(frame, story, model);
}

fn draw_nodes(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let width = Constraint::Ratio(1, u32::try_from(model.zones.len().max(1)).unwrap_or(1));
    let columns = Layout::horizontal(vec![width; model.zones.len()]).split(area);
    for (zone, column) in model.zones.iter().zip(columns.iter()) {
        let rows = zone.nodes.iter().map(|node| {
            let (mark, colour) = match node.health {
                Health::Well => ("●", Color::Green),
                Health::New => ("◌", Color::Cyan),
                Health::Sick => ("✖", Color::Red),
                Health::Repairing => ("▲", Color::Yellow),
                Health::Unheard => ("?", Color::Magenta),
            };
            let cordon = if node.is_cordoned { " cordoned" } else { "" };
            let problems: Vec<&str> = node.problems.keys().map(String::as_str).collect();
            Row::from(vec![
                Span::styled(format!("{mark} {:<11}", node.name), Style::new().fg(colour)),
                Span::raw(format!("{} pods{cordon} ", node.pods)),
                Span::styled(problems.join(" "), Style::new().fg(Color::Red)),
            ])
        });
        let block = Block::bordered().title(zone.name.as_str());
        frame.render_widget(
            Paragraph::new(rows.collect::<Vec<_>>()).block(block),
            *column,
        );
    }
}

fn draw_repairs(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let mut rows = Vec::new();
    for repair in model.repairs.iter().take(3) {
        let style = match (repair.is_open, repair.needs_human) {
            (_, true) => Style::new().fg(Color::Red),
            (true, false) => Style::new().fg(Color::Yellow),
            (false, false) => Style::new().fg(Color::DarkGray),
        };
        let ladder: Vec<String> = repair
            .steps
            .iter()
            .map(|step| format!("{} {} s", step.phase, step.seconds))
            .collect();
        rows.push(Row::styled(
            format!("{} {}: {}", repair.node, repair.problem, ladder.join(" → ")),
            style,
        ));
    }
    let block = Block::bordered().title("repairs");
    frame.render_widget(
        Paragraph::new(rows).wrap(Wrap { trim: true }).block(block),
        area,
    );
}

fn draw_story(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let height = usize::from(area.height.saturating_sub(2));
    let from = model.story.len().saturating_sub(height);
    let rows = model.story[from..].iter().map(|line| {
        let (who, colour) = match line.who {
            Speaker::Person => ("(somebody)", Color::Magenta),
            Speaker::NodeEngine => ("node engine", Color::Cyan),
            Speaker::Controller => ("controller", Color::Blue),
        };
        Row::from(vec![
            Span::styled(
                format!("{} ", line.at.strftime("%H:%M:%S")),
                Style::new().fg(Color::DarkGray),
            ),
            Span::styled(
                format!("{}  ", World::Embedded),
                Style::new().fg(Color::DarkGray),
            ),
            Span::styled(format!("{who:<12}"), Style::new().fg(colour)),
            Span::raw(format!("{:<10} {}", line.node, line.text)),
        ])
    });
    let block = Block::bordered().title("what happens, and why");
    frame.render_widget(Paragraph::new(rows.collect::<Vec<_>>()).block(block), area);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use rectifier_core::clock::Timestamp;
    use rectifier_story::Story;
    use rectifier_view::{Line, Node, Repair, Step, Zone};

    use super::*;

    fn node(name: &str, health: Health, problem: Option<&str>) -> Node {
        let problems = problem.map(|kind| (kind.to_owned(), "it does not run".to_owned()));
        Node {
            name: name.to_owned(),
            health,
            is_cordoned: health == Health::Repairing,
            pods: 2,
            problems: problems.into_iter().collect::<BTreeMap<_, _>>(),
            why: None,
        }
    }

    fn now() -> Now {
        let at = Timestamp::from_second(1_767_225_600).unwrap();
        let zone = |name: &str, nodes: Vec<Node>| Zone {
            name: name.to_owned(),
            nodes,
        };
        let step = |phase: &str, seconds| Step {
            phase: phase.to_owned(),
            at,
            seconds,
        };
        let model = Model {
            at,
            pools: Vec::new(),
            zones: vec![
                zone(
                    "az-1",
                    vec![
                        node("worker-1", Health::Repairing, Some("ProxyUnhealthy")),
                        node("worker-4", Health::Well, None),
                    ],
                ),
                zone(
                    "az-2",
                    vec![node("worker-2", Health::Sick, Some("KubeletUnhealthy"))],
                ),
            ],
            repairs: vec![Repair {
                node: "worker-1".to_owned(),
                problem: "ProxyUnhealthy".to_owned(),
                phase: "Joining".to_owned(),
                is_open: true,
                needs_human: false,
                message: String::new(),
                replacement: None,
                steps: vec![step("Cordoning", 2), step("Joining", 41)],
            }],
            story: vec![Line {
                at,
                order: 0,
                who: Speaker::Controller,
                node: "worker-1".to_owned(),
                reason: "Joining".to_owned(),
                text: "waits for the new node".to_owned(),
                warns: false,
            }],
        };
        Now {
            model: Some(Arc::new(model)),
            story: Some(Story::Replaced),
            ..Now::default()
        }
    }

    fn drawn(now: &Now, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| draw(frame, now, "q ends"))
            .map(drop)
            .unwrap();
        let cells = terminal.backend().buffer().content();
        let rows = cells.chunks(usize::from(width));
        rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect())
            .collect()
    }

    fn row<'a>(rows: &'a [String], words: &str) -> &'a str {
        let found = rows.iter().find(|row| row.contains(words));
        found.unwrap_or_else(|| panic!("{words} is not on the screen:\n{}", rows.join("\n")))
    }

    #[test]
    fn a_sick_node_a_repair_and_a_line_of_the_story_are_on_the_screen() {
        let rows = drawn(&now(), 100, 24);
        let title = row(&rows, "Rectifier, embedded");
        assert!(title.contains(Story::Replaced.title()), "{title}");
        let head = row(&rows, "q ends");
        assert!(head.starts_with("00:00:00"), "{head}");
        // zones stand side by side, and nodes below each other
        row(&rows, "az-1");
        let first = row(&rows, "worker-1 ");
        assert!(
            first.contains("▲ worker-1   2 pods cordoned ProxyUnhealthy"),
            "{first}"
        );
        assert!(
            first.contains("✖ worker-2   2 pods KubeletUnhealthy"),
            "{first}"
        );
        assert!(row(&rows, "worker-4").contains("● worker-4   2 pods"));
        let repair = row(&rows, "worker-1 ProxyUnhealthy:");
        assert!(repair.contains("Cordoning 2 s → Joining 41 s"), "{repair}");
        let line = row(&rows, "waits for the new node");
        assert!(
            line.contains("00:00:00 embedded  controller  worker-1"),
            "{line}"
        );
    }

    #[test]
    fn the_newest_lines_of_the_story_are_those_that_are_seen() {
        let mut now = now();
        let mut model = now.model.as_deref().cloned().unwrap();
        let line = model.story[0].clone();
        model.story = (0..50)
            .map(|number| Line {
                text: format!("line {number} of it"),
                ..line.clone()
            })
            .collect();
        now.model = Some(Arc::new(model));
        let rows = drawn(&now, 80, 20);
        row(&rows, "line 49 of it");
        assert!(!rows.iter().any(|row| row.contains("line 0 of it")));
    }

    #[test]
    fn a_screen_that_is_too_small_is_drawn_all_the_same() {
        drawn(&now(), 10, 3);
        drawn(&Now::default(), 80, 20);
    }
}
