// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A stock Debian kernel: its package fetched without root, its modules in the order in which they load.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::shell::{output, run};

/// The package that always depends on the current kernel for virtual machines.
const METAPACKAGE: &str = "linux-image-cloud-amd64";
/// What the machine needs to reach its host; kernels that have them built in lack the files.
const WANTED: [&str; 3] = ["virtio_pci", "virtio_console", "virtio_net"];

/// An unpacked kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    image: PathBuf,
    version: String,
    /// Files below `lib/modules`, by module name.
    modules: BTreeMap<String, PathBuf>,
}

impl Kernel {
    /// Fetches and unpacks the current kernel of this machine's Debian, once for each version.
    pub(crate) fn debian(cache: &Path) -> anyhow::Result<Self> {
        let depends = output(Command::new("apt-cache").args(["depends", "--important", METAPACKAGE]))?;
        let package = named_by_metapackage(&depends)
            .with_context(|| format!("{METAPACKAGE} depends on no kernel: run apt-get update"))?;
        let facts = output(Command::new("apt-cache").args(["show", "--no-all-versions", package]))?;
        let version =
            facts.lines().find_map(|line| line.strip_prefix("Version: ")).context("apt-cache show: no version")?;
        let folder = cache.join(format!("{package}_{version}"));
        if !folder.exists() {
            let download = cache.join("download");
            std::fs::create_dir_all(&download)?;
            let fetched = run(Command::new("apt-get")
                .args(["download", "--quiet=2", "-o", "APT::Sandbox::User=root", package])
                .current_dir(&download));
            fetched.context("the package lists may be old: run apt-get update")?;
            let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
            let file =
                files_below(&download)?.into_iter().find(is_package).context("apt-get download left no package")?;
            let unpacked = download.join("unpacked");
            run(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(&unpacked))?;
            // Only a complete folder gets the name that later runs look for.
            std::fs::rename(&unpacked, &folder)?;
            std::fs::remove_dir_all(&download)?;
        }
        Self::open(&folder)
    }

    /// Opens an unpacked package.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let file_name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let images = files_below(&folder.join("boot"))?;
        let image =
            images.into_iter().find(|path| file_name(path).starts_with("vmlinuz-")).context("no boot/vmlinuz-*")?;
        let version = file_name(&image).trim_start_matches("vmlinuz-").to_owned();
        let modules = files_below(&folder.join("lib/modules"))?
            .into_iter()
            .filter_map(|path| {
                let name = file_name(&path);
                let (name, extension) = name.split_once('.')?;
                extension.starts_with("ko").then(|| (name.replace('-', "_"), path))
            })
            .collect();
        Ok(Self { image, version, modules })
    }

    /// The kernel's image, which is an EFI program.
    pub(crate) fn image(&self) -> &Path {
        &self.image
    }

    /// The version as `uname -r` prints it.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The modules that every machine needs, `more` and all that they depend on, in an order in which they can be loaded.
    pub(crate) fn modules(&self, more: &[&str]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let mut loaded = Vec::new();
        for name in WANTED.iter().chain(more) {
            self.load(name, &mut loaded)?;
        }
        Ok(loaded)
    }

    fn load(&self, name: &str, loaded: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
        let Some(path) = self.modules.get(name) else { return Ok(()) };
        if loaded.iter().any(|(done, _)| done == name) {
            return Ok(());
        }
        let module = match path.extension() {
            Some(extension) if extension == "xz" => {
                let output = Command::new("xz").args(["--decompress", "--stdout"]).arg(path).output()?;
                if !output.status.success() {
                    bail!("xz {}: {}", path.display(), output.status);
                }
                output.stdout
            }
            _ => std::fs::read(path)?,
        };
        for dependency in dependencies(&module) {
            self.load(&dependency, loaded)?;
        }
        loaded.push((name.to_owned(), module));
        Ok(())
    }
}

/// `  Depends: linux-image-6.1.0-56-cloud-amd64`
fn named_by_metapackage(depends: &str) -> Option<&str> {
    depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: ").filter(|name| name.starts_with("linux-image-")))
}

/// The `depends=` line of a module's `.modinfo` section, which is a list of zero-terminated strings.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value = module.get(at + KEY.len()..).unwrap_or_default();
    let value = value.split(|byte| *byte == 0).next().unwrap_or_default();
    let names = String::from_utf8_lossy(value);
    names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metapackage_names_the_kernel() {
        let depends = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n";
        assert_eq!(named_by_metapackage(depends), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(named_by_metapackage("linux-image-cloud-amd64\n"), None);
    }

    #[test]
    fn a_module_names_what_it_depends_on() {
        let module = b"\x7fELF\0license=GPL\0depends=virtio-ring,virtio\0name=virtio_pci\0";
        assert_eq!(dependencies(module), ["virtio_ring", "virtio"]);
        assert_eq!(dependencies(b"\0depends=\0name=virtio\0"), Vec::<String>::new());
    }
}
