// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The index and the files that it names, each of which has to have the stated size and SHA-256.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::findings::Findings;
use crate::file::read;
use crate::output::hex;

/// The largest index that is read.
const MAX_INDEX: u64 = 64 << 20;
/// The largest file of an item that is read.
const MAX_FILE: u64 = 64 << 20;

/// One item of the index.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub(super) kind: String,
    pub(super) id: String,
    #[serde(default)]
    pub(super) files: Vec<File>,
    #[serde(default)]
    expect: Option<Box<RawValue>>,
}

/// One file of an item.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) name: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    sha256: Option<String>,
}

/// Reads an index.
pub(super) fn load(path: &Path) -> Result<Vec<Item>> {
    let bytes = read(path, MAX_INDEX)?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not an index", path.display()))
}

impl Item {
    /// Decodes what the index expects; of a member that the kind's checks do not know, it is noted that nobody checked it.
    pub(super) fn expect<T: DeserializeOwned>(&self, findings: &mut Findings) -> Result<T> {
        let expectation: Expectation<T> = self.whole_expectation()?;
        expectation.note_others("", findings);
        Ok(expectation.known)
    }

    /// Decodes all of what the index expects, for a kind that accounts for each member itself.
    pub(super) fn whole_expectation<T: DeserializeOwned>(&self) -> Result<T> {
        let text = self.expect.as_ref().map_or("{}", |raw| raw.get());
        serde_json::from_str(text).context("what the index expects")
    }

    /// Notes that nobody checks what the index expects of this item: what it comes to, its files say.
    pub(super) fn expects_nothing(&self, findings: &mut Findings) -> Result<()> {
        let Nothing {} = self.expect(findings)?;
        Ok(())
    }
}

/// What is expected, and what nobody knows to be anything.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Expectation<T> {
    #[serde(flatten)]
    pub(super) known: T,
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

impl<T> Expectation<T> {
    /// Notes what nobody checks, under the name of the object that it stands in.
    pub(super) fn note_others(&self, within: &str, findings: &mut Findings) {
        for name in self.others.keys().filter(|name| *name != "notes") {
            findings.not_checked(&format!("{within}{name}"));
        }
    }
}

#[derive(Debug, Deserialize)]
struct Nothing {}

/// The files of one item, read and compared with the index.
#[derive(Debug)]
pub(super) struct Store {
    files: Vec<(String, Vec<u8>)>,
}

impl Store {
    /// Reads every file that the index names.
    pub(super) fn open(item: &Item, folder: &Path) -> Result<Self> {
        let parts = [item.kind.as_str(), item.id.as_str()];
        let own =
            parts.iter().try_fold(folder.to_owned(), |path, part| Ok::<_, anyhow::Error>(path.join(plain(part)?)))?;
        let mut files = Vec::new();
        for file in &item.files {
            let bytes = read(&own.join(plain(&file.name)?), MAX_FILE)?;
            if let Some(size) = file.size {
                ensure!(bytes.len() as u64 == size, "{} has {} bytes instead of {size}", file.name, bytes.len());
            }
            if let Some(expected) = &file.sha256 {
                let actual = hex(RustCrypto::hash(HashAlg::Sha256, &[&bytes]).as_bytes());
                ensure!(actual == expected.to_ascii_lowercase(), "{} has SHA-256 {actual}", file.name);
            }
            files.push((file.name.clone(), bytes));
        }
        Ok(Self { files })
    }

    /// Returns a file that has to be there.
    pub(super) fn file(&self, name: &str) -> Result<&[u8]> {
        self.find(name).with_context(|| format!("the item has no file {name}"))
    }

    /// Returns the file `STEM.bin`, or the only one that is called so with another ending.
    pub(super) fn stem(&self, stem: &str) -> Result<&[u8]> {
        if let Some(bytes) = self.find(&format!("{stem}.bin")) {
            return Ok(bytes);
        }
        let is_named = |name: &str| name.rsplit_once('.').is_some_and(|(start, _)| start == stem) || name == stem;
        let mut found = self.files().filter(|(name, _)| is_named(name));
        match (found.next(), found.next()) {
            (Some((_, bytes)), None) => Ok(bytes),
            (None, _) => bail!("the item has no file {stem}.bin"),
            (Some((one, _)), Some((other, _))) => bail!("the item has {one} and {other} instead of {stem}.bin"),
        }
    }

    /// Returns a file by its name.
    pub(super) fn find(&self, name: &str) -> Option<&[u8]> {
        self.files().find_map(|(other, bytes)| (other == name).then_some(bytes))
    }

    /// Decodes a JSON file that has to be there.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_slice(self.file(name)?).with_context(|| name.to_owned())
    }

    /// Returns all files with their names.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// Returns the first file whose name ends so.
    pub(super) fn ending(&self, end: &str) -> Option<&[u8]> {
        self.files().find_map(|(name, bytes)| name.ends_with(end).then_some(bytes))
    }
}

/// Tells by a file's name that its content has to be refused.
pub(super) fn is_bad(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["bad", "bogus", "invalid", "incorrect", "mismatch", "wrong", "tampered", "corrupt", "malformed", "truncated"]
        .iter()
        .any(|word| name.contains(word))
}

/// Tells whether the words of the index ask for a refusal.
pub(super) fn demands_refusal(notes: Option<&str>) -> bool {
    let notes = notes.unwrap_or_default().to_ascii_lowercase();
    ["reject", "refuse", "must fail", "must not parse"].iter().any(|word| notes.contains(word))
}

/// Refuses a name that would lead out of its folder.
fn plain(name: &str) -> Result<&Path> {
    let path = Path::new(name);
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Ok(path),
        _ => bail!("{name:?} is not a plain name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leaves_its_folder_is_refused() {
        for name in ["../x", "/etc/passwd", "a/b", "", ".", ".."] {
            assert!(plain(name).is_err(), "{name}");
        }
        assert!(plain("report.bin").is_ok());
    }

    #[test]
    fn an_expectation_that_nobody_knows_is_noted() {
        #[derive(Debug, Deserialize)]
        struct Known {
            signature: String,
        }
        let item: Item = serde_json::from_str(
            r#"{"kind":"k","id":"i","expect":{"signature":"valid","colour":"red","notes":"a word"}}"#,
        )
        .unwrap();
        let mut findings = Findings::default();
        assert_eq!(item.expect::<Known>(&mut findings).unwrap().signature, "valid");
        assert_eq!(findings.not_checked, ["colour"]);
    }

    #[test]
    fn a_file_with_another_ending_stands_for_the_one_of_its_stem() {
        let store = |names: &[&str]| Store {
            files: names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect(),
        };
        assert_eq!(store(&["quote.dat", "quote.bin"]).stem("quote").unwrap(), b"quote.bin");
        assert_eq!(store(&["quote.dat", "quotes.bin"]).stem("quote").unwrap(), b"quote.dat");
        assert!(store(&["quote.dat", "quote.hex"]).stem("quote").is_err() && store(&["x"]).stem("quote").is_err());
    }

    #[test]
    fn names_of_bad_files_are_known() {
        assert!(is_bad("vcek-invalid-new.der") && is_bad("certs_bad.pem") && is_bad("driver_incorrect_chain.xml"));
        assert!(!is_bad("vcek-earlier-issue.pem"));
    }
}
