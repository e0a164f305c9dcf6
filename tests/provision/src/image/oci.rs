//! An OCI image of one layer, in the form that `ctr images import` takes: a tar of blobs named by
//! their digests, and an index that names the image.

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tar::Tree;
use crate::key::hex;

/// What a container made from the image does when it is not told otherwise.
pub(crate) struct Run<'a> {
    pub(crate) entrypoint: &'a str,
    pub(crate) environment: &'a [&'a str],
}

/// The image `name` (`localhost/pause:1`) of that tree, as a tar: same input, same bytes.
pub(crate) fn image(name: &str, tree: &Tree, run: &Run<'_>) -> Result<Vec<u8>> {
    let mut archive = Tree::default();
    let layer = tree.archive()?;
    let layer_digest = digest(&layer);
    let layer = blob(&mut archive, layer, "layer.v1.tar");
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Entrypoint": [run.entrypoint], "Env": run.environment, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
    });
    let config = blob(
        &mut archive,
        config.to_string().into_bytes(),
        "config.v1+json",
    );
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type("manifest.v1+json"),
        "config": config,
        "layers": [layer],
    });
    let mut manifest = blob(
        &mut archive,
        manifest.to_string().into_bytes(),
        "manifest.v1+json",
    );
    let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    manifest["annotations"] = json!({
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": tag,
    });
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    archive.file("index.json", 0o644, index.to_string().into_bytes());
    let layout = json!({"imageLayoutVersion": "1.0.0"});
    archive.file("oci-layout", 0o644, layout.to_string().into_bytes());
    archive.archive()
}

/// Puts a blob into the archive and returns its descriptor.
fn blob(archive: &mut Tree, data: Vec<u8>, kind: &str) -> Value {
    let (digest, size) = (digest(&data), data.len());
    archive.file(&format!("blobs/{}", digest.replace(':', "/")), 0o644, data);
    json!({"mediaType": media_type(kind), "digest": digest, "size": size})
}

fn digest(data: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(data)))
}

fn media_type(kind: &str) -> String {
    format!("application/vnd.oci.image.{kind}")
}

/// This machine's, in Go's words.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(content: &str) -> Vec<u8> {
        let mut tree = Tree::default();
        tree.file("pause", 0o755, content.as_bytes().to_vec());
        image(
            "localhost/pause:1",
            &tree,
            &Run {
                entrypoint: "/pause",
                environment: &[],
            },
        )
        .unwrap()
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes() {
        assert_eq!(pause("a"), pause("a"));
        assert_ne!(pause("a"), pause("b"));
    }

    #[test]
    fn every_blob_is_named_by_its_digest_and_the_index_leads_to_the_layer() {
        let folder = tempfile::tempdir().unwrap();
        let tar = folder.path().join("image.tar");
        std::fs::write(&tar, pause("content")).unwrap();
        let mut untar = std::process::Command::new("tar");
        untar.arg("-xf").arg(&tar).arg("-C").arg(folder.path());
        assert!(untar.status().unwrap().success());
        let read = |path: &str| std::fs::read(folder.path().join(path)).unwrap();
        let blob = |descriptor: &Value| {
            let digest_said = descriptor["digest"].as_str().unwrap();
            let data = read(&format!("blobs/{}", digest_said.replace(':', "/")));
            assert_eq!(digest(&data), digest_said);
            assert_eq!(descriptor["size"], data.len());
            data
        };
        let index: Value = serde_json::from_slice(&read("index.json")).unwrap();
        let top = &index["manifests"][0];
        assert_eq!(
            top["annotations"]["io.containerd.image.name"],
            "localhost/pause:1"
        );
        let manifest: Value = serde_json::from_slice(&blob(top)).unwrap();
        let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
        let layer = blob(&manifest["layers"][0]);
        assert_eq!(config["rootfs"]["diff_ids"][0], digest(&layer));
    }
}
