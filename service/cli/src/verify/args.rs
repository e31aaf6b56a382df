// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files and words that evidence comes in, and how they become bytes.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use evtpm_appraise::policy::Bytes;
use evtpm_logs::{PcrIndex, PcrSet};
use evtpm_verify::UnixTime;
use evtpm_verify::snp::{Anchors, Collateral};

use super::hardware::args::{Hardware, HardwareArgs};
use super::moment;
use crate::file;

/// What may be verified without a report.
const OTHER_EVIDENCE: [&str; 11] = [
    "quote",
    "event_log",
    "ima_log",
    "dcap_quote",
    "hcl_report",
    "nitro_document",
    "cca_token",
    "psa_token",
    "nvidia_report",
    "nvidia_evidence",
    "se_exchange",
];

/// The evidence, and what it is judged by.
#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// The SEV-SNP attestation report: 1184 bytes.
    #[arg(long, value_name = "FILE", conflicts_with = "hcl_report", required_unless_present_any = OTHER_EVIDENCE)]
    report: Option<PathBuf>,
    /// Certificates (PEM, DER) or revocation lists (.crl) of the processor, or a directory of them; may be repeated.
    ///
    /// AMD's roots and its VCEK intermediates are built in, so the chip's own certificate is enough.
    #[arg(long, value_name = "FILE|DIR")]
    certificates: Vec<PathBuf>,
    /// The certificate table that the host gives with a report (GHCB, "SNP Extended Guest Request").
    #[arg(long, value_name = "FILE")]
    certificate_table: Option<PathBuf>,
    /// Trust a SIMULATED root certificate of this name, too; the result says so. May be repeated.
    #[arg(long, value_name = "NAME=FILE")]
    trust_simulated: Vec<NamedFile>,
    /// The moment to verify at: RFC 3339 or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<UnixTime>,

    /// The endorsement key (TPM2B_PUBLIC) that the report has to bind; without --manifest as the report at its NV index does.
    #[arg(long, value_name = "FILE", requires = "report", help_heading = "Endorsement key")]
    ek: Option<PathBuf>,
    /// The manifest that the SVSM gave with the report.
    #[arg(long, value_name = "FILE", requires_all = ["report", "nonce"], help_heading = "Endorsement key")]
    manifest: Option<PathBuf>,
    /// The 64 bytes that the SVSM was asked with.
    #[arg(long, value_name = "HEX", requires = "manifest", help_heading = "Endorsement key")]
    nonce: Option<HexBytes>,
    /// What the manifest is [default: 1 with --ek, else 0]
    #[arg(
        long,
        value_enum,
        requires = "manifest",
        requires_if("1", "ek"),
        value_name = "VERSION",
        help_heading = "Endorsement key"
    )]
    manifest_version: Option<ManifestVersion>,

    /// The attestation key (TPM2B_PUBLIC or TPMT_PUBLIC). It is taken on your word: a file cannot activate a credential.
    #[arg(long, value_name = "FILE", help_heading = "Quote")]
    ak: Option<PathBuf>,
    /// The quote (TPMS_ATTEST), as `tpm2_quote --message` writes it.
    #[arg(long, value_name = "FILE", requires_all = ["signature", "pcrs", "quote_nonce"], help_heading = "Quote")]
    quote: Option<PathBuf>,
    /// The quote's signature (TPMT_SIGNATURE), as `tpm2_quote --signature` writes it.
    #[arg(long, value_name = "FILE", requires = "quote", help_heading = "Quote")]
    signature: Option<PathBuf>,
    /// The PCR values, as `tpm2_quote --pcrs_output` writes them, or lines like `sha256:0=DIGITS`; the quote has to be of
    /// exactly these registers.
    #[arg(long, value_name = "FILE", requires = "quote", help_heading = "Quote")]
    pcrs: Option<PathBuf>,
    /// The qualifying data that the quote was asked with.
    #[arg(long, value_name = "HEX", requires = "quote", help_heading = "Quote")]
    quote_nonce: Option<HexBytes>,

    /// The firmware's event log (binary_bios_measurements); it has to explain every quoted register but IMA's.
    #[arg(long, value_name = "FILE", help_heading = "Logs")]
    event_log: Option<PathBuf>,
    /// IMA's list (binary_runtime_measurements or ascii_runtime_measurements).
    #[arg(long, value_name = "FILE", help_heading = "Logs")]
    ima_log: Option<PathBuf>,
    /// A register that IMA extends; may be repeated.
    #[arg(long, value_name = "PCR", default_value = "10", value_parser = register, help_heading = "Logs")]
    ima_pcr: Vec<PcrIndex>,

    #[command(flatten)]
    hardware: HardwareArgs,
}

/// What a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManifestVersion {
    /// The vTPM service's manifest of version 0: the endorsement key itself.
    #[value(name = "0")]
    V0,
    /// The vTPM service's manifest of version 1: a list of keys, --ek among them.
    #[value(name = "1")]
    V1,
    /// The manifest of all services.
    Services,
}

/// `NAME=FILE`.
#[derive(Debug, Clone)]
struct NamedFile {
    name: String,
    path: PathBuf,
}

