//! The policies of the stories, all compiled before virtual time begins: the one that ships, under each story's rule, and
//! another mind that hands over at once.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use async_trait::async_trait;
use rectifier_core::policy::{Advice, Observation};
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_policy_host::{Advisor, Set};
use rectifier_provision::{Cache, Stderr};
use rectifier_sim::story::{Error, Operator};
use rectifier_story::{Deed, Rule, Story};
use tokio::sync::watch;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

type Shared = Arc<dyn Advisor>;

/// An operator who has all of them ready.
#[derive(Clone)]
pub(crate) struct Minds {
    rules: Arc<Vec<(Rule, Shared)>>,
    hands_over: Shared,
}

/// What the engines of one world ask: whatever is in force there.
pub(crate) struct InForce {
    minds: Minds,
    now: Mutex<Shared>,
    changes: watch::Sender<u64>,
}

impl Minds {
    pub(crate) fn compiled() -> Result<Self> {
        let shipped =
            Cache::from_env()?.policy_component("restart-then-replace", &mut Stderr::default())?;
        let mut rules: Vec<(Rule, Shared)> = Vec::new();
        for rule in Story::ALL.map(|story| story.script().rule) {
            if rules.iter().all(|(known, _)| *known != rule) {
                rules.push((rule, load(&std::fs::read(&shipped)?, &sidecar(rule))?));
            }
        }
        let (usual, _) = rules.first().context("no story has a rule")?;
        let hands_over = load(&that_hands_over()?, &sidecar(*usual))?;
        Ok(Self {
            rules: Arc::new(rules),
            hands_over,
        })
    }

    /// For one world.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        Arc::new(InForce {
            minds: self.clone(),
            now: Mutex::new(self.hands_over.clone()),
            changes: watch::Sender::new(0),
        })
    }
}

fn sidecar(Rule { attempts, reboot }: Rule) -> String {
    format!(
        "handles: [{{conditions: [ProxyUnhealthy], sites: [node, control-plane]}}]\n\
         settings: {{rules: [{{condition: ProxyUnhealthy, unit: proxy.service, attempts: {attempts}, reboot: {reboot}}}]}}\n"
    )
}

fn load(component: &[u8], sidecar: &str) -> Result<Shared> {
    let folder = tempfile::tempdir()?;
    let policy = folder.path().join("restart-then-replace.wasm");
    std::fs::write(&policy, component)?;
    std::fs::write(policy.with_extension("yaml"), sidecar)?;
    let program = env!("CARGO_BIN_EXE_rectifier-seeds");
    let compiler = Compiler::new(program, &["compile"], CompileLimits::default());
    let cache = folder.path().join("cache");
    Ok(rectifier_sim::policies::load(&[policy], compiler, &cache)?)
}

/// Other code, which hands over at once, whatever its settings are: that of the test bed's scenarios.
fn that_hands_over() -> Result<Vec<u8>> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(checkout.join(path));
    let mut module = wat::parse_str(read("tests/scenarios/fixtures/hands-over.wat")?)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("policy.wit", &read("sdk/wit/policy.wit")?)?;
    let world = resolve.select_world(&[package], Some("policy"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let mut encoder = ComponentEncoder::default().module(&module)?.validate(true);
    encoder.encode()
}

impl InForce {
    fn put(&self, mind: &Shared) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = mind.clone();
        self.changes.send_modify(|count| *count += 1);
    }

    fn now(&self) -> Shared {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.clone()
    }
}

#[async_trait]
impl Advisor for InForce {
    async fn advise(&self, seen: &Observation) -> Advice {
        self.now().advise(seen).await
    }

    fn set(&self) -> Arc<Set> {
        self.now().set()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Operator for InForce {
    async fn sets(&self, rule: Rule) -> Result<(), Error> {
        let found = self.minds.rules.iter().find(|(known, _)| *known == rule);
        let (_, mind) = found.ok_or_else(|| Error::Operator("no such rule".into()))?;
        self.put(mind);
        Ok(())
    }

    async fn hands_over(&self) -> Result<(), Error> {
        self.put(&self.minds.hands_over);
        Ok(())
    }

    fn hears(&self, _: Deed, _: &str) {}
}
