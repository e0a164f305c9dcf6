//! `rectifier simulate`, as people use it: what it says would be done, and how it refuses.

mod world;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use world::{Desk, condition, dump};

/// The words for the steps, in order; each once where it repeats.
fn steps(answer: &Value) -> Vec<&str> {
    let steps = answer["steps"].as_array().into_iter().flatten();
    let mut words: Vec<&str> = steps.filter_map(|step| step["step"].as_str()).collect();
    words.dedup();
    words
}

/// These, in this order, whatever is between them.
fn are_in_order(answer: &Value, wanted: &[&str]) -> Result<()> {
    let told = steps(answer);
    let mut rest = told.iter();
    for step in wanted {
        ensure!(rest.any(|told| told == step), "{step}: {told:?}");
    }
    Ok(())
}

const KERNEL: [&str; 3] = [
    "--condition=KernelDeadlock",
    "--on=worker-2",
    "--output=json",
];

fn kernel(desk: &Desk, words: &[&str], code: i32) -> Result<Value> {
    desk.simulate(&[&KERNEL[..], words].concat())?
        .ended(code)?
        .json()
}

#[test]
fn what_a_restart_cures_is_healed_on_the_node() -> Result<()> {
    let desk = Desk::with(&dump())?;
    let answer = kernel(&desk, &["--cured-by=restart"], 0)?;
    are_in_order(&answer, &["break", "problem", "remedy", "outcome", "gone"])?;
    assert_eq!(answer["nodes"][0]["outcome"], "healed-in-node");
    assert_eq!(answer["summary"]["healedInNode"], 1);
    assert_eq!(answer["summary"]["serversCreated"], 0);
    Ok(())
}

#[test]
fn what_a_boot_cures_is_rebooted_by_a_grant() -> Result<()> {
    let desk = Desk::with(&dump())?;
    let answer = kernel(&desk, &["--cured-by=boot"], 0)?;
    are_in_order(
        &answer,
        &[
            "remedy",
            "cordon",
            "drain",
            "offer-reboot",
            "reboot",
            "uncordon",
            "recovered",
        ],
    )?;
    assert_eq!(answer["nodes"][0]["outcome"], "rebooted");
    assert_eq!(answer["summary"]["podsEvicted"], 1);
    Ok(())
}

#[test]
fn what_nothing_cures_is_replaced_and_only_then_deleted() -> Result<()> {
    let desk = Desk::with(&dump())?;
    let answer = kernel(&desk, &[], 0)?;
    are_in_order(
        &answer,
        &[
            "create-server",
            "join",
            "commit",
            "delete-server",
            "delete-node",
            "replaced",
        ],
    )?;
    assert_eq!(answer["nodes"][0]["outcome"], "replaced");
    let summary = &answer["summary"];
    assert_eq!(
        (&summary["mostAtOnce"], &summary["serversCreated"]),
        (&json!(1), &json!(1))
    );
    let deleted = answer["steps"].as_array().context("steps")?;
    ensure!(
        deleted.iter().any(|step| {
            step["step"] == "delete-server"
                && step["why"]
                    .as_str()
                    .is_some_and(|why| why.contains("server-2"))
        }),
        "the server that the dump names"
    );
    Ok(())
}

#[test]
fn a_unit_that_fails_is_cured_by_its_own_restart() -> Result<()> {
    let desk = Desk::with(&dump())?;
    let proxy = [
        "--condition=ProxyUnhealthy",
        "--on=pool=web",
        "--cured-by=restart",
        "--output=json",
    ];
    let answer = desk
        .simulate(&[&proxy[..], &["--unit=proxy.service"]].concat())?
        .ended(0)?
        .json()?;
    assert_eq!(
        answer["summary"]["healedInNode"], 3,
        "all that the selector names"
    );
    // The policy restarts proxy.service; what is behind it is another unit.
    let answer = desk
        .simulate(
            &[
                &proxy[..],
                &["--unit=kubelet.service", "--mode=observe", "--for=10m"],
            ]
            .concat(),
        )?
        .ended(1)?
        .json()?;
    assert_eq!(answer["summary"]["healedInNode"], 0);
    Ok(())
}

