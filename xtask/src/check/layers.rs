// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Crates depend on what ARCHITECTURE ("Who may not depend on what") allows, and their code names nothing that it forbids.

use std::path::Path;

use super::{Outcome, Repository, none_or_all};
use crate::shell::{Dependency, Package};
use crate::source::Source;

mod table;

use table::{External, HOUSE, Room};

pub(super) fn check(repository: &Repository) -> Outcome {
    let packages = repository.workspace.packages()?;
    let mut findings = Vec::new();
    let mut edges = 0;
    for package in &packages {
        let Some(room) = room(&package.name) else {
            findings
                .push(format!("{}: not in the table of ARCHITECTURE (xtask/src/check/layers/table.rs)", package.name));
            continue;
        };
        edges += package.dependencies.len();
        findings.extend(package.dependencies.iter().filter_map(|edge| edge_fault(room, edge)));
        findings.extend(code_faults(repository, package, room)?);
    }
    for room in HOUSE {
        if packages.iter().all(|package| package.name != room.package) {
            findings.push(format!("{}: in the table, but not in the workspace", room.package));
        }
    }
    none_or_all(&findings, format!("{} packages, {edges} edges", packages.len()))
}

fn room(package: &str) -> Option<&'static Room> {
    HOUSE.iter().find(|room| room.package == package)
}

/// Why this edge of `from` may not exist, if it may not.
fn edge_fault(from: &Room, edge: &Dependency) -> Option<String> {
    let is_ordinary = edge.kind.as_deref() != Some("dev");
    let (name, package) = (&edge.name, from.package);
    if edge.path.is_none() {
        let allowed = !is_ordinary || from.external.allows(name);
        return (!allowed).then(|| format!("{package} → {name}: an outside crate that its row does not name"));
    }
    let Some(to) = room(name) else {
        return Some(format!("{package} → {name}: a crate that the table does not name"));
    };
    if to.layer == table::TOP && from.layer != table::TOP {
        // "being depended upon: never", but the helpers of tests exist to be used by tests.
        let by_tests = !is_ordinary && *name == table::TEST_SUPPORT;
        return (!by_tests).then(|| format!("{package} → {name}: no one depends on testing, fuzz or xtask"));
    }
    if !is_ordinary || from.layer == table::TOP {
        return None;
    }
    if to.layer > from.layer {
        return Some(format!("{package} (L{}) → {name} (L{}): points upward", from.layer, to.layer));
    }
    let allowed = from.below.contains(&to.package);
    (!allowed).then(|| format!("{package} → {name}: not among what its row may use"))
}

/// Forbidden paths in the package's production code, and a missing `no_std` or `forbid(unsafe_code)`.
fn code_faults(repository: &Repository, package: &Package, room: &Room) -> anyhow::Result<Vec<String>> {
    let folder = package.folder().strip_prefix(repository.workspace.root())?.join("src");
    let sources: Vec<&Source> = repository.sources.iter().filter(|source| source.path.starts_with(&folder)).collect();
    let mut faults = Vec::new();
    for source in &sources {
        for path in room.never.iter().filter(|path| source.names(path)) {
            faults.push(format!("{}: names `{path}`, which {} may not", source.path.display(), package.name));
        }
    }
    if let Some(root) = sources.iter().find(|source| source.path == folder.join(Path::new("lib.rs"))) {
        let demanded =
            [(room.no_std, "#![no_std]"), (room.layer <= 2 && room.layer != table::TOP, "#![forbid(unsafe_code)]")];
        for (_, attribute) in
            demanded.iter().filter(|(demanded, attribute)| *demanded && !has_line(&root.text, attribute))
        {
            faults.push(format!("{}: lacks `{attribute}`", root.path.display()));
        }
    }
    Ok(faults)
}

/// `#![no_std]` may stand as `#![cfg_attr(not(test), no_std)]`.
fn has_line(text: &str, attribute: &str) -> bool {
    let conditional = attribute.replace("#![", "#![cfg_attr(not(test), ").replace(']', ")]");
    text.lines().any(|line| line == attribute || line == conditional)
}

impl External {
    fn allows(self, name: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Only(groups) => groups.iter().any(|group| group.contains(&name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn edge(name: &str, kind: Option<&str>, is_ours: bool) -> Dependency {
        let path = is_ours.then(|| PathBuf::from("somewhere"));
        Dependency { name: name.to_owned(), kind: kind.map(str::to_owned), path }
    }

    fn fault(from: &str, to: Dependency) -> Option<String> {
        edge_fault(room(from).unwrap(), &to)
    }

    #[test]
    fn edges_of_the_table_pass() {
        assert_eq!(fault("evtpm-engine", edge("evtpm-crypto", None, true)), None);
        assert_eq!(fault("evtpm-snp", edge("zerocopy", None, false)), None);
        assert_eq!(fault("evtpm", edge("evtpm-tpmd", None, true)), None);
    }

    #[test]
    fn upward_edge_fails() {
        let fault = fault("evtpm-tpm-wire", edge("evtpm-engine", None, true)).unwrap();
        assert_eq!(fault, "evtpm-tpm-wire (L0) → evtpm-engine (L1): points upward");
    }

    #[test]
    fn sideways_edge_that_the_row_does_not_name_fails() {
        assert!(fault("evtpm-client", edge("evtpm-engine", None, true)).is_some());
        assert!(fault("evtpm-svsm", edge("evtpm-sp-sim", None, true)).is_some());
        assert!(fault("evtpm-tpmd", edge("evtpm-verifierd", None, true)).is_some());
    }

    #[test]
    fn development_edges_may_point_anywhere_but_to_the_top() {
        assert_eq!(fault("evtpm-svsm", edge("evtpm-sp-sim", Some("dev"), true)), None);
        assert_eq!(fault("evtpm-svsm", edge("evtpm-testing-support", Some("dev"), true)), None);
        assert!(fault("evtpm-svsm", edge("evtpm-testing-support", None, true)).is_some());
        assert!(fault("evtpm-svsm", edge("xtask", Some("dev"), true)).is_some());
    }

    #[test]
    fn outside_crate_that_the_row_does_not_name_fails() {
        assert!(fault("evtpm-tpm-wire", edge("serde", None, false)).is_some());
        assert!(fault("evtpm-engine", edge("log", Some("build"), false)).is_some());
        assert_eq!(fault("evtpm-engine", edge("proptest", Some("dev"), false)), None);
    }

    #[test]
    fn crate_that_the_table_does_not_name_fails() {
        assert!(fault("evtpm-engine", edge("evtpm-drawer", None, true)).is_some());
        assert!(room("evtpm-drawer").is_none());
    }

    #[test]
    fn no_row_may_use_what_stands_above_it() {
        for from in HOUSE {
            for to in from.below {
                let to = room(to).unwrap_or_else(|| panic!("{} names {to}, which has no row", from.package));
                assert!(to.layer <= from.layer && to.layer != table::TOP, "{} → {}", from.package, to.package);
            }
        }
    }

    #[test]
    fn attributes_may_spare_tests() {
        assert!(has_line("//! A.\n#![no_std]\n", "#![no_std]"));
        assert!(has_line("#![cfg_attr(not(test), no_std)]", "#![no_std]"));
        assert!(!has_line("// #![no_std]", "#![no_std]"));
    }
}
