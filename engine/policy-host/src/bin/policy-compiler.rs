//! The policy compiler's child as a program of its own; the engines use `rectifier-engine compile` instead.

fn main() -> std::process::ExitCode {
    rectifier_policy_host::compile::child_program()
}
