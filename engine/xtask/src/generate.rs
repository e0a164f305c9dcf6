//! `cargo xtask generate`: files in the repository that are made from code, and the check that they
//! are what the code would make.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rectifier_provision::{Cache, Features, Stderr, build_programs, programs, subcommand};

use crate::table::Verdict;

/// A file, and which program is to be told what to print it.
struct Generated {
    file: &'static str,
    program: Program,
    arguments: &'static [&'static str],
}

/// The programs that print files.
#[derive(Clone, Copy)]
enum Program {
    /// `rectifier-engine`
    Engine,
    /// `rectifier`
    Cli,
}

const FILES: &[Generated] = &[
    Generated {
        file: "deploy/crds/rectifier.yaml",
        program: Program::Engine,
        arguments: &["crds"],
    },
    schema(
        "sdk/schema/v0.1/question.json",
        &["policy", "schema", "question"],
    ),
    schema(
        "sdk/schema/v0.1/settings-question.json",
        &["policy", "schema", "settings-question"],
    ),
    schema(
        "sdk/schema/v0.1/answer.json",
        &["policy", "schema", "answer"],
    ),
    schema(
        "sdk/schema/metadata.json",
        &["policy", "schema", "metadata"],
    ),
    schema("sdk/schema/sidecar.json", &["policy", "schema", "sidecar"]),
];

const fn schema(file: &'static str, arguments: &'static [&'static str]) -> Generated {
    Generated {
        file,
        program: Program::Cli,
        arguments,
    }
}

pub(crate) fn command(cache: &Cache, check: bool) -> Result<ExitCode> {
    if check {
        self::check(cache)?;
        return Ok(ExitCode::SUCCESS);
    }
    let built = Built::new(cache)?;
    for generated in FILES {
        let path = cache.checkout().join(generated.file);
        let content = built.content(cache, generated)?;
        if std::fs::read(&path).is_ok_and(|current| current == content) {
            println!("unchanged  {}", generated.file);
            continue;
        }
        let folder = path.parent().context("a generated file is in a folder")?;
        std::fs::create_dir_all(folder)?;
        std::fs::write(&path, content)?;
        println!("written    {}", generated.file);
    }
    Ok(ExitCode::SUCCESS)
}

/// # Errors
/// Names the files that are not what the code would make.
pub(crate) fn check(cache: &Cache) -> Result<Verdict> {
    let built = Built::new(cache)?;
    let mut stale = Vec::new();
    for generated in FILES {
        let current = std::fs::read(cache.checkout().join(generated.file)).unwrap_or_default();
        if current != built.content(cache, generated)? {
            stale.push(generated.file);
        }
    }
    if !stale.is_empty() {
        bail!("run cargo xtask generate: it changes {}", stale.join(", "));
    }
    Ok(Verdict::Well(String::new()))
}

/// Where the programs are.
struct Built {
    engine: PathBuf,
    cli: PathBuf,
}

impl Built {
    fn new(cache: &Cache) -> Result<Self> {
        let engine = cache.engine(Features::Shipped, &mut Stderr::default())?;
        // as the engine is: with one set of features
        let status = build_programs(cache)
            .arg("--quiet")
            .status()
            .context("cannot start cargo")?;
        if !status.success() {
            bail!("{CLI} does not compile");
        }
        let cli = programs(cache).join(CLI);
        Ok(Self { engine, cli })
    }

    fn content(&self, cache: &Cache, generated: &Generated) -> Result<Vec<u8>> {
        let program = match generated.program {
            Program::Engine => &self.engine,
            Program::Cli => &self.cli,
        };
        let output = subcommand(cache, program)
            .args(generated.arguments)
            .output()
            .with_context(|| format!("cannot start {}", program.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let (program, words) = (program.display(), generated.arguments.join(" "));
            bail!("{program} {words} failed: {}", said.trim());
        }
        Ok(output.stdout)
    }
}

const CLI: &str = "rectifier";
