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
use evtpm_verify::tpm::HmacKey;
use evtpm_verify::x509::Certificate;
use zeroize::Zeroizing;

use super::hardware::args::{Hardware, HardwareFiles, HardwareTrust};
use super::moment;
use crate::bundle::material::{Given, Material, Origin, Part, Source};
use crate::bundle::role::{MANIFESTS, REVOCATION_LISTS, Role};
use crate::file;

/// The evidence, and what it is judged by.
#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// All the evidence of a machine in one file, as `evtpm bundle pack` makes it. Files that are named beside it take the
    /// place of its parts; certificates are added to its own.
    #[arg(value_name = "BUNDLE")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Evidence in files.
#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The SEV-SNP attestation report: 1184 bytes.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Certificates (PEM, DER) or revocation lists (.crl) of the processor, or a directory of them; may be repeated.
    ///
    /// AMD's roots and its VCEK intermediates are built in, so the chip's own certificate is enough.
    #[arg(long, value_name = "FILE|DIR")]
    certificates: Vec<PathBuf>,
    /// The certificate table that the host gives with a report (GHCB, "SNP Extended Guest Request").
    #[arg(long, value_name = "FILE")]
    certificate_table: Option<PathBuf>,

    /// A signed endorsement of the report's launch measurement (COSE_Sign1 by a did:x509, as Azure sends for containers, or Google's
    /// VMLaunchEndorsement); may be repeated. Whose endorsements count, a policy says.
    #[arg(long, value_name = "FILE")]
    endorsement: Vec<PathBuf>,

    /// The endorsement key (TPM2B_PUBLIC) that the report has to bind; without --manifest as the report at its NV index does.
    #[arg(long, value_name = "FILE", help_heading = "Endorsement key")]
    ek: Option<PathBuf>,
    /// The manifest that the SVSM gave with the report.
    #[arg(long, value_name = "FILE", help_heading = "Endorsement key")]
    manifest: Option<PathBuf>,
    /// The 64 bytes that the SVSM was asked with.
    #[arg(long, value_name = "HEX", help_heading = "Endorsement key")]
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
    /// The attestation key's certificate and its authorities' (PEM or DER), as a provider gives them; may be repeated, the key's own
    /// first. Whose certificates count, --ak-authority says.
    #[arg(long, value_name = "FILE", help_heading = "Quote")]
    ak_certificate: Vec<PathBuf>,
    /// The quote (TPMS_ATTEST), as `tpm2_quote --message` writes it.
    #[arg(long, value_name = "FILE", help_heading = "Quote")]
    quote: Option<PathBuf>,
    /// The quote's signature (TPMT_SIGNATURE), as `tpm2_quote --signature` writes it.
    #[arg(long, value_name = "FILE", help_heading = "Quote")]
    signature: Option<PathBuf>,
    /// The PCR values, as `tpm2_quote --pcrs_output` writes them, or lines like `sha256:0=DIGITS`; the quote has to be of
    /// exactly these registers.
    #[arg(long, value_name = "FILE", help_heading = "Quote")]
    pcrs: Option<PathBuf>,
    /// The qualifying data that the quote was asked with.
    #[arg(long, value_name = "HEX", help_heading = "Quote")]
    quote_nonce: Option<HexBytes>,

    /// The firmware's event log (binary_bios_measurements, or a canonical log); it has to explain every quoted register but IMA's.
    #[arg(long, value_name = "FILE", help_heading = "Logs")]
    event_log: Option<PathBuf>,
    /// The log of what userspace measured after the firmware: systemd's tpm2-measure.log, or another canonical log.
    #[arg(long, value_name = "FILE", help_heading = "Logs")]
    userspace_log: Option<PathBuf>,
    /// IMA's list (binary_runtime_measurements or ascii_runtime_measurements, or a canonical log).
    #[arg(long, value_name = "FILE", help_heading = "Logs")]
    ima_log: Option<PathBuf>,

    #[command(flatten)]
    hardware: HardwareFiles,
}

