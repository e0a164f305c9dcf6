//! A node whose API server is out of reach heals itself, also of what nobody reports as a condition: a unit that systemd has
//! given up, and what Node Problem Detector counts in a log. The engine, Node Problem Detector and systemd are the real ones.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rectifier_bed::Bed;
use rectifier_bed::machine::{Furnish, Machine};
use rectifier_bed::process::Program;
use rectifier_provision::{Features, Stderr};
use rectifier_scenarios::wait::within;
use serde_json::json;

const UNIT: &str = "queue.service";
const SERVICE: &str = "[Service]\nExecStart=/bin/sleep infinity\n";
/// systemd starts it again and again, once a file lets it end.
const LOOP: &str = "loop.service";
const LOOPS: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=200ms\n\
    ExecStart=/bin/sh -c 'while [ ! -e /run/loop ]; do sleep 0.1; done'\n";
/// A slow computer is no failure.
const LONG: Duration = Duration::from_secs(120);

const SIDECAR: &str = "
handles: [{conditions: [QueueFailed, TasksHang, LoopRestarts], sites: [node]}]
settings:
  rules:
  - {condition: QueueFailed, unit: queue.service, settleSeconds: 2}
  - {condition: TasksHang, unit: queue.service, settleSeconds: 2}
  - {condition: LoopRestarts, unit: loop.service, settleSeconds: 2}
";

/// Which run of the unit this is, and whether it runs.
async fn run(machine: &Machine) -> Result<(String, bool)> {
    let properties = ["-P", "ActiveState", "-P", "InvocationID"];
    let show = ["systemctl", "show", UNIT].into_iter().chain(properties);
    let shown = machine.exec(show).await?;
    let mut lines = shown.lines();
    let is_active = lines.next() == Some("active");
    Ok((lines.next().context("no invocation")?.to_owned(), is_active))
}

/// What is told of a problem that a remedy healed.
const HEALED: [&str; 4] = [
    "ProblemSeen",
    "RemedyBegun",
    "RemedyRecovered",
    "ProblemGone",
];

