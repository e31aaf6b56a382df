// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Evidence of hardware other than AMD's, as files.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use evtpm_verify::dcap::Collateral;
use evtpm_verify::x509::PublicKey;
use serde::Deserialize;

use crate::verify::args::{HexBytes, read};

/// Evidence of hardware other than AMD's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Other hardware")]
pub(crate) struct HardwareArgs {
    /// The challenge that the evidence below has to answer: REPORTDATA (zeros may follow), nonce or challenge.
    #[arg(long, value_name = "HEX")]
    challenge: Option<HexBytes>,
    /// A quote of a TD or an SGX enclave (Intel DCAP); zeros or other bytes may follow it.
    #[arg(long, value_name = "FILE")]
    dcap_quote: Option<PathBuf>,
    /// Intel's collateral for the quote's platform: JSON as dcap-qvl stores it.
    #[arg(long, value_name = "FILE", requires = "dcap_quote")]
    dcap_collateral: Option<PathBuf>,
    /// The report of Azure's paravisor (NV index 01400001h); its SEV-SNP report takes the place of --report.
    #[arg(long, value_name = "FILE", conflicts_with = "ak")]
    hcl_report: Option<PathBuf>,
    /// The attestation document of an AWS Nitro enclave.
    #[arg(long, value_name = "FILE")]
    nitro_document: Option<PathBuf>,
    /// An Arm CCA token.
    #[arg(long, value_name = "FILE", requires = "cca_key")]
    cca_token: Option<PathBuf>,
    /// The key of the CCA platform (PEM or JWK), which you vouch for.
    #[arg(long, value_name = "FILE", requires = "cca_token")]
    cca_key: Option<PathBuf>,
    /// A PSA token.
    #[arg(long, value_name = "FILE", requires = "psa_key")]
    psa_token: Option<PathBuf>,
    /// The key of the PSA device (PEM or JWK), which you vouch for.
    #[arg(long, value_name = "FILE", requires = "psa_token")]
    psa_key: Option<PathBuf>,
    /// The report of an NVIDIA device (SPDM); may be repeated, each with its --nvidia-chain.
    #[arg(long, value_name = "FILE", requires = "nvidia_chain")]
    nvidia_report: Vec<PathBuf>,
    /// The certificates of an NVIDIA device (PEM), its own first; in the order of the reports.
    #[arg(long, value_name = "FILE", requires = "nvidia_report")]
    nvidia_chain: Vec<PathBuf>,
    /// Reports and certificates of many devices: the JSON list that NVIDIA's tools exchange.
    #[arg(long, value_name = "FILE")]
    nvidia_evidence: Option<PathBuf>,
    /// An answered request of IBM Secure Execution, as `pvattest perform` writes it.
    #[arg(long, value_name = "FILE", requires_all = ["se_header", "se_key"])]
    se_exchange: Option<PathBuf>,
    /// The header of the Secure Execution image.
    #[arg(long, value_name = "FILE", requires = "se_exchange")]
    se_header: Option<PathBuf>,
    /// The measurement key of the request: a file of 64 bytes.
    #[arg(long, value_name = "FILE", requires = "se_exchange")]
    se_key: Option<PathBuf>,
    /// The nonce of the request: 16 bytes.
    #[arg(long, value_name = "HEX", requires = "se_exchange")]
    se_nonce: Option<HexBytes>,
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
    pub(super) s390: Option<Exchange>,
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

impl HardwareArgs {
    /// Reads every file; what it says is nobody's concern here.
    pub(crate) fn read(&self) -> Result<Hardware> {
        let optional = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
        let collateral = optional(&self.dcap_collateral)?.as_deref().map(crate::collateral::parse).transpose()?;
        Ok(Hardware {
            challenge: self.challenge.as_ref().map(|HexBytes(bytes)| bytes.clone()),
            dcap: optional(&self.dcap_quote)?.map(|quote| (quote, collateral)),
            hcl: optional(&self.hcl_report)?,
            nitro: optional(&self.nitro_document)?,
            cca: token(self.cca_token.as_ref(), self.cca_key.as_ref())?,
            psa: token(self.psa_token.as_ref(), self.psa_key.as_ref())?,
            nvidia: self.devices()?,
            s390: self.exchange()?,
        })
    }

    fn devices(&self) -> Result<Vec<Device>> {
        let (reports, chains) = (self.nvidia_report.len(), self.nvidia_chain.len());
        ensure!(reports == chains, "--nvidia-report: {reports} reports and {chains} chains");
        let mut devices = Vec::new();
        for (report, chain) in self.nvidia_report.iter().zip(&self.nvidia_chain) {
            devices.push(Device { report: read(report)?, chain: read(chain)? });
        }
        if let Some(path) = &self.nvidia_evidence {
            let listed: Vec<Listed> =
                serde_json::from_slice(&read(path)?).with_context(|| path.display().to_string())?;
            for device in listed {
                let report = STANDARD.decode(&device.evidence).with_context(|| path.display().to_string())?;
                let chain = STANDARD.decode(&device.certificate).with_context(|| path.display().to_string())?;
                devices.push(Device { report, chain });
            }
        }
        Ok(devices)
    }

    fn exchange(&self) -> Result<Option<Exchange>> {
        let (Some(exchange), Some(header), Some(key)) = (&self.se_exchange, &self.se_header, &self.se_key) else {
            return Ok(None);
        };
        let key = read(key)?;
        let length = key.len();
        let key = key.try_into().map_err(|_| anyhow::anyhow!("--se-key: expected 64 bytes, got {length}"))?;
        let nonce = self.se_nonce.as_ref().map(|nonce| nonce.exactly("--se-nonce")).transpose()?;
        Ok(Some(Exchange { bytes: read(exchange)?, header: read(header)?, key, nonce: nonce.map(|nonce| nonce.0) }))
    }
}

fn token(file: Option<&PathBuf>, key: Option<&PathBuf>) -> Result<Option<Token>> {
    let (Some(file), Some(path)) = (file, key) else { return Ok(None) };
    let key = crate::keys::find(&read(path)?)?.with_context(|| format!("{}: no public key", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(Token { bytes: read(file)?, key, name }))
}
