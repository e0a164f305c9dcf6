//! What a request's path is about.

/// `/apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE/NAME/SUBRESOURCE`, as far as it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) namespace: Option<String>,
    pub(super) resource: String,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

impl Target {
    /// `None` for a path that is no resource's.
    pub(super) fn of(path: &str) -> Option<Self> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let group = match parts.next()? {
            "api" => String::new(),
            "apis" => parts.next()?.to_owned(),
            _ => return None,
        };
        let version = parts.next()?.to_owned();
        let rest: Vec<&str> = parts.collect();
        let (namespace, rest) = match rest.as_slice() {
            // `/api/v1/namespaces/NAME` is a Namespace itself, and so is what lies below it by these names.
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest.as_slice()),
            ["namespaces", namespace, below @ ..] if !below.is_empty() => {
                (Some((*namespace).to_owned()), below)
            }
            _ => (None, rest.as_slice()),
        };
        let (resource, name, subresource) = match rest {
            [resource] => (resource, None, None),
            [resource, name] => (resource, Some(*name), None),
            [resource, name, subresource] => (resource, Some(*name), Some(*subresource)),
            _ => return None,
        };
        Some(Self {
            group,
            version,
            namespace,
            resource: (*resource).to_owned(),
            name: name.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str) -> Option<String> {
        let Target {
            group,
            version,
            namespace,
            resource,
            name,
            subresource,
        } = Target::of(path)?;
        Some(
            format!("{group} {version} {namespace:?} {resource} {name:?} {subresource:?}")
                .replace("None", "-"),
        )
    }

    #[test]
    fn a_path_says_what_it_is_about() {
        for (path, expected) in [
            ("/api/v1/nodes", " v1 - nodes - -"),
            (
                "/api/v1/nodes/a/status",
                r#" v1 - nodes Some("a") Some("status")"#,
            ),
            ("/api/v1/namespaces/n/pods", r#" v1 Some("n") pods - -"#),
            ("/api/v1/namespaces/n", r#" v1 - namespaces Some("n") -"#),
            (
                "/apis/apps/v1/namespaces/n/deployments/d",
                r#"apps v1 Some("n") deployments Some("d") -"#,
            ),
        ] {
            assert_eq!(told(path).as_deref(), Some(expected));
        }
        for path in ["/healthz", "/api", "/apis/apps/v1", "/api/v1/a/b/c/d"] {
            assert_eq!(told(path), None);
        }
    }
}
