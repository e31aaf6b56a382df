// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a restart of the agent must not change: its certificate, which the registrar pinned, and its transport key, which a
//! verifier remembers. Both live for one boot, in one file.

use std::path::Path;

use anyhow::{Context, Result};
use evtpm_crypto::Rng;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::transport_key::TransportKey;

/// The agent's two keys.
#[derive(Debug)]
pub struct State {
    /// The agent's own certificate, in PEM.
    pub certificate: String,
    /// Its key, in PEM.
    pub(super) key: Zeroizing<String>,
    /// The key under which payload keys travel.
    pub transport_key: TransportKey,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    certificate: String,
    key: Zeroizing<String>,
    transport_modulus: evtpm_api::Bytes,
    transport_prime: evtpm_api::Bytes,
}

impl State {
    /// Reads the file, or makes keys and writes it; without a file, the keys end with the process.
    ///
    /// # Errors
    /// Names the file that cannot be read, understood or written.
    pub fn open(file: Option<&Path>, name: &str, ip: &str, rng: &mut dyn Rng) -> Result<Self> {
        let Some(path) = file else { return Self::new(name, ip, rng) };
        match std::fs::read(path) {
            Ok(bytes) => {
                Self::parse(&Zeroizing::new(bytes)).with_context(|| format!("understanding {}", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let state = Self::new(name, ip, rng)?;
                let text = Zeroizing::new(serde_json::to_vec(&state.kept())?);
                evtpm_io::file::write_private(path, &text)?;
                Ok(state)
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    fn new(name: &str, ip: &str, rng: &mut dyn Rng) -> Result<Self> {
        let key = KeyPair::generate()?;
        let names = ["localhost", ip].into_iter().filter(|name| !name.is_empty()).map(str::to_owned);
        let mut parameters = CertificateParams::new(names.collect::<Vec<_>>()).context("naming the agent")?;
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = parameters.self_signed(&key)?;
        Ok(State {
            certificate: certificate.pem(),
            key: Zeroizing::new(key.serialize_pem()),
            transport_key: TransportKey::generate(rng)?,
        })
    }

    fn parse(text: &[u8]) -> Result<Self> {
        let kept: Kept = serde_json::from_slice(text)?;
        let transport_key = TransportKey::from_numbers(&kept.transport_modulus, &kept.transport_prime)?;
        Ok(State { certificate: kept.certificate, key: kept.key, transport_key })
    }

    fn kept(&self) -> Kept {
        let (modulus, prime) = self.transport_key.numbers();
        Kept {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            transport_modulus: modulus.into(),
            transport_prime: prime.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::random::SystemRng;

    #[test]
    fn a_restart_keeps_both_keys() {
        let path = std::env::temp_dir().join(format!("evtpm-agent-state-{}", std::process::id()));
        let open = || State::open(Some(&path), "agent", "127.0.0.1", &mut SystemRng).unwrap();
        let (first, second) = (open(), open());
        assert_eq!(first.certificate, second.certificate);
        assert_eq!(first.transport_key.pem(), second.transport_key.pem());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        std::fs::write(&path, b"{}").unwrap();
        assert!(State::open(Some(&path), "agent", "127.0.0.1", &mut SystemRng).is_err(), "and nothing is made anew");
        std::fs::remove_file(&path).unwrap();
    }
}
