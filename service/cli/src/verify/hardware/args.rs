// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Evidence of hardware other than AMD's, as files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use evtpm_verify::dcap::Collateral;
use evtpm_verify::x509::PublicKey;
use serde::Deserialize;

use crate::bundle::material::{Key, Material, Part};
use crate::bundle::role::Role;
use crate::csv::Parts;
use crate::verify::args::{HexBytes, read};

/// Evidence of hardware other than AMD's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Other hardware")]
pub(crate) struct HardwareFiles {
    /// A quote of a TD or an SGX enclave (Intel DCAP); zeros or other bytes may follow it.
    #[arg(long, value_name = "FILE")]
    dcap_quote: Option<PathBuf>,
    /// Intel's collateral for the quote's platform: JSON as dcap-qvl stores it.
    #[arg(long, value_name = "FILE")]
    dcap_collateral: Option<PathBuf>,
    /// The report of Azure's paravisor (NV index 01400001h); its SEV-SNP report takes the place of --report.
    #[arg(long, value_name = "FILE")]
    hcl_report: Option<PathBuf>,
    /// The attestation document of an AWS Nitro enclave.
    #[arg(long, value_name = "FILE")]
    nitro_document: Option<PathBuf>,
    /// An Arm CCA token.
    #[arg(long, value_name = "FILE")]
    cca_token: Option<PathBuf>,
    /// A PSA token.
    #[arg(long, value_name = "FILE")]
    psa_token: Option<PathBuf>,
    /// The report of an NVIDIA device (SPDM); may be repeated, each with its --nvidia-chain.
    #[arg(long, value_name = "FILE")]
    nvidia_report: Vec<PathBuf>,
    /// The certificates of an NVIDIA device (PEM), its own first; in the order of the reports.
    #[arg(long, value_name = "FILE")]
    nvidia_chain: Vec<PathBuf>,
    /// Reports and certificates of many devices: the JSON list that NVIDIA's tools exchange.
    #[arg(long, value_name = "FILE")]
    nvidia_evidence: Option<PathBuf>,
    /// NVIDIA's manifest of a device's driver or VBIOS (SWID tag with an XML signature), which its measurements are compared with;
    /// may be repeated.
    #[arg(long, value_name = "FILE")]
    rim: Vec<PathBuf>,
    /// An answered request of IBM Secure Execution, as `pvattest perform` writes it.
    #[arg(long, value_name = "FILE")]
    se_exchange: Option<PathBuf>,
    /// The header of the Secure Execution image.
    #[arg(long, value_name = "FILE")]
    se_header: Option<PathBuf>,
    /// A report of a Hygon CSV guest: the JSON of Confidential Containers' attestation agent, or the report alone.
    #[arg(long, value_name = "FILE")]
    csv_evidence: Option<PathBuf>,
    /// The certificates of Hygon's signing key and of the chip's (HSK and CEK) in one file, as Hygon gives them.
    #[arg(long, value_name = "FILE")]
    csv_certificates: Option<PathBuf>,
}

impl HardwareFiles {
    /// Lists the files by what they are.
    pub(crate) fn files(&self) -> impl Iterator<Item = (Role, &Path)> {
        let single = [
            (Role::DcapQuote, &self.dcap_quote),
            (Role::DcapCollateral, &self.dcap_collateral),
            (Role::HclReport, &self.hcl_report),
            (Role::NitroDocument, &self.nitro_document),
            (Role::CcaToken, &self.cca_token),
            (Role::PsaToken, &self.psa_token),
            (Role::NvidiaEvidence, &self.nvidia_evidence),
            (Role::SeExchange, &self.se_exchange),
            (Role::SeHeader, &self.se_header),
            (Role::CsvEvidence, &self.csv_evidence),
            (Role::CsvCertificates, &self.csv_certificates),
        ];
        let single = single.into_iter().filter_map(|(role, path)| Some((role, path.as_deref()?)));
        let reports = self.nvidia_report.iter().map(|path| (Role::NvidiaReport, path.as_path()));
        let chains = self.nvidia_chain.iter().map(|path| (Role::NvidiaChain, path.as_path()));
        let manifests = self.rim.iter().map(|path| (Role::Rim, path.as_path()));
        single.chain(reports).chain(chains).chain(manifests)
    }
}

/// What the operator knows of such evidence, which no machine can tell.
#[derive(Debug, Args)]
#[command(next_help_heading = "Other hardware")]
pub(crate) struct HardwareTrust {
    /// The challenge that the evidence of other hardware has to answer: REPORTDATA (zeros may follow), nonce or challenge.
    #[arg(long, value_name = "HEX")]
    challenge: Option<HexBytes>,
    /// The key of the CCA platform (PEM or JWK), which you vouch for.
    #[arg(long, value_name = "FILE")]
    cca_key: Option<PathBuf>,
    /// The key of the PSA device (PEM or JWK), which you vouch for.
    #[arg(long, value_name = "FILE")]
    psa_key: Option<PathBuf>,
    /// The measurement key of the Secure Execution request: a file of 64 bytes.
    #[arg(long, value_name = "FILE")]
    se_key: Option<PathBuf>,
    /// The nonce of the Secure Execution request: 16 bytes.
    #[arg(long, value_name = "HEX", requires = "se_key")]
    se_nonce: Option<HexBytes>,
}

impl HardwareTrust {
    /// Lists the keys that parts cannot do without.
    pub(crate) const fn keys(&self) -> [Key; 3] {
        [
            Key { role: Role::CcaToken, option: "--cca-key", is_given: self.cca_key.is_some() },
            Key { role: Role::PsaToken, option: "--psa-key", is_given: self.psa_key.is_some() },
            Key { role: Role::SeExchange, option: "--se-key", is_given: self.se_key.is_some() },
        ]
    }
}

