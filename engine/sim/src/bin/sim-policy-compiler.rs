//! The policy compiler's child, for worlds that are started by a test.

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