/// What the operator decides, and no machine.
#[derive(Debug, Args)]
struct TrustArgs {
    /// Trust a SIMULATED root certificate, too, by the name of its subject ("SIMULATED ARK-Milan"); the result says so. May be repeated.
    #[arg(long, value_name = "NAME=FILE")]
    trust_simulated: Vec<NamedFile>,
    /// The moment to verify at: RFC 3339 or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<UnixTime>,
    /// An authority (PEM or DER) whose certificates of attestation keys you trust, such as Google's for its virtual TPMs; may be repeated.
    #[arg(long, value_name = "FILE", help_heading = "Quote")]
    ak_authority: Vec<PathBuf>,
    /// An authority (PEM or DER) below which Google's launch endorsements are signed; may be repeated.
    #[arg(long, value_name = "FILE")]
    endorsement_authority: Vec<PathBuf>,
    /// The attestation key, certified in answer to `evtpm ak-challenge`, as `gotpm register solve-challenge` writes it: it is the TPM's
    /// whose endorsement key the report binds, and nobody has to vouch for it.
    #[arg(long, value_name = "FILE", requires = "ak_secret", help_heading = "Quote")]
    ak_certification: Option<PathBuf>,
    /// The secret of that challenge.
    #[arg(long, value_name = "FILE", requires = "ak_certification", help_heading = "Quote")]
    ak_secret: Option<PathBuf>,
    /// A register that IMA extends; may be repeated.
    #[arg(long, value_name = "PCR", default_value = "10", value_parser = register, help_heading = "Logs")]
    ima_pcr: Vec<PcrIndex>,
    #[command(flatten)]
    hardware: HardwareTrust,
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
pub(crate) struct NamedFile {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
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
    /// Endorsements of launches.
    pub(crate) endorsements: Vec<Part>,
    pub(crate) ek: Option<Vec<u8>>,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) ak: Option<Vec<u8>>,
    /// Certificates of the attestation key, its own first.
    pub(crate) ak_certificates: Vec<Certificate>,
    /// Authorities whose certificates of attestation keys the operator trusts.
    pub(crate) ak_authorities: Vec<Certificate>,
    /// Authorities below which Google signs endorsements of launches.
    pub(crate) endorsement_authorities: Vec<Certificate>,
    /// What certifies the attestation key.
    pub(crate) certification: Option<Certification>,
    /// Whether the attestation key came in a bundle, so that nobody here vouched for it.
    pub(crate) is_ak_bundled: bool,
    pub(crate) quote: Option<QuoteFiles>,
    pub(crate) event_log: Option<Vec<u8>>,
    pub(crate) userspace_log: Option<Vec<u8>>,
    pub(crate) ima_log: Option<Vec<u8>>,
    pub(crate) ima_pcrs: PcrSet,
    pub(crate) hardware: Hardware,
}

