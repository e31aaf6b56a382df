// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The licences of the crates that a program is linked with, which most of them ask to be passed on with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;

use crate::shell::{Workspace, output};

/// Lists the crates of a program with their licences, then each text once, below the names of those that have it.
pub(super) fn notices(workspace: &Workspace, program: &str) -> anyhow::Result<String> {
    let linked = linked(workspace, program)?;
    let host = output(workspace.command("rustc").args(["--print", "host-tuple"]))?;
    let mut metadata = workspace.cargo();
    metadata.args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--all-features",
        "--filter-platform",
        host.trim(),
    ]);
    let metadata = output(&mut metadata)?;
    let metadata: Metadata = serde_json::from_str(&metadata).context("cargo metadata")?;
    let mut list = String::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // What has no source is ours.
    for package in metadata.packages.into_iter().filter(|package| package.source.is_some()) {
        let name = format!("{} v{}", package.name, package.version);
        if !linked.contains(&name) {
            continue;
        }
        list.push_str(&format!("{name}: {}\n", package.license.as_deref().unwrap_or("see below")));
        for text in licences(&package)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let rule = "=".repeat(80);
    let texts =
        texts.iter().map(|(text, names)| format!("\n{rule}\n{}\n{rule}\n{}\n", names.join(", "), text.trim_end()));
    Ok(format!("{program} is linked with these crates:\n\n{list}{}", texts.collect::<String>()))
}

/// The names and versions of the crates in a program, as `cargo tree` prints them.
fn linked(workspace: &Workspace, program: &str) -> anyhow::Result<BTreeSet<String>> {
    let package = if program == "evtpm-verifier" { "evtpm-verifierd" } else { program };
    let mut tree = workspace.cargo();
    tree.args(["tree", "--locked", "--package", package, "--all-features", "--edges", "normal", "--prefix", "none"]);
    let tree = output(tree.args(["--format", "{p}"]))?;
    // `name v1.2.3`, and behind it where it is from or that it is a macro.
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(tree.lines().map(name).collect())
}

/// The texts that a crate comes with.
fn licences(package: &Package) -> anyhow::Result<Vec<String>> {
    let folder = package.manifest_path.parent().unwrap_or(&package.manifest_path);
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let is_licence = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
        if entry.file_type()?.is_file() && is_licence.iter().any(|word| name.starts_with(word)) {
            let text = fs::read(entry.path()).with_context(|| entry.path().display().to_string())?;
            texts.push(String::from_utf8_lossy(&text).replace('\r', ""));
        }
    }
    Ok(texts)
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    license: Option<String>,
    manifest_path: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_passes_on_the_licences_of_what_it_is_linked_with_and_of_nothing_else() {
        let notices = notices(&Workspace::locate().unwrap(), "evtpm-agent").unwrap();
        assert!(notices.contains("\nrustls v"), "{notices}");
        assert!(notices.contains("Permission to use, copy, modify"), "ring's ISC licence");
        assert!(!notices.contains("\nrusqlite v"), "the verifier's");
    }
}
