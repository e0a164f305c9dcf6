//! Why a call failed, and whether asking again can help.

use std::error::Error;
use std::time::Duration;

/// The call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// What was asked for, e.g. `create server`.
    pub name: &'static str,
    /// It changes something: a failure may come after the change.
    pub writes: bool,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What caused an error below this crate.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// Nothing of the request reached the service: it has certainly not been done.
    #[error("{call}: the cloud was not reached")]
    Unreachable {
        /// What was asked for.
        call: Call,
        /// Why.
        source: Cause,
    },
    /// The request was sent, and no whole answer came back: it may have been done.
    #[error("{call}: the answer was lost")]
    Lost {
        /// What was asked for.
        call: Call,
        /// Why.
        source: Cause,
    },
    /// The credentials are not taken, also after a new login.
    #[error("{call}: the cloud does not take the credentials: {message}")]
    Login {
        /// What was asked for.
        call: Call,
        /// The identity service's words, or ours.
        message: String,
    },
    /// The credentials do not allow it.
    #[error("{call}: forbidden: {message}")]
    Forbidden {
        /// What was asked for.
        call: Call,
        /// The cloud's words.
        message: String,
    },
    /// A quota is used up, or a subnet has no address left.
    #[error("{call}: used up: {message}")]
    Exhausted {
        /// What was asked for.
        call: Call,
        /// The cloud's words.
        message: String,
    },
    /// The service has no such thing, in its own words.
    #[error("{call}: not found: {message}")]
    NotFound {
        /// What was asked for.
        call: Call,
        /// The cloud's words.
        message: String,
    },
    /// One of the ports belongs to another server: most likely an earlier create was done after all.
    #[error("{call}: {message}")]
    PortInUse {
        /// What was asked for.
        call: Call,
        /// The cloud's words.
        message: String,
    },
    /// The thing's present state does not allow it: something else is being done to it, or it is done.
    #[error("{call}: {message}")]
    Busy {
        /// What was asked for.
        call: Call,
        /// The cloud's words.
        message: String,
    },
    /// Too many requests.
    #[error("{call}: the cloud asks for fewer requests")]
    RateLimited {
        /// What was asked for.
        call: Call,
        /// How long the cloud wants us to wait.
        after: Option<Duration>,
    },
    /// The service, or something before it, failed. A write may have been done.
    #[error("{call}: the cloud answered {status}: {message}")]
    Unavailable {
        /// What was asked for.
        call: Call,
        /// The HTTP status, 500 or more.
        status: u16,
        /// The cloud's words.
        message: String,
        /// How long the cloud wants us to wait.
        after: Option<Duration>,
    },
    /// The service understood the request and does not want it.
    #[error("{call}: refused with {status}: {message}")]
    Refused {
        /// What was asked for.
        call: Call,
        /// The HTTP status.
        status: u16,
        /// The cloud's words.
        message: String,
    },
    /// The answer is not one of this service: somebody else answered, or it changed its tongue. A write
    /// may have been done.
    #[error("{call}: the answer ({status}) makes no sense: {why}")]
    Garbled {
        /// What was asked for.
        call: Call,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        why: String,
    },
    /// Only a part of a list could be had: what is missing from it may well be there.
    #[error("{call}: the list is incomplete: {why}")]
    Incomplete {
        /// What was asked for.
        call: Call,
        /// What is wrong with it.
        why: String,
    },
    /// The request breaks a rule of the cloud, and was not sent.
    #[error("{call}: not asked: {why}")]
    Invalid {
        /// What was to be asked for.
        call: Call,
        /// The rule.
        why: String,
    },
}

/// Whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Yes, with the usual backoff.
    Again,
    /// Not before so long.
    Later(Duration),
    /// In another availability zone.
    OtherZone,
    /// Not before a person has changed something.
    AskHuman,
    /// No: look again at what is there.
    Never,
}

/// Arbitrary; short enough to be over before anybody looks.
const SOON: Duration = Duration::from_secs(10);

/// How long a write whose answer was lost may still go on: Nova's API waits 60 s for its own services
/// (`rpc_response_timeout`), and then answers.
const SERVER_SIDE: Duration = Duration::from_secs(60);

/// Arbitrary: quota comes back when somebody deletes something, or raises it.
const QUOTA: Duration = Duration::from_secs(300);

/// A longer wish is cut to this, so that one bad header does not put a repair to sleep.
const LONGEST: Duration = Duration::from_secs(600);

impl CloudError {
    /// The class of errors, as a metric's label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Lost { .. } => "lost",
            Self::Login { .. } => "login",
            Self::Forbidden { .. } => "forbidden",
            Self::Exhausted { .. } => "exhausted",
            Self::NotFound { .. } => "not-found",
            Self::PortInUse { .. } => "port-in-use",
            Self::Busy { .. } => "busy",
            Self::RateLimited { .. } => "rate-limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Refused { .. } => "refused",
            Self::Garbled { .. } => "garbled",
            Self::Incomplete { .. } => "incomplete",
            Self::Invalid { .. } => "invalid",
        }
    }

    /// Whether, and when, to ask again. Decided from status and fault, not from text.
    pub fn retry(&self) -> Retry {
        let wish = |after: &Option<Duration>| after.unwrap_or(SOON).min(LONGEST);
        match self {
            Self::Unreachable { .. } => Retry::Again,
            Self::Lost { call, .. } | Self::Garbled { call, .. } if call.writes => {
                Retry::Later(SERVER_SIDE)
            }
            Self::Lost { .. } => Retry::Again,
            Self::Garbled { .. } | Self::Incomplete { .. } | Self::Busy { .. } => {
                Retry::Later(SOON)
            }
            Self::RateLimited { after, .. } => Retry::Later(wish(after)),
            Self::Unavailable { call, after, .. } => {
                let least = if call.writes {
                    SERVER_SIDE
                } else {
                    Duration::ZERO
                };
                Retry::Later(wish(after).max(least))
            }
            Self::Exhausted { .. } => Retry::Later(QUOTA),
            Self::Login { .. }
            | Self::Forbidden { .. }
            | Self::Refused { .. }
            | Self::Invalid { .. } => Retry::AskHuman,
            Self::NotFound { .. } | Self::PortInUse { .. } => Retry::Never,
        }
    }

    /// The request may have been done, although it failed: look at the world before asking again.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Lost { call, .. }
            | Self::Unavailable { call, .. }
            | Self::Garbled { call, .. } => call.writes,
            Self::Unreachable { .. }
            | Self::Login { .. }
            | Self::Forbidden { .. }
            | Self::Exhausted { .. }
            | Self::NotFound { .. }
            | Self::PortInUse { .. }
            | Self::Busy { .. }
            | Self::RateLimited { .. }
            | Self::Refused { .. }
            | Self::Incomplete { .. }
            | Self::Invalid { .. } => false,
        }
    }
}
