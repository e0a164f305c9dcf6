//! Running tests.

use anyhow::{Context, Result, bail};
use rectifier_provision::{Cache, Stderr, Tool, programs, subcommand};

use crate::junit::{Outcome, outcome};

/// Which tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// All that are not scenarios.
    Units,
    /// The whole loop on real parts.
    Scenarios,
}

/// How they are to be run.
pub(crate) struct Options<'a> {
    /// Also those marked as ignored.
    pub(crate) ignored: bool,
    /// Only the tests whose names contain one of these; all, if there is none.
    pub(crate) filters: &'a [String],
    /// But not these: a filter expression of nextest's.
    pub(crate) but: Option<String>,
    /// For the tests' environment.
    pub(crate) environment: &'a [(&'a str, &'a str)],
}

/// Runs them to the last one and returns how each ended; tests that do not compile are an error.
pub(crate) fn run(cache: &Cache, which: Which, options: &Options<'_>) -> Result<Outcome> {
    let program = cache.tool(Tool::Nextest, &mut Stderr::default())?;
    let report = programs(cache).join("../nextest/default/junit.xml");
    // an old report must not speak for a run that came to nothing
    if report.exists() {
        std::fs::remove_file(&report)?;
    }
    let mut nextest = subcommand(cache, &program);
    nextest.args([
        "nextest",
        "run",
        "--workspace",
        "--locked",
        "--no-fail-fast",
    ]);
    nextest.args(["--no-tests=pass", "--filterset"]);
    let mut wanted = match which {
        Which::Units => "not package(rectifier-scenarios)".to_owned(),
        Which::Scenarios => "package(rectifier-scenarios)".to_owned(),
    };
    if let Some(but) = &options.but {
        wanted += &format!(" and not {but}");
    }
    nextest.arg(wanted);
    if options.ignored {
        nextest.arg("--run-ignored=all");
    }
    // an error's chain says where; panics keep their backtraces
    if std::env::var_os("RUST_LIB_BACKTRACE").is_none() {
        nextest.env("RUST_LIB_BACKTRACE", "0");
    }
    nextest
        .args(options.filters)
        .envs(options.environment.iter().copied());
    let status = nextest.status().context("cannot start cargo-nextest")?;
    match std::fs::read_to_string(&report) {
        Ok(report) => Ok(outcome(&report)),
        Err(_) if status.success() => Ok(Outcome::default()),
        Err(_) => bail!("cargo-nextest came to no result ({status})"),
    }
}
