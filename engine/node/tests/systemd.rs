//! Jobs, fixes and the reboot on a real systemd, over the machine's own bus. Needs root.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use rectifier_bed::Bed;
use rectifier_bed::machine::{Furnish, Machine};
use rectifier_core::name::{FixName, UnitName};
use rectifier_core::policy::{UnitCall, UnitVerb};
use rectifier_node::{FixCommand, Systemd, SystemdError, shipped};
use rectifier_provision::Stderr;

const VICTIM: &str =
    "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
const BACKUP: &str = "[Service]\nExecStart=/usr/bin/systemd-inhibit --what=shutdown --mode=block \
    --who=backup \"--why=the night's\" /bin/sleep infinity\n";
const BROKEN: &str = "[Service]\nType=oneshot\nExecStart=/bin/false\n";

/// With a precondition, or an empty one.
fn fix(command: &[&str], precondition: &[&str], timeout: u32) -> FixCommand {
    let words = |line: &[&str]| line.iter().map(|word| (*word).to_owned()).collect();
    FixCommand {
        command: words(command),
        precondition: words(precondition),
        timeout,
        memory: 64,
    }
}

async fn machine(bed: &Bed) -> Result<Machine> {
    let (cache, mut report) = (bed.cache(), Stderr::default());
    let [a, b, c, _] = bed.network()?.machines().0.octets();
    let furnish = Furnish {
        root: cache.node_root(&mut report)?,
        programs: cache.go_programs(&mut report)?,
        images: Vec::new(),
        address: [a, b, c, 200].into(),
        files: Vec::new(),
    };
    let furnish = furnish.file("/etc/systemd/system/broken.service", BROKEN);
    Machine::boot(&bed.dir().join("machines").join("node-1"), furnish).await
}

fn bus(machine: &Machine) -> Result<Systemd> {
    let socket = machine.bus_socket()?;
    Ok(Systemd::new(
        format!("unix:path={}", socket.display()),
        Duration::from_secs(60),
    ))
}

/// The backup runs, and inhibits a shutdown.
async fn inhibit(machine: &Machine, systemd: &Systemd) -> Result<()> {
    assert_eq!(systemd.inhibitor().await?, None);
    machine.start_unit("backup.service", BACKUP).await?;
    let held = async {
        while systemd.inhibitor().await.ok().flatten().as_deref() != Some("backup: the night's") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), held)
        .await
        .context("nobody inhibits it")
}

fn call(unit: &str, verb: UnitVerb) -> Result<UnitCall> {
    Ok(UnitCall {
        name: UnitName::parse(unit)?,
        verb,
    })
}

async fn invocation(systemd: &Systemd, unit: &str) -> Result<String> {
    let unit = systemd
        .unit(&UnitName::parse(unit)?)
        .await?
        .context("no such unit")?;
    Ok(unit.invocation)
}

