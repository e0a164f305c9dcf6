//! How much of the host one policy may use.

use std::time::Duration;

/// The limits of one policy, and the ceiling for what a sidecar may set. The defaults leave a policy in an
/// interpreted language room, and cost the host nothing that it would miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall time of one call, instantiation included. Default 1 s.
    pub decision: Duration,
    /// Bytes of linear memory, all memories of a call together. Default 64 MiB.
    pub memory_bytes: usize,
    /// Linear memories. Default 16.
    pub memories: usize,
    /// Core instances. Default 256: a Python component has more than 32.
    pub instances: usize,
    /// Tables. Default 256.
    pub tables: usize,
    /// Elements of all tables together. Default 100 000.
    pub table_elements: usize,
    /// Bytes that one call may move from the guest to the host. Default 1 MiB.
    pub host_call_bytes: usize,
    /// Bytes of text in one observation with its settings. Default 256 KiB.
    pub input_bytes: usize,
    /// Bytes of text in one decision. Default 64 KiB.
    pub output_bytes: usize,
    /// Bytes of log of one call; more is dropped. Default 64 KiB.
    pub log_bytes: usize,
    /// Lines of log of one call; more are dropped. Default 100.
    pub log_lines: usize,
    /// Bytes of a policy's file. Default 8 MiB.
    pub module_bytes: usize,
    /// Bytes of a sidecar. Default 64 KiB.
    pub sidecar_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: usize = 1 << 10;
        const MIB: usize = 1 << 20;
        Self {
            decision: Duration::from_secs(1),
            memory_bytes: 64 * MIB,
            memories: 16,
            instances: 256,
            tables: 256,
            table_elements: 100_000,
            host_call_bytes: MIB,
            input_bytes: 256 * KIB,
            output_bytes: 64 * KIB,
            log_bytes: 64 * KIB,
            log_lines: 100,
            module_bytes: 8 * MIB,
            sidecar_bytes: 64 * KIB,
        }
    }
}
