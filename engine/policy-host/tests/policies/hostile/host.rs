//! A directory in which hostile policies lie beside a good one, and what is asserted of every case.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rectifier_core::policy::{Advice, FailureClass, Observation, Remedy, Site};
use rectifier_policy_host::{Loaded, Options, Policies, Status};

use super::vitals::Vitals;
use crate::support::{Bench, ESCALATE, Small, answer, observation, on_node};

/// How often a case is repeated: a leak of the size of a limit is then far more than any slack.
const ROUNDS: usize = 3;
/// Asked so often in a round: then its breaker opens.
const ASKED: usize = 3;

/// A change of the directory is waited for so long, that nothing but a host that hangs takes longer.
const PATIENCE: Duration = Duration::from_secs(540);

/// A file that would hurt its host, and how it is to fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    /// Of its file, without `.wasm`; also of the condition that it answers for.
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) sidecar: &'a str,
    pub(super) class: FailureClass,
    /// What its message says beside the file's name: above all the limit.
    pub(super) says: &'a [&'a str],
}

impl Case<'_> {
    fn file(&self) -> String {
        format!("{}.wasm", self.name)
    }

    fn check(&self, class: FailureClass, message: &str) -> Result<()> {
        let (name, file) = (self.name, self.file());
        ensure!(
            class == self.class,
            "{name}: {class:?}, not {:?}: {message}",
            self.class
        );
        ensure!(
            message.starts_with(&file),
            "{name} does not begin with its file: {message}"
        );
        ensure!(!message.contains('\n'), "{name}: not one line: {message}");
        self.says
            .iter()
            .try_for_each(|what| ensure_says(message, what))
    }
}

fn mark(number: usize) -> String {
    format!("mark-{number}.wasm")
}

fn ensure_says(message: &str, what: &str) -> Result<()> {
    ensure!(message.contains(what), "no {what:?} in: {message}");
    Ok(())
}

/// An open directory with a good policy in it.
pub(super) struct Host {
    pub(super) bench: Bench,
    pub(super) policies: Policies,
    healthy: Observation,
    /// What the good policy answers while it is alone.
    alone: Advice,
    /// How often the directory was changed.
    marks: Cell<usize>,
}

impl Host {
    /// A host as the engines have it, but with more patience: however busy the machine, only a case that says so is
    /// ended for its time.
    pub(super) async fn new() -> Result<Self> {
        Self::with(|options| options).await
    }

    /// The same, with other options.
    pub(super) async fn with(options: impl FnOnce(Options) -> Options) -> Result<Self> {
        let bench = Bench::new()?;
        let good = Small {
            name: "good",
            handles: "Good",
            decide: &answer(ESCALATE),
            ..Small::default()
        };
        bench.put("good.wasm", good.build()?)?;
        // compiled by the engines' own limits, whatever the others are
        drop(bench.open().await?);
        let mut patient = bench.options();
        patient.limits.decision = Duration::from_secs(120);
        let policies = Policies::open(options(patient)).await?;
        let healthy = observation("Good", on_node(&["a.service"])?)?;
        let alone = policies.advise(&healthy).await;
        ensure!(
            matches!(&alone, Advice::Decided { decision, .. } if decision.remedy == Remedy::Escalate),
            "{alone:?}"
        );
        Ok(Self {
            bench,
            policies,
            healthy,
            alone,
            marks: Cell::new(0),
        })
    }

    /// The good policy answers exactly as if it were alone.
    pub(super) async fn is_well(&self) -> Result<()> {
        let now = self.policies.advise(&self.healthy).await;
        ensure!(
            now == self.alone,
            "alone it answers {:?}, now {now:?}",
            self.alone
        );
        Ok(())
    }