#[tokio::test]
async fn units_are_restarted_fixes_run_and_the_machine_reboots() -> Result<()> {
    let bed = Bed::new("systemd")?;
    let machine = machine(&bed).await?;
    machine.start_unit("victim.service", VICTIM).await?;
    let systemd = bus(&machine)?;

    // A unit is seen as it is, and one that does not exist as none.
    let victim = systemd
        .unit(&UnitName::parse("victim.service")?)
        .await?
        .context("no victim")?;
    assert_eq!(
        (victim.active_state.as_str(), victim.sub_state.as_str()),
        ("active", "running")
    );
    assert!(!victim.busy && victim.since.is_some() && victim.invocation.len() == 32);
    assert!(
        systemd
            .unit(&UnitName::parse("nobody.service")?)
            .await?
            .is_none()
    );
    let running = systemd.running().await?;
    assert!(running.since.is_some() && !running.goes_down, "{running:?}");

    // Every verb that starts a unit starts another invocation of it; the end of its job is heard.
    let mut jobs = Box::pin(systemd.moved_units(&BTreeSet::new()).await?);
    let mut before = victim.invocation;
    for verb in [UnitVerb::Restart, UnitVerb::StopStart] {
        systemd.perform(&call("victim.service", verb)?).await?;
        assert_eq!(jobs.next().await.as_deref(), Some("victim.service"));
        let now = invocation(&systemd, "victim.service").await?;
        assert_ne!(now, before, "{verb:?}");
        before = now;
    }
    let main_pid = machine
        .exec(["systemctl", "show", "-P", "MainPID", "victim.service"])
        .await?;
    systemd
        .perform(&call("victim.service", UnitVerb::Start)?)
        .await?;
    let still = machine
        .exec(["systemctl", "show", "-P", "MainPID", "victim.service"])
        .await?;
    assert_eq!(main_pid, still, "what runs is not started again");

    // Of a unit that is watched it is heard that it dies, although no job of it ends; of another one nothing is.
    let watched = BTreeSet::from([UnitName::parse("watched.service")?]);
    machine.start_unit("watched.service", VICTIM).await?;
    let mut moved = Box::pin(systemd.moved_units(&watched).await?);
    for unit in ["victim.service", "watched.service"] {
        machine
            .exec(["systemctl", "kill", "--signal=KILL", unit])
            .await?;
    }
    let heard = tokio::time::timeout(Duration::from_secs(30), moved.next()).await?;
    assert_eq!(heard.as_deref(), Some("watched.service"));
    let failed = async {
        while systemd
            .unit(&UnitName::parse("watched.service")?)
            .await?
            .is_none_or(|unit| unit.active_state != "failed")
        {
            moved.next().await.context("no signal")?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(30), failed).await??;

    // A job that fails is an error that says how.
    for verb in [UnitVerb::Restart, UnitVerb::ResetFailed] {
        let failed = systemd.perform(&call("broken.service", verb)?).await;
        let said = matches!(&failed, Err(SystemdError::Job { result, .. }) if result == "failed");
        assert!(said, "{failed:?}");
    }
    assert!(
        systemd
            .perform(&call("nobody.service", UnitVerb::Restart)?)
            .await
            .is_err()
    );

    // A fix is a process of the machine's, with its arguments as they are: no shell looks at them.
    let name = FixName::parse("touch-it")?;
    let touch = fix(&["/usr/bin/touch", "/run/a b;c"], &[], 30);
    systemd.run_fix(&name, &touch).await?;
    assert!(machine.path("/run/a b;c")?.exists());
    systemd
        .run_fix(&name, &touch)
        .await
        .context("a second time")?;
    for wrong in [
        fix(&["/bin/false"], &[], 30),
        fix(&["/bin/sleep", "infinity"], &[], 1),
    ] {
        let failed = systemd.run_fix(&name, &wrong).await;
        assert!(
            matches!(failed, Err(SystemdError::Job { .. })),
            "{failed:?}"
        );
    }
    // Nor does systemd: a word that looks like a variable stays.
    let dollar = fix(&["/usr/bin/test", "$1", "=", "${HOME}$$"], &[], 30);
    let same = fix(&["/usr/bin/test", "$1$$", "=", "$1$$"], &[], 30);
    assert!(systemd.run_fix(&name, &dollar).await.is_err());
    systemd.run_fix(&name, &same).await?;
    let awk = ["/usr/bin/awk", "$1 > 0 {exit 1}", "/proc/uptime"];
    assert!(systemd.run_fix(&name, &fix(&awk, &[], 30)).await.is_err());
    // What must be so before is looked at each time.
    let once = fix(
        &["/usr/bin/touch", "/run/once"],
        &["/usr/bin/test", "!", "-e", "/run/once"],
        30,
    );
    systemd.run_fix(&name, &once).await?;
    let again = systemd.run_fix(&name, &once).await;
    assert!(
        matches!(again, Err(SystemdError::Precondition(_))),
        "{again:?}"
    );

    // logind reboots it, also while somebody inhibits that; the old bus is gone, and its client says so.
    let boot = machine.boot_id()?;
    inhibit(&machine, &systemd).await?;
    systemd.reboot().await?;
    while jobs.next().await.is_some() {}
    while moved.next().await.is_some() {}
    assert!(systemd.running().await.is_err());
    let changed = async {
        while machine.boot_id().ok().is_none_or(|now| now == boot) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), changed)
        .await
        .context("no new boot")?;
    machine.kill().await
}

