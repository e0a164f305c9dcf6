//! Errors, as people are told them: one line, or a place in a file with the line that stands there.

use std::io::{ErrorKind, IsTerminal};
use std::ops::Range;
use std::process::ExitCode;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_saphyr::Location;

use crate::verdict::Usage;

/// Something that is wrong at one place of a file.
#[derive(Debug, thiserror::Error)]
#[error("{message}: {label}")]
pub(crate) struct Located {
    pub(crate) message: String,
    pub(crate) source_text: Box<Source>,
    /// Bytes.
    pub(crate) at: Range<usize>,
    /// What is wrong with just that.
    pub(crate) label: String,
    /// More lines, below.
    pub(crate) help: Option<String>,
}

/// A text and the name of its file, of which places are told.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// What is wrong there. Without a place it is the file's beginning.
    pub(crate) fn wrong(
        &self,
        at: Location,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Located {
        Located {
            message: message.into(),
            source_text: Box::new(self.clone()),
            at: self.span(at),
            label: label.into(),
            help: None,
        }
    }

    /// The file is no YAML, or not what it should be.
    pub(crate) fn unreadable(&self, error: &serde_saphyr::Error) -> Located {
        let at = error.location().unwrap_or(Location::UNKNOWN);
        let why = error.without_snippet().to_string();
        // It ends with the place, which is shown anyway.
        let why = why.split(" at line ").next().unwrap_or(&why).to_owned();
        self.wrong(at, format!("{} cannot be read", self.name), why)
    }

    /// Line and column, both from 1.
    pub(crate) fn place(&self, at: &Range<usize>) -> (usize, usize) {
        let before = self.text.get(..at.start).unwrap_or_default();
        let column = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, column.chars().count() + 1)
    }

    fn span(&self, at: Location) -> Range<usize> {
        let index = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok());
        let (start, length) = match (index(at.span().byte_offset()), index(at.span().byte_len())) {
            (Some(start), Some(length)) => (start, length),
            _ => (self.offset(at), 0),
        };
        let start = start.min(self.text.len());
        // What spans lines is shown by its first one.
        let shown = self.text.get(start..).unwrap_or_default();
        let line = shown.lines().next().unwrap_or_default().trim_end().len();
        start..start + length.clamp(1, line.max(1)).min(line)
    }

    /// By line and column, where that is all that is known.
    fn offset(&self, at: Location) -> usize {
        let [line, column] = [at.line(), at.column()].map(|n| usize::try_from(n).unwrap_or(0));
        let lines = self.text.split_inclusive('\n');
        let before: usize = lines.take(line.saturating_sub(1)).map(str::len).sum();
        before + column.saturating_sub(1)
    }
}

/// As a text: coloured only if `colours`.
pub(crate) fn render(located: &Located, colours: bool) -> String {
    let Located {
        message,
        source_text,
        at,
        label,
        help,
    } = located;
    let shown = Snippet::source(&source_text.text)
        .path(&source_text.name)
        .annotation(AnnotationKind::Primary.span(at.clone()).label(label));
    let report = [Level::ERROR.primary_title(message).element(shown)];
    let renderer = match colours {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    let mut text = renderer.decor_style(DecorStyle::Unicode).render(&report);
    for line in help.iter().flat_map(|help| help.lines()) {
        text.push_str("\n    ");
        text.push_str(line);
    }
    text.push('\n');
    text
}

/// Says what went wrong, once, on standard error; the exit code is 2 for wrong usage and 3 otherwise.
pub(crate) fn tell(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(broken_pipe) {
        // Whoever read our output has read enough.
        return ExitCode::SUCCESS;
    }
    match error.downcast_ref::<Located>() {
        Some(located) => {
            let colours = std::io::stderr().is_terminal();
            anstream::eprint!("{}", render(located, colours));
        }
        None => eprintln!("rectifier: {}", in_a_line(error)),
    }
    match error.is::<Usage>() {
        true => ExitCode::from(2),
        false => ExitCode::from(3),
    }
}

/// The error and its causes. Of what the API server refuses its own words are enough, and an error that repeats its cause is told once.
fn in_a_line(error: &anyhow::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain() {
        if let Some(kube::Error::Api(status)) = cause.downcast_ref() {
            told.push(status.message.clone());
            break;
        }
        let cause = cause.to_string();
        if told.last().is_none_or(|last| !last.ends_with(&cause)) {
            told.push(cause);
        }
    }
    told.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_server_says_is_told_once_and_without_its_fields() {
        let status = kube::core::Status::failure("bob cannot", "Forbidden").with_code(403);
        let refused = kube::Error::Api(Box::new(status));
        let error = anyhow::Error::from(refused).context("it cannot be opened");
        assert_eq!(in_a_line(&error), "it cannot be opened: bob cannot");
    }

    fn source() -> Source {
        Source {
            name: "a.yaml".to_owned(),
            text: "one: 1\ntwö: [2,\n  3]\n".to_owned(),
        }
    }

    #[test]
    fn a_file_that_is_no_yaml_is_shown_at_its_line() {
        let source = source();
        let error = serde_saphyr::from_str::<std::collections::BTreeMap<String, u32>>(&source.text)
            .unwrap_err();
        let located = source.unreadable(&error);
        assert_eq!(source.place(&located.at), (2, 6));
        let text = render(&located, false);
        assert!(
            text.contains("a.yaml:2:6") && text.contains("twö: [2,"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn what_has_no_place_is_shown_at_the_beginning() {
        let source = source();
        let located = source.wrong(Location::UNKNOWN, "it is wrong", "here");
        assert_eq!(source.place(&located.at), (1, 1));
    }
}
