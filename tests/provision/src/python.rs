//! The Python environment of the OpenStack services.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::{command, output, run, tidy_command};
use crate::disk::Room;
use crate::key::Key;
use crate::part::Part;
use crate::report::Late;
use crate::{Cache, Report};

/// Installs what pip would, in a quarter of the time: it fetches and unpacks side by side.
const UV: &str = "uv==0.13.9";

impl Cache {
    /// The virtual environment with OpenStack in the versions of
    /// `tests/bed/openstack/requirements.txt`: a minute. Its interpreter is `bin/python`.
    ///
    /// # Errors
    /// No Python with `venv`, no room, or an install fails (its log's end is in the message).
    pub fn openstack_venv(&self, report: &mut dyn Report) -> Result<PathBuf> {
        let folder = self.checkout().join("tests/bed/openstack");
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        // an environment belongs to one minor version of the interpreter
        let version = output(command(&python).arg("--version"))
            .context("Python is missing: install python3 and python3-venv")?;
        let key = Key::new("venv 2").with("python", version.as_bytes());
        let key = key.with_file(&folder, "requirements.txt")?.finish();
        let room = [Room {
            place: self.root().to_owned(),
            mib: 900,
        }];
        let target = self.openstack()?.join(format!("venv-{key}"));
        let part = Part {
            name: "openstack-venv",
            target: target.clone(),
            room: &room,
        };
        part.make(self, report, |venv, report| {
            let log = self.log("openstack-venv")?;
            report.step(&format!(
                "openstack-venv: uv pip install; log {}",
                log.display()
            ));
            let mut make = command(&python);
            make.args(["-m", "venv"]).arg(venv);
            run(&mut make, &log, report)
                .context("Debian's python3 makes no environments without python3-venv")?;
            // the file names every package: what is not in it is not to come in
            let requirements = folder.join("requirements.txt");
            let mut uv = command(venv.join("bin/pip"));
            uv.args(["install", "--disable-pip-version-check", UV]);
            run(&mut uv, &log, report)?;
            let mut install = command(venv.join("bin/uv"));
            install
                .args(["pip", "install", "--compile-bytecode", "--no-deps"])
                .arg("--python")
                .arg(venv.join("bin/python"))
                .arg("--requirement")
                .arg(requirements);
            run(&mut install, &log, report)?;
            relocate(venv, &target)
        })
    }

    /// The filled databases that every stack starts from: a minute. Needed by no one who can wait:
    /// a stack makes them itself if they are not there. Gives their folder.
    ///
    /// # Errors
    /// As [`Cache::openstack_venv`]; or a service does not do what the seed asks of it.
    pub fn openstack_seed(&self, report: &mut dyn Report) -> Result<PathBuf> {
        let python = self.openstack_venv(report)?.join("bin/python");
        let launcher = self.checkout().join("tests/bed/openstack/launch.py");
        let log = self.log("openstack-seed")?;
        let mut seed = tidy_command(python);
        // no bytecode beside the sources: the checkout stays as it is
        seed.arg("-B").arg(launcher).arg("seed");
        seed.arg(self.openstack()?);
        run(
            &mut seed,
            &log,
            &mut Late::new(report, "openstack-seed: filling databases"),
        )?;
        let told = std::fs::read_to_string(&log)?;
        let folder = told.lines().last().context("the launcher says no folder")?;
        Ok(PathBuf::from(folder))
    }
}

/// An environment's scripts name its interpreter by its full path, and it is about to move.
fn relocate(from: &Path, to: &Path) -> Result<()> {
    let (from_text, to_text) = (from.display().to_string(), to.display().to_string());
    for entry in std::fs::read_dir(from.join("bin"))? {
        let path = entry?.path();
        // what is no text, as the interpreter behind its link, names no path in its first line
        if let Ok(script) = std::fs::read_to_string(&path)
            && script.contains(&from_text)
        {
            std::fs::write(&path, script.replace(&from_text, &to_text))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_name_the_interpreter_where_it_will_be() {
        let folder = tempfile::tempdir().unwrap();
        let venv = folder.path().join("half-made");
        std::fs::create_dir_all(venv.join("bin")).unwrap();
        let script = venv.join("bin/alembic");
        std::fs::write(&script, format!("#!{}/bin/python\nrun()\n", venv.display())).unwrap();
        std::fs::write(venv.join("bin/python"), [0x7f, b'E', 0xff]).unwrap();
        relocate(&venv, Path::new("/cache/venv-1")).unwrap();
        let script = std::fs::read_to_string(script).unwrap();
        assert_eq!(script, "#!/cache/venv-1/bin/python\nrun()\n");
    }
}
