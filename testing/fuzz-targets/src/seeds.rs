// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Seeds from the evidence folder, where there is one.

use std::path::{Path, PathBuf};

/// Long files would be mutated slowly and hit the same code again and again.
const LONGEST: u64 = 64 << 10;

/// Files below a folder of the evidence that have this name or end in it; none where there is no evidence.
pub(crate) fn evidence(folder: &str, name: &str) -> Vec<Vec<u8>> {
    let root = std::env::var_os("EVTPM_EVIDENCE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from);
    let mut found = Vec::new();
    collect(&root.join(folder), name, &mut found);
    found.sort();
    found.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

fn collect(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, name, found);
        } else if path.to_string_lossy().ends_with(name) && entry.metadata().is_ok_and(|data| data.len() <= LONGEST) {
            found.push(path);
        }
    }
}
