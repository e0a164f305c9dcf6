//! `cargo xtask setup`, and the first part of every command that runs something.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use rectifier_provision::{Cache, Features, Image, Report, Stderr, Tool};

use crate::table::{Table, Verdict};

type Make = fn(&Cache, &mut dyn Report) -> Result<()>;

/// In this order: what fails for want of something on the machine comes before what takes long.
const PARTS: &[(&str, Make)] = &[
    ("room to build", |cache, report| {
        // on a desk a person decides what may go; nobody sits before CI
        cache.room_to_build(in_ci(), report)
    }),
    ("debian packages", |cache, report| {
        cache.debian_packages(report)
    }),
    ("wasm target", |cache, report| cache.wasm_target(report)),
    ("node root", |cache, report| there(cache.node_root(report))),
    ("openstack venv", |cache, report| {
        there(cache.openstack_venv(report))
    }),
    ("openstack databases", |cache, report| {
        there(cache.openstack_seed(report))
    }),
    ("go programs", |cache, report| {
        there(cache.go_programs(report))
    }),
    ("cargo-nextest", |cache, report| {
        there(cache.tool(Tool::Nextest, report))
    }),
    ("cargo-deny", |cache, report| {
        there(cache.tool(Tool::Deny, report))
    }),
    ("images", |cache, report| {
        let images = [Image::Pause, Image::NodeProblemDetector];
        images
            .into_iter()
            .try_for_each(|image| there(cache.image(image, report)))
    }),
    ("policies", |cache, report| {
        let make = |name: &String| there(cache.policy_component(name, report));
        cache.policy_crates()?.iter().try_for_each(make)
    }),
    ("engine", |cache, report| {
        there(cache.image(Image::Engine(Features::Shipped), report))
    }),
];

/// `CI` is set, and not to false.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| !ci.is_empty() && ci != "false")
}

fn there(part: Result<PathBuf>) -> Result<()> {
    part.map(|_| ())
}

/// Makes every part, or says which ones cannot be made; each has a row in the table.
pub(crate) fn run(cache: &Cache, table: &mut Table) {
    for (name, make) in PARTS {
        table.part(name, || {
            let mut report = Stderr::default();
            make(cache, &mut report)?;
            let made = if report.steps() > 0 { "made" } else { "there" };
            Ok(Verdict::Well(made.to_owned()))
        });
    }
}

/// For whom nothing is of use unless all of it is there.
pub(crate) fn all(cache: &Cache) -> Result<()> {
    let mut table = Table::default();
    run(cache, &mut table);
    if table.failed() {
        print!("{}", table.show());
        bail!("the set-up is not complete");
    }
    Ok(())
}

pub(crate) fn command(cache: &Cache) -> Result<ExitCode> {
    let mut table = Table::default();
    run(cache, &mut table);
    print!("{}", table.show());
    Ok(if table.failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
