//! How much of the host one policy may use.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The limits of one policy; a second value of this type is the ceiling for what a sidecar may set. The defaults leave
/// a policy in an interpreted language room, and cost the host nothing that it would miss.
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

/// Other limits than the usual ones, under the names and in the units in which people write them: in a sidecar for one
/// policy, in an engine's configuration for all. What is not named stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimitsPatch {
    /// Wall time of one call, instantiation included.
    pub milliseconds: Option<u32>,
    /// Linear memory, all memories of a call together.
    pub memory_mebibytes: Option<u32>,
    /// Linear memories.
    pub memories: Option<u32>,
    /// Core instances.
    pub instances: Option<u32>,
    /// Tables.
    pub tables: Option<u32>,
    /// Elements of all tables together.
    pub table_elements: Option<u32>,
    /// What one host call may move from the guest to the host.
    pub host_call_kibibytes: Option<u32>,
    /// Text in one observation with its settings.
    pub input_kibibytes: Option<u32>,
    /// Text in one decision.
    pub output_kibibytes: Option<u32>,
    /// Log of one call.
    pub log_kibibytes: Option<u32>,
    /// Lines of log of one call.
    pub log_lines: Option<u32>,
}

/// What an operator says about the limits of all policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsChoice {
    /// For policies whose sidecar says nothing else.
    pub usual: LimitsPatch,
    /// The most that a sidecar may say; never less than the usual limits.
    pub ceiling: LimitsPatch,
    /// How large a policy's file may be, in MiB: 1 to 64, 8 if it is not said.
    pub module_mebibytes: Option<u32>,
}

impl LimitsChoice {
    /// The usual limits, and the ceiling.
    ///
    /// # Errors
    /// A limit that no operator should set: see [`Limits::most`].
    pub fn resolve(&self) -> Result<(Limits, Limits), LimitRefused> {
        let most = Limits::most();
        let mut usual = Limits::default().with(&self.usual, &most)?;
        if let Some(wanted) = self.module_mebibytes {
            let largest = most.module_bytes / MIB;
            if wanted == 0 || wanted as usize > largest {
                return Err(LimitRefused {
                    key: "moduleMebibytes",
                    wanted,
                    most: largest,
                });
            }
            usual.module_bytes = wanted as usize * MIB;
        }
        Ok((usual, usual.with(&self.ceiling, &most)?.or_more(&usual)))
    }
}

/// A limit that may not be set so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limits.{key} is {wanted}; 1 to {most} is allowed here")]
pub struct LimitRefused {
    /// The key as it is written.
    pub key: &'static str,
    /// In the key's unit.
    pub wanted: u32,
    /// Likewise.
    pub most: usize,
}

impl Limits {
    /// The most that an operator can set for any policy. Arbitrary, and far from what a decision needs: a typing error
    /// in a configuration must not be a way to stop an engine.
    pub fn most() -> Self {
        Self {
            decision: Duration::from_secs(60),
            memory_bytes: 1024 * MIB,
            memories: 256,
            instances: 10_000,
            tables: 10_000,
            table_elements: 10_000_000,
            host_call_bytes: 64 * MIB,
            input_bytes: 16 * MIB,
            output_bytes: MIB,
            log_bytes: MIB,
            log_lines: 10_000,
            module_bytes: 64 * MIB,
            sidecar_bytes: MIB,
        }
    }

    /// Field by field the larger of the two.
    fn or_more(self, other: &Limits) -> Self {
        Self {
            decision: self.decision.max(other.decision),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            memories: self.memories.max(other.memories),
            instances: self.instances.max(other.instances),
            tables: self.tables.max(other.tables),
            table_elements: self.table_elements.max(other.table_elements),
            host_call_bytes: self.host_call_bytes.max(other.host_call_bytes),
            input_bytes: self.input_bytes.max(other.input_bytes),
            output_bytes: self.output_bytes.max(other.output_bytes),
            log_bytes: self.log_bytes.max(other.log_bytes),
            log_lines: self.log_lines.max(other.log_lines),
            module_bytes: self.module_bytes.max(other.module_bytes),
            sidecar_bytes: self.sidecar_bytes.max(other.sidecar_bytes),
        }
    }

