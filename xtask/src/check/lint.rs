// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Clippy, with the workspace's lint table, finds nothing in any target.

use super::{Outcome, Repository, none_or_all};
use crate::shell::run;

pub(super) fn check(repository: &Repository) -> Outcome {
    let workspace = &repository.workspace;
    let packages = workspace.packages()?;
    let mut findings = Vec::new();
    for package in &packages {
        let manifest = std::fs::read_to_string(package.folder().join("Cargo.toml"))?;
        if !has_lint_table(&manifest) {
            findings.push(format!(
                "{}: Cargo.toml neither inherits the workspace's lints nor has a table of its own",
                package.name
            ));
        }
    }
    none_or_all(&findings, String::new())?;
    run(workspace.cargo().args([
        "clippy",
        "--quiet",
        "--keep-going",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(format!("{} packages", packages.len()))
}

fn has_lint_table(manifest: &str) -> bool {
    manifest.lines().any(|line| line.starts_with("[lints"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_without_lints_is_found() {
        assert!(has_lint_table("[package]\n[lints]\nworkspace = true"));
        assert!(has_lint_table("[lints.rust]\nunsafe_code = \"deny\""));
        assert!(!has_lint_table("[package]\nname = \"lints\""));
    }
}
