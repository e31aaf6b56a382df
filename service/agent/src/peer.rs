// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Options that every command of the native API takes: the verifier, and what of this machine it is shown.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::attester::Attester;
use crate::device::Tpm;
use crate::logs::LogFiles;
use crate::random::SystemRng;
use crate::tsm::{self, Configfs, Tsm};
use crate::verifier::Verifier;
use crate::voucher::NvSource;

/// A verifier, and how this machine appears to it.
#[derive(Debug, Args)]
pub(crate) struct Peer {
    /// The verifier: https://HOST:PORT.
    #[arg(long, value_name = "URL", required = true)]
    verifier: Option<String>,
    /// The certificate of the CA that signed the verifier's (its `ca.pem`).
    #[arg(long, value_name = "FILE", required = true)]
    ca: Option<PathBuf>,
    /// The name that the operator knows this machine by.
    #[arg(long, value_name = "NAME", required = true)]
    machine: Option<String>,
    /// The TPM: a device, the data channel of a software TPM as tcp:HOST:PORT or unix:PATH, or auto: /dev/tpmrm0, else /dev/tpm0.
    #[arg(long, value_name = "TPM", default_value = "auto")]
    tpm: String,
    /// What vouches for the endorsement key, and where it comes from.
    #[arg(long, value_enum, default_value_t = ReportSource::Auto)]
    report: ReportSource,
    /// The folder in which Linux makes reports.
    #[arg(long, value_name = "DIR", default_value = tsm::ROOT)]
    tsm: PathBuf,
    /// The firmware's event log.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/tpm0/binary_bios_measurements")]
    event_log: PathBuf,
    /// IMA's list in binary form.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/ima/binary_runtime_measurements")]
    ima_log: PathBuf,
}

/// Where the report comes from that vouches for the endorsement key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ReportSource {
    /// From the SVSM where it can be asked, else from the TPM: `nv`, `azure` or `ek-certificate`, whichever is there first.
    Auto,
    /// From the SVSM, in answer to the verifier's nonce.
    Svsm,
    /// From the TPM's NV memory, where it lies since the boot.
    Nv,
    /// From Azure's paravisor, which puts it into NV memory with its claims (SEV-SNP).
    Azure,
    /// None: a TPM vendor's certificate in NV memory vouches for the key.
    EkCertificate,
}

impl ReportSource {
    const fn in_nv(self) -> NvSource {
        match self {
            ReportSource::Auto => NvSource::Any,
            ReportSource::Svsm | ReportSource::Nv => NvSource::Report,
            ReportSource::Azure => NvSource::Azure,
            ReportSource::EkCertificate => NvSource::Certificate,
        }
    }
}

impl Peer {
    /// Returns the verifier, and the machine's name there.
    pub(crate) fn verifier(&self) -> Result<(Verifier, &str)> {
        let verifier = self.verifier.as_deref().context("--verifier is needed")?;
        let ca = self.ca.as_deref().context("--ca is needed")?;
        Ok((Verifier::new(verifier, ca)?, self.machine.as_deref().context("--machine is needed")?))
    }

    /// Says where the logs are.
    pub(crate) fn logs(&self) -> LogFiles {
        LogFiles { event_log: self.event_log.clone(), ima_log: self.ima_log.clone() }
    }

    /// Makes this boot's keys in the TPM, and finds what vouches for them.
    pub(crate) fn attester(&self) -> Result<Attester<Tpm, SystemRng>> {
        let tpm = Tpm::open(&self.tpm)?;
        let open = || Tsm::open(Configfs(self.tsm.clone()));
        let svsm = match self.report {
            ReportSource::Nv | ReportSource::Azure | ReportSource::EkCertificate => None,
            ReportSource::Svsm => open()?,
            // Who may use the TPM need not be allowed to use configfs.
            ReportSource::Auto => open().unwrap_or_else(|error| {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the SVSM cannot be asked: taking the report from the TPM"
                );
                None
            }),
        };
        match svsm {
            Some(svsm) => Attester::with_svsm(tpm, SystemRng, Box::new(svsm)),
            None if self.report == ReportSource::Svsm => {
                anyhow::bail!("no SVSM can be asked for a report through {}", self.tsm.display())
            }
            None => Attester::with_nv(tpm, SystemRng, self.report.in_nv()),
        }
    }
}
