//! A cgroup of the machine's own, in every hierarchy that this computer has.
//!
//! The root that a machine sees is then its own: two kubelets never meet in one `kubepods`, and
//! killing everything in it kills one machine. cgroup v1 has a hierarchy per controller and a new
//! group below ours will do. In v2 a group with processes in it cannot hand controllers down, and
//! ours has us in it: there the new one stands at the top, and each boot of the machine gets a
//! child of it (`supervise.sh`).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The file in a machine's folder that lists its cgroups, a path a line.
pub(crate) const LIST: &str = "cgroups";

/// Makes the group `name` in every hierarchy, and writes the list into `dir`.
pub(super) fn create(dir: &Path, name: &str) -> Result<()> {
    let groups = find(name)?;
    // listed before they are made: a sweep may then find one too many, never one too few
    let list: String = groups
        .iter()
        .map(|group| format!("{}\n", group.display()))
        .collect();
    fs::write(dir.join(LIST), list)?;
    for group in &groups {
        fs::create_dir_all(group).with_context(|| format!("making {}", group.display()))?;
        let above = group.parent().context("a cgroup without a parent")?;
        for handing_down in [above, group] {
            let control = handing_down.join("cgroup.subtree_control");
            // v1 has no such file; of v2's controllers this kernel may lack some
            for controller in ["+cpuset", "+cpu", "+io", "+memory", "+pids"] {
                if control.exists() {
                    let _ = fs::write(&control, controller);
                }
            }
        }
        // v1: a new cpuset is empty, and nothing may enter it
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if fs::read_to_string(group.join(file)).is_ok_and(|text| text.trim().is_empty()) {
                let _ = fs::write(group.join(file), fs::read(above.join(file))?);
            }
        }
    }
    Ok(())
}

/// Removes the groups that the file `list` names, with those that the machine made in them.
pub(crate) fn remove(list: &Path) {
    let Ok(text) = fs::read_to_string(list) else {
        return;
    };
    for group in text.lines().map(Path::new) {
        remove_group(group);
    }
}

fn remove_group(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Where the group `name` belongs: one path for each hierarchy that is mounted here.
fn find(name: &str) -> Result<Vec<PathBuf>> {
    let ours = fs::read_to_string("/proc/self/cgroup")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(groups(&ours, &mounts)
        .into_iter()
        .map(|group| group.join(name))
        .collect())
}

/// For each hierarchy the group to make a new one in, from `/proc/self/cgroup` and `mountinfo`.
fn groups(ours: &str, mounts: &str) -> Vec<PathBuf> {
    let mut groups = Vec::new();
    for line in ours.lines() {
        // "4:cpu,cpuacct:/path", "1:name=systemd:/path", "0::/path"
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let Some(mount) = mounts.lines().find_map(|mount| mounted(mount, controllers)) else {
            continue;
        };
        let at_the_top = controllers.is_empty();
        let path = if at_the_top {
            ""
        } else {
            path.trim_start_matches('/')
        };
        groups.push(mount.join(path));
    }
    groups
}

/// The mount point in a line of mountinfo, if it is the hierarchy of `controllers` ("" for v2).
fn mounted(line: &str, controllers: &str) -> Option<PathBuf> {
    let (mount, source) = line.split_once(" - ")?;
    let mut source = source.split_whitespace();
    let (kind, options) = (source.next()?, source.nth(1)?);
    let here = match controllers {
        "" => kind == "cgroup2",
        some => {
            let has = |one| options.split(',').any(|option| option == one);
            kind == "cgroup" && some.split(',').all(has)
        }
    };
    here.then(|| mount.split_whitespace().nth(4).map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_v1_a_group_is_made_below_ours_in_every_hierarchy() {
        let ours = "3:cpu,cpuacct:/us\n2:memory:/\n1:name=systemd:/us\n0::/us\n";
        let mounts = "\
            30 29 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
            31 29 0:27 / /sys/fs/cgroup/systemd rw,nosuid - cgroup cgroup rw,xattr,name=systemd\n\
            32 29 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            33 29 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";
        let expected = ["cpu,cpuacct/us", "memory", "systemd/us", "unified"];
        let expected = expected.map(|group| Path::new("/sys/fs/cgroup").join(group));
        assert_eq!(groups(ours, mounts), expected);
    }

    #[test]
    fn in_v2_a_group_is_made_at_the_top_since_ours_has_processes() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let ours = "0::/user.slice/session-1.scope\n";
        assert_eq!(groups(ours, mounts), [Path::new("/sys/fs/cgroup/")]);
    }
}
