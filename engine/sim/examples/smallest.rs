//! A world, both engines and one fault: `cargo run --package rectifier-sim --example smallest -- POLICY.wasm COMPILER`, where
//! `COMPILER` is the program `rectifier-compiler`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::machine::{Break, Cure};
use rectifier_sim::scene::{Options, Scene};
use tokio::time::{Duration, Instant, sleep};

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let policy = arguments.next().context("which policy?")?;
    let compiler = arguments.next().context("which compiler?")?;
    let compiler = Compiler::new(compiler, &[], CompileLimits::default());
    let cache = tempfile::tempdir()?;
    let policies = rectifier_sim::policies::load(&[policy], compiler, &cache.path().join("cache"))?;
    let world = async {
        let scene = Scene::set(Options::default(), policies);
        let mut engines = tokio::task::JoinSet::new();
        engines.spawn(scene.agents());
        let controller = rectifier_controller::run(scene.controller("controller-0"));
        engines.spawn(async move { format!("{:?}", controller.await) });
        while !scene.is_well() {
            sleep(Duration::from_secs(1)).await;
        }
        let began = Instant::now();
        let broken = Break::Unit("kubelet.service".to_owned(), Cure::Restart);
        scene.machines.break_it("worker-1", &broken);
        while !scene.is_well() {
            sleep(Duration::from_secs(1)).await;
        }
        println!("healed after {:.0?} of its own time", began.elapsed());
    };
    Ok(in_virtual_time(world)?)
}
