//! The child's side: one job from standard input, its result to standard output, then the end.

use std::io::{Read, Write};
use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};

use super::job::{COMPILED, Job, REFUSED};
use crate::log::one_line;
use crate::section::{Form, form};

/// How far a large module's compilation stands back: as far as can be. It yields to its engine and to smaller modules; to
/// other pods and services it would not, since each of them has its own share.
const NICE: i32 = 19;

/// Why the child failed. It goes to stderr, and the exit code is not 0.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The job could not be read, or the result not be written.
    #[error("standard input or output: {0}")]
    Stream(#[from] std::io::Error),
    /// This process could not be confined.
    #[error("limits: {0}")]
    Limits(std::io::Error),
    /// There is no compiler for this machine.
    #[error("{0:#}")]
    Compiler(wasmtime::Error),
}

/// The whole life of a compiling child: confines the process, reads one component or command from `input` (standard
/// input), and writes what [`Compiler`](super::Compiler) expects to `output` (standard output). Say the error's one line
/// on standard error, and end.
///
/// # Errors
/// See [`ChildError`]. That the module is refused is a result, and no error.
pub fn child_main(mut input: impl Read, mut output: impl Write) -> Result<(), ChildError> {
    let job = Job::read(&mut input)?;
    confine(job).map_err(ChildError::Limits)?;
    let engine = crate::engine::compiling(job.metering).map_err(ChildError::Compiler)?;
    let mut module = Vec::new();
    input.read_to_end(&mut module)?;
    let compiled = match form(&module) {
        Ok(Form::Component) => engine.precompile_component(&module),
        Ok(Form::Command) => engine.precompile_module(&module),
        Err(failure) => Err(wasmtime::Error::msg(failure.message)),
    };
    match compiled {
        Ok(compiled) => {
            output.write_all(&[COMPILED])?;
            output.write_all(&compiled)?;
        }
        Err(error) => {
            output.write_all(&[REFUSED])?;
            output.write_all(one_line(&format!("{error:#}")).as_bytes())?;
        }
    }
    Ok(output.flush()?)
}

/// Binds this process to the job's limits, before it reads a byte of a module.
fn confine(job: Job) -> std::io::Result<()> {
    setrlimit(Resource::RLIMIT_AS, job.address_space, job.address_space)?;
    setrlimit(Resource::RLIMIT_CPU, job.cpu_seconds, job.cpu_seconds)?;
    // No files: neither to write nor to leave behind when it crashes.
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    if job.is_large {
        // For its threads, too: they come later.
        rustix::process::nice(NICE)?;
    }
    // Without its parent nobody waits for the result.
    Ok(nix::sys::prctl::set_pdeathsig(
        nix::sys::signal::Signal::SIGKILL,
    )?)
}

/// A program that is nothing but the child.
pub fn child_program() -> ExitCode {
    match child_main(std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
