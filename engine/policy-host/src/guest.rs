//! What stands behind one running guest: its limits, its log, and a WASI world in which there is nothing.

use std::convert::Infallible;
use std::time::Duration;

use rectifier_core::name::PolicyName;
use serde::Serialize;
use sha2::{Digest, Sha256};
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

use crate::Limits;
use crate::failure::OutOfMemory;
use crate::stream::Written;

/// Entries in a call's table of host resources: streams, pollables, errors. Arbitrary: a hundred times what a language's
/// start-up makes, and too few to matter in memory.
const RESOURCES: usize = 1000;

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
    wasi: WasiCtx,
    table: ResourceTable,
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
            .monotonic_clock(Stopped(Duration::ZERO))
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
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Self {
            limits,
            log: Log {
                policy: policy.clone(),
                lines_left: limits.log_lines,
                bytes_left: limits.log_bytes,
                lines,
            },
            memory: Memory {
                limits,
                bytes: 0,
                elements: 0,
            },
            question_bytes,
            answer_bytes: 0,
            command,
            wasi: wasi.build(),
            table,
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

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
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

/// How much a line of a policy's log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// For the policy's author.
    Debug,
    /// For whoever reads the story of a repair.
    Info,
    /// Somebody should look at it today.
    Warn,
    /// Something is wrong.
    Error,
}

impl LogLevel {
    /// A command's line on standard error may begin with its level: `warn: the runtime hangs`.
    fn of_line(line: &str) -> (Self, &str) {
        [
            ("debug: ", LogLevel::Debug),
            ("info: ", LogLevel::Info),
            ("warn: ", LogLevel::Warn),
            ("error: ", LogLevel::Error),
        ]
        .into_iter()
        .find_map(|(prefix, level)| Some((level, line.strip_prefix(prefix)?)))
        .unwrap_or((LogLevel::Info, line))
    }
}

/// Where a policy's lines go.
pub(crate) enum Lines {
    /// Into the engine's own log.
    Told,
    /// Nowhere yet: whoever asked reads them afterwards.
    Kept(Vec<(LogLevel, String)>),
}

/// Passes a policy's lines on, up to a limit.
pub(crate) struct Log {
    policy: PolicyName,
    lines_left: usize,
    bytes_left: usize,
    lines: Lines,
}

impl Log {
    pub(crate) fn write(&mut self, level: LogLevel, message: &str) {
        if self.lines_left == 0 || self.bytes_left == 0 {
            return;
        }
        let message = &message[..message.floor_char_boundary(self.bytes_left)];
        self.lines_left -= 1;
        self.bytes_left -= message.len().max(1);
        let policy = self.policy.as_str();
        if let Lines::Kept(lines) = &mut self.lines {
            lines.push((level, message.to_owned()));
            return;
        }
        // A policy's error is no reason to wake anybody: the engine judges what follows from it.
        match level {
            LogLevel::Debug => tracing::debug!(target: "policy", policy, "{message}"),
            LogLevel::Info => tracing::info!(target: "policy", policy, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "policy", policy, "{message}"),
            LogLevel::Error => {
                tracing::warn!(target: "policy", policy, level = "error", "{message}")
            }
        }
    }

    /// What was kept.
    pub(crate) fn take(&mut self) -> Vec<(LogLevel, String)> {
        match &mut self.lines {
            Lines::Told => Vec::new(),
            Lines::Kept(lines) => std::mem::take(lines),
        }
    }
}

/// A guest's text for people: one line of at most 1024 bytes.
pub(crate) fn one_line(text: &str) -> String {
    let text = text.replace(|c: char| c.is_control(), " ");
    text[..text.floor_char_boundary(1024)].to_owned()
}

/// A clock that stands.
struct Stopped(Duration);

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Random numbers that are a function of the observation: SHA-256 of seed and counter. It must be the same for ever,
/// so it is no library's generator.
struct Seeded {
    key: Sha256,
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl Seeded {
    fn new(purpose: &str, seed: &str) -> Self {
        let key = Sha256::new()
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(seed);
        Self {
            key,
            counter: 0,
            block: [0; 32],
            used: 32,
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == self.block.len() {
                self.block = self
                    .key
                    .clone()
                    .chain_update(self.counter.to_le_bytes())
                    .finalize()
                    .into();
                self.counter += 1;
                self.used = 0;
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
    }
}

impl rand_core::TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_are_a_function_of_the_seed() {
        let numbers = |purpose, seed| {
            let mut bytes = [0; 100];
            Seeded::new(purpose, seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(numbers("a", "1"), numbers("a", "1"));
        assert_ne!(numbers("a", "1"), numbers("a", "2"));
        assert_ne!(numbers("a", "1"), numbers("b", "1"));
    }

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

    #[test]
    fn a_commands_line_may_begin_with_its_level() {
        assert_eq!(LogLevel::of_line("warn: a"), (LogLevel::Warn, "a"));
        assert_eq!(
            LogLevel::of_line("warning: a"),
            (LogLevel::Info, "warning: a")
        );
    }

    #[test]
    fn a_log_ends_at_its_limit() {
        let mut log = Log {
            policy: PolicyName::parse("a").unwrap(),
            lines_left: 2,
            bytes_left: 3,
            lines: Lines::Kept(Vec::new()),
        };
        log.write(LogLevel::Info, "ää");
        assert_eq!((log.lines_left, log.bytes_left), (1, 1));
        log.write(LogLevel::Info, "ä");
        log.write(LogLevel::Info, "a");
        assert_eq!((log.lines_left, log.bytes_left), (0, 0));
        let kept: Vec<_> = log.take().into_iter().map(|(_, line)| line).collect();
        assert_eq!(kept, ["ä", ""]);
    }
}
