//! What stands behind one running guest: its limits, its log, and a WASI world in which there is nothing.

use std::time::Duration;

use rectifier_core::name::PolicyName;
use wasmtime::ResourceLimiter;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::Limits;
use crate::failure::OutOfMemory;
use crate::log::{Lines, Log, LogLevel};
use crate::stopped::{Seeded, Stopped};
use crate::stream::Written;

/// Entries in a call's table of host resources: streams, pollables, errors. Arbitrary: a hundred times what a language's
/// start-up makes, and too few to matter in memory.
pub(crate) const RESOURCES: usize = 1000;

/// A store's data.
pub(crate) struct Guest {
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    pub(crate) memory: Memory,
    /// Of the observation and settings that it was shown.
    pub(crate) question_bytes: usize,
    /// Of its answer.
    pub(crate) answer_bytes: usize,
    command: Option<CommandOutput>,
    wasi: WasiP1Ctx,
}

/// What a guest is made of.
pub(crate) struct GuestParts<'a> {
    pub(crate) policy: &'a PolicyName,
    pub(crate) limits: Limits,
    /// Where its clock stands.
    pub(crate) moment: Duration,
    /// What its random numbers are a function of.
    pub(crate) seed: &'a str,
    pub(crate) lines: Lines,
    /// For a WASI command: how it is called.
    pub(crate) command: Option<CommandInput>,
}

/// How a WASI command is called.
pub(crate) struct CommandInput {
    /// Its only argument.
    pub(crate) verb: &'static str,
    /// Its standard input.
    pub(crate) document: Vec<u8>,
}

struct CommandOutput {
    answer: Written,
    complaint: Written,
}

impl Guest {
    /// For one call. Clock and random numbers come from what is decided on, so that the same observation gives the
    /// same decision.
    pub(crate) fn new(parts: GuestParts<'_>) -> Self {
        let GuestParts {
            policy,
            limits,
            moment,
            seed,
            lines,
            command,
        } = parts;
        let random = |purpose: &str| Seeded::new(purpose, seed);
        let mut seed_bytes = [0; 16];
        random("seed").fill(&mut seed_bytes);
        // No files, environment, sockets; streams that swallow everything.
        let mut wasi = WasiCtx::builder();
        wasi.wall_clock(Stopped(moment))
            // Not at zero: Go takes that for a broken clock, and ends.
            .monotonic_clock(Stopped(Duration::from_secs(1)))
            .secure_random(random("secure"))
            .insecure_random(random("insecure"))
            .insecure_random_seed(u128::from_le_bytes(seed_bytes))
            .max_random_size(limits.host_call_bytes as u64)
            .allow_ip_name_lookup(false)
            .allow_tcp(false)
            .allow_udp(false);
        let mut question_bytes = 0;
        let command = command.map(|CommandInput { verb, document }| {
            question_bytes = document.len();
            let answer = Written::new(limits.output_bytes);
            let complaint = Written::new(limits.log_bytes);
            wasi.args(&["policy", verb])
                .stdin(MemoryInputPipe::new(document))
                .stdout(answer.clone())
                .stderr(complaint.clone());
            CommandOutput { answer, complaint }
        });
        let mut wasi = wasi.build_p1();
        wasi.ctx().table.set_max_capacity(RESOURCES);
        Self {
            limits,
            log: Log::new(policy, &limits, lines),
            memory: Memory {
                limits,
                bytes: 0,
                elements: 0,
            },
            question_bytes,
            answer_bytes: 0,
            command,
            wasi,
        }
    }

    /// What a command wrote: its answer, and whether there was more than its limit; and the lines of its standard error,
    /// which go into the log, too.
    pub(crate) fn command_said(&mut self) -> ((Vec<u8>, bool), Vec<String>) {
        let Some(CommandOutput { answer, complaint }) = &self.command else {
            return Default::default();
        };
        let (answer, (complaint, _)) = (answer.take(), complaint.take());
        // Asked for twice, the second time finds nothing.
        self.answer_bytes = self.answer_bytes.max(answer.0.len());
        let complaint = String::from_utf8_lossy(&complaint);
        let lines = complaint
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty());
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        for line in &lines {
            let (level, line) = LogLevel::of_line(line);
            self.log.write(level, line);
        }
        (answer, lines)
    }
}

impl Guest {
    /// What a command's imports stand on.
    pub(crate) fn preview1(&mut self) -> &mut WasiP1Ctx {
        &mut self.wasi
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

/// Counts memory over all memories and tables of a call: wasmtime's own limits are for each one.
pub(crate) struct Memory {
    limits: Limits,
    /// In use; a guest's memories never shrink.
    pub(crate) bytes: usize,
    elements: usize,
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.limits.memory_bytes;
        grow(
            &mut self.bytes,
            current,
            desired,
            maximum,
            OutOfMemory {
                limit,
                what: "bytes of memory",
            },
        )
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.limits.table_elements;
        grow(
            &mut self.elements,
            current,
            desired,
            maximum,
            OutOfMemory {
                limit,
                what: "table elements",
            },
        )
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}

/// An error rather than a refusal: few guests expect a growth to fail, and a trap in their allocator would hide why.
fn grow(
    total: &mut usize,
    current: usize,
    desired: usize,
    maximum: Option<usize>,
    exceeded: OutOfMemory,
) -> wasmtime::Result<bool> {
    if maximum.is_some_and(|maximum| desired > maximum) {
        return Ok(false);
    }
    let wanted = total.saturating_add(desired.saturating_sub(current));
    if wanted > exceeded.limit {
        return Err(exceeded.into());
    }
    *total = wanted;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_over_all_memories() {
        let limits = Limits {
            memory_bytes: 100,
            ..Limits::default()
        };
        let mut memory = Memory {
            limits,
            bytes: 0,
            elements: 0,
        };
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.memory_growing(0, 40, None).unwrap());
        assert!(!memory.memory_growing(40, 50, Some(45)).unwrap());
        assert!(memory.memory_growing(40, 41, None).is_err());
    }
}
