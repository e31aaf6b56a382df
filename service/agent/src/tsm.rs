// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports that the SVSM makes on request, through Linux's configfs (Documentation/ABI/testing/configfs-tsm-report).
//!
//! Unlike the report that lies in the TPM's NV memory, such a report answers a nonce of the verifier. Linux shows the
//! attributes for it where the guest runs under an SVSM, from version 6.10 on.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use evtpm_svsm_abi::attest::NONCE_SIZE;
use evtpm_svsm_abi::manifest::VTPM_SERVICE;

/// Where configfs has the entries.
pub const ROOT: &str = "/sys/kernel/config/tsm/report";

/// The largest blob that is read: Linux gives 32 KiB at most (`TSM_REPORT_OUTBLOB_MAX`).
const MAX_BLOB: u64 = 64 << 10;

/// How often a report is asked for because somebody else wrote into our entry meanwhile.
const ATTEMPTS: usize = 8;

/// `errno` of Linux's `tsm_report_make_item` where no driver has registered: the machine has no secure processor.
const ENXIO: i32 = 6;

/// The folder in which an entry is made for each who asks: configfs, or what plays it in a test.
pub trait Entries: fmt::Debug + Send {
    /// Makes an entry.
    ///
    /// # Errors
    /// What the system says; `NotFound` where there are no entries at all.
    fn make(&mut self, entry: &str) -> io::Result<()>;

    /// Writes an attribute in one piece.
    ///
    /// # Errors
    /// What the system says; `NotFound` if the entry does not have the attribute.
    fn write(&mut self, entry: &str, attribute: &str, value: &[u8]) -> io::Result<()>;

    /// Reads an attribute to its end.
    ///
    /// # Errors
    /// As [`Entries::write`].
    fn read(&mut self, entry: &str, attribute: &str) -> io::Result<Vec<u8>>;

    /// Removes an entry.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&mut self, entry: &str) -> io::Result<()>;
}

/// Linux's configfs at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configfs(pub PathBuf);

impl Entries for Configfs {
    fn make(&mut self, entry: &str) -> io::Result<()> {
        std::fs::create_dir(self.0.join(entry))
    }

    fn write(&mut self, entry: &str, attribute: &str, value: &[u8]) -> io::Result<()> {
        // Never creating: an attribute that the driver hides has to stay missing.
        OpenOptions::new().write(true).open(self.0.join(entry).join(attribute))?.write_all(value)
    }

    fn read(&mut self, entry: &str, attribute: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.0.join(entry).join(attribute))?.take(MAX_BLOB + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BLOB {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("more than {MAX_BLOB} bytes")));
        }
        Ok(bytes)
    }

    fn remove(&mut self, entry: &str) -> io::Result<()> {
        std::fs::remove_dir(self.0.join(entry))
    }
}

/// What the SVSM says of its vTPM: REPORT_DATA = SHA-512(nonce ‖ manifest).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceReport {
    /// The report.
    pub report: Vec<u8>,
    /// The manifest of the vTPM, in the version that was asked for.
    pub manifest: Vec<u8>,
    /// The host's certificate table; empty if there is none.
    pub certificates: Vec<u8>,
}

/// Whoever asks the SVSM for reports on its vTPM.
pub trait SvsmReports: fmt::Debug + Send {
    /// Gets a report over a nonce and the vTPM's manifest of this version; `None` if the SVSM refuses the request, which
    /// is what it does when it does not know the version.
    ///
    /// # Errors
    /// What else goes wrong.
    fn vtpm_report(&mut self, nonce: &[u8; NONCE_SIZE], manifest_version: u32) -> Result<Option<ServiceReport>>;
}

/// An entry of our own in configfs, through which the SVSM is asked.
#[derive(Debug)]
pub struct Tsm<E: Entries> {
    entries: E,
    name: String,
}

