//! The live view: nodes by zone, the repairs as ladders, the story. `q` ends it.

use std::net::SocketAddr;
use std::path::Path;

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Row, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};
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
    // What was seen is gone with the screen: a line a scene stays.
    for ended in &seen.borrow().ended {
        let words = if ended.is_well { "well" } else { "NOT WELL" };
        println!("{words:<9} {:>5} s  {}", ended.seconds, ended.scene.title());
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
    let scene = now
        .scene
        .map_or("all is well", super::scenes::SceneName::title);
    let rows = vec![
        Row::styled(
            format!("Rectifier, embedded: {scene}"),
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
            Span::styled(format!("{who:<12}"), Style::new().fg(colour)),
            Span::raw(format!("{:<10} {}", line.node, line.text)),
        ])
    });
    let block = Block::bordered().title("what happens, and why");
    frame.render_widget(Paragraph::new(rows.collect::<Vec<_>>()).block(block), area);
}
