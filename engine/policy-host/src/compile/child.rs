//! The child's side: one job from standard input, its result to standard output, then the end.

use std::io::{Read, Write};
use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};

use crate::engine::Metering;
use crate::log::one_line;
use crate::section::{Form, form};

/// The first byte of the result: native code follows.
pub(super) const COMPILED: u8 = 0;
/// Why the module does not compile follows.
pub(super) const REFUSED: u8 = 1;

/// What precedes the module on the child's standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) address_space: u64,
    pub(super) cpu_seconds: u64,
    pub(super) metering: Metering,
}

impl Job {
    const BYTES: usize = 17;

    pub(super) fn header(self) -> [u8; Self::BYTES] {
        let mut header = [0; Self::BYTES];
        header[..8].copy_from_slice(&self.address_space.to_le_bytes());
        header[8..16].copy_from_slice(&self.cpu_seconds.to_le_bytes());
        header[16] = match self.metering {
            Metering::Epoch => 0,
            Metering::Fuel => 1,
        };
        header
    }

    fn read(input: &mut impl Read) -> std::io::Result<Self> {
        let (mut address_space, mut cpu_seconds, mut metering) = ([0; 8], [0; 8], [0; 1]);
        input.read_exact(&mut address_space)?;
        input.read_exact(&mut cpu_seconds)?;
        input.read_exact(&mut metering)?;
        Ok(Self {
            address_space: u64::from_le_bytes(address_space),
            cpu_seconds: u64::from_le_bytes(cpu_seconds),
            metering: match metering {
                [0] => Metering::Epoch,
                [1] => Metering::Fuel,
                [_] => return Err(std::io::ErrorKind::InvalidData.into()),
            },
        })
    }

    /// Binds this process to the job's limits, before it reads a byte of a module.
    fn confine(self) -> nix::Result<()> {
        setrlimit(Resource::RLIMIT_AS, self.address_space, self.address_space)?;
        setrlimit(Resource::RLIMIT_CPU, self.cpu_seconds, self.cpu_seconds)?;
        // No files: neither to write nor to leave behind when it crashes.
        setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        // Without its parent nobody waits for the result.
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)
    }
}

/// Why the child failed. It goes to stderr, and the exit code is not 0.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The job could not be read, or the result not be written.
    #[error("standard input or output: {0}")]
    Stream(#[from] std::io::Error),
    /// This process could not be confined.
    #[error("limits: {0}")]
    Limits(#[from] nix::Error),
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
    job.confine()?;
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
