//! What a node engine takes on a node on which nothing is wrong, beside Node Problem Detector in the same minutes:
//! `cargo xtask bench node`.
//!
//! The engine is the program that is released, with five policies, three problems of the operator's own and the shipped agent's
//! rights on a real API server; systemd is a machine's; Node Problem Detector runs a plugin every 30 s and reads a log, and
//! exports to the same API server. Both are processes of this computer, so that the kernel tells what each takes.
//!
//! Figures are printed, never asserted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rectifier_bed::Bed;
use rectifier_bed::kubernetes::{Kubernetes, Options};
use rectifier_bed::machine::{Furnish, Machine};
use rectifier_bed::process::Program;
use rectifier_provision::{Report, Stderr};
use serde_json::json;

const NODE: &str = "node-1";
const AGENTS: &str = "rectifier-agents";
const AGENT: &str = "system:serviceaccount:rectifier-agents:rectifier-node";
const UNIT: &str = "queue.service";
const POLICIES: usize = 5;
/// What is begun at the start is over then.
const WARM_UP: Duration = Duration::from_secs(60);
const MEASURED: Duration = Duration::from_secs(300);
/// Of the design.
const NODES: f64 = 15_000.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // `cargo test` starts benches, too: there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let mut report = Stderr::default();
    let bed = Bed::new("node-bench")?;
    let cache = bed.cache().clone();
    let engine = cache.released_engine(&mut report)?;
    let programs = cache.go_programs(&mut report)?;
    let policy = cache.policy_component("restart-then-replace", &mut report)?;
    report.step("a control plane, a machine, Node Problem Detector and the engine");
    let kubernetes = Kubernetes::start(&bed, Options::default()).await?;
    kubernetes.apply_rights(&bed).await?;
    kubernetes.add_kwok_node(NODE, &[]).await?;
    let [a, b, c, _] = bed.network()?.machines().0.octets();
    let furnish = Furnish {
        root: cache.node_root(&mut report)?,
        programs: programs.clone(),
        images: Vec::new(),
        address: [a, b, c, 200].into(),
        files: Vec::new(),
    };
    let machine = Machine::boot(&bed.dir().join("machines").join(NODE), furnish).await?;
    let service = "[Service]\nExecStart=/bin/sleep infinity\n";
    machine.start_unit(UNIT, service).await?;

    let folder = bed.part("node")?;
    let (health, counters) = (bed.port()?, bed.port()?);
    let kubeconfig = |name: &'static str, account: &'static str| {
        let path = folder.join(name);
        let kubernetes = &kubernetes;
        async move {
            let token = kubernetes
                .service_account_token(AGENTS, account, None)
                .await?;
            kubernetes.kubeconfig_with_token(&path, &token)?;
            anyhow::Ok(path)
        }
    };
    monitors(&folder)?;
    let access = kubeconfig("npd.kubeconfig", "node-problem-detector").await?;
    let npd = Program::new("npd", programs.join("node-problem-detector"))
        .arg(format!(
            "--config.system-log-monitor={}",
            folder.join("kernel.json").display()
        ))
        .arg(format!(
            "--config.custom-plugin-monitor={}",
            folder.join("units.json").display()
        ))
        .arg(format!(
            "--apiserver-override={}?inClusterConfig=false&auth={}",
            kubernetes.url(),
            access.display()
        ))
        .args(["--address=127.0.0.1", "--prometheus-address=127.0.0.1"])
        .arg(format!("--port={}", health.number()))
        .arg(format!("--prometheus-port={}", counters.number()))
        .env("NODE_NAME", NODE)
        .start(&folder)?;

    let policies = bed.part("policies")?;
    for number in 1..=POLICIES {
        fs::copy(&policy, policies.join(format!("policy-{number}.wasm")))?;
        let sidecar = format!(
            "handles: [{{conditions: [Problem{number}], sites: [node]}}]\n\
             settings: {{rules: [{{condition: Problem{number}, unit: {UNIT}}}]}}\n"
        );
        fs::write(policies.join(format!("policy-{number}.yaml")), sidecar)?;
    }
    let config = json!({
        "npd": {
            "address": format!("127.0.0.1:{}", health.number()),
            "counters": format!("127.0.0.1:{}", counters.number()),
        },
        "systemd": {"address": format!("unix:path={}", machine.bus_socket()?.display()), "units": [UNIT]},
        "problems": {
            "Problem1": {"failed": UNIT},
            "Problem2": {"restarts": {"unit": UNIT, "count": 5, "within": 600}},
            "Problem3": {"events": {"reason": "TaskHung", "count": 3, "within": 600}},
        },
        "policies": {"dir": policies, "cache": folder.join("cache")},
        "stateDir": folder.join("state"),
    });
    fs::write(folder.join("node.yaml"), config.to_string())?;
    let node = Program::new("node", engine)
        .arg("node")
        .arg(format!("--config={}", folder.join("node.yaml").display()))
        .env("NODE_NAME", NODE)
        .env("RECTIFIER_LISTEN", "127.0.0.1:0")
        .env(
            "KUBECONFIG",
            kubeconfig("node.kubeconfig", "rectifier-node").await?,
        )
        .start(&folder)?;
    tokio::time::sleep(WARM_UP).await;

    report.step(&format!(
        "{} s in which nothing is wrong",
        MEASURED.as_secs()
    ));
    let mut log = kubernetes.audit().follow()?;
    while log.try_next()?.is_some() {}
    let before = [Taken::by(node.pid())?, Taken::by(npd.pid())?];
    tokio::time::sleep(MEASURED).await;
    let after = [Taken::by(node.pid())?, Taken::by(npd.pid())?];
    let mut requests: BTreeMap<String, u32> = BTreeMap::new();
    while let Some(record) = log.try_next()? {
        if record.user == AGENT {
            let what = format!("{} {}", record.verb, record.object.resource);
            *requests.entry(what).or_default() += 1;
        }
    }
    let [ours, theirs] = [0, 1].map(|of| after[of].since(&before[of]));
    println!(
        "node: {POLICIES} policies, {} s, load {}",
        MEASURED.as_secs(),
        load()
    );
    for (name, taken) in [
        ("rectifier-engine", &ours),
        ("node-problem-detector", &theirs),
    ] {
        println!("  {name}: {taken}");
    }
    println!(
        "  ratio: resident {:.2}, anonymous {:.2}, processor {:.2}, wake-ups {:.2}",
        ours.resident / theirs.resident,
        ours.anonymous / theirs.anonymous,
        ours.processor / theirs.processor,
        ours.wakeups / theirs.wakeups,
    );
    let hours = MEASURED.as_secs_f64() / 3600.0;
    let total: u32 = requests.values().sum();
    println!(
        "  requests of the engine's that ended: {:.0} an hour, {:.1} a second for {NODES} nodes: {requests:?}",
        f64::from(total) / hours,
        f64::from(total) / MEASURED.as_secs_f64() * NODES,
    );
    machine.kill().await
}

