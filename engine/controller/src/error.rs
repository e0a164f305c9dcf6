//! What can go wrong around a decision. Nothing here is evidence against a node.

use rectifier_cloud::CloudError;
use rectifier_core::leftovers::Partial;
use rectifier_core::name::InvalidName;
use rectifier_core::repair::Illegal;

/// An error of one pass, or of the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody wrote the object since we read it. Nothing was done; the next pass reads again.
    #[error("{what} was changed by somebody else in the meantime")]
    Lost {
        /// The object.
        what: &'static str,
    },
    /// The API server refused or did not answer.
    #[error("the API server did not take `{call}`")]
    Api {
        /// What was asked.
        call: &'static str,
        /// Its answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The cloud refused or did not answer.
    #[error("the cloud did not take `{call}`")]
    Cloud {
        /// What was asked.
        call: &'static str,
        /// Its answer.
        #[source]
        source: Box<CloudError>,
    },
    /// The pool's user-data template does not render.
    #[error("the pool's userData template cannot be rendered")]
    Template(#[from] minijinja::Error),
    /// An object holds a name that is none.
    #[error("an object that we read holds an invalid name")]
    Name(#[from] InvalidName),
    /// A defect of ours: the step is not in the diagram. Nothing was written.
    #[error("refused by the phase diagram")]
    Illegal(#[from] Illegal),
    /// The cloud told only a part of what it has: nothing is taken on that.
    #[error("nothing is collected in the cloud")]
    Partial(#[from] Partial),
    /// The act needs something that the record or the pool does not hold.
    #[error("cannot act: {0}")]
    Missing(&'static str),
    /// The stop switch was thrown, or could not be read, between two calls of an act: the rest was not done.
    #[error("stopped, by the stop switch")]
    Stopped,
    /// The API server did not answer in the time that there was for it.
    #[error("the API server did not answer `{0}` in time")]
    NoAnswer(&'static str),
    /// The Lease was lost, or could not be renewed in time: somebody else leads now, or may. The process must end.
    #[error("not leading any more, and stopping, so that two never act at once: {0}")]
    NotLeading(String),
    /// A watch or a pass ended that must not end.
    #[error("{0} ended")]
    Ended(&'static str),
}

impl Error {
    /// Was it a lost compare-and-swap? Then the next look comes at once.
    pub fn is_lost(&self) -> bool {
        matches!(self, Error::Lost { .. })
    }

    /// The call that failed, if it was one; a lost swap and an end are no failures.
    pub(crate) fn call(&self) -> Option<&'static str> {
        match self {
            Error::Api { call, .. } | Error::Cloud { call, .. } | Error::NoAnswer(call) => {
                Some(call)
            }
            Error::Template(_) => Some("render user data"),
            Error::Name(_) => Some("parse a name"),
            Error::Illegal(_) => Some("decide"),
            Error::Partial(_) => Some("list servers"),
            Error::Missing(_) => Some("act"),
            Error::Lost { .. } | Error::Stopped | Error::NotLeading(_) | Error::Ended(_) => None,
        }
    }

    /// Did the API server fail, rather than say no?
    pub(crate) fn is_outage(&self) -> bool {
        let Error::Api { source, .. } = self else {
            return matches!(self, Error::NoAnswer(_));
        };
        match &**source {
            kube::Error::Api(status) => status.code >= 500 || status.code == 429,
            kube::Error::HyperError(_) | kube::Error::Service(_) => true,
            _ => false,
        }
    }

    /// Must the process end?
    pub fn is_end(&self) -> bool {
        matches!(self, Error::NotLeading(_) | Error::Ended(_))
    }
}

/// For `map_err`: wraps an answer of the API server, and tells a lost swap from the rest by its code.
pub(crate) fn api(call: &'static str) -> impl FnOnce(kube::Error) -> Error {
    move |source| match &source {
        kube::Error::Api(status) if status.code == 409 => Error::Lost { what: call },
        _ => Error::Api {
            call,
            source: Box::new(source),
        },
    }
}

/// For `map_err`: wraps an answer of the cloud.
pub(crate) fn cloud(call: &'static str) -> impl FnOnce(CloudError) -> Error {
    move |source| Error::Cloud {
        call,
        source: Box::new(source),
    }
}

/// The error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