    /// Does something, and asks the good policy all the while.
    pub(super) async fn while_well<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(Duration::from_millis(5)) => self.is_well().await?,
            }
        }
    }

    /// Changes the directory, and waits until the change has been seen whole: a mark that was laid last is in the set
    /// only if all that was there before it is.
    pub(super) async fn after(&self, change: impl FnOnce() -> Result<()>) -> Result<()> {
        let mut changed = self.policies.changed();
        let last = self.marks.get();
        self.marks.set(last + 1);
        change()?;
        self.bench.put(&mark(last + 1), "a mark")?;
        if last > 0 {
            std::fs::remove_file(self.bench.directory().join(mark(last)))?;
        }
        self.while_well(async {
            while self.loaded(&mark(last + 1)).is_err() {
                let change = tokio::time::timeout(PATIENCE, changed.changed());
                change.await.context("the set did not change")??;
            }
            // Each file is loaded by itself: the mark may be there before what was laid before it.
            let mut at_rest = self.policies.at_rest();
            let rest = tokio::time::timeout(PATIENCE, at_rest.wait_for(|rest| *rest));
            rest.await.context("the host does not come to rest")??;
            Ok(())
        })
        .await
    }

    /// Puts files into the directory, each with a sidecar that says in a comment which round this is, so that it is
    /// looked at anew.
    async fn put(&self, cases: &[Case<'_>], round: usize) -> Result<()> {
        self.after(|| {
            for case in cases {
                let sidecar = format!("# round {round}\n{}", case.sidecar);
                self.bench.put(&format!("{}.yaml", case.name), sidecar)?;
                self.bench.put(&case.file(), case.bytes)?;
            }
            Ok(())
        })
        .await
    }

    async fn remove(&self, cases: &[Case<'_>]) -> Result<()> {
        self.after(|| {
            for case in cases {
                let path = self.bench.directory().join(case.file());
                std::fs::remove_file(&path)?;
                std::fs::remove_file(path.with_extension("yaml"))?;
            }
            Ok(())
        })
        .await
    }

    pub(super) fn loaded(&self, file: &str) -> Result<Loaded> {
        let set = self.policies.set();
        let found = set.policies().iter().find(|loaded| loaded.file() == file);
        found.cloned().with_context(|| format!("no {file}"))
    }

    /// Why a file is refused.
    pub(super) fn refusal(&self, file: &str) -> Result<(FailureClass, String)> {
        match self.loaded(file)?.status() {
            Status::Refused(failure) => Ok((failure.class, failure.message.clone())),
            status @ (Status::Loaded
            | Status::Loading
            | Status::RollingOut { .. }
            | Status::KeptLastGood(_)) => bail!("{file}: {status:?}"),
        }
    }

    /// How a policy fails when it is asked about a condition on a node.
    pub(super) async fn failure(&self, kind: &str) -> Result<(FailureClass, String)> {
        self.failure_at(kind, on_node(&[])?).await
    }

    async fn failure_at(&self, kind: &str, site: Site) -> Result<(FailureClass, String)> {
        match self.policies.advise(&observation(kind, site)?).await {
            Advice::Unavailable { class, message, .. } => Ok((class, message)),
            other => bail!("{kind}: {other:?}"),
        }
    }
}

/// The files are accepted, and each fails in its way whenever it is asked; nobody and nothing else does.
pub(super) async fn fail_when_asked(cases: &[Case<'_>]) -> Result<()> {
    fail_when_asked_at(cases, || on_node(&[])).await
}

/// The same, at that site.
pub(super) async fn fail_when_asked_at(
    cases: &[Case<'_>],
    site: impl Fn() -> Result<Site>,
) -> Result<()> {
    let host = Host::new().await?;
    let before = Vitals::at_rest().await?;
    for round in 0..ROUNDS {
        host.put(cases, round).await?;
        for case in cases {
            let status = format!("{:?}", host.loaded(&case.file())?.status());
            ensure!(status == "Loaded", "{}: {status}", case.name);
            for _ in 0..ASKED {
                let (failed, well) =
                    tokio::join!(host.failure_at(case.name, site()?), host.is_well());
                let (class, message) = failed?;
                case.check(class, &message)?;
                ensure_says(&message, "(sha256:")?;
                well?;
            }
            let (class, message) = host.failure_at(case.name, site()?).await?;
            ensure!(class == FailureClass::BreakerOpen, "{class:?}: {message}");
        }
    }
    host.remove(cases).await?;
    host.is_well().await?;
    before.are_back().await
}

/// The files are refused, each in its way, whenever they are looked at; nobody and nothing else is hurt.
pub(super) async fn are_refused(cases: &[Case<'_>]) -> Result<()> {
    are_refused_by(&Host::new().await?, cases).await
}

/// The same, of a host of one's own.
pub(super) async fn are_refused_by(host: &Host, cases: &[Case<'_>]) -> Result<()> {
    let before = Vitals::at_rest().await?;
    for round in 0..ROUNDS {
        host.put(cases, round).await?;
        for case in cases {
            let (class, message) = host.refusal(&case.file())?;
            case.check(class, &message)?;
        }
        host.is_well().await?;
    }
    host.remove(cases).await?;
    host.is_well().await?;
    before.are_back().await
}

/// The policy answers [`ESCALATE`], whatever it does besides; nobody is hurt, and nothing of it stays behind.
pub(super) async fn still_answers(name: &str, bytes: &[u8]) -> Result<()> {
    let host = Host::new().await?;
    let before = Vitals::at_rest().await?;
    let file = format!("{name}.wasm");
    host.after(|| host.bench.put(&file, bytes)).await?;
    let seen = observation(name, on_node(&[])?)?;
    let call = async { Ok(host.policies.advise(&seen).await) };
    let advice = host.while_well(call).await?;
    ensure!(
        matches!(&advice, Advice::Decided { decision, .. } if decision.remedy == Remedy::Escalate),
        "{name}: {advice:?}"
    );
    host.is_well().await?;
    let path = host.bench.directory().join(&file);
    host.after(|| Ok(std::fs::remove_file(path)?)).await?;
    before.are_back().await
}
