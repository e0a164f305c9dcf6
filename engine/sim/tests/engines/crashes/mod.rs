//! The crash matrix. In each story the controller meets blows at each of its requests that change something: the points
//! are not listed anywhere, they are what a good run of the same seed sends. Whatever befalls it, the story ends as the good
//! run does: with one adopted server or none, nothing of ours left over, and no pod lost below its budget.

mod fault;
mod stories;
mod tap;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::{WatchStreamExt, watcher};
use rectifier_api::NodeRepair;
use rectifier_cloud::Cloud;
use rectifier_cloud::openstack::{OpenStack, WRITES};
use rectifier_core::clock::Timestamp;
use rectifier_core::repair::{Phase, Record};
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use self::fault::Fault;
use self::stories::{STORIES, Story};
use self::tap::{Blow, Tap};
use crate::rbac::Deed;
use crate::stage::{SICK, Stage};
use crate::{database, policy, rbac};

/// A leftover is 2 h old when it is collected, and is looked for every 10 min.
const SETTLED: Duration = Duration::from_secs(3 * 3600);
/// No story takes so long.
const LONGEST: Duration = Duration::from_secs(3 * 3600);
/// A Lease lasts 15 s; whoever cannot renew it stops before.
const STOPS_ITSELF: Duration = Duration::from_secs(15);

/// What a run asked for.
struct Told {
    points: Vec<String>,
    asked: Vec<String>,
    deeds: BTreeSet<Deed>,
    calls: BTreeSet<&'static str>,
}

/// What befalls the controller in a run.
#[derive(Debug, Clone, Copy)]
enum Strike {
    Nothing,
    Blow(usize, Blow),
    Fault(usize, Fault),
}

fn play(story: &Story, policies: &Arc<dyn Advisor>, strike: Strike) -> Result<Told> {
    in_virtual_time(async {
        let stage = Stage::set(policies.clone()).await?;
        // of what only passes the time as little as may be: there are hundreds of runs
        let short = json!({"timing": {"unready": 60, "owners": 60, "join": 300}});
        stage.pool(short).await?;
        (story.begins)(&stage).await?;
        run(story, &stage, strike).await
    })?
}

async fn run(story: &Story, stage: &Stage, strike: Strike) -> Result<Told> {
    let (first, mut blow) = match strike {
        Strike::Nothing => (Tap::default(), None),
        Strike::Blow(at, blow) => (Tap::new(Some((at, blow))), Some((at, blow))),
        Strike::Fault(at, fault) => (Tap::faulty((at, fault)), None),
    };
    let mut ends = Box::pin(async {
        if let Some(goes_on) = story.goes_on {
            goes_on(stage).await?;
        }
        ends_well(story, stage).await
    });
    let (mut tap, mut identity) = (first.clone(), "controller-0");
    let mut cut_off = JoinSet::new();
    loop {
        let mut process = Box::pin(rectifier_controller::run(
            tap.controller(&stage.scene, identity),
        ));
        let is_struck = tokio::select! {
            biased;
            () = tap.struck() => true,
            ended = &mut process => match blow {
                // its Deployment starts it again
                Some((_, Blow::ApiAway)) => false,
                _ => bail!("the controller ended: {ended:?}"),
            },
            ended = &mut ends => {
                ended?;
                break;
            }
        };
        match blow {
            Some((_, Blow::ApiAway)) if is_struck => {
                stage.scene.api.cut_watches();
                tokio::select! {
                    biased;
                    _ = &mut process => {}
                    ended = &mut ends => {
                        ended?;
                        break;
                    }
                }
            }
            Some((_, Blow::Late)) => {
                cut_off.spawn(
                    async move { tokio::time::timeout(STOPS_ITSELF, process).await.is_ok() },
                );
                (identity, blow) = ("controller-1", None);
                tap = Tap::default();
            }
            Some((_, Blow::ApiAway)) => {}
            _ => {
                blow = None;
                tap = Tap::default();
            }
        }
    }
    while let Some(stopped) = cut_off.join_next().await {
        ensure!(
            stopped?,
            "whom nobody hears did not stop before another could lead"
        );
    }
    Ok(Told {
        points: first.points(),
        asked: first.asked(),
        deeds: first.deeds(),
        calls: first.calls(),
    })
}