impl<E: Entries> Tsm<E> {
    /// Makes an entry; `None` where no SVSM can be asked: the kernel is too old, there is no secure processor, or the
    /// guest runs at VMPL 0 itself.
    ///
    /// # Errors
    /// When there are entries and this process may not make one.
    pub fn open(mut entries: E) -> Result<Option<Self>> {
        // "it can prevent conflicts by creating a report instance per requesting context"
        let mut random = [0; 8];
        getrandom::fill(&mut random).context("the system gives no randomness")?;
        let name = format!("evtpm-agent-{:016x}", u64::from_be_bytes(random));
        match entries.make(&name) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(ENXIO) => {
                return Ok(None);
            }
            Err(error) => return Err(error).context("making an entry for reports in configfs"),
        }
        let mut tsm = Tsm { entries, name };
        match tsm.entries.write(&tsm.name, "service_provider", b"svsm") {
            Ok(()) => Ok(Some(tsm)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("naming the service provider"),
        }
    }

    /// Writes all options, reads all blobs, and tells how the generation went: expected and actual.
    fn ask(&mut self, nonce: &[u8; NONCE_SIZE], manifest_version: u32) -> Result<Option<(ServiceReport, [u64; 2])>> {
        let before = self.generation()?;
        let guid = VTPM_SERVICE.to_string();
        let version = manifest_version.to_string();
        let options: [(&str, &[u8]); 4] = [
            ("service_provider", b"svsm"),
            ("service_guid", guid.as_bytes()),
            ("service_manifest_version", version.as_bytes()),
            ("inblob", nonce),
        ];
        for (attribute, value) in options {
            let written = self.entries.write(&self.name, attribute, value);
            written.with_context(|| format!("writing {attribute}"))?;
        }
        // The first blob that is read makes the report. The kernel turns every refusal of the SVSM into EINVAL.
        let report = match self.entries.read(&self.name, "outblob") {
            Ok(report) => report,
            Err(error) if error.kind() == ErrorKind::InvalidInput => return Ok(None),
            Err(error) => return Err(error).context("reading outblob"),
        };
        let manifest = self.entries.read(&self.name, "manifestblob").context("reading manifestblob")?;
        let certificates = match self.entries.read(&self.name, "auxblob") {
            Ok(table) if !is_empty_table(&table) => table,
            Ok(_) => Vec::new(),
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).context("reading auxblob"),
        };
        let expected = before.wrapping_add(options.len() as u64);
        Ok(Some((ServiceReport { report, manifest, certificates }, [expected, self.generation()?])))
    }

    fn generation(&mut self) -> Result<u64> {
        let text = self.entries.read(&self.name, "generation").context("reading generation")?;
        let number = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        number.with_context(|| format!("generation is no number: {:?}", String::from_utf8_lossy(&text)))
    }
}

/// An SVSM may hand on its whole buffer where the host gave no table: a table begins with an entry, and an entry of zeros
/// ends it.
fn is_empty_table(table: &[u8]) -> bool {
    table.iter().take(24).all(|byte| *byte == 0)
}

impl<E: Entries> SvsmReports for Tsm<E> {
    fn vtpm_report(&mut self, nonce: &[u8; NONCE_SIZE], manifest_version: u32) -> Result<Option<ServiceReport>> {
        for _ in 0..ATTEMPTS {
            match self.ask(nonce, manifest_version)? {
                // "Userspace can detect conflicts by checking generation before writing to any attribute and making sure
                // the number of writes matches expectations after reading @outblob"
                Some((_, [expected, actual])) if expected != actual => {}
                Some((report, _)) => return Ok(Some(report)),
                None => return Ok(None),
            }
        }
        bail!("somebody else wrote into the entry {} during each of {ATTEMPTS} attempts", self.name)
    }
}

impl<E: Entries> Drop for Tsm<E> {
    fn drop(&mut self) {
        // An entry that stays takes some memory of the kernel until the next boot, and no more.
        drop(self.entries.remove(&self.name));
    }
}

#[cfg(test)]
mod tests;
