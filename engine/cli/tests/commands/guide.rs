//! The commands of the authors' guide, run one after the other as they stand there.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::support::{Desk, checkout, program, said};

#[test]
fn every_command_of_the_guide_works() -> Result<()> {
    let guide = std::fs::read_to_string(checkout().join("sdk/README.md"))?;
    let blocks: Vec<&str> = guide
        .split("\n```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .collect();
    ensure!(blocks.len() > 3, "the guide has hardly any commands");
    let desk = Desk::new()?;
    let programs = desk.path().join("bin");
    std::fs::create_dir(&programs)?;
    std::os::unix::fs::symlink(program(), programs.join("rectifier"))?;
    let path = std::env::var_os("PATH").context("PATH is set")?;
    let paths = std::iter::once(programs).chain(std::env::split_paths(&path));
    let mut shell = Command::new("sh");
    for (name, value) in desk.command().get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell
        .current_dir(desk.path())
        .env("PATH", std::env::join_paths(paths)?)
        .args(["-eux", "-c", &blocks.join("\n")]);
    said(&mut shell)?.ended(0)?;
    Ok(())
}
