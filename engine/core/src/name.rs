//! Names, parsed once at the edge: past it there are no bare strings.

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: {rule}")]
pub struct InvalidName {
    /// What it was to be, e.g. `node name`.
    pub what: &'static str,
    /// The text as it was given.
    pub text: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Parses a ", $what, ". Rule: ", $rule, ".")]
            ///
            /// # Errors
            /// The text breaks the rule.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(InvalidName { what: $what, text, rule: $rule }) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::parse(text)
            }
        }

        /// A string with its rule; not a definition of its own, so that a schema reads as the JSON does.
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "description": concat!("A ", $what, ": ", $rule, ".")})
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

/// RFC 1123 subdomain, as the API server demands of object names.
fn is_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn is_token(text: &str, limit: usize) -> bool {
    !text.is_empty()
        && text.len() <= limit
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
}

name!(
    /// A Kubernetes node.
    NodeName, "node name", "lower-case RFC 1123 subdomain, at most 253 characters", is_subdomain
);
name!(
    /// A pool of nodes that are repaired by the same rules.
    PoolName, "pool name", "lower-case RFC 1123 subdomain, at most 253 characters", is_subdomain
);
name!(
    /// A kind of node problem: the type of a node condition, e.g. `KernelDeadlock`.
    ConditionKind, "condition type", "letters, digits, -, _, ., /, starting and ending with a letter or digit, at most 316 characters",
    |text| {
        let end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        text.len() <= 316
            && end(text.bytes().next())
            && end(text.bytes().last())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
    }
);
name!(
    /// A systemd unit with its suffix, e.g. `containerd.service`.
    UnitName, "unit name", "letters, digits and :-_.\\@ with a unit suffix, at most 255 characters (systemd.unit(5))",
    |text| {
        text.len() <= 255
            && text.rsplit_once('.').is_some_and(|(stem, suffix)| {
                !stem.is_empty() && ["service", "socket", "target", "timer", "mount", "path", "slice", "scope", "swap", "device", "automount"].contains(&suffix)
            })
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b))
    }
);
name!(
    /// A fix that the operator's configuration declares.
    FixName, "fix name", "lower-case RFC 1123 subdomain, at most 253 characters", is_subdomain
);
name!(
    /// A policy, by the name in its metadata.
    PolicyName, "policy name", "lower-case RFC 1123 subdomain, at most 253 characters", is_subdomain
);
name!(
    /// A server's id in the cloud.
    ServerId, "server id", "visible ASCII without /, at most 64 characters", |text| is_token(text, 64)
);
name!(
    /// A network port's id in the cloud.
    PortId, "port id", "visible ASCII without /, at most 64 characters", |text| is_token(text, 64)
);
name!(
    /// One boot of one machine: `/proc/sys/kernel/random/boot_id`, `nodeInfo.bootID`.
    BootId, "boot id", "visible ASCII without /, at most 64 characters", |text| is_token(text, 64)
);
name!(
    /// The UID of a Kubernetes object.
    Uid, "UID", "visible ASCII without /, at most 64 characters", |text| is_token(text, 64)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_or_an_option_is_no_unit_name() {
        for text in [
            "",
            "containerd",
            "../x.service",
            "a b.service",
            ".service",
            "--force",
            "x.service/y",
        ] {
            assert!(UnitName::parse(text).is_err(), "{text}");
        }
        assert!(UnitName::parse("getty@tty1.service").is_ok());
    }

    #[test]
    fn a_node_name_is_what_the_api_server_takes() {
        for text in [
            "",
            "Node",
            "a..b",
            ".a",
            "-a",
            "a-",
            "a_b",
            "a/b",
            &"a".repeat(254),
        ] {
            assert!(NodeName::parse(text).is_err(), "{text}");
        }
        for text in ["worker-1.example.com", "1", &"a".repeat(253)] {
            assert!(NodeName::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn an_id_is_one_visible_word_that_can_stand_in_a_path() {
        for text in ["", "a b", "a/b", "../a", "a\n", "\u{e4}", &"a".repeat(65)] {
            assert!(ServerId::parse(text).is_err(), "{text}");
        }
        for text in ["8c1f-2", &"a".repeat(64)] {
            assert!(ServerId::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_name_is_parsed_when_it_is_read_from_a_file() {
        assert!(serde_json::from_str::<NodeName>("\"UPPER\"").is_err());
        let server: ServerId = serde_json::from_str("\"8c1f\"").unwrap();
        assert_eq!(serde_json::to_string(&server).unwrap(), "\"8c1f\"");
    }
}
