// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The measurement logs of a Linux guest, from securityfs.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use evtpm_api::QuoteChallenge;
use evtpm_logs::ima::BinaryList;

/// The largest log that is read, in bytes.
const MAX_LOG: u64 = 64 << 20;

/// Where the logs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFiles {
    /// The firmware's event log.
    pub event_log: PathBuf,
    /// IMA's list in binary form.
    pub ima_log: PathBuf,
}

impl Default for LogFiles {
    fn default() -> Self {
        let securityfs = Path::new("/sys/kernel/security");
        LogFiles {
            event_log: securityfs.join("tpm0/binary_bios_measurements"),
            ima_log: securityfs.join("ima/binary_runtime_measurements"),
        }
    }
}

/// The bytes of both logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logs {
    /// The firmware's event log; empty where the firmware kept none.
    pub event_log: Vec<u8>,
    /// IMA's list; empty where IMA is off.
    pub ima_log: Vec<u8>,
}

impl Logs {
    /// Leaves away what the challenge does not want: the event log, and entries of the IMA list that were judged before. Says
    /// whether nothing was left away, as where the list is shorter than the verifier knows it: then it is of a later boot.
    ///
    /// # Errors
    /// When the IMA list cannot be read.
    pub fn wanted(mut self, challenge: &QuoteChallenge) -> Result<(Self, bool)> {
        if challenge.event_log {
            return Ok((self, true));
        }
        let mut list = BinaryList::new(&self.ima_log);
        for _ in 0..challenge.ima_from {
            let Some(next) = list.next() else { return Ok((self, true)) };
            next.context("reading the IMA list")?;
        }
        let judged = list.offset();
        self.ima_log.drain(..judged);
        self.event_log.clear();
        Ok((self, false))
    }
}

impl LogFiles {
    /// Reads both. A log that does not exist is empty: what its absence means is the verifier's to judge.
    ///
    /// # Errors
    /// Names the file that exists and cannot be read, or is too large.
    pub fn read(&self) -> Result<Logs> {
        Ok(Logs { event_log: read(&self.event_log)?, ima_log: read(&self.ima_log)? })
    }
}

/// Reads a log; one that does not exist is empty.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let Some(file) = open(path)? else { return Ok(Vec::new()) };
    // securityfs gives no size: read to the end, but not without end.
    let mut bytes = Vec::new();
    file.take(MAX_LOG + 1).read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    anyhow::ensure!(bytes.len() as u64 <= MAX_LOG, "{} is longer than {MAX_LOG} bytes", path.display());
    Ok(bytes)
}

/// Says whether a log has any bytes.
pub(crate) fn is_empty(path: &Path) -> Result<bool> {
    let Some(mut file) = open(path)? else { return Ok(true) };
    let read = file.read(&mut [0]).with_context(|| format!("reading {}", path.display()))?;
    Ok(read == 0)
}

fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("opening {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_log_is_empty() {
        assert_eq!(read(Path::new("/nowhere/log")).unwrap(), Vec::<u8>::new());
        assert!(is_empty(Path::new("/nowhere/log")).unwrap());
        assert!(!is_empty(Path::new("src/logs.rs")).unwrap());
    }

    #[test]
    fn a_log_that_cannot_be_read_is_named() {
        for error in [read(Path::new("/")).unwrap_err(), is_empty(Path::new("/")).unwrap_err()] {
            assert!(format!("{error:#}").contains('/'), "{error:#}");
        }
    }
}