/// What Node Problem Detector looks at.
fn monitors(folder: &Path) -> Result<()> {
    let (log, plugin) = (folder.join("kern.log"), folder.join("plugin.sh"));
    fs::write(&log, "")?;
    fs::write(&plugin, "#!/bin/sh\nexit 0\n")?;
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&plugin, executable)?;
    let kernel = json!({
        "plugin": "filelog",
        "pluginConfig": {
            "timestamp": "^.{15}", "message": "kernel: \\[.*\\] (.*)", "timestampFormat": "Jan _2 15:04:05",
        },
        "logPath": log, "lookback": "5m", "bufferSize": 10, "source": "kernel-monitor", "conditions": [],
        "rules": [{"type": "temporary", "reason": "TaskHung", "pattern": "task \\S+:\\w+ blocked for more than \\w+ seconds\\."}],
    });
    fs::write(folder.join("kernel.json"), kernel.to_string())?;
    let units = json!({
        "plugin": "custom",
        "pluginConfig": {"invoke_interval": "30s", "timeout": "5s", "max_output_length": 80, "concurrency": 2},
        "source": "units", "metricsReporting": true,
        "conditions": [{"type": "Problem4", "reason": "IsWell", "message": "it is well"}],
        "rules": [{"type": "permanent", "condition": "Problem4", "reason": "IsIll", "path": plugin, "timeout": "5s"}],
    });
    fs::write(folder.join("units.json"), units.to_string())?;
    Ok(())
}

/// What a process takes: memory in MiB, processor time in seconds, and how often one of its threads was woken.
struct Taken {
    resident: f64,
    anonymous: f64,
    processor: f64,
    wakeups: f64,
}

impl Taken {
    fn by(pid: i32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let mebibytes = |key| anyhow::Ok(number(&status, key)? / 1024.0);
        let (mut processor, mut wakeups) = (0.0, 0.0);
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            // a thread may end in between
            let (Ok(times), Ok(status)) = (
                fs::read_to_string(task.join("schedstat")),
                fs::read_to_string(task.join("status")),
            ) else {
                continue;
            };
            let nanoseconds = times.split(' ').next().unwrap_or_default();
            processor += nanoseconds.parse::<f64>()? / 1e9;
            wakeups += number(&status, "voluntary_ctxt_switches")?;
        }
        Ok(Self {
            resident: mebibytes("VmRSS")?,
            anonymous: mebibytes("RssAnon")?,
            processor,
            wakeups,
        })
    }

    /// What was taken since, and the memory as it is now.
    fn since(&self, before: &Self) -> Self {
        Self {
            processor: self.processor - before.processor,
            wakeups: self.wakeups - before.wakeups,
            ..*self
        }
    }
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let minutes = MEASURED.as_secs_f64() / 60.0;
        write!(
            f,
            "{:.1} MiB resident, {:.1} of them anonymous; {:.3} % of a core; {:.0} wake-ups a minute",
            self.resident,
            self.anonymous,
            self.processor / MEASURED.as_secs_f64() * 100.0,
            self.wakeups / minutes,
        )
    }
}

fn number(text: &str, key: &str) -> Result<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let value = line.with_context(|| format!("no {key}"))?;
    let digits = value.split_whitespace().next().unwrap_or_default();
    Ok(digits.parse()?)
}

/// What else the computer does.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
