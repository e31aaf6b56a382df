// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The keys of a Keylime agent with an RSA TPM, and its registration, request by request.

use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_agent::keys::sized;
use evtpm_agent::random::SystemRng;
use evtpm_client::{Client, Object, Transport, TransportError};
use evtpm_crypto::{Crypto as _, HashAlg as Hash, RustCrypto};
use evtpm_engine::Profile;
use evtpm_keylime::registrar::{Activation, Port, Registration};
use evtpm_protocol::templates::{EkTemplate, rsa_attestation_key};
use evtpm_tpm_wire::{Reader, Supported, Tpm2bIdObject, TpmSu, TpmiRhHierarchy, Unmarshal as _};
use evtpm_tpmd::device::Device as _;
use evtpm_tpmd::devices::engine::EngineDevice;

/// The bytes before the structures of a credential in tpm2-tools' form.
const CREDENTIAL_HEADER: usize = 8;

/// A TPM with an RSA-2048 endorsement key and an RSA-2048 attestation key.
#[derive(Debug)]
pub struct KeylimeTpm {
    client: Client<Engine, SystemRng>,
    ek: Object,
    ak: Object,
    registration: Arc<Registration>,
}

#[derive(Debug)]
struct Engine(EngineDevice);

impl Transport for Engine {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        *response = self.0.execute(0, command);
        Ok(())
    }
}

impl KeylimeTpm {
    /// Manufactures it, and makes its keys.
    ///
    /// # Errors
    /// Names the step that the TPM refused.
    pub fn new() -> Result<Self> {
        let mut device = EngineDevice::new(Profile::svsm())?;
        device.power_on()?;
        let mut client = Client::new(Engine(device), SystemRng);
        client.startup(TpmSu::Clear)?;
        let ek = client.create_primary(TpmiRhHierarchy::Endorsement, &[], &EkTemplate::L1.public())?;
        let ak = client.create_primary(TpmiRhHierarchy::Endorsement, &[], &rsa_attestation_key())?;
        let registration = Registration {
            ek_tpm: STANDARD.encode(sized(&ek.public)?),
            aik_tpm: STANDARD.encode(sized(&ak.public)?),
            mtls_cert: Some("disabled".into()),
            ip: Some("127.0.0.1".into()),
            port: Some(Port(9002)),
            ..Registration::default()
        };
        Ok(KeylimeTpm { client, ek, ak, registration: Arc::new(registration) })
    }

    /// Returns what the agent says of itself.
    #[must_use]
    pub fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Opens the registrar's credential, and answers with the proof.
    ///
    /// # Errors
    /// When the credential is malformed, or the TPM refuses it.
    pub fn activate(&mut self, agent: &str, blob: &str) -> Result<Activation> {
        let blob = STANDARD.decode(blob).context("the credential is not base64")?;
        let parts = blob.get(CREDENTIAL_HEADER..).context("the credential is too short")?;
        let size = parts.first_chunk::<2>().map_or(0, |size| usize::from(u16::from_be_bytes(*size)) + 2);
        let (credential, secret) = parts.split_at_checked(size).context("the credential is too short")?;
        let credential = Tpm2bIdObject::unmarshal(&mut Reader::new(credential, &Supported::ALL))
            .map_err(|code| anyhow::anyhow!("the credential is malformed ({code:?})"))?;
        let secret = secret.get(2..).context("the secret is too short")?;
        let secret = self.client.activate_credential(&self.ak, &self.ek, &[], &credential, secret)?;
        let key = STANDARD.encode(secret.as_bytes());
        let tag = RustCrypto::hmac(Hash::Sha384, key.as_bytes(), &[agent.as_bytes()]);
        Ok(Activation { auth_tag: tag.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect() })
    }
}
