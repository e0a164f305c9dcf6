//! The child's side: one job from standard input, its result to standard output, then the end.

use std::io::{Read, Write};

use nix::sys::resource::{Resource, setrlimit};

/// What precedes the module on the child's standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) address_space: u64,
    pub(super) cpu_seconds: u64,
}

impl Job {
    const BYTES: usize = 16;

    pub(super) fn header(self) -> [u8; Self::BYTES] {
        let mut header = [0; Self::BYTES];
        header[..8].copy_from_slice(&self.address_space.to_le_bytes());
        header[8..].copy_from_slice(&self.cpu_seconds.to_le_bytes());
        header
    }

    fn read(input: &mut impl Read) -> std::io::Result<Self> {
        let (mut address_space, mut cpu_seconds) = ([0; 8], [0; 8]);
        input.read_exact(&mut address_space)?;
        input.read_exact(&mut cpu_seconds)?;
        Ok(Self {
            address_space: u64::from_le_bytes(address_space),
            cpu_seconds: u64::from_le_bytes(cpu_seconds),
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
    /// The module is invalid, or the compiler does not take it.
    #[error("{0:#}")]
    Module(wasmtime::Error),
}

/// The whole life of a compiling child: confines the process, reads one component from `input` (standard input),
/// and writes what [`Compiler`](super::Compiler) expects to `output` (standard output). Say the error's one line on
/// standard error, and end.
///
/// # Errors
/// See [`ChildError`].
pub fn child_main(mut input: impl Read, mut output: impl Write) -> Result<(), ChildError> {
    Job::read(&mut input)?.confine()?;
    let engine = crate::engine::compiling().map_err(ChildError::Module)?;
    let mut module = Vec::new();
    input.read_to_end(&mut module)?;
    let compiled = engine
        .precompile_component(&module)
        .map_err(ChildError::Module)?;
    output.write_all(&compiled)?;
    Ok(output.flush()?)
}
