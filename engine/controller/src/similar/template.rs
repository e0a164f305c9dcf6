//! The pool's two templates: what a new server is called, and what its first boot reads.

use minijinja::{Environment, UndefinedBehavior, Value, context};
use rectifier_api::{PROVISIONAL_TAINT, Provisioning};
use rectifier_core::repair::naming::{self, Parts};

use crate::error::chain;

/// Would both render?
///
/// # Errors
/// The field that does not, and why.
pub(crate) fn check(provisioning: &Provisioning) -> Result<(), (&'static str, String)> {
    let any = FirstBoot {
        node: "node",
        token: "t",
        server: "s",
        ca: "c",
        labels: &[],
        taints: &[],
    };
    user_data(provisioning, &any).map_err(|why| ("userData", chain(&why)))?;
    let parts = Parts::of("node-1", "", 1);
    match name(provisioning, &parts, "node-1", "pool") {
        Ok(_) => Ok(()),
        Err(why) => Err(("name", why)),
    }
}

/// What a new server and its node are called.
///
/// # Errors
/// Why the template gives no name.
pub(crate) fn name(
    provisioning: &Provisioning,
    parts: &Parts,
    node: &str,
    pool: &str,
) -> Result<String, String> {
    let Parts { base, id } = parts;
    let name = render(&provisioning.name, context! { base, id, node, pool });
    let name = name.map_err(|error| chain(&error))?;
    naming::check(&name, parts)?;
    Ok(name)
}

/// The same for people, while the id is not known; empty if the template gives none.
pub(crate) fn with_any_id(
    provisioning: &Provisioning,
    parts: &Parts,
    node: &str,
    pool: &str,
) -> String {
    let Parts { base, id } = parts;
    render(&provisioning.name, context! { base, id, node, pool }).unwrap_or_default()
}

/// What the first boot is told.
pub(crate) struct FirstBoot<'a> {
    /// The new node's name.
    pub(crate) node: &'a str,
    /// The bootstrap token.
    pub(crate) token: &'a str,
    /// The API server's address.
    pub(crate) server: &'a str,
    /// Its certificate authority, base64 of the PEM.
    pub(crate) ca: &'a str,
    /// Those that its node gets.
    pub(crate) labels: &'a [(String, String)],
    /// As `key=value:Effect`, or `key:Effect`; the provisional one is put behind them.
    pub(crate) taints: &'a [String],
}

/// The user data of a new server.
///
/// # Errors
/// The template does not render.
pub(crate) fn user_data(
    provisioning: &Provisioning,
    boot: &FirstBoot<'_>,
) -> Result<String, minijinja::Error> {
    let labels = boot.labels.iter();
    let labels: Vec<String> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let provisional = format!("{PROVISIONAL_TAINT}:NoSchedule");
    let taints = boot.taints.iter().chain([&provisional]);
    let taints: Vec<String> = taints.map(|taint| with_value(taint)).collect();
    render(
        &provisioning.user_data,
        context! {
            node => boot.node,
            token => boot.token,
            server => boot.server,
            ca => boot.ca,
            labels => labels.join(","),
            taints => taints.join(","),
        },
    )
}

/// As kubelet's option takes it.
fn with_value(taint: &str) -> String {
    match taint.split_once(':') {
        Some((key, effect)) if !key.contains('=') => format!("{key}=:{effect}"),
        Some(_) | None => taint.to_owned(),
    }
}

fn render(template: &str, values: Value) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    // a misspelt variable is an error, not an empty string in a machine's first boot
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.render_str(template, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(template: &str) -> Provisioning {
        let how = serde_json::json!({"userData": "x", "apiServer": "https://x", "name": template});
        serde_json::from_value(how).unwrap()
    }

    fn name_of(template: &str) -> Result<String, String> {
        let parts = Parts::of("web-1-rabcde1", "12345", 2);
        name(&named(template), &parts, "web-1-rabcde1", "web")
    }

    #[test]
    fn the_pool_says_what_a_new_server_is_called() {
        assert_eq!(
            name_of("{{ base }}-{{ id }}"),
            Ok("web-1-r123452".to_owned())
        );
        assert_eq!(name_of("{{ pool }}-{{ id }}"), Ok("web-r123452".to_owned()));
        assert_eq!(
            name_of("{{ node | upper | lower }}-{{ id }}"),
            Ok("web-1-rabcde1-r123452".to_owned())
        );
        let usual: Provisioning =
            serde_json::from_value(serde_json::json!({"userData": "x", "apiServer": "https://x"}))
                .unwrap();
        assert_eq!(check(&usual), Ok(()));
        assert_eq!(usual.name, "{{ base }}-{{ id }}");
    }

    #[test]
    fn a_template_that_gives_no_host_name_is_refused_with_its_field() {
        for (template, why) in [
            ("{{ bsae }}-{{ id }}", "undefined"),
            ("{{ base", "end of input"),
            ("{{ base }}", "the id"),
            ("{{ base }}.{{ id }}", "no host name"),
        ] {
            let (field, told) = check(&named(template)).unwrap_err();
            assert_eq!(field, "name");
            assert!(told.contains(why), "{template}: {told}");
        }
        let typo = Provisioning {
            user_data: "{{ tokn }}".to_owned(),
            ..named("{{ id }}")
        };
        assert_eq!(check(&typo).unwrap_err().0, "userData");
    }

    #[test]
    fn the_provisional_taint_is_told_to_every_first_boot() {
        let how = Provisioning {
            user_data: "{{ labels }} {{ taints }}".to_owned(),
            ..named("{{ id }}")
        };
        let boot = FirstBoot {
            node: "n",
            token: "t",
            server: "s",
            ca: "c",
            labels: &[("a", "b"), ("c", "d")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
            taints: &["k=v:NoExecute".to_owned(), "l:NoSchedule".to_owned()],
        };
        let told = user_data(&how, &boot).unwrap();
        assert_eq!(
            told,
            "a=b,c=d k=v:NoExecute,l=:NoSchedule,rectifier.dev/provisional=:NoSchedule"
        );
    }
}
