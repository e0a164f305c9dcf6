//! Compiles policies in a short-lived child process, and keeps what came out in a private cache.
//!
//! A compiler is big, and a hostile module can make it bigger: it runs in a process of its own, with limits on memory
//! and time, that has nothing but its standard streams. What it wrote is native code; [`cache`] says why it may be
//! loaded.
//!
//! The compiler is no part of a long-lived program (feature `compiler`): it would be most of its machine code.

mod cache;
#[cfg(feature = "compiler")]
mod child;
mod job;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rectifier_core::policy::FailureClass;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::Failure;
use crate::engine::Metering;
pub(crate) use cache::{Cache, Compiled, hex};
#[cfg(feature = "compiler")]
pub use child::{ChildError, child_main, child_program};
use job::Job;

/// The engines' compiler, in the folder of the engine's own program.
const PROGRAM: &str = "rectifier-compiler";

/// What is large, and compiled by one process at a time, behind everything else. 512 KiB: a policy in Rust or C, compiled in
/// a tenth of a second, has less; one that brings an interpreter or a runtime has more.
pub(crate) const LARGE_BYTES: u64 = 512 << 10;

/// Threads that compile a small module: as many as the smallest node has cores. A large one has one thread, so that a small
/// one finds a core free.
const THREADS: u32 = 2;

/// What a compiled policy may be at most. Native code is about five times its module, and no module is over 64 MiB.
const COMPILED_BYTES: u64 = 512 << 20;

/// How a compiling child is started, and what it may use.
#[derive(Debug, Clone)]
pub struct Compiler {
    program: PathBuf,
    arguments: Vec<OsString>,
    limits: CompileLimits,
}

/// What one compilation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Wall time, and as much CPU time of each of its threads. Default 60 s.
    pub time: Duration,
    /// Bytes of address space. Default 1 GiB.
    pub address_space: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(60),
            address_space: 1 << 30,
        }
    }
}

impl Compiler {
    /// The program `rectifier-compiler` that was installed beside this one.
    ///
    /// # Errors
    /// It is not there.
    pub fn beside_this_program(limits: CompileLimits) -> std::io::Result<Self> {
        let program = std::env::current_exe()?.with_file_name(PROGRAM);
        if !program.is_file() {
            let why = format!(
                "there is no {}: the policies' compiler belongs beside this program",
                program.display()
            );
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, why));
        }
        Ok(Self::new(program, &[], limits))
    }

    /// `program` with `arguments` must do nothing but call `child_main` with its standard input and output.
    pub fn new(program: impl Into<PathBuf>, arguments: &[&str], limits: CompileLimits) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.iter().map(OsString::from).collect(),
            limits,
        }
    }

    /// Compiles one component or command to what wasmtime's `deserialize` takes.
    ///
    /// # Errors
    /// [`FailureClass::Load`]: the module is invalid. [`FailureClass::Compile`]: it is too much for the limits, or the child
    /// cannot be run; that may pass.
    pub(crate) async fn compile(
        &self,
        module: &[u8],
        metering: Metering,
    ) -> Result<Vec<u8>, Failure> {
        let failed = |why: String| Failure::new(FailureClass::Compile, why);
        let CompileLimits {
            time,
            address_space,
        } = self.limits;
        let is_large = module.len() as u64 >= LARGE_BYTES;
        let threads = if is_large { 1 } else { THREADS };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("RAYON_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                failed(format!(
                    "the compiler {} cannot be run: {error}",
                    self.program.display()
                ))
            })?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed("the compiler has no standard streams".to_owned()));
        };
        let give = async move {
            let job = Job {
                address_space,
                cpu_seconds: time.as_secs().max(1) * u64::from(threads),
                metering,
                is_large,
            };
            // A child that dies early says why on its stderr; a broken pipe here would only hide that.
            let _ = stdin.write_all(&job.header()).await;
            let _ = stdin.write_all(module).await;
        };
        let work = async {
            let ((), compiled, said) =
                tokio::join!(give, read(stdout, COMPILED_BYTES), read(stderr, 4096));
            (compiled, said, child.wait().await)
        };
        let Ok((compiled, said, status)) = tokio::time::timeout(time, work).await else {
            return Err(failed(format!(
                "its compilation took longer than {} s",
                time.as_secs()
            )));
        };
        let status = status.map_err(|error| failed(format!("the compiler is lost: {error}")))?;
        if !status.success() {
            let said = String::from_utf8_lossy(&said);
            let said = said.lines().last().unwrap_or("nothing").trim();
            let megabytes = address_space >> 20;
            return Err(failed(format!(
                "compiler ({megabytes} MiB, {} s): {status}: {said}",
                time.as_secs()
            )));
        }
        match compiled.split_first() {
            Some((&job::COMPILED, compiled)) => Ok(compiled.to_vec()),
            Some((&job::REFUSED, why)) => {
                let why = String::from_utf8_lossy(why).into_owned();
                Err(Failure::new(FailureClass::Load, why))
            }
            Some(_) | None => Err(failed("the compiler gave no result".to_owned())),
        }
    }
}

/// Reads at most `limit` bytes. A stream that breaks is one that ended: the child's status tells the rest.
async fn read(stream: impl AsyncRead + Unpin, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.take(limit).read_to_end(&mut bytes).await;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_is_not_beside_the_program_is_named() {
        let refused = Compiler::beside_this_program(CompileLimits::default()).unwrap_err();
        assert!(
            refused.to_string().contains("/rectifier-compiler: "),
            "{refused}"
        );
    }
}
