//! Who asked systemd and logind for what: heard on the machine's own system bus.
//!
//! systemd does not write into its journal who asked for a job. The bus knows: it stamps every message with its sender,
//! and tells which process that is. So a monitor listens while a scenario plays.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use rectifier_bed::machine::Machine;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::wait::text;
use crate::world::World;

/// The calls that change something, of all those that are made to systemd and logind.
const CHANGES: [&str; 9] = [
    "StartUnit",
    "StopUnit",
    "RestartUnit",
    "ReloadUnit",
    "KillUnit",
    "ResetFailedUnit",
    "StartTransientUnit",
    "Reboot",
    "PowerOff",
];

/// A call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When the monitor heard it.
    pub at: Timestamp,
    /// Was it the node engine?
    pub by_engine: bool,
    /// `RestartUnit`, `Reboot`, …
    pub member: String,
    /// Its first argument: a unit's name, or nothing.
    pub unit: String,
}

/// A monitor of a machine's system bus, until it is dropped or the machine goes down.
pub struct Bus {
    calls: watch::Receiver<Vec<Call>>,
    _monitor: Child,
    _reader: JoinSet<()>,
}

impl Bus {
    /// Begins to listen; from its return on nothing is missed.
    ///
    /// # Errors
    /// If the machine has no bus.
    pub async fn listen(world: &World, node: &str) -> Result<Self> {
        let mut senders = Senders {
            machine: world.machine(node)?,
            engine: world.engine_process(node).await?.pid,
            known: BTreeMap::new(),
        };
        let of = |interface: &str| format!("--match=type='method_call',interface='{interface}'");
        let mut command = world.machine(node)?.command("busctl")?;
        let mut monitor = command
            .args(["--system", "monitor", "--json=short"])
            .arg(of("org.freedesktop.systemd1.Manager"))
            .arg(of("org.freedesktop.login1.Manager"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("busctl")?;
        let (out, err) = (monitor.stdout.take(), monitor.stderr.take());
        let mut words = BufReader::new(err.context("no stderr")?).lines();
        let first = words.next_line().await?.unwrap_or_default();
        ensure!(first.starts_with("Monitoring"), "busctl monitor: {first}");
        let mut lines = BufReader::new(out.context("no stdout")?).lines();
        let (heard, calls) = watch::channel(Vec::new());
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            // its stderr stays open with it: a monitor whose pipe is closed ends
            let _words = words;
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(message) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                if let Some((sender, mut call)) = call(&message) {
                    call.by_engine = senders.is_engine(&sender).await;
                    heard.send_modify(|calls: &mut Vec<Call>| calls.push(call));
                }
            }
        });
        Ok(Self {
            calls,
            _monitor: monitor,
            _reader: reader,
        })
    }

    /// The calls that change something, so far.
    #[must_use]
    pub fn changes(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// Those of the node engine.
    #[must_use]
    pub fn of_the_engine(&self) -> Vec<Call> {
        let mut calls = self.changes();
        calls.retain(|call| call.by_engine);
        calls
    }

    /// Until what has been heard is as `wanted`.
    ///
    /// # Errors
    /// If the monitor ends before.
    pub async fn heard(&self, mut wanted: impl FnMut(&[Call]) -> bool) -> Result<()> {
        let mut calls = self.calls.clone();
        let enough = calls.wait_for(|calls| wanted(calls)).await;
        enough.map(drop).context("the bus's monitor ended")
    }
}

impl Call {
    /// Did the node engine ask for a restart of that unit?
    #[must_use]
    pub fn restarts(&self, unit: &str) -> bool {
        self.by_engine && self.member == "RestartUnit" && self.unit == unit
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.member.as_str(), self.unit.as_str()) {
            ("RestartUnit", unit) => write!(f, "asks systemd to restart {unit}"),
            ("Reboot", _) => f.write_str("asks logind to reboot"),
            (member, unit) => write!(f, "asks for {member} {unit}"),
        }
    }
}

/// What the message asks for, if that changes something, and the name of who sent it.
fn call(message: &Value) -> Option<(String, Call)> {
    let micros = message.get("timestamp-realtime")?.as_i64()?;
    let member = text(message, "/member");
    let call = Call {
        at: Timestamp::from_microsecond(micros).ok()?,
        by_engine: false,
        member: member.to_owned(),
        unit: text(message, "/payload/data/0").to_owned(),
    };
    let sender = text(message, "/sender").to_owned();
    CHANGES.contains(&member).then_some((sender, call))
}

/// Whose connections the names on the bus are. A name is never given twice.
struct Senders {
    machine: Machine,
    engine: i32,
    known: BTreeMap<String, bool>,
}

impl Senders {
    async fn is_engine(&mut self, name: &str) -> bool {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let bus = "org.freedesktop.DBus";
        let method = "GetConnectionUnixProcessID";
        let asked: Vec<String> =
            format!("busctl --system call {bus} /org/freedesktop/DBus {bus} {method} s {name}")
                .split(' ')
                .map(str::to_owned)
                .collect();
        // one that has left since has no process any more: as a command's, never the engine's
        let said = self.machine.exec(asked).await.unwrap_or_default();
        let is_engine = said.trim() == format!("u {}", self.engine);
        self.known.insert(name.to_owned(), is_engine);
        is_engine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_who_asked_for_what_and_when() {
        // as systemd 252 prints it
        let line = r#"{"type":"method_call","endian":"l","flags":4,"version":1,"cookie":2,"timestamp-realtime":1795671029912320,
            "sender":":1.7","destination":"org.freedesktop.systemd1","path":"/org/freedesktop/systemd1",
            "interface":"org.freedesktop.systemd1.Manager","member":"RestartUnit","payload":{"type":"ss","data":["a.service","replace"]}}"#;
        let message: Value = serde_json::from_str(line).unwrap();
        let (sender, mut heard) = call(&message).unwrap();
        assert_eq!(sender, ":1.7");
        assert_eq!(heard.at.as_microsecond(), 1_795_671_029_912_320);
        assert!(!heard.restarts("a.service"));
        heard.by_engine = true;
        assert!(heard.restarts("a.service") && !heard.restarts("b.service"));
    }

    #[test]
    fn a_question_changes_nothing() {
        let message = serde_json::json!({"timestamp-realtime": 1, "member": "GetUnit"});
        assert_eq!(call(&message), None);
    }
}
