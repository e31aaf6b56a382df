// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Agents that register with what their device's maker certified: initial attestation key (IAK) and initial identity (IDevID).
//!
//! Keylime's registrar takes a certificate by whatever is in its store; here a chain has to lead to a root of the operator's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_keylime::registrar::Registration;
use evtpm_verify::tpm::{AkPublic, CertifiedKey, DeviceIdentity, Error, Issued};
use evtpm_verify::x509::CertificateStore;

use crate::app::now;
use crate::refusal::Refusal;

/// Whose word counts for devices, and whether every agent needs one.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    authorities: CertificateStore,
    required: bool,
}

impl Devices {
    pub(crate) fn new(authorities: CertificateStore, required: bool) -> Self {
        Devices { authorities, required }
    }

    /// Lets an agent pass that says nothing of its device, unless all have to.
    pub(crate) fn check_absent(&self) -> Result<(), Refusal> {
        if self.required {
            return Err(Refusal::evidence("agents register with IAK and IDevID here, and this one has none"));
        }
        Ok(())
    }

    /// Verifies both certificates, and that the IAK certified the attestation key for this agent. Returns whose device it is, for
    /// the audit log.
    pub(crate) fn check(&self, agent: &str, registration: &Registration) -> Result<String, Refusal> {
        let said = &registration.device;
        let (iak, iak_certificate) = (part("iak_tpm", &said.iak_tpm)?, part("iak_cert", &said.iak_cert)?);
        let (idevid, idevid_certificate) =
            (part("idevid_tpm", &said.idevid_tpm)?, part("idevid_cert", &said.idevid_cert)?);
        let (message, signature) = (part("iak_attest", &said.iak_attest)?, part("iak_sign", &said.iak_sign)?);
        let ak = decode("aik_tpm", &registration.aik_tpm)?;
        let ak = AkPublic::from_tpm2b(&ak).map_err(|error| Refusal::bad_request(error.to_string()))?;

        let iak = CertifiedKey { public: &iak, certificate: &iak_certificate };
        let idevid = CertifiedKey { public: &idevid, certificate: &idevid_certificate };
        let device = DeviceIdentity::verify(iak, idevid, &self.authorities, now()).map_err(Refusal::evidence)?;
        // SHA-256 of the agent's id since API 2.6, the id itself before. The agent's name and no nonce is what the protocol signs: that
        // the attestation key is alive is for the credential to show.
        let certifies =
            |data: &[u8]| device.certifies(&ak, &message, &signature, Issued::recorded(data), now()).map(|_| ());
        let digest = RustCrypto::hash(HashAlg::Sha256, &[agent.as_bytes()]);
        match certifies(digest.as_bytes()) {
            Err(Error::Nonce) => certifies(agent.as_bytes()),
            certified => certified,
        }
        .map_err(|error| Refusal::evidence(format!("the IAK does not vouch for aik_tpm: {error}")))?;
        Ok(format!("the device `{}` of {}", device.device(), device.root()))
    }
}

/// One of the parts that only count together.
fn part(name: &str, text: &Option<String>) -> Result<Vec<u8>, Refusal> {
    let missing = || Refusal::bad_request(format!("IAK and IDevID need the field `{name}` too"));
    decode(name, text.as_deref().ok_or_else(missing)?)
}

fn decode(name: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text).map_err(|error| Refusal::bad_request(format!("{name} is not base64: {error}")))
}

#[cfg(test)]
mod tests;