/// The evidence as bytes, none of it believed.
#[derive(Debug, Default)]
pub(crate) struct Hardware {
    pub(super) challenge: Option<Vec<u8>>,
    pub(super) dcap: Option<(Vec<u8>, Option<Collateral>)>,
    pub(crate) hcl: Option<Vec<u8>>,
    pub(super) nitro: Option<Vec<u8>>,
    pub(super) cca: Option<Token>,
    pub(super) psa: Option<Token>,
    pub(super) nvidia: Vec<Device>,
    /// NVIDIA's manifests.
    pub(super) rims: Vec<Part>,
    pub(super) s390: Option<Exchange>,
    pub(super) csv: Option<Parts>,
}

impl Hardware {
    /// Tells whether there is no evidence of any such hardware.
    pub(crate) const fn is_empty(&self) -> bool {
        self.dcap.is_none()
            && self.hcl.is_none()
            && self.nitro.is_none()
            && self.cca.is_none()
            && self.psa.is_none()
            && self.nvidia.is_empty()
            && self.s390.is_none()
            && self.csv.is_none()
    }
}

/// A token with the key that its owner named.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) bytes: Vec<u8>,
    pub(super) key: PublicKey,
    /// What the key is called: the name of its file.
    pub(super) name: String,
}

/// One NVIDIA device.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) report: Vec<u8>,
    /// PEM.
    pub(super) chain: Vec<u8>,
}

/// An answered request of Secure Execution, with what only its maker knows.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) bytes: Vec<u8>,
    pub(super) header: Vec<u8>,
    pub(super) key: [u8; 64],
    pub(super) nonce: Option<[u8; 16]>,
}

/// A member of NVIDIA's list.
#[derive(Debug, Deserialize)]
struct Listed {
    certificate: String,
    evidence: String,
}

impl Hardware {
    /// Takes its parts out of the material; what they say is nobody's concern here.
    pub(crate) fn take(material: &mut Material, trust: &HardwareTrust) -> Result<Self> {
        let mut bytes = |role| material.take(role).map(|part| part.bytes);
        let (dcap, collateral) = (bytes(Role::DcapQuote), bytes(Role::DcapCollateral));
        let collateral = collateral.as_deref().map(crate::collateral::parse).transpose()?;
        let (hcl, nitro) = (bytes(Role::HclReport), bytes(Role::NitroDocument));
        let (nvidia, rims) = (devices(material)?, material.take_all(Role::Rim));
        Ok(Self {
            challenge: trust.challenge.as_ref().map(|HexBytes(bytes)| bytes.clone()),
            dcap: dcap.map(|quote| (quote, collateral)),
            hcl,
            nitro,
            cca: token(material.take(Role::CcaToken), trust.cca_key.as_deref())?,
            psa: token(material.take(Role::PsaToken), trust.psa_key.as_deref())?,
            nvidia,
            rims,
            s390: exchange(material, trust)?,
            csv: csv(material)?,
        })
    }
}

fn devices(material: &mut Material) -> Result<Vec<Device>> {
    let (reports, chains) = (material.take_all(Role::NvidiaReport), material.take_all(Role::NvidiaChain));
    ensure!(reports.len() == chains.len(), "--nvidia-report: {} reports and {} chains", reports.len(), chains.len());
    let pairs = reports.into_iter().zip(chains);
    let mut devices: Vec<Device> =
        pairs.map(|(report, chain)| Device { report: report.bytes, chain: chain.bytes }).collect();
    if let Some(part) = material.take(Role::NvidiaEvidence) {
        let naming = || part.source.clone();
        let listed: Vec<Listed> = serde_json::from_slice(&part.bytes).with_context(naming)?;
        for device in listed {
            let report = STANDARD.decode(&device.evidence).with_context(naming)?;
            let chain = STANDARD.decode(&device.certificate).with_context(naming)?;
            devices.push(Device { report, chain });
        }
    }
    Ok(devices)
}

fn exchange(material: &mut Material, trust: &HardwareTrust) -> Result<Option<Exchange>> {
    let (exchange, header) = (material.take(Role::SeExchange), material.take(Role::SeHeader));
    let (Some(exchange), Some(header), Some(key)) = (exchange, header, &trust.se_key) else { return Ok(None) };
    let key = read(key)?;
    let length = key.len();
    let key = key.try_into().map_err(|_| anyhow::anyhow!("--se-key: expected 64 bytes, got {length}"))?;
    let nonce = trust.se_nonce.as_ref().map(|nonce| nonce.exactly("--se-nonce")).transpose()?;
    Ok(Some(Exchange { bytes: exchange.bytes, header: header.bytes, key, nonce: nonce.map(|nonce| nonce.0) }))
}

fn csv(material: &mut Material) -> Result<Option<Parts>> {
    let (evidence, certificates) = (material.take(Role::CsvEvidence), material.take(Role::CsvCertificates));
    let Some(evidence) = evidence else { return Ok(None) };
    let parts = Parts::read(&evidence.bytes).with_context(|| evidence.source.clone())?;
    match certificates {
        Some(pair) => parts.with_certificates(&pair.bytes).with_context(|| pair.source.clone()).map(Some),
        None => Ok(Some(parts)),
    }
}

fn token(part: Option<Part>, key: Option<&Path>) -> Result<Option<Token>> {
    let (Some(part), Some(path)) = (part, key) else { return Ok(None) };
    let key = crate::keys::find(&read(path)?)?.with_context(|| format!("{}: no public key", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(Token { bytes: part.bytes, key, name }))
}
