//! Thousands of files that chance made: cut, flipped, shuffled, random, and WebAssembly that is valid and makes no
//! sense. The same ones in every run.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use arbitrary::Unstructured;
use rectifier_core::policy::{Advice, FailureClass};
use rectifier_policy_host::compile::CompileLimits;
use rectifier_policy_host::{Options, Status};
use wasm_encoder::{ComponentSection, CustomSection};
use wasm_mutate::WasmMutate;

use super::alone::alone;
use super::guest::{Guest, core_module, metadata, with_core_module, with_instances};
use super::host::Host;
use super::vitals::Vitals;
use crate::support::{compiler, observation, on_node};

/// Numbers that look random (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// How chance makes a file of a good policy.
type Make = fn(&[u8], &mut Chance) -> Result<Option<Vec<u8>>>;

const KINDS: &[(&str, Make)] = &[
    ("cut", |good, chance| {
        Ok(Some(good[..chance.below(good.len())].to_vec()))
    }),
    ("flipped", |good, chance| {
        let mut bytes = good.to_vec();
        let at = chance.below(bytes.len());
        bytes[at] ^= 1 << chance.below(8);
        Ok(Some(bytes))
    }),
    ("overwritten", |good, chance| {
        let mut bytes = good.to_vec();
        for _ in 0..=chance.below(8) {
            let at = chance.below(bytes.len());
            bytes[at] = chance.next() as u8;
        }
        Ok(Some(bytes))
    }),
    ("moved", |good, chance| {
        let (from, to) = (chance.below(good.len()), chance.below(good.len()));
        let length = chance.below(good.len() - from.max(to));
        let mut bytes = good.to_vec();
        bytes.copy_within(from..from + length, to);
        Ok(Some(bytes))
    }),
    ("random", |good, chance| {
        let length = chance.below(4096);
        Ok(Some([&good[..8], &chance.bytes(length)].concat()))
    }),
    ("mutated", |good, chance| {
        // a core module that may do anything, where the policy's own was
        let own = core_module(good)?;
        let mut mutate = WasmMutate::default();
        mutate
            .seed(chance.next())
            .fuel(1000)
            .preserve_semantics(false);
        let Some(Ok(mutated)) = mutate.run(own).ok().and_then(|mut all| all.next()) else {
            return Ok(None);
        };
        with_core_module(good, &mutated).map(Some)
    }),
    ("smith-module", |good, chance| {
        // a policy that also has in it a module which may run anything when it is made
        let seed = chance.bytes(4096);
        let config = wasm_smith::Config {
            max_imports: 0,
            gc_enabled: false,
            exceptions_enabled: false,
            threads_enabled: false,
            ..wasm_smith::Config::default()
        };
        let module = wasm_smith::Module::new(config, &mut Unstructured::new(&seed));
        module.map_or(Ok(None), |module| {
            with_instances(good, &module.to_bytes(), 1).map(Some)
        })
    }),
    ("smith-component", |_, chance| {
        let seed = chance.bytes(8192);
        let config = wasm_smith::Config::default();
        let component = wasm_smith::Component::new(config, &mut Unstructured::new(&seed));
        Ok(component.ok().map(|component| {
            let mut bytes = component.to_bytes();
            let metadata = metadata("Smith").into_bytes();
            let section = CustomSection {
                name: "rectifier:policy".into(),
                data: metadata.into(),
            };
            section.append_to_component(&mut bytes);
            bytes
        }))
    }),
];

/// So many files of each kind, by name.
fn files(of_each: usize, seed: u64) -> Result<BTreeMap<String, Vec<u8>>> {
    let good = Guest {
        name: "Spoilt",
        decide: &crate::support::answer(crate::support::ESCALATE),
        ..Guest::default()
    }
    .build()?;
    let mut chance = Chance(seed);
    let mut files = BTreeMap::new();
    for (kind, make) in KINDS {
        let before = files.len();
        for number in 0..of_each {
            if let Some(bytes) = make(&good, &mut chance)? {
                files.insert(format!("{kind}-{number}.wasm"), bytes);
            }
        }
        let made = files.len() - before;
        ensure!(made * 2 > of_each, "{made} files {kind}, of {of_each}");
    }
    Ok(files)
}

