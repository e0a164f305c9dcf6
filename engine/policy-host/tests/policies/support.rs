//! A directory of policies, small policies written in text, and observations to ask them about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rectifier_core::clock::{Clock, SignedDuration, Timestamp};
use rectifier_core::name::{ConditionKind, NodeName, UnitName};
use rectifier_core::policy::{
    ClusterView, Condition, EpisodeView, Freshness, Gate, Group, Moment, NodeFacts, NodeView,
    Observation, Site, Status, Unit,
};
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_policy_host::{Host, HostOptions, Metering, Options, Policies, Set};
use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A directory of policies and a cache, gone when it is dropped.
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("policies"))?;
        Ok(Self { folder })
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.folder.path().join("policies")
    }

    /// A path beside the directory.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file into the directory, whole: written beside it and renamed.
    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        let beside = self.folder.path().join("beside");
        std::fs::write(&beside, bytes)?;
        Ok(std::fs::rename(beside, self.directory().join(name))?)
    }

    pub(crate) fn options(&self) -> Options {
        let cache = self.folder.path().join("cache");
        Options::usual(self.directory(), cache, compiler(CompileLimits::default()))
    }

    /// For single policies.
    pub(crate) fn host(&self, metering: Metering) -> Result<Host> {
        let Options {
            cache,
            compiler,
            mut limits,
            ceiling,
            allowed,
            ..
        } = self.options();
        // as large as an operator may allow: some languages bring themselves along
        limits.module_bytes *= 8;
        Ok(Host::open(HostOptions {
            cache,
            compiler,
            limits,
            ceiling,
            allowed,
            metering,
        })?)
    }

    pub(crate) async fn open(&self) -> Result<Policies> {
        Ok(Policies::open(self.options()).await?)
    }
}

pub(crate) fn compiler(limits: CompileLimits) -> Compiler {
    Compiler::new(env!("CARGO_BIN_EXE_rectifier-compiler"), &[], limits)
}

/// Runs a test's body on one thread, as the engine on a node does.
pub(crate) fn on_one_thread(body: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(body)
}

/// Waits for the next change of the set.
pub(crate) async fn next(changed: &mut tokio::sync::watch::Receiver<u64>) -> Result<()> {
    tokio::time::timeout(Duration::from_secs(120), changed.changed())
        .await
        .context("the set did not change")??;
    Ok(())
}

/// Waits until the set is as it should be.
pub(crate) async fn until(
    policies: &Policies,
    changed: &mut tokio::sync::watch::Receiver<u64>,
    is_so: impl Fn(&Set) -> bool,
) -> Result<()> {
    while !is_so(&policies.set()) {
        next(changed).await?;
    }
    Ok(())
}

/// A clock whose hands a test moves.
#[derive(Default)]
pub(crate) struct Hands(Mutex<Timestamp>);

impl Hands {
    pub(crate) fn turn(&self, seconds: i64) -> Result<()> {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turned = now.checked_add(SignedDuration::from_secs(seconds));
        *now = turned.ok().context("a clock has an end")?;
        Ok(())
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a small policy does when it is asked to decide. Address 1024 is where the answer lies, of zeros: `decline`.
pub(crate) struct Small<'a> {
    pub(crate) name: &'a str,
    pub(crate) handles: &'a str,
    /// Instructions of `decide`, before it returns 1024.
    pub(crate) decide: &'a str,
    /// More fields of the module.
    pub(crate) fields: &'a str,
    /// Instructions that say where what it is shown goes. Usually all to one place: nobody reads it.
    pub(crate) realloc: &'a str,
}

impl Default for Small<'_> {
    fn default() -> Self {
        Self {
            name: "small",
            handles: "Sick",
            decide: "",
            fields: "",
            realloc: "(i32.const 4096)",
        }
    }
}

/// The remedies by their number in the contract.
pub(crate) const REBOOT: u8 = 4;
pub(crate) const ESCALATE: u8 = 5;
pub(crate) const REPLACE: u8 = 6;

/// Instructions that answer a remedy without payload.
pub(crate) fn answer(remedy: u8) -> String {
    format!("(i32.store8 (i32.const 1028) (i32.const {remedy}))")
}

/// Instructions, so many times over. `$n` counts them from 0; nothing may stand before these.
pub(crate) fn times(count: u32, what: &str) -> String {
    format!(
        "(local $n i32)
         (loop $again
            {what}
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const {count}))))"
    )
}

