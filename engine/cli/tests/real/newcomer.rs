//! The newcomer's path: what the top README says of a policy of one's own, typed in a Debian that has nothing else on it. Its seconds
//! are printed, and nothing is asserted of them.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rectifier_bed::Bed;
use rectifier_bed::machine::{Furnish, Machine};
use rectifier_provision::Stderr;

const README: &str = include_str!("../../../../README.md");

/// Where the checkout is in that machine.
const CHECKOUT: &str = "/root/rectifier";

/// The section's commands, block by block: how the program is built, a policy of rules, one in Go.
fn blocks() -> Result<[&'static str; 3]> {
    let (_, section) = README
        .split_once("\n## A policy of your own")
        .context("the README has the section")?;
    let section = section.split("\n## ").next().unwrap_or(section);
    let blocks = section.split("```sh\n").skip(1);
    let blocks: Option<Vec<&str>> = blocks
        .map(|block| Some(block.split_once("```")?.0))
        .collect();
    let blocks = blocks.context("each block ends")?.try_into();
    blocks.map_err(|blocks| anyhow::anyhow!("it has three blocks: {blocks:?}"))
}

/// A machine with what the first block makes, and without a compiler.
async fn desk(bed: &Bed) -> Result<Machine> {
    let (cache, mut report) = (bed.cache(), Stderr::default());
    let [a, b, c, _] = bed.network()?.machines().0.octets();
    let furnish = Furnish {
        root: cache.node_root(&mut report)?,
        programs: cache.go_programs(&mut report)?,
        images: Vec::new(),
        address: [a, b, c, 200].into(),
        files: Vec::new(),
    };
    let machine = Machine::boot(&bed.dir().join("machines").join("desk"), furnish).await?;
    let sdk = format!("{CHECKOUT}/sdk");
    let policy = format!("{CHECKOUT}/policies/cel");
    machine
        .exec(["mkdir", "-p", sdk.as_str(), policy.as_str()])
        .await?;
    let program = Path::new(env!("CARGO_BIN_EXE_rectifier"));
    copy(program, &machine, "/usr/local/bin/rectifier")?;
    let cel = cache.policy_component("cel", &mut report)?;
    copy(&cel, &machine, &format!("{policy}/cel.wasm"))?;
    for folder in ["go", "wit"] {
        copy(&cache.checkout().join("sdk").join(folder), &machine, &sdk)?;
    }
    for compiler in ["go", "cargo", "cc"] {
        let look = format!("command -v {compiler}");
        let found = machine.exec(["bash", "-c", look.as_str()]).await;
        ensure!(found.is_err(), "{compiler} is there");
    }
    Ok(machine)
}

fn copy(from: &Path, machine: &Machine, to: &str) -> Result<()> {
    let mut copy = Command::new("cp");
    let status = copy.arg("-r").arg(from).arg(machine.path(to)?).status()?;
    ensure!(status.success(), "{} cannot be copied", from.display());
    Ok(())
}

/// Types the block, and gives what was said.
async fn typed(machine: &Machine, what: &str, block: &str) -> Result<String> {
    let began = Instant::now();
    let script = format!("cd {CHECKOUT}\n{block}");
    let said = machine
        .exec([
            "env",
            "HOME=/root",
            "PATH=/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin",
            "bash",
            "-euxc",
            script.as_str(),
        ])
        .await?;
    println!("{said}\n{what}: {:.1} s", began.elapsed().as_secs_f64());
    Ok(said)
}

#[tokio::test]
async fn a_newcomers_rules_decide_in_the_demo() -> Result<()> {
    let bed = Bed::new("newcomer")?;
    let machine = desk(&bed).await?;
    let [_, rules, _] = blocks()?;
    let said = typed(&machine, "a policy of rules", rules).await?;
    ensure!(
        said.contains("rule 1: ") && said.contains("it helped"),
        "{said}"
    );
    machine.kill().await
}

#[tokio::test]
#[ignore = "it compiles Go's library first"]
async fn a_newcomers_policy_in_go_decides_in_the_demo() -> Result<()> {
    let bed = Bed::new("newcomer-go")?;
    let machine = desk(&bed).await?;
    let root = Command::new("go").args(["env", "GOROOT"]).output()?.stdout;
    let root = String::from_utf8(root)?;
    // as the archive of whoever publishes it is unpacked
    copy(Path::new(root.trim()), &machine, "/usr/local/go")?;
    let [_, _, go] = blocks()?;
    let said = typed(&machine, "a policy in Go", go).await?;
    for word in [
        "6 cases, all as expected",
        "restart proxy.service",
        "it helped",
    ] {
        ensure!(said.contains(word), "{word:?} is not in {said}");
    }
    machine.kill().await
}
