//! `rectifier policy toolchain`.

use super::language::PythonTool;
use crate::output::{self, OutputArguments};
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  $(rectifier policy toolchain ziglang) -m ziglang build test
  $(rectifier policy toolchain ziglang) -m ziglang cc --version";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Which
    #[arg(value_enum)]
    tool: PythonTool,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let python = arguments.tool.python()?;
    match arguments.output.is_json() {
        true => output::json(&serde_json::json!({ "python": python }))?,
        false => println!("{}", python.display()),
    }
    Ok(Verdict::Well)
}
