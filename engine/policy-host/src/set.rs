//! The policies of one moment: who answers for which condition at which site. It never changes; a change of the
//! directory makes a new one.

use std::sync::Arc;

use rectifier_core::name::{ConditionKind, PolicyName};
use rectifier_core::policy::{FailureClass, SiteKind};

use crate::metadata::Pattern;
use crate::policy::Policy;
use crate::{Failure, Mode, Needs};

/// All policies of the directory, as they were loaded last.
#[derive(Default)]
pub struct Set {
    policies: Vec<Loaded>,
    /// The most specific first.
    routes: Vec<Route>,
}

/// One file of the directory, and what became of it.
#[derive(Clone)]
pub struct Loaded {
    file: String,
    policy: Option<Arc<Policy>>,
    problem: Option<Failure>,
}

/// How a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status<'a> {
    /// This version of it is asked.
    Loaded,
    /// This version is unusable; the last good one is asked still.
    KeptLastGood(&'a Failure),
    /// It is not asked.
    Refused(&'a Failure),
}

#[derive(Clone)]
struct Route {
    pattern: Pattern,
    site: SiteKind,
    policy: Arc<Policy>,
}

impl Set {
    /// Lays the routes. Of two that enforce the same pattern at the same site the one whose file's name comes first
    /// is kept; the other is refused whole, naming both. (So the directory alone says who answers, not its history.)
    pub(crate) fn new(mut policies: Vec<Loaded>) -> Self {
        policies.sort_by(|a, b| a.file.cmp(&b.file));
        let mut routes: Vec<Route> = Vec::new();
        for loaded in &mut policies {
            let Some(policy) = loaded.policy.clone() else {
                continue;
            };
            let own = routes_of(&policy);
            match own
                .iter()
                .find_map(|route| Some((route, routes.iter().find(|other| route.clashes(other))?)))
            {
                Some((route, other)) => {
                    let (file, first) = (&loaded.file, &other.policy.file);
                    let (pattern, site) = (&route.pattern, route.site.label());
                    let why = format!(
                        "{file} and {first} both answer for {pattern} at {site}: {first} is kept; \
                         let one handle less, or set its mode to monitor"
                    );
                    loaded.problem = Some(Failure::new(FailureClass::Load, why));
                    loaded.policy = None;
                }
                None => routes.extend(own),
            }
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.pattern.specificity()));
        Self { policies, routes }
    }

    /// Does a policy answer for this condition there? (One that only monitors does not.)
    pub fn handles(&self, kind: &ConditionKind, site: SiteKind) -> bool {
        self.asked(kind, site, Mode::Enforce).next().is_some()
    }

    /// What the observations must contain: what any of the policies needs.
    pub fn needs(&self) -> Needs {
        self.policies
            .iter()
            .filter_map(|loaded| loaded.policy.as_ref())
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
                route.policy.mode == mode && route.site == site && route.pattern.covers(kind)
            })
            .map(|route| &route.policy)
    }
}

fn routes_of(policy: &Arc<Policy>) -> Vec<Route> {
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
            policy: policy.clone(),
        })
        .collect()
}

impl Route {
    /// Would it be open which of the two answers?
    fn clashes(&self, other: &Route) -> bool {
        let enforce = |route: &Route| route.policy.mode == Mode::Enforce;
        enforce(self) && enforce(other) && self.pattern == other.pattern && self.site == other.site
    }
}

impl Loaded {
    pub(crate) fn new(file: &str, policy: Option<Arc<Policy>>, problem: Option<Failure>) -> Self {
        Self {
            file: file.to_owned(),
            policy,
            problem,
        }
    }

    pub(crate) fn policy(&self) -> Option<&Arc<Policy>> {
        self.policy.as_ref()
    }

    /// The file's name in the directory.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The policy's name, if one is loaded.
    pub fn name(&self) -> Option<&PolicyName> {
        self.policy.as_ref().map(|policy| &policy.reference.name)
    }

    /// Its own version, if one is loaded.
    pub fn version(&self) -> Option<&str> {
        self.policy
            .as_ref()
            .map(|policy| policy.metadata.version.as_str())
    }

    /// `sha256:` and the digest of the file that is loaded.
    pub fn digest(&self) -> Option<&str> {
        self.policy
            .as_ref()
            .map(|policy| policy.reference.digest.as_str())
    }

    /// Whether its answers are followed, if one is loaded.
    pub fn mode(&self) -> Option<Mode> {
        self.policy.as_ref().map(|policy| policy.mode)
    }

    /// How the file stands.
    pub fn status(&self) -> Status<'_> {
        match (&self.policy, &self.problem) {
            (_, None) => Status::Loaded,
            (Some(_), Some(problem)) => Status::KeptLastGood(problem),
            (None, Some(problem)) => Status::Refused(problem),
        }
    }
}
