// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What vouches for the endorsement key, and where a guest finds it: with the SVSM, or in NV memory of its TPM.

use anyhow::{Context, Result, bail};
use evtpm_api::Binding;
use evtpm_client::{Client, Transport};
use evtpm_crypto::Rng;
use evtpm_evidence::hcl::HclReport;
use evtpm_protocol::templates::{EkTemplate, attestation_key};
use evtpm_svsm_abi::attest::NONCE_SIZE;
use evtpm_svsm_abi::manifest::{VTPM_V0, VTPM_V1};
use evtpm_tpm_wire::Handle;

use crate::keys::{AttestationKey, FIRST_EK, Keys};
use crate::nv_certificate;
use crate::tsm::SvsmReports;

/// Where Azure's paravisor puts its report (OpenHCL, "attestation report").
const HCL_REPORT: u32 = 0x0140_0001;

/// Where Azure's paravisor has made the attestation key that its report names.
const HCL_ATTESTATION_KEY: Handle = Handle(0x8100_0003);

/// The endorsement keys whose certificates are looked for, in this order.
const CERTIFIED: [EkTemplate; 2] = [EkTemplate::L2, EkTemplate::L1];

/// What vouches for the endorsement key.
#[derive(Debug)]
pub(crate) enum Voucher {
    /// A report that lies in the TPM's NV memory, as in the paper: made at boot, for no verifier in particular.
    Nv(Vec<u8>),
    /// Azure's paravisor; its report names both keys.
    Azure(Vec<u8>),
    /// A TPM vendor's certificate for this key.
    Certificate(EkTemplate, Vec<u8>),
    /// The SVSM makes a report in answer to the verifier's nonce.
    Svsm(Box<dyn SvsmReports>),
}

/// What of the TPM's NV memory is to vouch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NvSource {
    /// A report at the EK certificate's index, else the report of Azure's paravisor, else a certificate.
    Any,
    /// A report at the EK certificate's index.
    Report,
    /// The report of Azure's paravisor.
    Azure,
    /// A TPM vendor's certificate.
    Certificate,
}

impl Voucher {
    /// Looks in the TPM's NV memory.
    pub(crate) fn find<T: Transport, R: Rng>(tpm: &mut Client<T, R>, source: NvSource) -> Result<Self> {
        match source {
            NvSource::Report => report(tpm),
            NvSource::Azure => azure(tpm),
            NvSource::Certificate => certificate(tpm),
            NvSource::Any => {
                let found = report(tpm).or_else(|error| azure(tpm).or_else(|_| certificate(tpm)).map_err(|_| error));
                found.context("nothing in the TPM's NV memory vouches for it")
            }
        }
    }

    /// Makes the keys that it speaks of.
    pub(crate) fn keys<T: Transport, R: Rng>(&self, tpm: Client<T, R>) -> Result<Keys<T, R>> {
        match self {
            Voucher::Nv(_) | Voucher::Svsm(_) => Keys::new(tpm),
            Voucher::Certificate(template, _) => Keys::of(tpm, *template, AttestationKey::Made(&attestation_key())),
            Voucher::Azure(_) => Keys::of(tpm, EkTemplate::L1, AttestationKey::At(HCL_ATTESTATION_KEY)),
        }
    }

    /// Says what it has to say, in answer to the verifier's nonce where the SVSM is asked.
    pub(crate) fn vouch(&mut self, nonce: &[u8]) -> Result<Vouched> {
        let vouched = |binding, key| Vouched { key, ..Vouched::of(binding) };
        Ok(match self {
            Voucher::Nv(report) => Vouched { report: report.clone(), ..vouched(Binding::NvReport, FIRST_EK) },
            Voucher::Azure(report) => Vouched { report: report.clone(), ..vouched(Binding::AzureHcl, EkTemplate::L1) },
            Voucher::Certificate(key, certificate) => {
                Vouched { certificate: Some(certificate.clone()), ..vouched(Binding::EkCertificate, *key) }
            }
            Voucher::Svsm(svsm) => ask_svsm(svsm.as_mut(), nonce)?,
        })
    }
}

/// What was said of an endorsement key.
#[derive(Debug)]
pub(crate) struct Vouched {
    pub(crate) binding: Binding,
    /// The key that it was said of.
    pub(crate) key: EkTemplate,
    pub(crate) report: Vec<u8>,
    pub(crate) manifest: Option<Vec<u8>>,
    /// The host's certificate table.
    pub(crate) certificates: Option<Vec<u8>>,
    /// The key's own certificate.
    pub(crate) certificate: Option<Vec<u8>>,
}

impl Vouched {
    fn of(binding: Binding) -> Self {
        let (report, manifest, certificates, certificate) = Default::default();
        Vouched { binding, key: FIRST_EK, report, manifest, certificates, certificate }
    }
}

fn read<T: Transport, R: Rng>(tpm: &mut Client<T, R>, index: u32, what: &str) -> Result<Vec<u8>> {
    tpm.nv_read(Handle(index), &[]).with_context(|| format!("reading {what} at NV index {index:#010x}"))
}

fn report<T: Transport, R: Rng>(tpm: &mut Client<T, R>) -> Result<Voucher> {
    let index = FIRST_EK.certificate_index();
    let report = read(tpm, index, "the report").context("is this an e-vTPM?")?;
    match nv_certificate::certificate(&report) {
        None => Ok(Voucher::Nv(report)),
        Some(_) => bail!("at NV index {index:#010x} lies a certificate and no report: this is no e-vTPM"),
    }
}

fn azure<T: Transport, R: Rng>(tpm: &mut Client<T, R>) -> Result<Voucher> {
    let report = read(tpm, HCL_REPORT, "the report of Azure's paravisor")?;
    anyhow::ensure!(
        report.starts_with(&HclReport::SIGNATURE),
        "what lies at NV index {HCL_REPORT:#010x} is no paravisor's report"
    );
    Ok(Voucher::Azure(report))
}

fn certificate<T: Transport, R: Rng>(tpm: &mut Client<T, R>) -> Result<Voucher> {
    let found = CERTIFIED.iter().find_map(|template| {
        let bytes = tpm.nv_read(Handle(template.certificate_index()), &[]).ok()?;
        Some(Voucher::Certificate(*template, nv_certificate::certificate(&bytes)?.to_vec()))
    });
    let indices = CERTIFIED.map(|template| format!("{:#010x}", template.certificate_index()));
    found.with_context(|| format!("the TPM has no certificate of an endorsement key ({})", indices.join(", ")))
}

/// Asks for the manifest that lists all keys, then for the older one, which is the RSA key's.
fn ask_svsm(svsm: &mut dyn SvsmReports, nonce: &[u8]) -> Result<Vouched> {
    let nonce: &[u8; NONCE_SIZE] = nonce
        .try_into()
        .with_context(|| format!("the verifier's nonce has {} bytes instead of {NONCE_SIZE}", nonce.len()))?;
    for (version, binding, key) in [(VTPM_V1, Binding::SvsmV1, FIRST_EK), (VTPM_V0, Binding::SvsmV0, EkTemplate::L1)] {
        let answer = svsm.vtpm_report(nonce, version);
        if let Some(answer) =
            answer.with_context(|| format!("asking the SVSM for its manifest of version {version}"))?
        {
            return Ok(Vouched {
                key,
                report: answer.report,
                manifest: Some(answer.manifest),
                certificates: Some(answer.certificates).filter(|table| !table.is_empty()),
                ..Vouched::of(binding)
            });
        }
    }
    bail!("the SVSM gives no report with a manifest of version {VTPM_V1} or {VTPM_V0}")
}
