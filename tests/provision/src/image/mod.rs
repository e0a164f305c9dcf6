//! The images of the bed's pods, written here and not fetched: there is no registry in the bed, and
//! each of them is one program and what it needs.

mod libraries;
mod oci;
mod tar;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::libraries::{MERGED, Root};
use self::oci::Run;
use self::tar::{Entry, Tree};
use crate::cargo::COMPILER;
use crate::key::Key;
use crate::part::{Part, keep_newest};
use crate::{Cache, Features, Report};

/// Beside the engine.
const COMPILER_PATH: &str = "/usr/bin/rectifier-compiler";

/// An image of the bed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// Holds a pod's namespaces open: containerd's sandbox image.
    Pause,
    /// Node Problem Detector, with a shell and `systemctl` for its plugins.
    NodeProblemDetector,
    /// The engine as the checkout has it now.
    Engine(Features),
}

impl Image {
    /// How pods name it. No registry serves it: their pull policy is `Never`.
    pub fn name(self) -> &'static str {
        match self {
            Image::Pause => "localhost/pause:1",
            Image::NodeProblemDetector => "localhost/node-problem-detector:1",
            Image::Engine(_) => "localhost/rectifier-engine:1",
        }
    }

    /// The program that a container runs, absolute in the image.
    pub fn entrypoint(self) -> &'static str {
        match self {
            Image::Pause => "/usr/bin/pause",
            Image::NodeProblemDetector => "/usr/bin/node-problem-detector",
            Image::Engine(_) => "/usr/bin/rectifier-engine",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Image::Pause => "pause",
            Image::NodeProblemDetector => "node-problem-detector",
            Image::Engine(_) => "rectifier-engine",
        }
    }
}

impl Cache {
    /// The image as an OCI tar, for `ctr images import`. The same content is the same path.
    ///
    /// # Errors
    /// What it is made from cannot be made, or a library of a program is not found.
    pub fn image(&self, image: Image, report: &mut dyn Report) -> Result<PathBuf> {
        let key = Key::new("image 2").with("name", image.name().as_bytes());
        match image {
            Image::Pause => {
                let programs = self.go_programs(report)?;
                let key = key.with("programs", hash(&programs));
                self.write(image, key, report, |tree| {
                    Root(&programs).copy("/pause", image.entrypoint(), tree)
                })
            }
            Image::NodeProblemDetector => {
                let (programs, root) = (self.go_programs(report)?, self.node_root(report)?);
                let key = key.with("programs", hash(&programs));
                let key = key.with("root", hash(&root));
                self.write(image, key, report, |tree| {
                    let program = format!("/{}", image.file());
                    Root(&programs).copy(&program, image.entrypoint(), tree)?;
                    // systemctl speaks to no bus, not even one it is given, where this is missing
                    tree.put("run/systemd/system", Entry::Folder { mode: 0o755 });
                    let root = Root(&root);
                    root.copy("/usr/bin/dash", "/usr/bin/sh", tree)?;
                    root.copy("/usr/bin/systemctl", "/usr/bin/systemctl", tree)
                })
            }
            Image::Engine(features) => {
                let program = self.engine(features, report)?;
                let key = key.with("program", program.parent().map_or(&[], hash));
                self.write(image, key, report, |tree| {
                    let compiler = program.with_file_name(COMPILER);
                    for (path, beside) in
                        [(&program, image.entrypoint()), (&compiler, COMPILER_PATH)]
                    {
                        let path = path.to_str().context("the cache's path is not UTF-8")?;
                        Root(Path::new("/")).copy(path, beside, tree)?;
                    }
                    Ok(())
                })
            }
        }
    }

    fn write(
        &self,
        image: Image,
        key: Key,
        report: &mut dyn Report,
        fill: impl FnOnce(&mut Tree) -> Result<()>,
    ) -> Result<PathBuf> {
        let target = self
            .folder("images")?
            .join(format!("{}-{}.tar", image.file(), key.finish()));
        let part = Part {
            name: &format!("image-{}", image.file()),
            target,
            room: &[],
        };
        part.make(self, report, |path, report| {
            report.step(&format!("image: writing {}", image.name()));
            keep_newest(&self.folder("images")?, image.file())?;
            let mut tree = Tree::default();
            for name in MERGED {
                tree.put(
                    name,
                    Entry::Link {
                        to: format!("usr/{name}"),
                    },
                );
                tree.put(&format!("usr/{name}"), Entry::Folder { mode: 0o755 });
            }
            tree.put("tmp", Entry::Folder { mode: 0o1777 });
            fill(&mut tree)?;
            let run = Run {
                entrypoint: image.entrypoint(),
                environment: &["PATH=/usr/bin:/usr/sbin"],
            };
            Ok(std::fs::write(
                path,
                oci::image(image.name(), &tree, &run)?,
            )?)
        })
    }
}

/// The name of a part's folder, which is the hash of what lies in it.
fn hash(folder: &Path) -> &[u8] {
    folder.file_name().map_or(&[], OsStr::as_encoded_bytes)
}