/// What a policy of that name says of itself.
pub(crate) fn metadata(name: &str, handles: &str) -> String {
    format!(
        r#"{{"name":"{name}","version":"1.0.0","contract":"0.1","handles":[{{"conditions":["{handles}"],"sites":["node","control-plane"]}}]}}"#
    )
}

impl Small<'_> {
    pub(crate) fn build(&self) -> Result<Vec<u8>> {
        let Self {
            name,
            handles,
            decide,
            fields,
            realloc,
        } = self;
        let metadata = metadata(name, handles).replace('"', "\\\"");
        let text = format!(
            r#"(module
                (import "rectifier:policy/log@0.1.0" "write" (func $log (param i32 i32 i32)))
                (memory (export "memory") 2)
                {fields}
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
                (func (export "rectifier:policy/decider@0.1.0#validate-settings")
                    (param i32 i32) (result i32) (i32.const 1024))
                (func (export "rectifier:policy/decider@0.1.0#decide") (param i32) (result i32)
                    {decide}
                    (i32.const 1024))
                (@custom "rectifier:policy" "{metadata}"))"#
        );
        component(&text)
    }
}

/// A component of a core module in text.
pub(crate) fn component(text: &str) -> Result<Vec<u8>> {
    let mut module = wat::parse_str(text)?;
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/wit/policy.wit");
    let package = resolve.push_str("policy.wit", &std::fs::read_to_string(wit)?)?;
    let world = resolve.select_world(&[package], Some("policy"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default()
        .module(&module)?
        .validate(true)
        .encode()
}

/// The policy that ships, built once.
pub(crate) fn shipped() -> Result<&'static [u8]> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(bytes) = BYTES.get() {
        return Ok(bytes);
    }
    let cache = rectifier_provision::Cache::from_env()?;
    let path = cache.policy_component("restart-then-replace", &mut rectifier_provision::Silent)?;
    let bytes = std::fs::read(path)?;
    Ok(BYTES.get_or_init(|| bytes))
}

/// A sick node.
pub(crate) fn observation(kind: &str, site: Site) -> Result<Observation> {
    let problem = Condition {
        kind: ConditionKind::parse(kind)?,
        status: Status::Yes,
        reason: "Test".to_owned(),
        message: "it is sick".to_owned(),
        held: 10,
        source: "npd".to_owned(),
    };
    Ok(Observation {
        id: "observation-1".to_owned(),
        now: Moment {
            unix_seconds: 1_800_000_000,
            weekday: 5,
            minute_of_day: 480,
        },
        node: NodeFacts {
            name: NodeName::parse("node-1")?,
            pool: None,
            zone: String::new(),
            labels: BTreeMap::from([("kubernetes.io/os".to_owned(), "linux".to_owned())]),
            ready: Status::No,
            unschedulable: false,
            uptime: Some(1000),
            pods: 0,
        },
        site,
        episode: EpisodeView {
            problem: problem.clone(),
            age: 60,
            recurrences: 0,
            attempts: Vec::new(),
        },
        other_episodes: Vec::new(),
        conditions: vec![problem],
        events: Vec::new(),
        facts: BTreeMap::new(),
    })
}

/// On the node, which has these units.
pub(crate) fn on_node(units: &[&str]) -> Result<Site> {
    let unit = |name: &&str| {
        Ok(Unit {
            name: UnitName::parse(*name)?,
            active_state: "failed".to_owned(),
            sub_state: "failed".to_owned(),
            restarts: 0,
            held: 10,
            gate: Gate::Open,
        })
    };
    Ok(Site::Node(NodeView {
        units: units.iter().map(unit).collect::<Result<_>>()?,
        fixes: Vec::new(),
        reboot: Gate::Open,
        freshness: Freshness::Fresh,
    }))
}

/// In the control plane, where everything is allowed.
pub(crate) fn in_control_plane() -> Site {
    let group = Group {
        nodes: 5,
        sick: 1,
        repairing: 1,
    };
    Site::ControlPlane(ClusterView {
        pool: group,
        zone: group,
        same_problem: group,
        server: None,
        requested_by: "node-engine".to_owned(),
        reboot: Gate::Open,
        replace: Gate::Open,
        freshness: Freshness::Fresh,
    })
}
