//! What whoever uses the cache can count on, without making anything large.

use rectifier_provision::{Cache, Image, Silent};

#[test]
fn a_cache_is_made_where_it_is_asked_for_and_its_path_is_absolute() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(&folder.path().join("not/yet/there")).unwrap();
    assert!(cache.root().is_dir() && cache.root().is_absolute());
    assert!(cache.run().unwrap().starts_with(cache.root()));
}

#[test]
fn the_checkout_is_the_one_that_this_crate_is_part_of() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path()).unwrap();
    assert!(
        cache
            .checkout()
            .join("tests/provision/Cargo.toml")
            .is_file()
    );
}

#[test]
fn a_policy_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path()).unwrap();
    let error = cache
        .policy_component("no-such-policy", &mut Silent)
        .unwrap_err();
    assert!(
        error.to_string().contains("no policy no-such-policy"),
        "{error}"
    );
}

#[test]
fn a_digest_is_of_what_git_knows_and_of_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path()).unwrap();
    let digest = |paths: &[&str]| cache.digest(paths).unwrap();
    let contract = digest(&["sdk/wit"]);
    assert_eq!(contract, digest(&["sdk/wit/policy.wit"]));
    assert!(cache.digest(&["sdk/wit", "no/such/folder"]).is_err());
    assert_ne!(contract, digest(&["sdk/wit", "LICENSE"]));
}

#[test]
fn every_image_is_named_as_if_no_registry_had_it() {
    assert!(Image::Pause.name().starts_with("localhost/"));
    assert!(Image::NodeProblemDetector.name().starts_with("localhost/"));
}