#[test]
fn a_pool_that_observes_says_what_it_would_do_and_touches_nothing() -> Result<()> {
    let desk = Desk::with(&dump())?;
    let answer = kernel(&desk, &["--mode=observe"], 1)?;
    are_in_order(&answer, &["judge", "observe"])?;
    let told = steps(&answer);
    ensure!(
        !told.contains(&"cordon") && !told.contains(&"drain"),
        "{told:?}"
    );
    let why = answer["nodes"][0]["why"].as_str().unwrap_or_default();
    ensure!(why.contains("it would reboot it"), "{why}");
    assert_eq!(answer["summary"]["leftAlone"], 1);
    // The same dump, and the pool switched on.
    let mut observing = dump();
    observing["repairPools"][0]["spec"]["mode"] = "Observe".into();
    let desk = Desk::with(&observing)?;
    assert_eq!(kernel(&desk, &[], 1)?["summary"]["replaced"], 0);
    assert_eq!(
        kernel(&desk, &["--mode=auto"], 0)?["summary"]["replaced"],
        1
    );
    Ok(())
}

#[test]
fn without_a_configuration_no_unit_may_be_touched() -> Result<()> {
    let desk = Desk::with(&dump())?;
    let words = [
        "simulate",
        "--from=cluster.json",
        "--policies=policies",
        "--cured-by=restart",
    ];
    let answer = desk
        .call(&[&words[..], &KERNEL[..]].concat())?
        .ended(0)?
        .json()?;
    are_in_order(&answer, &["problem", "ask"])?;
    ensure!(
        answer.to_string().contains("may not be touched"),
        "{answer}"
    );
    ensure!(
        answer["assumed"].to_string().contains("--node-config"),
        "{answer}"
    );
    Ok(())
}

#[test]
fn a_dark_zone_is_no_proof_of_death() -> Result<()> {
    let desk = Desk::with(&dump())?;
    let answer = desk
        .simulate(&["--zone-dark=az-3", "--output=json"])?
        .ended(1)?
        .json()?;
    assert_eq!(answer["question"]["broken"], json!(["worker-3"]));
    assert_eq!(answer["nodes"][0]["outcome"], "left-alone");
    assert_eq!(answer["summary"]["serversCreated"], 0);
    Ok(())
}

#[test]
fn what_is_sick_in_the_dump_is_played() -> Result<()> {
    let mut sick = dump();
    sick["nodes"][0]["status"]["conditions"] = json!([
        condition("Ready", "True"),
        condition("KernelDeadlock", "True")
    ]);
    sick["nodes"][1]["status"]["conditions"] = json!([condition("Ready", "Unknown")]);
    sick["nodes"][2]["spec"] = json!({"providerID": "kind://kind/worker-3"});
    sick["nodes"][2]["status"]["conditions"] = json!([
        condition("Ready", "True"),
        condition("KernelDeadlock", "True")
    ]);
    // No node is left that could take a pod: with a budget none would leave.
    sick["podDisruptionBudgets"] = json!([]);
    let desk = Desk::with(&sick)?;
    let answer = desk.simulate(&["--output=json"])?.ended(1)?.json()?;
    let nodes = answer["nodes"].as_array().context("nodes")?;
    let outcomes: Vec<&str> = nodes
        .iter()
        .filter_map(|node| node["outcome"].as_str())
        .collect();
    assert_eq!(
        outcomes,
        ["replaced", "left-alone", "needs-human"],
        "{nodes:?}"
    );
    // One is in flight in a pool, of two that fell sick together the first by name.
    let why = |node: usize| nodes[node]["why"].to_string();
    ensure!(why(0).contains("worker-1-r"), "{nodes:?}");
    ensure!(why(1).contains("NotReady"), "{nodes:?}");
    ensure!(
        answer["assumed"].to_string().contains("cannot be replaced"),
        "{answer}"
    );
    // Nobody's question: all three were so before.
    let first: Vec<&Value> = answer["steps"]
        .as_array()
        .context("steps")?
        .iter()
        .take(3)
        .collect();
    ensure!(first.iter().all(|step| step["step"] == "sick"), "{first:?}");
    Ok(())
}