impl FromStr for NamedFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, path) = text.split_once('=').ok_or("not NAME=FILE")?;
        Ok(Self { name: name.to_owned(), path: path.into() })
    }
}

/// Bytes in hexadecimal.
#[derive(Debug, Clone)]
pub(crate) struct HexBytes(pub(crate) Vec<u8>);

impl FromStr for HexBytes {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex::decode(text).map(Self)
    }
}

impl HexBytes {
    /// Returns the bytes if they are as many as `option` asks for.
    pub(crate) fn exactly<const N: usize>(&self, option: &str) -> Result<Bytes<N>> {
        let length = self.0.len();
        let bytes = self.0.as_slice().try_into();
        bytes.map(Bytes).map_err(|_| anyhow::anyhow!("{option}: expected {N} bytes, got {length}"))
    }
}

fn register(text: &str) -> Result<PcrIndex, String> {
    text.parse().ok().and_then(PcrIndex::new).ok_or_else(|| "not a PCR from 0 to 23".to_owned())
}

/// The evidence as bytes, none of it believed.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) at: UnixTime,
    pub(crate) anchors: Anchors,
    pub(crate) collateral: Collateral,
    pub(crate) report: Option<Vec<u8>>,
    /// The host's table: unlike the operator's own files it is evidence, and may be refused.
    pub(crate) certificate_table: Option<Vec<u8>>,
    pub(crate) ek: Option<Vec<u8>>,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) ak: Option<Vec<u8>>,
    pub(crate) quote: Option<QuoteFiles>,
    pub(crate) event_log: Option<Vec<u8>>,
    pub(crate) ima_log: Option<Vec<u8>>,
    pub(crate) ima_pcrs: PcrSet,
    pub(crate) hardware: Hardware,
}

/// What an SVSM answered.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) version: ManifestVersion,
    pub(crate) nonce: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

/// What an attester sent for a quote.
#[derive(Debug)]
pub(crate) struct QuoteFiles {
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) pcrs: Vec<u8>,
    pub(crate) nonce: Vec<u8>,
}

impl EvidenceArgs {
    /// Reads every file; what it says is nobody's concern here.
    pub(crate) fn read(&self) -> Result<Evidence> {
        let mut anchors = Anchors::amd()?;
        for NamedFile { name, path } in &self.trust_simulated {
            anchors = anchors.and_simulated(name, &read(path)?).with_context(|| path.display().to_string())?;
        }
        let mut collateral = Collateral::new();
        for path in &self.certificates {
            add_certificates(&mut collateral, path)?;
        }
        let optional = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
        let manifest = match (optional(&self.manifest)?, &self.nonce) {
            (Some(bytes), Some(nonce)) => {
                let usual = if self.ek.is_some() { ManifestVersion::V1 } else { ManifestVersion::V0 };
                Some(Manifest { version: self.manifest_version.unwrap_or(usual), nonce: nonce.0.clone(), bytes })
            }
            _ => None,
        };
        Ok(Evidence {
            at: self.at.unwrap_or_else(moment::now),
            anchors,
            collateral,
            report: optional(&self.report)?,
            certificate_table: optional(&self.certificate_table)?,
            ek: optional(&self.ek)?,
            manifest,
            ak: optional(&self.ak)?,
            quote: self.read_quote()?,
            event_log: optional(&self.event_log)?,
            ima_log: optional(&self.ima_log)?,
            ima_pcrs: self.ima_pcr.iter().copied().collect(),
            hardware: self.hardware.read()?,
        })
    }

    fn read_quote(&self) -> Result<Option<QuoteFiles>> {
        let (Some(quote), Some(signature), Some(pcrs), Some(nonce)) =
            (&self.quote, &self.signature, &self.pcrs, &self.quote_nonce)
        else {
            return Ok(None);
        };
        let (message, signature, pcrs) = (read(quote)?, read(signature)?, read(pcrs)?);
        Ok(Some(QuoteFiles { message, signature, pcrs, nonce: nonce.0.clone() }))
    }
}

/// Reads a file whole; the largest evidence is an IMA list of a machine that ran for long.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    file::read(path, 1 << 28)
}

/// Adds a file by its name, or the files of a directory in the order of their names.
fn add_certificates(collateral: &mut Collateral, path: &Path) -> Result<()> {
    let mut files = vec![path.to_owned()];
    let is_directory = path.is_dir();
    if is_directory {
        let reading = || format!("reading {}", path.display());
        let entries = std::fs::read_dir(path).with_context(reading)?;
        files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>().with_context(reading)?;
        files.retain(|file| file.is_file());
        files.sort();
    }
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let is_known = [".pem", ".der", ".crt", ".cer", ".crl"].iter().any(|ending| name.ends_with(ending));
        let added = match (is_known, is_directory) {
            (true, _) => collateral.add_files([(name.as_str(), read(&file)?.as_slice())]),
            (false, true) => Ok(()),
            (false, false) => collateral.add_certificates(&read(&file)?),
        };
        added.with_context(|| file.display().to_string())?;
    }
    Ok(())
}
