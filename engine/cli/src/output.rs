//! How answers look: a table for people, JSON for programs.

use std::io::Write;
use std::time::Duration;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// `--output`, wherever there is an answer.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct OutputArguments {
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Json,
}

impl OutputArguments {
    pub(crate) fn format(self) -> Format {
        self.output
    }

    pub(crate) fn is_json(self) -> bool {
        self.output == Format::Json
    }
}

/// Standard output. What is not a terminal gets no colours.
pub(crate) fn out() -> AutoStream<std::io::StdoutLock<'static>> {
    AutoStream::auto(std::io::stdout()).lock()
}

/// Does standard output show colours?
pub(crate) fn has_colours() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// One JSON document.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(writeln!(out(), "{text}")?)
}

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default();
pub(crate) const HEAD: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// The text in that style; [`out`] takes it away where it cannot be seen.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Rows whose columns stand below each other.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<(Style, String)>>,
}

impl Table {
    /// With names for its columns.
    pub(crate) fn with_head(names: &[&str]) -> Self {
        let head = names.iter().map(|name| (HEAD, (*name).to_owned()));
        Self {
            rows: vec![head.collect()],
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let cells = cells.into_iter().map(|cell| (Style::new(), cell.into()));
        self.rows.push(cells.collect());
    }

    /// Gives the last row's cell another style.
    pub(crate) fn style(&mut self, column: usize, style: Style) {
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.get_mut(column)) {
            cell.0 = style;
        }
    }

    /// A name and what it stands for. More lines stand below the first.
    pub(crate) fn entry(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        for (at, line) in value.lines().enumerate() {
            let name = if at == 0 { name } else { "" };
            self.rows.push(vec![
                (HEAD, name.to_owned()),
                (Style::new(), line.to_owned()),
            ]);
        }
    }

    pub(crate) fn print(&self, to: &mut impl Write) -> std::io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|(_, text)| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            let mut owed = 0;
            for ((style, text), width) in row.iter().zip(&widths) {
                if !text.is_empty() {
                    line.push_str(&" ".repeat(owed));
                    line.push_str(&paint(*style, text));
                    owed = 0;
                }
                owed += width - text.chars().count() + 3;
            }
            writeln!(to, "{line}")?;
        }
        Ok(())
    }
}

/// In the unit in which people read it.
pub(crate) fn bytes(count: usize) -> String {
    let [kib, mib] = [1 << 10, 1 << 20];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let of = |unit: usize| count as f64 / unit as f64;
    match count {
        _ if count >= mib && count.is_multiple_of(mib) => format!("{} MiB", count / mib),
        _ if count >= mib => format!("{:.1} MiB", of(mib)),
        _ if count >= kib && count.is_multiple_of(kib) => format!("{} KiB", count / kib),
        _ if count >= kib => format!("{:.1} KiB", of(kib)),
        _ => format!("{count} B"),
    }
}

/// Likewise.
pub(crate) fn time(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// With its thousands set apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// One and several.
pub(crate) fn plural(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_no_line_ends_in_blanks() {
        let mut table = Table::with_head(&["FILE", "WELL"]);
        table.row(["a-long-name", "yes"]);
        table.row(["b", ""]);
        let mut text = Vec::new();
        table.print(&mut text).unwrap();
        let text = anstream::adapter::strip_str(std::str::from_utf8(&text).unwrap()).to_string();
        assert_eq!(text, "FILE          WELL\na-long-name   yes\nb\n");
    }

    #[test]
    fn numbers_have_the_unit_in_which_they_are_read() {
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(64 << 20), "64 MiB");
        assert_eq!(bytes(1_100_000), "1.0 MiB");
        assert_eq!(time(Duration::from_micros(1500)), "1.5 ms");
        assert_eq!(time(Duration::from_secs(1)), "1.0 s");
        assert_eq!(count(1_234_567), "1 234 567");
    }
}
