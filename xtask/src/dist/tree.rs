// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files of a package, each with the mode that it is installed with, whatever the umask is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub(super) const PROGRAM: u32 = 0o755;
pub(super) const SCRIPT: u32 = 0o755;
pub(super) const DATA: u32 = 0o644;
/// What root alone may change, and nobody else read.
pub(super) const SECRET: u32 = 0o640;
const FOLDER: u32 = 0o755;
/// What only dpkg reads.
const CONTROL: &str = "DEBIAN";

/// A folder as `dpkg-deb --build` takes it.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// Makes an empty one.
    pub(super) fn new(root: PathBuf) -> anyhow::Result<Self> {
        let tree = Tree { root };
        tree.folder("")?;
        Ok(tree)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a folder and those above it.
    pub(super) fn folder(&self, to: &str) -> anyhow::Result<()> {
        let folder = self.root.join(to);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(&self.root)) {
            fs::set_permissions(folder, Permissions::from_mode(FOLDER))?;
        }
        Ok(())
    }

    /// Copies a file, and returns where it is now.
    pub(super) fn copy(&self, from: &Path, to: &str, mode: u32) -> anyhow::Result<PathBuf> {
        let content = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        self.put(&content, to, mode)
    }

    /// Writes a file, and returns where it is.
    pub(super) fn write(&self, text: &str, to: &str, mode: u32) -> anyhow::Result<PathBuf> {
        self.put(text.as_bytes(), to, mode)
    }

    fn put(&self, content: &[u8], to: &str, mode: u32) -> anyhow::Result<PathBuf> {
        let path = self.root.join(to);
        if let Some((folder, _)) = to.rsplit_once('/') {
            self.folder(folder)?;
        }
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        Ok(path)
    }

    /// The files that are installed, without some, by their paths below the root and sorted.
    pub(super) fn files(&self, without: &[&str]) -> anyhow::Result<Vec<String>> {
        let mut files = Vec::new();
        self.walk(&self.root, &mut |path, is_folder| {
            if !is_folder && !without.contains(&path) {
                files.push(path.to_owned());
            }
            Ok(())
        })?;
        files.sort();
        Ok(files)
    }

    /// The size after installation in KiB, as deb-substvars(5) counts: each file rounded up, one for each folder.
    pub(super) fn size(&self) -> anyhow::Result<u64> {
        let mut size = 0;
        self.walk(&self.root, &mut |path, is_folder| {
            size += if is_folder { 1 } else { fs::metadata(self.root.join(path))?.len().div_ceil(1024) };
            Ok(())
        })?;
        Ok(size)
    }

    /// Tells of everything that is installed.
    fn walk(&self, folder: &Path, tell: &mut impl FnMut(&str, bool) -> anyhow::Result<()>) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            let name = path.strip_prefix(&self.root)?.to_string_lossy().into_owned();
            if name == CONTROL {
                continue;
            }
            tell(&name, path.is_dir())?;
            if path.is_dir() {
                self.walk(&path, tell)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_files_are_those_of_what_is_installed() {
        let folder = std::env::temp_dir().join(format!("evtpm-tree-{}", std::process::id()));
        let tree = Tree::new(folder.clone()).unwrap();
        tree.write(&"x".repeat(1025), "usr/bin/program", PROGRAM).unwrap();
        tree.write("secret", "etc/default/program", SECRET).unwrap();
        tree.write("Package: program\n", "DEBIAN/control", DATA).unwrap();
        assert_eq!(tree.files(&["etc/default/program"]).unwrap(), ["usr/bin/program"]);
        // usr, usr/bin, etc, etc/default; a file of two KiB and one of one.
        assert_eq!(tree.size().unwrap(), 4 + 2 + 1);
        let mode = |path: &str| fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(["usr/bin/program", "etc/default/program", "usr/bin"].map(mode), [0o755, 0o640, 0o755]);
        fs::remove_dir_all(folder).unwrap();
    }
}
