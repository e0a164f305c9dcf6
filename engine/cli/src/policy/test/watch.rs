//! `--watch`: plays the cases again whenever a file changes. What a person types is slow, so looking is enough.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Arguments;
use crate::output::{self, paint};
use crate::verdict::Verdict;

/// Soon enough for whoever saves a file and looks up.
const INTERVAL: Duration = Duration::from_millis(300);

/// Until it is interrupted.
pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    loop {
        let before = state(arguments);
        if let Err(error) = super::once(arguments).await {
            // Half a file, or a source that does not compile: the next change may mend it.
            crate::diagnostic::tell(&error);
        }
        writeln!(
            output::out(),
            "{}",
            paint(output::FAINT, "waiting for a change …")
        )?;
        // What changed meanwhile counts, too; but not what the build itself wrote.
        let before = without_built(before);
        while without_built(state(arguments)) == before {
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

type State = BTreeMap<PathBuf, (SystemTime, u64)>;

fn state(arguments: &Arguments) -> State {
    let mut state = State::new();
    let around = match arguments.path.is_dir() {
        true => arguments.path.clone(),
        false => arguments.path.parent().unwrap_or(Path::new(".")).to_owned(),
    };
    let around = if around.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        around
    };
    look(&around, &mut state);
    for path in &arguments.cases {
        look(path, &mut state);
    }
    state
}

fn look(path: &Path, state: &mut State) {
    let hidden = |path: &Path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| (name.starts_with('.') && name.len() > 1) || name == "target")
    };
    let Ok(found) = std::fs::metadata(path) else {
        return;
    };
    if found.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        for entry in entries
            .map(|entry| entry.path())
            .filter(|path| !hidden(path))
        {
            look(&entry, state);
        }
    } else if let Ok(changed) = found.modified() {
        state.insert(path.to_owned(), (changed, found.len()));
    }
}

/// A project's policy is written by each build.
fn without_built(mut state: State) -> State {
    let is_project = state.keys().any(|path| {
        path.file_name()
            .is_some_and(|name| name == "Cargo.toml" || name == "go.mod")
    });
    state.retain(|path, _| !is_project || path.extension().is_none_or(|ending| ending != "wasm"));
    state.retain(|path, _| path.file_name().is_none_or(|name| name != "Cargo.lock"));
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_source_is_seen_and_a_built_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let state = || {
            let mut state = State::new();
            look(folder.path(), &mut state);
            without_built(state)
        };
        put("go.mod", "");
        std::fs::create_dir(folder.path().join("target")).unwrap();
        let before = state();
        put("a.wasm", "built");
        put("target/x", "built");
        put(".swp", "an editor's");
        assert_eq!(state(), before);
        put("main.go", "package main");
        assert_ne!(state(), before);
    }
}
