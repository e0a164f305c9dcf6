//! The policies of one moment: who answers for which condition at which site. It never changes; a change of the
//! directory makes a new one.

use std::sync::Arc;

use rectifier_core::name::{ConditionKind, PolicyName};
use rectifier_core::policy::{FailureClass, SiteKind};

use crate::metadata::Pattern;
use crate::policy::Policy;
use crate::{Failure, Mode, Needs, Stage};

/// All policies of the directory, as they were loaded last.
#[derive(Default)]
pub struct Set {
    policies: Vec<Loaded>,
    /// The most specific first.
    routes: Vec<Route>,
    /// Files whose coming version is refused beside another policy.
    clashing: Vec<String>,
}

/// One file of the directory, and what became of it.
#[derive(Clone)]
pub struct Loaded {
    pub(crate) file: String,
    /// What is asked, in its own mode.
    pub(crate) policy: Option<Arc<Policy>>,
    /// A version on its way to enforcing.
    pub(crate) coming: Option<Coming>,
    pub(crate) problem: Option<Failure>,
}

/// A new version of a file, whose enforcement is gradual.
#[derive(Clone)]
pub(crate) struct Coming {
    pub(crate) stage: Stage,
    pub(crate) policy: Arc<Policy>,
    /// On this node it enforces already: it is the one that is asked.
    pub(crate) here: bool,
    /// Its last answer was a failure: it goes no further.
    pub(crate) held: bool,
}

/// How a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status<'a> {
    /// This version of it is asked.
    Loaded,
    /// It is being loaded, and there is no earlier version that could be asked meanwhile.
    Loading,
    /// This version comes to enforce gradually.
    RollingOut {
        /// `sha256:` and the digest of its module.
        digest: &'a str,
        /// How far it is.
        stage: Stage,
        /// Whether it enforces on this node already. If not it monitors, and the version before it, if there is one,
        /// enforces still.
        here: bool,
        /// Whether it goes no further for the time being, since its last answer was a failure.
        held: bool,
    },
    /// This version is unusable; the last good one is asked still.
    KeptLastGood(&'a Failure),
    /// It is not asked.
    Refused(&'a Failure),
}

#[derive(Clone)]
struct Route {
    pattern: Pattern,
    site: SiteKind,
    mode: Mode,
    policy: Arc<Policy>,
}

impl Set {
    /// Lays the routes. Of two that enforce the same pattern at the same site the one whose file's name comes first
    /// is kept; the other is refused whole, naming both. (So the directory alone says who answers, not its history.)
    pub(crate) fn new(mut policies: Vec<Loaded>) -> Self {
        policies.sort_by(|a, b| a.file.cmp(&b.file));
        let mut routes: Vec<Route> = Vec::new();
        for loaded in &mut policies {
            // Of two that exchange something, the second comes with the first.
            let old = loaded.routes_asked();
            if clash(&loaded.file, &old, routes.iter()).is_some() {
                loaded.comes_early(&routes);
            }
            let own = loaded.routes_asked();
            match clash(&loaded.file, &own, routes.iter()) {
                Some(clash) => {
                    loaded.problem = Some(clash);
                    (loaded.policy, loaded.coming) = (None, None);
                }
                None => routes.extend(own),
            }
        }
        // What only monitors yet is held against the others as if it enforced, and as they will be in the end: it must not
        // come so far, but two may exchange what they answer for.
        let coming = |loaded: &Loaded| loaded.coming.as_ref().is_some_and(|coming| !coming.here);
        let is_coming: Vec<String> = policies
            .iter()
            .filter(|loaded| coming(loaded))
            .map(|loaded| loaded.file.clone())
            .collect();
        let mut later = routes.clone();
        later.retain(|route| !is_coming.contains(&route.policy.file));
        let mut clashing = Vec::new();
        for loaded in &mut policies {
            let Some(coming) = loaded.coming.as_ref().filter(|coming| !coming.here) else {
                continue;
            };
            let own = routes_of(&coming.policy, coming.policy.mode);
            let monitors = routes_of(&coming.policy, Mode::Monitor);
            let file = &loaded.file;
            let others = later.iter().filter(|route| route.policy.file != *file);
            match clash(file, &own, others) {
                Some(clash) => {
                    loaded.problem.get_or_insert(clash);
                    loaded.coming = None;
                    clashing.push(loaded.file.clone());
                    let stays = loaded.routes_asked();
                    later.extend(stays);
                }
                None => {
                    later.extend(own);
                    routes.extend(monitors);
                }
            }
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.pattern.specificity()));
        Self {
            policies,
            routes,
            clashing,
        }
    }

    /// Files whose coming version would answer for what another policy answers for.
    pub(crate) fn clashing(&self) -> impl Iterator<Item = &str> {
        self.clashing.iter().map(String::as_str)
    }

    /// The set that these policies make in one directory, each under the name of its file: who of them answers, and who
    /// is refused beside another.
    pub fn of(policies: impl IntoIterator<Item = Arc<Policy>>) -> Self {
        let loaded = |policy: Arc<Policy>| Loaded {
            file: policy.file.clone(),
            policy: Some(policy),
            coming: None,
            problem: None,
        };
        Self::new(policies.into_iter().map(loaded).collect())
    }

    /// Does a policy answer for this condition there? (One that only monitors does not.)
    pub fn handles(&self, kind: &ConditionKind, site: SiteKind) -> bool {
        self.asked(kind, site, Mode::Enforce).next().is_some()
    }

    /// Does nobody answer for it any more? While a file is refused, is being loaded, or comes gradually, nobody knows what it
    /// will answer for: that is no word of the operator's.
    pub fn is_withdrawn(&self, kind: &ConditionKind, site: SiteKind) -> bool {
        let is_in_force = |loaded: &Loaded| matches!(loaded.status(), Status::Loaded);
        !self.handles(kind, site) && self.policies.iter().all(is_in_force)
    }

    /// What the observations must contain: what any of the policies needs.
    pub fn needs(&self) -> Needs {
        self.policies
            .iter()
            .flat_map(Loaded::versions)
            .fold(Needs::default(), |needs, policy| needs.union(&policy.needs))
    }

    /// Every file, by name.
    pub fn policies(&self) -> &[Loaded] {
        &self.policies
    }

    /// The policies of one mode that answer for this condition there, the most specific first.
    pub(crate) fn asked(
        &self,
        kind: &ConditionKind,
        site: SiteKind,
        mode: Mode,
    ) -> impl Iterator<Item = &Arc<Policy>> {
        self.routes
            .iter()
            .filter(move |route| {
                route.mode == mode && route.site == site && route.pattern.covers(kind)
            })
            .map(|route| &route.policy)
    }
}

