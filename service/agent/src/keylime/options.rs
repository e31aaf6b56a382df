// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Options that every Keylime agent takes, of either model: the registrar, and what of this machine is shown.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use evtpm_client::Client;
use evtpm_tpm_wire::{Handle, TpmtPublic};

use super::certificate::certificate;
use super::{Device, ImaList, Registrar};
use crate::device::Tpm;
use crate::keys::{FIRST_EK, Keys};
use crate::random::SystemRng;

/// The keys in this machine's TPM.
type DeviceKeys = Keys<Tpm, SystemRng>;

/// A registrar, and how this machine appears to it.
#[derive(Debug, Args)]
pub struct AgentOptions {
    /// The registrar: http://HOST:8890, or https:// with --registrar-ca.
    #[arg(long, value_name = "URL")]
    pub registrar: String,
    /// The certificate of the CA that signed the registrar's.
    #[arg(long, value_name = "FILE")]
    pub registrar_ca: Option<PathBuf>,
    /// The agent's name: its UUID in Keylime's words, 1 to 80 of `a-z A-Z 0-9 . _ -`.
    #[arg(long, value_name = "NAME")]
    pub uuid: String,
    /// The TPM: a device, the data channel of a software TPM as tcp:HOST:PORT or unix:PATH, or auto: /dev/tpmrm0, else /dev/tpm0.
    #[arg(long, value_name = "TPM", default_value = "auto")]
    pub tpm: String,
    /// The firmware's event log.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/tpm0/binary_bios_measurements")]
    pub event_log: PathBuf,
    /// IMA's list in ASCII form.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/ima/ascii_runtime_measurements")]
    pub ima_list: PathBuf,
    /// What the device's maker certified.
    #[command(flatten)]
    pub device: Device,
}

impl AgentOptions {
    /// Returns the registrar.
    pub(super) fn registrar(&self) -> Result<Registrar> {
        Registrar::new(&self.registrar, self.registrar_ca.as_deref())
    }

    /// Returns the agent's name, which stands in paths and in file names of others.
    pub(super) fn name(&self) -> Result<&str> {
        let name = self.uuid.as_str();
        anyhow::ensure!(is_plain(name), "--uuid: `{name}` is not 1 to 80 of a-z A-Z 0-9 . _ -");
        Ok(name)
    }

    /// Makes the keys of this boot, the attestation key by a template, and finds the endorsement key's certificate.
    pub(super) fn keys(&self, attestation_key: &TpmtPublic) -> Result<(DeviceKeys, Option<Vec<u8>>)> {
        let mut tpm = Client::new(Tpm::open(&self.tpm)?, SystemRng);
        // A TPM need not have the index.
        let index = tpm.nv_read(Handle(FIRST_EK.certificate_index()), &[]).unwrap_or_default();
        let mut keys = Keys::with_attestation_key(tpm, attestation_key)?;
        let certificate = certificate(&index, &keys.endorsement_key()?.public)?;
        Ok((keys, certificate))
    }

    /// Returns IMA's list.
    pub(super) fn ima_list(&self) -> ImaList {
        ImaList::new(&self.ima_list)
    }
}

/// Whether a word may stand in a path.
pub(super) fn is_plain(word: &str) -> bool {
    (1..=80).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: AgentOptions,
    }

    #[test]
    fn a_name_that_would_be_a_path_is_refused() {
        let is_taken = |name: &str| {
            let words = ["agent", "--registrar", "http://registrar:8890", &format!("--uuid={name}")];
            Program::parse_from(words).options.name().is_ok()
        };
        assert!(is_taken("d432fbb3-d2f1-4a97-9ef7-75bd81c00000"));
        for name in ["", "../x", "a/b", "a b", &"x".repeat(81)] {
            assert!(!is_taken(name), "{name}");
        }
    }
}
