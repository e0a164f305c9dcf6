//! `rectifier completion`.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  rectifier completion bash > /etc/bash_completion.d/rectifier
  rectifier completion zsh > \"${fpath[1]}/_rectifier\"
  rectifier completion fish > ~/.config/fish/completions/rectifier.fish";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Which shell's
    #[arg(value_enum)]
    shell: Supported,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Supported {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn print<C: CommandFactory>(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let shell = match arguments.shell {
        Supported::Bash => Shell::Bash,
        Supported::Zsh => Shell::Zsh,
        Supported::Fish => Shell::Fish,
    };
    // Into memory first: a reader that goes away is no defect of ours.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut C::command(), "rectifier", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Verdict::Well)
}