#[test]
fn the_same_is_the_same_byte_for_byte_in_two_processes() -> Result<()> {
    let desk = Desk::with(&dump())?;
    let words = ["--condition=KernelDeadlock", "--on=pool=web"];
    for output in ["--output=table", "--output=json"] {
        let call = || desk.simulate(&[&words[..], &[output]].concat());
        let (one, other) = (call()?.ended(0)?, call()?.ended(0)?);
        ensure!(one.out == other.out, "{}\n{}", one.out, other.out);
    }
    let table = desk.simulate(&words)?.ended(0)?.out;
    for words in [
        "AFTER",
        "3 sick",
        "3 replaced",
        "Assumed",
        "needs 2 healthy pods",
    ] {
        ensure!(table.contains(words), "{words} is not in\n{table}");
    }
    ensure!(
        !table.contains('\x1b'),
        "colours where there is no terminal"
    );
    Ok(())
}

#[test]
fn a_storm_is_stopped_where_the_pools_breaker_stops_it() -> Result<()> {
    let words = ["--condition=KernelDeadlock", "--on=pool=web"];
    let with = |breaker: Value| {
        let mut dump = dump();
        dump["repairPools"][0]["spec"]["breaker"] = breaker;
        Desk::with(&dump)
    };
    let held = with(json!({"onPlateau": "Hold"}))?;
    let table = held.simulate(&words)?.ended(1)?.out;
    ensure!(table.contains("the pool's breaker is open"), "{table}");
    ensure!(
        table.contains("3 left alone") && table.contains("0 servers created"),
        "{table}"
    );
    // when it has got no worse for half an hour, one by one
    let shipped = with(json!({}))?;
    let table = shipped.simulate(&words)?.ended(0)?.out;
    ensure!(table.contains("the pool's breaker is open"), "{table}");
    ensure!(
        table.contains("3 replaced") && table.contains("1 repair at once"),
        "{table}"
    );
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() -> Result<()> {
    let desk = Desk::with(&dump())?;
    let usage: [(&[&str], &str); 7] = [
        (&["--zone-dark=az-9"], "there are az-1, az-2, az-3"),
        (&["--condition=KernelDeadlock", "--on=worker-9"], "worker-9"),
        (
            &["--condition=KernelDeadlock", "--on=pool=db"],
            "no node of the dump",
        ),
        (&["--condition=KernelDeadlock"], "--on"),
        (&["--condition=Ready", "--on=worker-1"], "how it should be"),
        (
            &["--zone-dark=az-1", "--condition=A", "--on=worker-1"],
            "cannot be used with",
        ),
        (&["--for=soon"], "90m"),
    ];
    for (words, said) in usage {
        desk.simulate(words)?.ended(2)?.complains(&[said])?;
    }
    desk.call(&["simulate", "--from=none.json", "--policies=policies"])?
        .ended(2)?
        .complains(&["rectifier dump -o none.json"])?;
    desk.call(&["simulate", "--from=cluster.json", "--policies=nowhere"])?
        .ended(2)?
        .complains(&["nowhere"])?;
    Ok(())
}

#[test]
fn a_broken_dump_is_named_with_what_is_wrong() -> Result<()> {
    let desk = Desk::new()?;
    let mut other = dump();
    other["apiVersion"] = "rectifier.dev/dump/v9".into();
    let mut wrong = dump();
    wrong["repairPools"][0]["spec"]["mode"] = "Sometimes".into();
    for (text, said) in [
        (dump().to_string()[..400].to_owned(), "it is no dump"),
        (other.to_string(), "rectifier.dev/dump/v9"),
        (wrong.to_string(), "repairPools, number 1 (web)"),
    ] {
        desk.put("cluster.json", &text)?;
        desk.simulate(&[])?.ended(3)?.complains(&[said])?;
    }
    desk.put("cluster.json", &dump().to_string())?;
    desk.put(
        "policies/restart-then-replace.yaml",
        "settings: {rules: 3}\n",
    )?;
    desk.simulate(&[])?
        .ended(3)?
        .complains(&["no policy can be used"])?;
    Ok(())
}
