// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The evidence folder by its index, for tests that take every kind of it.

use std::fs;
use std::path::PathBuf;

use super::evidence;
use crate::x509::Certificate;

/// One item of the index with its files.
pub(crate) struct Item {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

impl Item {
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }

    /// Names a part of the item.
    pub(crate) fn part(&self, part: &str) -> String {
        format!("{}/{}/{part}", self.kind, self.id)
    }

    pub(crate) fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.iter().find_map(|(found, bytes)| (found == name).then_some(bytes.as_slice()))
    }

    pub(crate) fn json(&self, name: &str) -> Option<serde_json::Value> {
        Some(serde_json::from_slice(self.file(name)?).unwrap())
    }

    /// The certificates beside the item, but those whose file says that they are bad.
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        let is_certificate = |name: &str| [".pem", ".der", ".crt"].iter().any(|end| name.ends_with(end));
        let good = self.files.iter().filter(|(name, _)| is_certificate(name) && !name.contains("invalid"));
        good.flat_map(|(_, bytes)| Certificate::all_from(bytes).unwrap_or_default()).collect()
    }
}

/// Returns every item of the index; none where there is no evidence folder.
pub(crate) fn items() -> Vec<Item> {
    #[derive(serde::Deserialize)]
    struct Entry {
        kind: String,
        id: String,
        files: Vec<File>,
    }
    #[derive(serde::Deserialize)]
    struct File {
        name: String,
    }
    let Some(root) = evidence() else { return Vec::new() };
    let entries: Vec<Entry> = serde_json::from_slice(&fs::read(root.join("index.json")).unwrap()).unwrap();
    let read = |Entry { kind, id, files }: Entry| {
        let folder: PathBuf = root.join(&kind).join(&id);
        let files = files.into_iter().map(|File { name }| (fs::read(folder.join(&name)).unwrap(), name));
        Item { kind, id, files: files.map(|(bytes, name)| (name, bytes)).collect() }
    };
    entries.into_iter().map(read).collect()
}