/// The answer to a challenge for an endorsement key, and the secret of that challenge.
#[derive(Debug)]
pub(crate) struct Certification {
    /// `CertifiedBlob` of go-tpm-tools.
    pub(crate) answer: Vec<u8>,
    pub(crate) secret: HmacKey,
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

impl FileArgs {
    /// Lists what is named, by what it is.
    pub(crate) fn given(&self) -> Result<Vec<Given>> {
        let mut given = Vec::new();
        let mut add = |role, media, source| given.push(Given { role, media, source });
        for (role, path) in [
            (Role::Report, &self.report),
            (Role::CertificateTable, &self.certificate_table),
            (Role::Ek, &self.ek),
            (Role::Ak, &self.ak),
            (Role::Quote, &self.quote),
            (Role::Signature, &self.signature),
            (Role::Pcrs, &self.pcrs),
            (Role::EventLog, &self.event_log),
            (Role::UserspaceLog, &self.userspace_log),
            (Role::ImaLog, &self.ima_log),
        ] {
            path.iter().for_each(|path| add(role, None, Source::File(path.clone())));
        }
        for (role, nonce) in [(Role::Nonce, &self.nonce), (Role::QuoteNonce, &self.quote_nonce)] {
            nonce.iter().for_each(|HexBytes(bytes)| add(role, None, Source::Bytes(bytes.clone())));
        }
        self.ak_certificate.iter().for_each(|path| add(Role::AkCertificate, None, Source::File(path.clone())));
        self.endorsement.iter().for_each(|path| add(Role::Endorsement, None, Source::File(path.clone())));
        let usual = if self.ek.is_some() { ManifestVersion::V1 } else { ManifestVersion::V0 };
        let version = self.manifest_version.unwrap_or(usual).media();
        self.manifest.iter().for_each(|path| add(Role::Manifest, Some(version), Source::File(path.clone())));
        for path in certificate_files(&self.certificates)? {
            add(Role::Certificates, None, Source::File(path));
        }
        self.hardware.files().for_each(|(role, path)| add(role, None, Source::File(path.to_owned())));
        Ok(given)
    }
}

/// Lists the certificates: files by their names, or those of a directory in the order of their names.
pub(crate) fn certificate_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let reading = || format!("reading {}", path.display());
        let entries = std::fs::read_dir(path).with_context(reading)?;
        let entries = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
        let mut found = entries.with_context(reading)?;
        found.retain(|file| file.is_file() && is_certificate(file));
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

/// The endings that certificates and revocation lists have; a directory may hold anything else.
fn is_certificate(path: &Path) -> bool {
    let endings = ["pem", "der", "crt", "cer", "crl"];
    path.extension().is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

impl Evidence {
    /// No evidence yet, and what it will be judged by.
    pub(crate) fn empty(at: UnixTime, anchors: Anchors, collateral: Collateral, ima_pcrs: PcrSet) -> Self {
        Evidence {
            at,
            anchors,
            collateral,
            report: None,
            certificate_table: None,
            endorsements: Vec::new(),
            ek: None,
            manifest: None,
            ak: None,
            ak_certificates: Vec::new(),
            ak_authorities: Vec::new(),
            endorsement_authorities: Vec::new(),
            certification: None,
            is_ak_bundled: false,
            quote: None,
            event_log: None,
            userspace_log: None,
            ima_log: None,
            ima_pcrs,
            hardware: Hardware::default(),
        }
    }
}

impl EvidenceArgs {
    /// Reads every file; what it says is nobody's concern here.
    pub(crate) fn read(&self) -> Result<Evidence> {
        let trust = &self.trust;
        let mut anchors = Anchors::amd()?;
        for NamedFile { name, path } in &trust.trust_simulated {
            anchors = anchors.and_simulated(name, &read(path)?).with_context(|| path.display().to_string())?;
        }
        let mut material = Material::read(self.bundle.as_deref(), &self.files.given()?, &trust.hardware.keys())?;
        let mut collateral = Collateral::new();
        for Part { media, source, bytes, .. } in material.take_all(Role::Certificates) {
            let is_list = media == REVOCATION_LISTS;
            let added =
                if is_list { collateral.add_revocation_lists(&bytes) } else { collateral.add_certificates(&bytes) };
            added.context(source)?;
        }
        let hardware = Hardware::take(&mut material, &trust.hardware)?;
        let (manifest, quote) = (Manifest::take(&mut material), QuoteFiles::take(&mut material));
        let (ak, endorsements) = (material.take(Role::Ak), material.take_all(Role::Endorsement));
        let ak_certificates = certificates(material.take_all(Role::AkCertificate))?;
        let is_bundled = |part: &Part| part.origin == Origin::Bundle;
        let mut bytes = |role| material.take(role).map(|part| part.bytes);
        Ok(Evidence {
            at: trust.at.unwrap_or_else(moment::now),
            anchors,
            collateral,
            report: bytes(Role::Report),
            certificate_table: bytes(Role::CertificateTable),
            endorsements,
            ek: bytes(Role::Ek),
            manifest,
            ak_certificates,
            ak_authorities: authorities(&trust.ak_authority)?,
            endorsement_authorities: authorities(&trust.endorsement_authority)?,
            certification: trust.certification()?,
            is_ak_bundled: ak.as_ref().is_some_and(is_bundled),
            ak: ak.map(|part| part.bytes),
            quote,
            event_log: bytes(Role::EventLog),
            userspace_log: bytes(Role::UserspaceLog),
            ima_log: bytes(Role::ImaLog),
            ima_pcrs: trust.ima_pcr.iter().copied().collect(),
            hardware,
        })
    }
}

impl TrustArgs {
    fn certification(&self) -> Result<Option<Certification>> {
        let (Some(answer), Some(secret)) = (&self.ak_certification, &self.ak_secret) else { return Ok(None) };
        let bytes = Zeroizing::new(read(secret)?);
        let key = HmacKey::new(&bytes).ok().filter(|key| key.len() == HmacKey::CAPACITY);
        let key = key.with_context(|| format!("{}: no secret of {} bytes", secret.display(), HmacKey::CAPACITY))?;
        Ok(Some(Certification { answer: read(answer)?, secret: key }))
    }
}

/// Reads the authorities that the operator names.
fn authorities(paths: &[PathBuf]) -> Result<Vec<Certificate>> {
    let mut authorities = Vec::new();
    for path in paths {
        authorities.extend(Certificate::all_from(&read(path)?).with_context(|| path.display().to_string())?);
    }
    Ok(authorities)
}

/// Reads certificates, in order.
fn certificates(parts: Vec<Part>) -> Result<Vec<Certificate>> {
    let mut certificates = Vec::new();
    for part in parts {
        certificates.extend(Certificate::all_from(&part.bytes).context(part.source)?);
    }
    Ok(certificates)
}

impl ManifestVersion {
    const ALL: [Self; 3] = [Self::V0, Self::V1, Self::Services];

    /// Returns the media type of such a manifest.
    fn media(self) -> &'static str {
        let [v0, v1, services] = MANIFESTS;
        match self {
            Self::V0 => v0,
            Self::V1 => v1,
            Self::Services => services,
        }
    }
}

impl Manifest {
    fn take(material: &mut Material) -> Option<Self> {
        let (manifest, nonce) = (material.take(Role::Manifest)?, material.take(Role::Nonce)?);
        let version = ManifestVersion::ALL.into_iter().find(|version| version.media() == manifest.media)?;
        Some(Self { version, nonce: nonce.bytes, bytes: manifest.bytes })
    }
}

impl QuoteFiles {
    fn take(material: &mut Material) -> Option<Self> {
        let mut bytes = |role| material.take(role).map(|part| part.bytes);
        Some(Self {
            message: bytes(Role::Quote)?,
            signature: bytes(Role::Signature)?,
            pcrs: bytes(Role::Pcrs)?,
            nonce: bytes(Role::QuoteNonce)?,
        })
    }
}

/// Reads a file whole; the largest evidence is an IMA list of a machine that ran for long.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    file::read(path, 1 << 28)
}
