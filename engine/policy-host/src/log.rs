//! A policy's lines for the operator: passed on, up to a limit.

use rectifier_core::name::PolicyName;
use serde::Serialize;

use crate::Limits;

/// How much a line of a policy's log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// For the policy's author.
    Debug,
    /// For whoever reads the story of a repair.
    Info,
    /// Somebody should look at it today.
    Warn,
    /// Something is wrong.
    Error,
}

impl LogLevel {
    /// A command's line on standard error may begin with its level: `warn: the runtime hangs`.
    pub(crate) fn of_line(line: &str) -> (Self, &str) {
        [
            ("debug: ", LogLevel::Debug),
            ("info: ", LogLevel::Info),
            ("warn: ", LogLevel::Warn),
            ("error: ", LogLevel::Error),
        ]
        .into_iter()
        .find_map(|(prefix, level)| Some((level, line.strip_prefix(prefix)?)))
        .unwrap_or((LogLevel::Info, line))
    }
}

/// Where a policy's lines go.
pub(crate) enum Lines {
    /// Into the engine's own log.
    Told,
    /// Nowhere yet: whoever asked reads them afterwards.
    Kept(Vec<(LogLevel, String)>),
}

/// Passes a policy's lines on, up to a limit.
pub(crate) struct Log {
    policy: PolicyName,
    lines_left: usize,
    bytes_left: usize,
    lines: Lines,
    last_error: Option<String>,
}

impl Log {
    /// Lets so many lines and bytes through.
    pub(crate) fn new(policy: &PolicyName, limits: &Limits, lines: Lines) -> Self {
        Self {
            policy: policy.clone(),
            lines_left: limits.log_lines,
            bytes_left: limits.log_bytes,
            lines,
            last_error: None,
        }
    }

    pub(crate) fn write(&mut self, level: LogLevel, message: &str) {
        if level == LogLevel::Error {
            self.last_error = Some(one_line(message));
        }
        if self.lines_left == 0 || self.bytes_left == 0 {
            return;
        }
        let message = &message[..message.floor_char_boundary(self.bytes_left)];
        self.lines_left -= 1;
        self.bytes_left -= message.len().max(1);
        let policy = self.policy.as_str();
        if let Lines::Kept(lines) = &mut self.lines {
            lines.push((level, message.to_owned()));
            return;
        }
        // A policy's error is no reason to wake anybody: the engine judges what follows from it.
        match level {
            LogLevel::Debug => tracing::debug!(target: "policy", policy, "{message}"),
            LogLevel::Info => tracing::info!(target: "policy", policy, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "policy", policy, "{message}"),
            LogLevel::Error => {
                tracing::warn!(target: "policy", policy, level = "error", "{message}")
            }
        }
    }

    /// The last line that says that something is wrong, whether there was room for it or not.
    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// What was kept.
    pub(crate) fn take(&mut self) -> Vec<(LogLevel, String)> {
        match &mut self.lines {
            Lines::Told => Vec::new(),
            Lines::Kept(lines) => std::mem::take(lines),
        }
    }
}

/// A guest's text for people: one line of at most 1024 bytes.
pub(crate) fn one_line(text: &str) -> String {
    let text = text.replace(|c: char| c.is_control(), " ");
    text[..text.floor_char_boundary(1024)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commands_line_may_begin_with_its_level() {
        assert_eq!(LogLevel::of_line("warn: a"), (LogLevel::Warn, "a"));
        assert_eq!(
            LogLevel::of_line("warning: a"),
            (LogLevel::Info, "warning: a")
        );
    }

    #[test]
    fn a_log_ends_at_its_limit() {
        let mut log = Log {
            policy: PolicyName::parse("a").unwrap(),
            lines_left: 2,
            bytes_left: 3,
            lines: Lines::Kept(Vec::new()),
            last_error: None,
        };
        log.write(LogLevel::Info, "ää");
        assert_eq!((log.lines_left, log.bytes_left), (1, 1));
        log.write(LogLevel::Info, "ä");
        log.write(LogLevel::Info, "a");
        assert_eq!((log.lines_left, log.bytes_left), (0, 0));
        let kept: Vec<_> = log.take().into_iter().map(|(_, line)| line).collect();
        assert_eq!(kept, ["ä", ""]);
    }
}
