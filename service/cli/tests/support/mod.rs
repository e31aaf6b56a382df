// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the tests of the command line share: the program, the evidence folder, files of their own.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml allows it in test functions, and these are their helpers"
)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub(crate) const TRUSTED: i32 = 0;
pub(crate) const NOT_TRUSTED: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const FAILED: i32 = 3;
pub(crate) const NOT_APPRAISED: i32 = 4;

/// The evidence folder, or the word that the test is skipped.
pub(crate) fn evidence() -> Option<PathBuf> {
    let folder = std::env::var_os("EVTPM_EVIDENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from);
    if folder.join("index.json").is_file() {
        return Some(folder);
    }
    println!("skipped: no evidence folder (EVTPM_EVIDENCE)");
    None
}

/// A command line of `evtpm`, built up word by word.
#[derive(Clone)]
pub(crate) struct Evtpm(pub(crate) Vec<OsString>);

impl Evtpm {
    pub(crate) fn new(words: &str) -> Self {
        Self(words.split(' ').map(OsString::from).collect())
    }

    pub(crate) fn word(mut self, word: impl Into<OsString>) -> Self {
        self.0.push(word.into());
        self
    }

    pub(crate) fn with(self, option: &str, value: impl Into<OsString>) -> Self {
        self.word(option).word(value)
    }

    /// Adds a recorded boot's quote by its P-256 key, with the logs of the same moment.
    pub(crate) fn with_boot(self, boot: &Path) -> Self {
        let nonce = fs::read_to_string(boot.join("q/nonce.hex")).unwrap();
        self.with("--ak", boot.join("keys/ak-ecdsa.pub"))
            .with("--quote", boot.join("q/ecdsa.msg"))
            .with("--signature", boot.join("q/ecdsa.sig"))
            .with("--pcrs", boot.join("q/ecdsa.pcrs"))
            .with("--quote-nonce", nonce.trim())
            .with("--event-log", boot.join("q/bios.bin"))
            .with("--ima-log", boot.join("q/ima.bin"))
    }

    pub(crate) fn run(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_evtpm")).args(&self.0).output().unwrap()
    }

    /// Runs with an expected exit code; gives standard output and standard error.
    pub(crate) fn expect(&self, code: i32) -> (String, String) {
        let output = self.run();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{:?}\n{out}{err}", self.0);
        (out, err)
    }

    /// Runs with `--json` and an expected exit code.
    pub(crate) fn json(&self, code: i32) -> Value {
        let (out, err) = self.clone().word("--json").expect(code);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
    }
}

/// A directory of the test's own, gone when it ends.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evtpm-verify-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Where a file of this name is, or will be.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Copies a file with one bit flipped.
    pub(crate) fn flipped(&self, original: &Path, bit: usize) -> PathBuf {
        let mut bytes = fs::read(original).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        self.file("flipped.bin", bytes)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// The state and the detail of one step.
pub(crate) fn step<'a>(record: &'a Value, what: &str) -> (&'a str, &'a str) {
    let steps = record["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["what"] == what).unwrap_or_else(|| panic!("no step {what}: {record:#}"));
    (step["state"].as_str().unwrap(), step["detail"].as_str().unwrap())
}