/// The repair ends as it must, and nothing is left over.
async fn ends_well(story: &Story, stage: &Stage) -> Result<()> {
    let broken = Mutex::new(BTreeSet::new());
    let note = |ill: String| lock(&broken).insert(ill);
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(stage.client.clone(), "default");
    let mut changes = watcher(budgets, watcher::Config::default())
        .applied_objects()
        .boxed();
    let mut any = stage.scene.api.changes();
    let over = async {
        loop {
            let held = database::holders(&stage.scene);
            if held.len() > 1 {
                note(format!("{held:?} have the volume"));
            }
            match over(stage) {
                Some(over) => return over,
                None => drop(timeout(Duration::from_secs(60), any.changed()).await),
            }
        }
    };
    let watch = async {
        while let Some(budget) = changes.next().await {
            // one that was cut is taken up again
            budget.ok().iter().filter_map(below).for_each(|ill| {
                note(ill);
            });
        }
    };
    let over = tokio::select! {
        biased;
        over = tokio::time::timeout(LONGEST, over) => over.with_context(|| format!("it goes on: {:?}", stage.record()))?,
        () = watch => bail!("nobody tells of budgets any more"),
    };
    ensure!(
        over.phase == story.ends,
        "{:?}: {}",
        over.phase,
        over.message
    );
    ensure!(lock(&broken).is_empty(), "{:?}", lock(&broken));
    let began = Instant::now();
    while let Err(left) = nothing_left(story, stage).await {
        ensure!(began.elapsed() < SETTLED, "{left}");
        sleep(Duration::from_secs(60)).await;
    }
    Ok(())
}

/// What is written down of the repair, if it is archived.
fn over(stage: &Stage) -> Option<Record> {
    let repairs: Vec<NodeRepair> = stage.scene.api.all("noderepairs.rectifier.dev");
    let [repair] = repairs.as_slice() else {
        return None;
    };
    let is_archived = repair.name_any() != format!("{SICK}.repair");
    repair.status.clone().filter(|_| is_archived)
}

/// Fewer of its pods are healthy than are left when one node goes.
fn below(budget: &PodDisruptionBudget) -> Option<String> {
    let healthy = budget.status.as_ref()?.current_healthy;
    let name = budget.metadata.name.as_deref().unwrap_or_default();
    let least = if name == "web" { 2 } else { 1 };
    (healthy < least).then(|| format!("{name}: {healthy} healthy pods"))
}

async fn nothing_left(story: &Story, stage: &Stage) -> Result<()> {
    let cloud = OpenStack::over(stage.scene.cloud.clone());
    let servers = cloud.servers().await?;
    let ours = servers
        .iter()
        .filter(|server| server.metadata.contains_key("rectifier.cluster"));
    let states: Vec<_> = ours
        .map(|server| server.metadata.get("rectifier.state").map(String::as_str))
        .collect();
    let wanted: &[_] = match story.ends {
        Phase::Replaced => &[Some("adopted")],
        _ => &[],
    };
    ensure!(states == wanted, "servers of ours: {states:?}");
    ensure!(servers.len() == 3, "{} servers", servers.len());
    let ports = stage.scene.cloud.ports().len();
    ensure!(ports == 3, "{ports} ports");
    let secrets: Vec<Secret> = stage.scene.api.all("secrets");
    let now = stage.scene.clock.now();
    let tokens = secrets.iter().filter(|secret| lets_in(secret, now)).count();
    ensure!(tokens == 0, "{tokens} bootstrap tokens");
    let mut ills = stage.scene.ills();
    // more pods than the scene's own run here, and a problem that was reported by hand stays
    ills.retain(|ill| !ill.ends_with("pods run") && !ill.contains("KubeletUnhealthy"));
    ensure!(ills.is_empty(), "{ills:?}");
    Ok(())
}

