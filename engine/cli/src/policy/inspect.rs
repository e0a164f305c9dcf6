//! `rectifier policy inspect`: everything that can be told of a file without running it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::Compression;
use flate2::read::GzEncoder;
use rectifier_policy_host::{Metadata, Needed, Needs, read_metadata};
use serde_json::{Value, json};
use wasmparser::{Encoding, Parser, Payload};

use super::check::handles;
use super::files::{beside, the_policy};
use super::tree::parse;
use crate::output::{self, OutputArguments, Table, bytes, paint};
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Nothing of the policy is run, so it may be a file that no engine would load. Examples:
  rectifier policy inspect restart-once.wasm
  rectifier policy inspect . --output json";

/// As an engine would: a small file may hold a large one, but not without end. 64 MiB: three times the largest policy that
/// any language makes.
const UNPACKED: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A policy, or a directory with one
    #[arg(default_value = ".", value_name = "FILE|DIR")]
    path: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let file = the_policy(&arguments.path)?;
    let packed = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = file.to_string_lossy();
    let bytes = rectifier_policy_host::unpack(&name, &packed, UNPACKED)
        .with_context(|| format!("{name} cannot be unpacked"))?;
    let module =
        Module::read(&bytes).with_context(|| format!("{} is no WebAssembly", file.display()))?;
    let metadata = read_metadata(&bytes);
    let sidecar = sidecar(&file)?;
    match arguments.output.is_json() {
        true => {
            let mut said = json!({
                "file": file, "form": module.form, "bytes": bytes.len(), "gzipBytes": gzipped(&bytes)?,
                "imports": module.imports, "exports": module.exports, "sidecar": sidecar,
            });
            match &metadata {
                Ok(metadata) => said["metadata"] = json!(metadata),
                Err(failure) => said["problem"] = json!(failure.message),
            }
            output::json(&said)?;
        }
        false => print(&file, &bytes, &module, metadata.as_ref().ok(), &sidecar)?,
    }
    match &metadata {
        Ok(_) => {}
        Err(failure) if !arguments.output.is_json() => {
            writeln!(
                output::out(),
                "\n{} {}",
                paint(output::BAD, "×"),
                failure.message
            )?;
        }
        Err(_) => {}
    }
    Ok(Verdict::of(metadata.is_ok()))
}

/// What a module or component asks for and offers, at its outermost level.
#[derive(Debug)]
struct Module {
    form: &'static str,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Module {
    fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        let (mut form, mut depth) = (None, 0_usize);
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version { encoding, .. } => {
                    form = form.or(Some(match encoding {
                        Encoding::Module => "command",
                        Encoding::Component => "component",
                    }));
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ImportSection(section) if depth == 0 => {
                    for import in section.into_imports() {
                        let import = import?;
                        imports.push(format!("{}.{}", import.module, import.name));
                    }
                }
                Payload::ExportSection(section) if depth == 0 => {
                    for export in section {
                        exports.push(export?.name.to_owned());
                    }
                }
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        exports.push(export?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(Self {
            form: form.context("it is empty")?,
            imports,
            exports,
        })
    }
}

/// How large it would be as `NAME.wasm.gz`.
fn gzipped(bytes: &[u8]) -> anyhow::Result<usize> {
    let mut packed = Vec::new();
    GzEncoder::new(bytes, Compression::best()).read_to_end(&mut packed)?;
    Ok(packed.len())
}

/// What the operator's file says, as it stands: `check` says whether an engine takes it.
fn sidecar(policy: &Path) -> anyhow::Result<Option<Value>> {
    let Some(file) = beside(policy, ".yaml").filter(|file| file.is_file()) else {
        return Ok(None);
    };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {name}"))?;
    let source = crate::diagnostic::Source { name, text };
    let said: Option<Value> = parse(&source.text).map_err(|error| source.unreadable(&error))?;
    Ok(Some(said.unwrap_or_default()))
}

fn print(
    file: &Path,
    module_bytes: &[u8],
    module: &Module,
    metadata: Option<&Metadata>,
    sidecar: &Option<Value>,
) -> anyhow::Result<()> {
    let mut table = Table::default();
    table.entry("file", file.display().to_string());
    let (raw, packed) = (bytes(module_bytes.len()), bytes(gzipped(module_bytes)?));
    table.entry("size", format!("{raw}, {packed} with gzip"));
    table.entry("form", module.form);
    if let Some(metadata) = metadata {
        table.entry("name", metadata.name.to_string());
        table.entry("version", metadata.version.as_str());
        table.entry("contract", metadata.contract.as_str());
        table.entry("handles", handles(&metadata.handles).replace("; ", "\n"));
        let Needs {
            units,
            fixes,
            facts,
        } = &metadata.needs;
        table.entry("needs units", needed(units));
        table.entry("needs fixes", needed(fixes));
        table.entry("needs facts", needed(facts));
    }
    table.entry("imports", module.imports.join("\n"));
    table.entry("exports", module.exports.join("\n"));
    if let Some(sidecar) = sidecar {
        table.entry("sidecar", serde_saphyr::to_string(sidecar)?);
    }
    Ok(table.print(&mut output::out())?)
}

fn needed<T: AsRef<str>>(needed: &Needed<T>) -> String {
    match needed {
        Needed::All => "all that are allowed".to_owned(),
        Needed::Only(names) => names
            .iter()
            .map(AsRef::as_ref)
            .collect::<Vec<_>>()
            .join("\n"),
    }
}