/// A program of this name, which runs until it is ended, and is started anew then.
async fn agent(machine: &Machine, program: &str) -> Result<()> {
    let path = format!("/usr/local/bin/{program}");
    machine.exec(["cp", "/bin/sleep", path.as_str()]).await?;
    let unit = format!("[Service]\nExecStart={path} infinity\nRestart=always\nRestartSec=0\n");
    machine
        .start_unit(&format!("{program}.service"), &unit)
        .await
}

async fn pid(machine: &Machine, program: &str) -> Result<String> {
    let unit = format!("{program}.service");
    machine
        .exec(["systemctl", "show", "-P", "MainPID", unit.as_str()])
        .await
}

#[tokio::test]
async fn the_fixes_that_ship_do_what_they_say_and_nothing_where_they_do_not_fit() -> Result<()> {
    let bed = Bed::new("fixes")?;
    let machine = machine(&bed).await?;
    let systemd = bus(&machine)?;
    let run = async |name: &str, args: &[(&str, &str)]| -> Result<_> {
        let name = FixName::parse(name)?;
        let args = args
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let filled = shipped()[&name]
            .filled(&args.collect())
            .context("its arguments")?;
        Ok(systemd.run_fix(&name, &filled).await)
    };
    // what each needs is not there
    machine.exec(["rm", "-rf", "/var/log/journal"]).await?;
    for name in shipped().keys().map(FixName::as_str) {
        let args = match name {
            "cni-restart" => &[("agent", "calico-node")][..],
            "journal-vacuum" => &[("size", "100M")],
            _ => &[],
        };
        let done = run(name, args).await?;
        assert!(
            matches!(done, Err(SystemdError::Precondition(_))),
            "{name}: {done:?}"
        );
    }

    // the agent is ended, and another one that is none of its business is not
    for program in ["calico-node", "cilium-agent", "node-problem-detector"] {
        agent(&machine, program).await?;
    }
    let other = pid(&machine, "cilium-agent").await?;
    for (name, args, program) in [
        (
            "cni-restart",
            &[("agent", "calico-node")][..],
            "calico-node",
        ),
        ("npd-restart", &[], "node-problem-detector"),
    ] {
        let before = pid(&machine, program).await?;
        run(name, args).await??;
        let restarted = async {
            while pid(&machine, program).await? == before {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(Duration::from_secs(30), restarted)
            .await
            .with_context(|| format!("{program} was not ended"))??;
    }
    assert_eq!(pid(&machine, "cilium-agent").await?, other);

    // what is not on this machine is called as it would be
    machine
        .start_unit("systemd-resolved.service", VICTIM)
        .await?;
    for (name, program, calls) in [
        ("images-prune", "crictl", &["info", "rmi --prune"][..]),
        ("time-step", "chronyc", &["waitsync 1", "makestep"]),
        ("dns-flush", "resolvectl", &["flush-caches"]),
    ] {
        let path = format!("/usr/bin/{program}");
        let called = format!("/run/{program}");
        machine.write_file(&path, format!("#!/bin/sh\necho \"$*\" >> {called}\n"))?;
        machine.exec(["chmod", "+x", path.as_str()]).await?;
        run(name, &[]).await?.with_context(|| name.to_owned())?;
        let said = std::fs::read_to_string(machine.path(&called)?)?;
        assert_eq!(said.lines().collect::<Vec<_>>(), calls, "{name}");
    }

    // archived files beyond the size go
    machine.exec(["mkdir", "/var/log/journal"]).await?;
    machine
        .exec(["systemctl", "restart", "systemd-journald.service"])
        .await?;
    run("journal-vacuum", &[("size", "100M")]).await??;
    machine.kill().await
}
