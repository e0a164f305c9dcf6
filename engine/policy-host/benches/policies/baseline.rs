//! The least that any host must do for a decision in a fresh store: the same module, observation and engine configuration;
//! an InstancePre made once; no limits, no clocks against the guest, no log, no check of the answer.

use anyhow::{Result, bail};
use rectifier_core::policy::Observation;
use rectifier_policy_host::Form;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, Module, Store};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::Built;

wasmtime::component::bindgen!({ path: "../../sdk/wit", world: "policy", exports: { default: async } });
use rectifier::policy::{log, types};

struct State(WasiP1Ctx);

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.0.ctx()
    }
}
impl types::Host for State {}
impl log::Host for State {
    fn write(&mut self, _: log::Level, _: String) {}
}

enum Pre {
    Component(PolicyPre<State>),
    Command(wasmtime::InstancePre<State>),
}

pub(crate) struct Baseline {
    engine: Engine,
    pre: Pre,
    seen: types::Observation,
    settings: String,
}

impl Baseline {
    pub(crate) fn new(built: &Built, settings: &str) -> Result<Self> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .relaxed_simd_deterministic(true)
            .cranelift_nan_canonicalization(true);
        config.wasm_backtrace_max_frames(None);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        Policy::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        let pre = match built.form {
            Form::Component => {
                let component = Component::new(&engine, &built.bytes)?;
                Pre::Component(PolicyPre::new(linker.instantiate_pre(&component)?)?)
            }
            Form::Command => {
                let mut linker = wasmtime::Linker::new(&engine);
                wasmtime_wasi::p1::add_to_linker_async(&mut linker, |state: &mut State| {
                    &mut state.0
                })?;
                Pre::Command(linker.instantiate_pre(&Module::new(&engine, &built.bytes)?)?)
            }
        };
        Ok(Self {
            engine,
            pre,
            seen: shown(),
            settings: settings.to_owned(),
        })
    }

    pub(crate) async fn decide(&self, seen: &Observation) -> Result<()> {
        let mut wasi = WasiCtx::builder();
        let answer = MemoryOutputPipe::new(64 << 10);
        if let Pre::Command(_) = self.pre {
            let settings: serde_json::Value = serde_json::from_str(&self.settings)?;
            let question = serde_json::json!({"apiVersion": "rectifier.dev/policy/v0.1", "observation": seen, "settings": settings});
            wasi.args(&["policy", "decide"])
                .stdin(MemoryInputPipe::new(question.to_string()))
                .stdout(answer.clone());
        }
        let mut store = Store::new(&self.engine, State(wasi.build_p1()));
        store.set_epoch_deadline(u64::MAX / 2);
        match &self.pre {
            Pre::Component(pre) => {
                let policy = pre.instantiate_async(&mut store).await?;
                let decided = policy
                    .rectifier_policy_decider()
                    .call_decide(&mut store, &self.seen, &self.settings)
                    .await?;
                decided.map_err(anyhow::Error::msg)?;
            }
            Pre::Command(pre) => {
                let instance = pre.instantiate_async(&mut store).await?;
                let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
                match start.call_async(&mut store, ()).await {
                    Err(error)
                        if error
                            .downcast_ref::<wasmtime_wasi::I32Exit>()
                            .is_none_or(|exit| exit.0 != 0) =>
                    {
                        bail!(error)
                    }
                    Ok(()) | Err(_) => {}
                }
                serde_json::from_slice::<serde_json::Value>(&answer.contents())?;
            }
        }
        Ok(())
    }
}

/// The observation of `main.rs` in this module's own types.
fn shown() -> types::Observation {
    let condition = || types::Condition {
        kind: "KubeletUnhealthy".to_owned(),
        status: types::Status::Yes,
        reason: "Test".to_owned(),
        message: "it is sick".to_owned(),
        held: 10,
        source: "npd".to_owned(),
    };
    let unit = |name: String| types::Unit {
        name,
        active_state: "failed".to_owned(),
        sub_state: "failed".to_owned(),
        restarts: 2,
        held: 10,
        gate: types::Gate::Open,
    };
    let others = (1..25).map(|n| format!("unit-{n}.service"));
    let names = std::iter::once("kubelet.service".to_owned()).chain(others);
    types::Observation {
        id: "observation-1".to_owned(),
        now: types::Moment {
            unix_seconds: 1_800_000_000,
            weekday: 5,
            minute_of_day: 480,
        },
        node: types::Node {
            name: "node-1".to_owned(),
            pool: Some("workers".to_owned()),
            zone: "az-1".to_owned(),
            labels: vec![types::Pair {
                name: "kubernetes.io/os".to_owned(),
                value: "linux".to_owned(),
            }],
            ready: types::Status::No,
            unschedulable: false,
            uptime: Some(1000),
            pods: 3,
        },
        site: types::Site::Node(types::NodeView {
            units: names.map(unit).collect(),
            fixes: Vec::new(),
            reboot: types::Gate::Open,
            freshness: types::Freshness::Fresh,
        }),
        episode: types::Episode {
            problem: condition(),
            age: 60,
            recurrences: 0,
            attempts: Vec::new(),
        },
        other_episodes: Vec::new(),
        conditions: (0..25).map(|_| condition()).collect(),
        events: Vec::new(),
        facts: Vec::new(),
    }
}
