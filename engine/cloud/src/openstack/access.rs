//! All that is ever asked of the services, as access rules: what the service user's application credential must be allowed,
//! and nothing else.

use serde::Serialize;

use super::transport::{Method, Request, Service};

/// One kind of request, as Keystone's application credentials name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AccessRule {
    /// The service's type in the catalogue.
    pub service: &'static str,
    /// In capitals.
    pub method: &'static str,
    /// `*` is one segment. The first, `**`, is whatever stands before the service's own paths: a version at least, a
    /// project or a prefix where a cloud has one.
    pub path: &'static str,
}

macro_rules! rules {
    ($($service:literal { $($method:ident $path:literal)+ })+) => {
        /// All of them. Nova has one path for all actions of a server: a rule cannot tell a reboot from a rebuild.
        pub const ACCESS_RULES: &[AccessRule] = &[$($(AccessRule {
            service: $service, method: stringify!($method), path: concat!("/**/", $path),
        },)+)+];
    };
}

rules! {
    "compute" {
        GET "servers/detail"
        GET "servers/*"
        GET "servers/*/os-instance-actions"
        GET "servers/*/os-instance-actions/*"
        GET "flavors/*"
        GET "os-keypairs/*"
        POST "servers"
        POST "servers/*/action"
        POST "servers/*/metadata"
        DELETE "servers/*"
    }
    "image" {
        GET "images/*"
    }
    "network" {
        GET "networks/*"
        GET "ports"
        GET "ports/*"
        POST "ports"
        PUT "ports/*/tags/*"
        DELETE "ports/*"
    }
}

impl AccessRule {
    /// Whether this rule lets a request through that has this path below the service's versioned root.
    pub fn allows<'a>(
        &self,
        service: &str,
        method: &str,
        path: impl IntoIterator<Item = &'a str>,
    ) -> bool {
        let mut rule = self.path.split('/').skip(2);
        let fits = path
            .into_iter()
            .all(|part| matches!(rule.next(), Some(wanted) if wanted == "*" || wanted == part));
        fits && rule.next().is_none() && self.service == service && self.method == method
    }
}

/// Whether any rule lets that request through.
pub(super) fn is_allowed(request: &Request) -> bool {
    let service = match request.service {
        Service::Compute => "compute",
        Service::Network => "network",
        Service::Image => "image",
    };
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    let path = || request.path.iter().map(String::as_str);
    let mut rules = ACCESS_RULES.iter();
    rules.any(|rule| rule.allows(service, method, path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_one_method_and_one_shape_of_path() {
        let deleting = ACCESS_RULES
            .iter()
            .find(|rule| rule.method == "DELETE" && rule.path.contains("servers"))
            .unwrap();
        assert!(deleting.allows("compute", "DELETE", ["servers", "1"]));
        for (service, method, path) in [
            ("network", "DELETE", &["servers", "1"][..]),
            ("compute", "GET", &["servers", "1"]),
            ("compute", "DELETE", &["servers"]),
            ("compute", "DELETE", &["servers", "1", "metadata"]),
            ("compute", "DELETE", &["flavors", "1"]),
        ] {
            assert!(!deleting.allows(service, method, path.iter().copied()));
        }
    }
}
