// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Servers that no authority vouches for: who they are is agreed on beforehand, or nobody asks.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

/// Which certificate a server may show, whatever names and dates it has.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// Any: the connection is encrypted, to whoever it is.
    Any,
    /// This one.
    Only(CertificateDer<'static>),
}

/// Takes a server by its certificate alone; that it has the key, its handshake proves.
#[derive(Debug)]
pub(crate) struct ServerIdentity {
    accepted: Accepted,
    provider: Arc<CryptoProvider>,
}

impl ServerIdentity {
    pub(crate) fn new(accepted: Accepted, provider: Arc<CryptoProvider>) -> Arc<Self> {
        Arc::new(ServerIdentity { accepted, provider })
    }
}

impl ServerCertVerifier for ServerIdentity {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.accepted {
            Accepted::Only(certificate) if certificate != end_entity => {
                Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            Accepted::Any | Accepted::Only(_) => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
