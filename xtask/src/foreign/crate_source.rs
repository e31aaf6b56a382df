// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The source of a published crate with its tests, fetched by Cargo and built in a folder of its own.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use crate::shell::{Workspace, output};

/// A crate of the registry in an exact version.
pub(crate) struct PublishedCrate {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl PublishedCrate {
    /// Builds the crate's integration tests with the versions that its own lock file names, and returns the program.
    pub(crate) fn build_tests(&self, workspace: &Workspace, target: &str) -> anyhow::Result<PathBuf> {
        let folder = workspace.target().join("foreign").join(self.name);
        let source = folder.join(format!("source-{}", self.version));
        if !source.join("Cargo.toml").is_file() {
            copy_folder(&self.fetch(workspace, &folder.join("fetch"))?, &source)?;
            detach(&source.join("Cargo.toml"))?;
        }
        let mut build = workspace.cargo();
        build.args(["test", "--no-run", "--quiet", "--locked", "--message-format", "json", "--test", target]);
        build.arg("--manifest-path").arg(source.join("Cargo.toml"));
        // Warnings in other people's code are theirs. No debug information: nobody steps through it here.
        build.env("CARGO_TARGET_DIR", folder.join("target")).env("RUSTFLAGS", "-Awarnings");
        build.env("CARGO_PROFILE_DEV_DEBUG", "0");
        program(&output(&mut build)?).with_context(|| format!("{} {} has no test program", self.name, self.version))
    }

    /// Lets Cargo download the crate for a manifest that depends on it, and returns where Cargo unpacked it.
    fn fetch(&self, workspace: &Workspace, folder: &Path) -> anyhow::Result<PathBuf> {
        std::fs::create_dir_all(folder.join("src"))?;
        std::fs::write(folder.join("src/lib.rs"), "")?;
        let manifest = folder.join("Cargo.toml");
        let Self { name, version } = self;
        let text = format!(
            "[package]\nname = \"fetch\"\nedition = \"2021\"\n\n[dependencies]\n{name} = \"={version}\"\n\n[workspace]\n"
        );
        std::fs::write(&manifest, text)?;

        let mut cargo = workspace.cargo();
        let json = output(cargo.args(["metadata", "--format-version", "1", "--manifest-path"]).arg(&manifest))?;
        let metadata: Metadata = serde_json::from_str(&json).context("cargo metadata")?;
        let package = metadata.packages.into_iter().find(|package| package.name == self.name);
        let manifest = package.with_context(|| format!("Cargo did not fetch {name}"))?.manifest_path;
        Ok(manifest.parent().context("a manifest is in a folder")?.to_owned())
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// One line of Cargo's `--message-format json`; other lines have no `executable`.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

fn program(messages: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()?.executable).next_back()
}

/// Makes the package a workspace of its own: Cargo would look for it in ours, below which it lies.
fn detach(manifest: &Path) -> anyhow::Result<()> {
    let mut text = std::fs::read_to_string(manifest)?;
    text.push_str("\n[workspace]\n");
    std::fs::write(manifest, text)?;
    Ok(())
}

/// Copies a folder; an interrupted copy has no manifest and is begun anew.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    let mut entries = std::fs::read_dir(from)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| entry.file_name() == "Cargo.toml");
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_program_is_the_last_executable_that_cargo_names() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/integration_tests\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(program(messages), Some(PathBuf::from("/t/integration_tests")));
        assert_eq!(program("{\"reason\":\"build-finished\"}"), None);
    }
}