async fn started_again(machine: &Machine, before: &str) -> Result<String> {
    let again = async {
        loop {
            let (now, is_active) = run(machine).await?;
            if is_active && now != before {
                return Ok(now);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    within("the unit to be started again", LONG, again).await
}

#[tokio::test]
async fn a_node_heals_itself_of_what_no_condition_tells_without_an_api_server() -> Result<()> {
    let bed = Bed::new("alone")?;
    let (cache, mut report) = (bed.cache().clone(), Stderr::default());
    let engine = cache.engine(Features::Shipped, &mut report)?;
    let programs = cache.go_programs(&mut report)?;
    let policy = cache.policy_component("restart-then-replace", &mut report)?;
    let [a, b, c, _] = bed.network()?.machines().0.octets();
    let furnish = Furnish {
        root: cache.node_root(&mut report)?,
        programs: programs.clone(),
        images: Vec::new(),
        address: [a, b, c, 200].into(),
        files: Vec::new(),
    };
    let machine = Machine::boot(&bed.dir().join("machines").join("node-1"), furnish).await?;
    machine.start_unit(UNIT, SERVICE).await?;
    machine.start_unit(LOOP, LOOPS).await?;
    let (first, _) = run(&machine).await?;

    let folder = bed.part("node")?;
    let log = folder.join("kern.log");
    std::fs::write(&log, "")?;
    let monitor = json!({
        "plugin": "filelog",
        "pluginConfig": {
            "timestamp": "^.{15}", "message": "kernel: \\[.*\\] (.*)", "timestampFormat": "Jan _2 15:04:05",
        },
        "logPath": log, "lookback": "5m", "bufferSize": 10, "source": "kernel-monitor", "conditions": [],
        "rules": [{
            "type": "temporary", "reason": "TaskHung",
            "pattern": "task \\S+:\\w+ blocked for more than \\w+ seconds\\.",
        }],
    });
    std::fs::write(folder.join("kernel.json"), monitor.to_string())?;
    let (health, counters) = (bed.port()?, bed.port()?);
    let npd = Program::new("npd", programs.join("node-problem-detector"))
        .arg(format!(
            "--config.system-log-monitor={}",
            folder.join("kernel.json").display()
        ))
        .args([
            "--enable-k8s-exporter=false",
            "--prometheus-address=127.0.0.1",
        ])
        .arg(format!("--prometheus-port={}", counters.number()))
        .env("NODE_NAME", "node-1")
        .env("TZ", "UTC")
        .start(&folder)?;

    let policies = bed.part("policies")?;
    std::fs::copy(policy, policies.join("policy.wasm"))?;
    std::fs::write(policies.join("policy.yaml"), SIDECAR)?;
    let config = json!({
        // nobody is there
        "npd": {
            "address": format!("127.0.0.1:{}", health.number()),
            "counters": format!("127.0.0.1:{}", counters.number()),
            "interval": 1,
        },
        "systemd": {"address": format!("unix:path={}", machine.bus_socket()?.display()), "units": [UNIT, LOOP]},
        "problems": {
            "QueueFailed": {"failed": UNIT},
            "TasksHang": {"events": {"reason": "TaskHung", "count": 3, "within": 5}},
            "LoopRestarts": {"restarts": {"unit": LOOP, "count": 3, "within": 600}},
        },
        "limits": {"minUptime": 0, "minInterval": 1, "settle": 2, "quiet": 2, "askAgain": 1},
        "policies": {"dir": policies, "cache": folder.join("cache")},
        "stateDir": folder.join("state"),
    });
    std::fs::write(folder.join("node.yaml"), config.to_string())?;
    let nowhere = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "nowhere",
        "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
        "clusters": [{"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "nobody", "user": {"token": "none"}}],
    });
    std::fs::write(folder.join("kubeconfig"), nowhere.to_string())?;
    let listen = bed.port()?;
    let node = Program::new("node", &engine)
        .arg("node")
        .arg(format!("--config={}", folder.join("node.yaml").display()))
        .env("NODE_NAME", "node-1")
        .env("RECTIFIER_LISTEN", format!("127.0.0.1:{}", listen.number()))
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("RUST_LOG", "info,rectifier_node=debug")
        .start(&folder)?;

    machine
        .exec(["systemctl", "kill", "--signal=KILL", UNIT])
        .await?;
    let second = started_again(&machine, &first).await?;

    // each line is read once, whenever that is
    let now = machine.exec(["date", "-u", "+%b %e %H:%M:%S"]).await?;
    let line = format!(
        "{} node-1 kernel: [1.000000] task sync:77 blocked for more than 120 seconds.\n",
        now.trim_end()
    );
    std::fs::write(&log, line.repeat(3))?;
    let third = started_again(&machine, &second).await?;

    // until it is seen that both helped; and what helped is not done again
    let listen = format!("--listen=127.0.0.1:{}", listen.number());
    let told = |problem: &str| -> Result<Vec<String>> {
        let history = std::process::Command::new(&engine)
            .args(["history", "--output=json", "--problem", problem, &listen])
            .output()?;
        let history: Vec<serde_json::Value> = serde_json::from_slice(&history.stdout)?;
        let reasons = history.iter().filter_map(|told| told["reason"].as_str());
        Ok(reasons
            .filter(|reason| HEALED.contains(reason))
            .map(str::to_owned)
            .collect())
    };
    for problem in ["QueueFailed", "TasksHang"] {
        let healed = async {
            while told(problem)? != HEALED {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Ok(())
        };
        within(&format!("{problem} to be healed"), LONG, healed).await?;
    }
    let (last, is_active) = run(&machine).await?;
    ensure!(last == third && is_active, "started again without a reason");

    machine.exec(["touch", "/run/loop"]).await?;
    let found = async {
        while told("LoopRestarts")?.first().map(String::as_str) != Some("ProblemSeen") {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    };
    within("what is restarted too often to be found", LONG, found).await?;
    ensure!(npd.exit().is_none() && node.exit().is_none());
    machine.kill().await
}
