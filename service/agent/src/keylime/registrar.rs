// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registration: the registrar believes our attestation key once we open a credential that only its TPM can.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_client::Transport;
use evtpm_crypto::{Crypto, HashAlg, Rng, RustCrypto};
use evtpm_keylime::registrar::{Activation, Port, Registration, RegistrationBlob, ServerVersions};
use evtpm_keylime::{ApiVersion, Envelope, Nothing};
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Device;
use super::answer::hex;
use crate::http::Server;
use crate::keys::{Keys, sized};

/// The magic number and the version of tpm2-tools' credential files.
const CREDENTIAL_HEADER: [u8; 8] = [0xBA, 0xDC, 0xC0, 0xDE, 0, 0, 0, 1];

/// A registrar, and where.
#[derive(Debug)]
pub struct Registrar(Server);

/// What a registrar is shown of this machine beside its keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown<'a> {
    /// The endorsement key's certificate, if there is one.
    pub certificate: Option<&'a [u8]>,
    /// What the device's maker certified, if it is asked for.
    pub device: Option<&'a Device>,
    /// Where the agent can be asked; an agent that pushes cannot.
    pub contact: Option<&'a Contact>,
}

/// Where the verifier finds the agent, and by which certificate it knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// An IP address, or a name.
    pub ip: String,
    /// The port.
    pub port: u16,
    /// The agent's own certificate in PEM.
    pub certificate: String,
}

impl Registrar {
    /// Takes `http://HOST[:8890]`, or `https://HOST[:PORT]` with the file of the CA that signed its certificate.
    ///
    /// # Errors
    /// Names what is wrong with the address or the file.
    pub fn new(url: &str, ca: Option<&Path>) -> Result<Self> {
        Server::new(url, 8890, ca).map(Registrar)
    }

    /// Registers the keys of this boot under `name`.
    ///
    /// # Errors
    /// The registrar's refusal, or the TPM's.
    pub async fn register<T: Transport, R: Rng>(
        &self,
        name: &str,
        keys: &mut Keys<T, R>,
        shown: Shown<'_>,
    ) -> Result<()> {
        let Shown { certificate, device, contact } = shown;
        let versions: ServerVersions = self.ask(Method::GET, "/version", &Nothing).await?;
        let version = versions.supported_versions.iter().filter(|version| ApiVersion::PULL.contains(version)).max();
        let version = version.context("the registrar has no version of the API from 2.1 to 2.6")?;
        let path = format!("/v{version}/agents/{name}");

        let device = device.map(|device| device.show(keys, &qualifying_data(name, *version))).transpose()?;
        let registration = Registration {
            ek_tpm: STANDARD.encode(sized(&keys.endorsement_key()?.public)?),
            ekcert: certificate.map(|certificate| STANDARD.encode(certificate)),
            aik_tpm: STANDARD.encode(sized(&keys.ak.public)?),
            mtls_cert: Some(contact.map_or_else(|| "disabled".to_owned(), |contact| contact.certificate.clone())),
            ip: contact.map(|contact| contact.ip.clone()),
            port: contact.map(|contact| Port(contact.port)),
            device: device.unwrap_or_default(),
        };
        let challenge: RegistrationBlob = self.ask(Method::POST, &path, &registration).await?;
        let secret = open(keys, &challenge.blob)?;
        let auth_tag = RustCrypto::hmac(HashAlg::Sha384, secret.as_bytes(), &[name.as_bytes()]);
        let activation = Activation { auth_tag: hex(auth_tag.as_bytes()) };
        let _: Nothing = self.ask(Method::PUT, &format!("{path}/activate"), &activation).await?;
        Ok(())
    }

    async fn ask<A: DeserializeOwned>(&self, method: Method, path: &str, question: &impl Serialize) -> Result<A> {
        let (status, body) = self.0.ask(method, path, question).await?;
        let refused = || {
            let said = serde_json::from_slice::<Envelope<Nothing>>(&body).map(|envelope| envelope.status);
            format!("the registrar refused {path} ({status}): {}", said.unwrap_or_default())
        };
        anyhow::ensure!(status == 200, refused());
        let envelope: Envelope<A> = serde_json::from_slice(&body)
            .with_context(|| format!("the registrar's answer to {path} is not what the API says"))?;
        Ok(envelope.results)
    }
}

/// What a device's key signs beside our attestation key. Since API 2.6 it is a digest: the qualifying data of a TPM that has no
/// hash but SHA-256 are shorter than a UUID.
fn qualifying_data(name: &str, version: ApiVersion) -> Vec<u8> {
    let [.., newest] = ApiVersion::PULL;
    if version < newest { name.into() } else { RustCrypto::hash(HashAlg::Sha256, &[name.as_bytes()]).as_bytes().into() }
}

/// Opens the registrar's credential; the secret in it is used as the base64 text of its bytes.
fn open<T: Transport, R: Rng>(keys: &mut Keys<T, R>, blob: &str) -> Result<String> {
    let blob = STANDARD.decode(blob).context("the registrar's credential is not base64")?;
    let parts = blob.strip_prefix(&CREDENTIAL_HEADER).context("the registrar's credential has another header")?;
    let size = parts.first_chunk::<2>().map_or(0, |size| usize::from(u16::from_be_bytes(*size)) + 2);
    let (credential, secret) = parts.split_at_checked(size).context("the registrar's credential is too short")?;
    Ok(STANDARD.encode(keys.open_credential(credential, secret)?.as_bytes()))
}
