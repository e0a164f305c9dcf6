//! `rectifier-compiler`: compiles one policy, from standard input to standard output. The engines start it, and look for it
//! beside themselves.

fn main() -> std::process::ExitCode {
    rectifier_policy_host::compile::child_program()
}