fn routes_of(policy: &Arc<Policy>, mode: Mode) -> Vec<Route> {
    let handles = policy.handles.iter();
    handles
        .flat_map(|handles| {
            handles
                .conditions
                .iter()
                .map(move |pattern| (pattern, &handles.sites))
        })
        .flat_map(|(pattern, sites)| sites.iter().map(move |site| (pattern.clone(), *site)))
        .map(|(pattern, site)| Route {
            pattern,
            site,
            mode,
            policy: policy.clone(),
        })
        .collect()
}

/// Why a version of `file` with these routes is refused beside the others.
fn clash<'a>(
    file: &str,
    own: &[Route],
    others: impl Iterator<Item = &'a Route> + Clone,
) -> Option<Failure> {
    let (route, other) = own.iter().find_map(|route| {
        let other = others.clone().find(|other| route.clashes(other))?;
        Some((route, other))
    })?;
    let (first, pattern, site) = (&other.policy.file, &route.pattern, route.site.label());
    let why = format!(
        "{file} and {first} both answer for {pattern} at {site}: {first} is kept; \
         let one handle less, or set its mode to monitor"
    );
    Some(Failure::new(FailureClass::Load, why))
}

impl Route {
    /// Would it be open which of the two answers?
    fn clashes(&self, other: &Route) -> bool {
        let enforce = |route: &Route| route.mode == Mode::Enforce;
        enforce(self) && enforce(other) && self.pattern == other.pattern && self.site == other.site
    }
}

impl Loaded {
    /// Lets the version that is on its way enforce here already, if that one neither clashes nor fails.
    fn comes_early(&mut self, routes: &[Route]) {
        let is_fit = |coming: &&mut Coming| !coming.here && !coming.held;
        let Some(coming) = self.coming.as_mut().filter(is_fit) else {
            return;
        };
        let own = routes_of(&coming.policy, coming.policy.mode);
        if clash(&self.file, &own, routes.iter()).is_none() {
            coming.here = true;
            self.policy = Some(coming.policy.clone());
        }
    }

    /// Of what is asked, in its own mode.
    fn routes_asked(&self) -> Vec<Route> {
        let asked = self.policy.iter();
        asked
            .flat_map(|policy| routes_of(policy, policy.mode))
            .collect()
    }

    /// What is asked, and what monitors beside it.
    fn versions(&self) -> impl Iterator<Item = &Arc<Policy>> {
        let coming = self.coming.iter().map(|coming| &coming.policy);
        self.policy.iter().chain(coming)
    }

    /// What is asked; else what monitors only because it is new.
    fn version_told(&self) -> Option<&Arc<Policy>> {
        self.versions().next()
    }

    /// The file's name in the directory.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The policy's name, if one is loaded.
    pub fn name(&self) -> Option<&PolicyName> {
        self.version_told().map(|policy| &policy.reference.name)
    }

    /// Its own version, if one is loaded.
    pub fn version(&self) -> Option<&str> {
        self.version_told()
            .map(|policy| policy.metadata.version.as_str())
    }

    /// `sha256:` and the digest of the module that is loaded, unpacked.
    pub fn digest(&self) -> Option<&str> {
        self.version_told()
            .map(|policy| policy.reference.digest.as_str())
    }

    /// The settings that it is given, as JSON, if one is loaded.
    pub fn settings(&self) -> Option<&str> {
        self.version_told().map(|policy| policy.settings.as_str())
    }

    /// Whether its answers are followed, if one is loaded.
    pub fn mode(&self) -> Option<Mode> {
        match (&self.policy, &self.coming) {
            (Some(policy), _) => Some(policy.mode),
            (None, Some(_)) => Some(Mode::Monitor),
            (None, None) => None,
        }
    }

    /// How the file stands.
    pub fn status(&self) -> Status<'_> {
        match (&self.problem, self.version_told(), &self.coming) {
            (None, _, Some(coming)) => Status::RollingOut {
                digest: &coming.policy.reference.digest,
                stage: coming.stage,
                here: coming.here,
                held: coming.held,
            },
            (None, Some(_), None) => Status::Loaded,
            (None, None, None) => Status::Loading,
            (Some(problem), Some(_), _) => Status::KeptLastGood(problem),
            (Some(problem), None, _) => Status::Refused(problem),
        }
    }
}