    /// These limits, but for what `patch` says; nothing of it may be above `ceiling`.
    ///
    /// # Errors
    /// The first key that is 0, or above the ceiling.
    pub fn with(self, patch: &LimitsPatch, ceiling: &Limits) -> Result<Limits, LimitRefused> {
        let LimitsPatch {
            milliseconds,
            memory_mebibytes,
            memories,
            instances,
            tables,
            table_elements,
            host_call_kibibytes,
            input_kibibytes,
            output_kibibytes,
            log_kibibytes,
            log_lines,
        } = *patch;
        // (what is written, its key, its unit, the usual value, the most), all in the unit of `Limits`
        let pick = |wanted: Option<u32>, key, unit: usize, usual: usize, most: usize| match wanted {
            None => Ok(usual),
            Some(wanted) if wanted == 0 || wanted as usize > most / unit => {
                let most = most / unit;
                Err(LimitRefused { key, wanted, most })
            }
            Some(wanted) => Ok(wanted as usize * unit),
        };
        let most = ceiling;
        let whole_milliseconds =
            |time: Duration| usize::try_from(time.as_millis()).unwrap_or(usize::MAX);
        let usual_time = whole_milliseconds(self.decision);
        let time = pick(
            milliseconds,
            "milliseconds",
            1,
            usual_time,
            whole_milliseconds(most.decision),
        )?;
        Ok(Limits {
            decision: Duration::from_millis(time as u64),
            memory_bytes: pick(
                memory_mebibytes,
                "memoryMebibytes",
                MIB,
                self.memory_bytes,
                most.memory_bytes,
            )?,
            memories: pick(memories, "memories", 1, self.memories, most.memories)?,
            instances: pick(instances, "instances", 1, self.instances, most.instances)?,
            tables: pick(tables, "tables", 1, self.tables, most.tables)?,
            table_elements: pick(
                table_elements,
                "tableElements",
                1,
                self.table_elements,
                most.table_elements,
            )?,
            host_call_bytes: pick(
                host_call_kibibytes,
                "hostCallKibibytes",
                KIB,
                self.host_call_bytes,
                most.host_call_bytes,
            )?,
            input_bytes: pick(
                input_kibibytes,
                "inputKibibytes",
                KIB,
                self.input_bytes,
                most.input_bytes,
            )?,
            output_bytes: pick(
                output_kibibytes,
                "outputKibibytes",
                KIB,
                self.output_bytes,
                most.output_bytes,
            )?,
            log_bytes: pick(
                log_kibibytes,
                "logKibibytes",
                KIB,
                self.log_bytes,
                most.log_bytes,
            )?,
            log_lines: pick(log_lines, "logLines", 1, self.log_lines, most.log_lines)?,
            module_bytes: self.module_bytes,
            sidecar_bytes: self.sidecar_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_may_be_set_up_to_the_ceiling_and_no_further() {
        let usual = Limits::default();
        let ceiling = Limits {
            memory_bytes: 256 * MIB,
            ..usual
        };
        let memory = |memory_mebibytes| {
            let patch = LimitsPatch {
                memory_mebibytes: Some(memory_mebibytes),
                ..LimitsPatch::default()
            };
            usual
                .with(&patch, &ceiling)
                .map(|limits| limits.memory_bytes)
        };
        assert_eq!(memory(1), Ok(MIB));
        assert_eq!(memory(256), Ok(256 * MIB));
        let refused = memory(257).unwrap_err().to_string();
        assert_eq!(
            refused,
            "limits.memoryMebibytes is 257; 1 to 256 is allowed here"
        );
        assert!(memory(0).is_err());
        let time = LimitsPatch {
            milliseconds: Some(1001),
            ..LimitsPatch::default()
        };
        assert!(usual.with(&time, &ceiling).is_err());
        assert_eq!(usual.with(&LimitsPatch::default(), &ceiling), Ok(usual));
    }

    #[test]
    fn an_operators_ceiling_is_never_below_the_usual_limits() {
        let choice = LimitsChoice {
            usual: LimitsPatch {
                milliseconds: Some(2000),
                ..LimitsPatch::default()
            },
            ceiling: LimitsPatch {
                milliseconds: Some(1500),
                memory_mebibytes: Some(128),
                ..LimitsPatch::default()
            },
            module_mebibytes: Some(64),
        };
        let (usual, ceiling) = choice.resolve().unwrap();
        assert_eq!(
            (usual.decision, ceiling.decision),
            (Duration::from_secs(2), Duration::from_secs(2))
        );
        assert_eq!(
            (usual.memory_bytes, ceiling.memory_bytes),
            (64 * MIB, 128 * MIB)
        );
        assert_eq!(usual.module_bytes, 64 * MIB);
        let too_large = LimitsChoice {
            module_mebibytes: Some(65),
            ..LimitsChoice::default()
        };
        assert_eq!(too_large.resolve().unwrap_err().most, 64);
    }
}
