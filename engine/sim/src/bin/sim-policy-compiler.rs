//! The policy compiler's child, for worlds that are started by a test.

fn main() -> std::process::ExitCode {
    rectifier_policy_host::compile::child_program()
}
