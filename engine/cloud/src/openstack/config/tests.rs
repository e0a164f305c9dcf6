//! What is read of files and environment, and what is refused.

use super::*;

/// Two files in a folder of their own.
fn files(clouds: &str, secure: Option<&str>) -> (tempfile::TempDir, OpenStackConfig) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("clouds.yaml"), clouds).unwrap();
    if let Some(secure) = secure {
        std::fs::write(folder.path().join("secure.yaml"), secure).unwrap();
    }
    let config = OpenStackConfig {
        clouds: folder.path().join("clouds.yaml"),
        cloud: None,
        region: None,
    };
    (folder, config)
}

fn nothing(_: &str) -> Option<String> {
    None
}

fn read(clouds: &str) -> Result<Entry, String> {
    let (_folder, config) = files(clouds, None);
    config.read_with(nothing).map_err(|error| error.to_string())
}

#[test]
fn a_secret_beside_the_file_is_put_over_it() {
    let (_folder, config) = files(
        "clouds: {one: {auth: {auth_url: 'http://a', username: u, password: old}, region_name: north}}",
        Some("clouds: {one: {auth: {password: new}}, two: {auth: {password: x}}}"),
    );
    let entry = config.read_with(nothing).unwrap();
    assert_eq!(entry.auth["password"], "new");
    assert_eq!(entry.auth["username"], "u");
    assert_eq!(
        (entry.region.as_deref(), entry.auth_type.as_str()),
        (Some("north"), "password")
    );
    let south = OpenStackConfig {
        region: Some("south".to_owned()),
        ..config
    };
    assert_eq!(
        south.read_with(nothing).unwrap().region.as_deref(),
        Some("south")
    );
}

#[test]
fn the_environment_alone_is_enough() {
    let (_folder, mut config) = files("clouds: {a: {}, b: {}}", None);
    let env = |name: &str| {
        let value = match name {
            "OS_AUTH_URL" => "http://a/v3",
            "OS_APPLICATION_CREDENTIAL_ID" => "id",
            "OS_APPLICATION_CREDENTIAL_SECRET" => "s",
            "OS_REGION_NAME" => "north",
            "OS_INTERFACE" => "internal",
            "OS_INSECURE" => "true",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let entry = config.read_with(env).unwrap();
    assert_eq!(entry.auth_type, "v3applicationcredential");
    assert_eq!(entry.auth.len(), 3);
    assert!(entry.insecure && entry.interface.is_some());
    // a cloud that is named is that of the file
    config.cloud = Some("a".to_owned());
    assert!(config.read_with(env).unwrap().auth.is_empty());
    config.cloud = Some("envvars".to_owned());
    assert_eq!(config.read_with(env).unwrap().auth.len(), 3);
}

#[test]
fn a_file_of_one_cloud_needs_no_name_and_one_of_several_says_which_there_are() {
    assert!(read("clouds: {one: {auth_type: none}}").is_ok());
    let refused = read("clouds: {one: {}, two: {}}").unwrap_err();
    assert!(refused.contains("names one, two: say one"), "{refused}");
    let (_folder, config) = files("clouds: {one: {}}", None);
    let other = OpenStackConfig {
        cloud: Some("two".to_owned()),
        ..config
    };
    let refused = other.read_with(nothing).unwrap_err().to_string();
    assert!(refused.contains("no cloud \"two\", only one"), "{refused}");
}

#[test]
fn a_cloud_that_this_version_cannot_read_does_not_hide_the_others() {
    let (_folder, config) = files(
        "clouds: {odd: {auth: 7}, none: 3, one: {auth_type: none}}",
        None,
    );
    for (cloud, is_well) in [("one", true), ("odd", false), ("none", false)] {
        let config = OpenStackConfig {
            cloud: Some(cloud.to_owned()),
            ..config.clone()
        };
        assert_eq!(config.read_with(nothing).is_ok(), is_well, "{cloud}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_and_no_password_is_told() {
    for (entry, why) in [
        ("auth: {password: 31337}", "auth.password is no text"),
        ("auth: {pasword: 'x31337'}", "auth.pasword cannot be used"),
        ("auth: {user_domain_id: x31337}", "give user_domain_name"),
        ("auth: {trust_id: x31337}", "auth.trust_id"),
        ("auth_type: v3oidc", "v3oidc"),
        ("interface: x", "public, internal or admin"),
        ("verify: 'no way'", "true or false"),
        ("verify: true, insecure: true", "contradict"),
        (
            "compute_endpoint_override: 'no address'",
            "compute_endpoint_override",
        ),
    ] {
        let refused = read(&format!("clouds: {{one: {{{entry}}}}}")).unwrap_err();
        assert!(
            refused.contains(why) && !refused.contains("31337"),
            "{refused}"
        );
    }
    let refused =
        read("clouds:\n  one:\n    auth:\n      password: x31337\n   bad: [\n").unwrap_err();
    assert!(
        refused.contains("no clouds.yaml") && !refused.contains("31337"),
        "{refused}"
    );
}

#[test]
fn nothing_but_a_clear_word_makes_it_insecure() {
    for (entry, insecure) in [
        ("auth_type: none", false),
        ("verify: true", false),
        ("insecure: false", false),
        ("verify: false", true),
        ("insecure: true", true),
        ("verify: false, insecure: true", true),
    ] {
        let entry = read(&format!("clouds: {{one: {{{entry}}}}}")).unwrap();
        assert_eq!(entry.insecure, insecure);
    }
}

#[test]
fn a_user_of_the_default_domain_may_say_so_by_its_id() {
    let entry = read("clouds: {one: {auth: {user_domain_id: default, username: u}}}").unwrap();
    assert_eq!(entry.auth["user_domain_name"], "Default");
    assert!(!entry.auth.contains_key("user_domain_id"));
}

#[test]
fn an_authority_that_is_none_is_told_before_the_first_request() {
    let (folder, config) = files("clouds: {one: {auth_type: none, cacert: CA}}", None);
    let told = |ca: &Path| {
        let text = format!(
            "clouds: {{one: {{auth_type: none, cacert: '{}'}}}}",
            ca.display()
        );
        std::fs::write(&config.clouds, text).unwrap();
        config.check().unwrap_err().to_string()
    };
    assert!(told(&folder.path().join("gone.pem")).contains("cannot read"));
    assert!(told(&config.clouds).contains("no certificate in it"));
}
