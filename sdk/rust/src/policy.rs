//! What a policy is, and the glue between its trait and the component's exports.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::types::{Decision, Observation};

/// A decision, or why none can be made at all: one line for the operator. An error counts as a failure of the policy;
/// for a problem that is somebody else's answer [`Remedy::Decline`](crate::types::Remedy).
pub type Answer = Result<Decision, String>;

/// A policy: a pure function of what is seen and of the operator's settings.
pub trait Policy {
    /// What the operator's sidecar says under `settings`; `{}` if it says nothing. Derive `serde::Deserialize` with
    /// `#[serde(deny_unknown_fields)]`, so that a misspelt key is refused and not ignored.
    type Settings: DeserializeOwned;

    /// Are these settings usable, beyond being well-formed? Asked once when the policy is loaded.
    ///
    /// # Errors
    /// One line for the operator, naming the key.
    fn check(settings: &Self::Settings) -> Result<(), String> {
        let _ = settings;
        Ok(())
    }

    /// What to do now?
    ///
    /// # Errors
    /// See [`Answer`].
    fn decide(seen: &Observation, settings: &Self::Settings) -> Answer;
}

/// The settings of a policy that has none: a sidecar that gives some is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

fn parse<P: Policy>(settings: &str) -> Result<P::Settings, String> {
    serde_json::from_str(settings).map_err(|error| format!("settings: {error}"))
}

/// The export `validate-settings`.
pub fn validate<P: Policy>(settings: &str) -> Result<(), String> {
    P::check(&parse::<P>(settings)?)
}

/// The export `decide`.
pub fn decide<P: Policy>(seen: &Observation, settings: &str) -> Answer {
    P::decide(seen, &parse::<P>(settings)?)
}

/// Says in the log why a policy panics, before it traps: the engine tells those last words. Each call is a new instance, so this is done
/// at the beginning of each.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| crate::error(panic.to_string())));
}

/// Nothing: it compiles for a policy only.
pub fn is_policy<P: Policy>() {}

/// Makes a component of a [`Policy`](trait@crate::Policy), and says what it is: metadata that the engine reads without
/// running it.
///
/// `name` is a lower-case name as Kubernetes has them; the version is the crate's own. `handles` lists condition kinds
/// (`"Frequent*"` for all that begin so, `"*"` for all) and the sites at which it answers for them: `"node"`,
/// `"control-plane"`. `needs` lists what its observations must contain: `units`, `fixes` and `facts`, each a list of
/// names or `"all"`; what is left out is not shown. The operator's sidecar can override `handles` and `needs`.
#[macro_export]
macro_rules! policy {
    (
        $policy:ty,
        name: $name:literal,
        handles: [$({ conditions: $conditions:tt, sites: $sites:tt $(,)? }),+ $(,)?]
        $(, needs: { $($needed:ident: $names:tt),* $(,)? })?
        $(,)?
    ) => {
        const _: fn() = $crate::macros::is_policy::<$policy>;

        // On the machine itself, in tests, it is a library like any other: the exports' names are none that its
        // linker takes.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const METADATA: &str = concat!(
                "{\"name\":", $crate::json!($name),
                ",\"version\":\"", env!("CARGO_PKG_VERSION"), "\",\"contract\":\"0.1\"",
                ",\"handles\":", $crate::json!([$({ conditions: $conditions, sites: $sites }),+]),
                $(",\"needs\":", $crate::json!({ $($needed: $names),* }),)?
                "}"
            );

            #[used]
            #[unsafe(link_section = "rectifier:policy")]
            static SECTION: [u8; METADATA.len()] = $crate::macros::section(METADATA);

            struct Component;
            impl $crate::bindings::exports::rectifier::policy::decider::Guest for Component {
                fn validate_settings(settings: String) -> Result<(), String> {
                    $crate::macros::tell_panics();
                    $crate::macros::validate::<$policy>(&settings)
                }

                fn decide(
                    seen: $crate::types::Observation,
                    settings: String,
                ) -> $crate::Answer {
                    $crate::macros::tell_panics();
                    $crate::macros::decide::<$policy>(&seen, &settings)
                }
            }
            $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}

/// JSON text of the macro's arguments: literals, lists, and records with bare keys.
#[doc(hidden)]
#[macro_export]
macro_rules! json {
    ([]) => { "[]" };
    ([$first:tt $(, $rest:tt)* $(,)?]) => {
        concat!("[", $crate::json!($first), $(",", $crate::json!($rest),)* "]")
    };
    ({}) => { "{}" };
    ({ $key:ident: $value:tt $(, $keys:ident: $values:tt)* $(,)? }) => {
        concat!(
            "{\"", stringify!($key), "\":", $crate::json!($value),
            $(",\"", stringify!($keys), "\":", $crate::json!($values),)*
            "}"
        )
    };
    ($text:literal) => { concat!("\"", $text, "\"") };
}