/// A bootstrap token that has expired lets nobody in, and the controller manager's cleaner takes it away.
fn lets_in(token: &Secret, now: Timestamp) -> bool {
    let expires = token
        .data
        .iter()
        .flatten()
        .find(|(key, _)| *key == "expiration");
    let expires = expires.and_then(|(_, at)| String::from_utf8(at.0.clone()).ok()?.parse().ok());
    expires.is_none_or(|expires: Timestamp| expires > now)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each point of a story meets these.
fn matrix(story: &Story, blows: impl Fn(usize) -> Vec<Blow>) -> Result<()> {
    let strikes = |at| {
        blows(at)
            .into_iter()
            .map(move |blow| Strike::Blow(at, blow))
    };
    meets(story, |told| &told.points, |at| strikes(at).collect())
}

/// Each request to the cloud of a story meets these.
fn faults(story: &Story, faults: impl Fn(usize) -> Vec<Fault>) -> Result<()> {
    let strikes = |at| {
        faults(at)
            .into_iter()
            .map(move |fault| Strike::Fault(at, fault))
    };
    meets(story, |told| &told.asked, |at| strikes(at).collect())
}

/// Each place of a story's good run meets each of its strikes in a run of its own.
fn meets(
    story: &Story,
    places: fn(&Told) -> &[String],
    strikes: impl Fn(usize) -> Vec<Strike>,
) -> Result<()> {
    let policies = policy::shipped()?;
    let name = story.name;
    let good =
        play(story, &policies, Strike::Nothing).with_context(|| format!("{name}: the good run"))?;
    let (mut runs, mut failed) = (0, Vec::new());
    for (at, place) in places(&good).iter().enumerate() {
        for strike in strikes(at) {
            runs += 1;
            let told = play(story, &policies, strike).and_then(|told| {
                let met = places(&told).get(at);
                ensure!(met == Some(place), "it fell at {met:?}");
                Ok(())
            });
            if let Err(error) = told {
                failed.push(format!("{strike:?}, {place}: {error:#}"));
            }
        }
    }
    println!("{name}: {} places, {runs} runs", places(&good).len());
    ensure!(
        failed.is_empty(),
        "{name}: {} of {runs} ended otherwise:\n{}",
        failed.len(),
        failed.join("\n")
    );
    Ok(())
}

/// Each request meets one of all the faults, each fault a tenth of all the requests.
#[test]
fn a_node_is_replaced_whatever_befalls_a_request_to_the_cloud() -> Result<()> {
    faults(&STORIES[0], |index| {
        vec![Fault::ALL[index % Fault::ALL.len()]]
    })
}

#[test]
fn a_server_goes_first_whatever_befalls_a_request_to_the_cloud() -> Result<()> {
    faults(&STORIES[6], |index| {
        vec![Fault::ALL[index % Fault::ALL.len()]]
    })
}

#[test]
#[ignore = "minutes"]
fn a_node_is_replaced_whatever_befalls_each_request_to_the_cloud() -> Result<()> {
    faults(&STORIES[0], |_| Fault::ALL.into())
}

/// Its requests are many, and nearly all ask again and again how it is: each meets three of the faults, each fault three tenths of
/// all the requests.
#[test]
#[ignore = "minutes"]
fn a_dead_node_is_replaced_whatever_befalls_each_request_to_the_cloud() -> Result<()> {
    faults(&STORIES[3], |index| {
        let fault = |step| Fault::ALL[(index + step) % Fault::ALL.len()];
        vec![fault(0), fault(3), fault(6)]
    })
}

macro_rules! told {
    ($($name:ident $index:literal)+) => {
        $(#[test]
        fn $name() -> Result<()> {
            matrix(&STORIES[$index], |index| Blow::some(index).into())
        })+

        mod every_blow {
            $(#[test]
            #[ignore = "minutes"]
            fn $name() -> anyhow::Result<()> {
                super::matrix(&super::STORIES[$index], |_| super::Blow::ALL.into())
            })+
        }
    };
}

told! {
    a_node_is_replaced_whatever_befalls_the_controller 0
    a_node_is_booted_whatever_befalls_the_controller 1
    a_node_is_started_whatever_befalls_the_controller 2
    a_dead_node_gives_its_volume_away_whatever_befalls_the_controller 3
    a_replacement_is_taken_back_whatever_befalls_the_controller 4
    a_drain_ends_by_deletion_whatever_befalls_the_controller 5
    a_server_goes_first_whatever_befalls_the_controller 6
}

/// A new right to change something, or a new call to the cloud that does, without a point in any story fails here.
#[test]
fn every_change_that_the_controller_may_make_is_a_point_of_some_story() -> Result<()> {
    let policies = policy::shipped()?;
    let (mut deeds, mut calls) = (BTreeSet::new(), BTreeSet::new());
    for story in &STORIES {
        let told = play(story, &policies, Strike::Nothing).with_context(|| story.name)?;
        deeds.extend(told.deeds);
        calls.extend(told.calls);
    }
    let mut never = Vec::new();
    for rule in rbac::rules()? {
        for verb in rule.rule["verbs"].as_array().into_iter().flatten() {
            let reads = ["get", "list", "watch"].iter().any(|read| verb == read);
            let used = deeds
                .iter()
                .any(|deed| rule.allows(deed) && verb == deed.verb);
            // Events are patched by Node Problem Detector, which shares the role
            let shared = rule.rule["resources"] == json!(["events"]) && verb == "patch";
            if !reads && !used && !shared {
                never.push(format!("{verb} of {}", rule.rule["resources"]));
            }
        }
    }
    let unmet = WRITES.iter().filter(|call| !calls.contains(call.name));
    never.extend(unmet.map(|call| call.name.to_owned()));
    ensure!(never.is_empty(), "no story does these: {never:#?}");
    Ok(())
}