/// So many files are laid at once.
const AT_ONCE: usize = 100;

/// Lays the files beside a good policy, looks what became of each, and asks whoever is left; counts how they ended.
async fn try_all(
    host: &Host,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<String, usize>> {
    let before = Vitals::at_rest().await?;
    let mut ends = BTreeMap::new();
    let files: Vec<_> = files.iter().collect();
    for files in files.chunks(AT_ONCE) {
        // each answers for a condition of its own: two of one condition would be refused for that
        let kinds: Vec<_> = (0..files.len()).map(|n| format!("Spoilt{n}")).collect();
        host.after(|| {
            for ((name, bytes), kind) in files.iter().zip(&kinds) {
                let handles = format!("handles: [{{conditions: [{kind}], sites: [node]}}]");
                let sidecar = format!("{handles}\nlimits: {{milliseconds: 100}}\n");
                host.bench.put(&name.replace(".wasm", ".yaml"), sidecar)?;
                host.bench.put(name, bytes)?;
            }
            Ok(())
        })
        .await?;
        for ((name, _), kind) in files.iter().zip(&kinds) {
            *ends.entry(end(host, name, kind).await?).or_insert(0) += 1;
        }
        host.is_well().await?;
        for (name, _) in files {
            let path = host.bench.directory().join(name);
            std::fs::remove_file(&path)?;
            std::fs::remove_file(path.with_extension("yaml"))?;
        }
    }
    host.after(|| Ok(())).await?;
    host.is_well().await?;
    before.are_back().await?;
    println!("{ends:?}");
    Ok(ends)
}

async fn end(host: &Host, name: &str, kind: &str) -> Result<String> {
    Ok(match host.loaded(name)?.status() {
        Status::Refused(failure) => {
            ensure!(failure.message.starts_with(name), "{failure}");
            format!("refused: {}", failure.class.label())
        }
        Status::KeptLastGood(failure) => bail!("{name}: {failure}"),
        status @ (Status::Loading | Status::RollingOut { .. }) => bail!("{name}: {status:?}"),
        Status::Loaded => match host
            .policies
            .advise(&observation(kind, on_node(&[])?)?)
            .await
        {
            Advice::Unavailable { class, message, .. } => {
                ensure!(message.starts_with(name), "{message}");
                format!("asked: {}", class.label())
            }
            Advice::Decided { .. } => "asked: decided".to_owned(),
            Advice::None => "asked: declined".to_owned(),
        },
    })
}

/// The reading of them: the compiler has next to no memory, and refuses all but the smallest.
#[test]
fn thousands_of_files_that_chance_made_are_refused() -> Result<()> {
    alone(|| async {
        let tiny = CompileLimits {
            address_space: 1 << 20,
            ..CompileLimits::default()
        };
        let host = Host::with(|options| Options {
            compiler: compiler(tiny),
            ..options
        })
        .await?;
        let ends = try_all(&host, &files(400, 1)?).await?;
        let refused = [
            FailureClass::Load,
            FailureClass::Compile,
            FailureClass::Link,
        ]
        .map(|class| format!("refused: {}", class.label()));
        ensure!(ends.keys().all(|end| refused.contains(end)), "{ends:?}");
        Ok(())
    })
}

/// The whole way: compiled, linked, asked.
#[test]
fn dozens_of_files_that_chance_made_are_refused_or_answer_or_fail() -> Result<()> {
    alone(|| async {
        let ends = try_all(&Host::new().await?, &files(25, 2)?).await?;
        ensure!(ends.len() > 3, "too few ways to end: {ends:?}");
        Ok(())
    })
}
