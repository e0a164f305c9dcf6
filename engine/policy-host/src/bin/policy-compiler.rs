//! The policy compiler's child as a program of its own; the engines use `rectifier-engine compile` instead.

use std::io::{stdin, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    match rectifier_policy_host::compile::child_main(stdin().lock(), stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
