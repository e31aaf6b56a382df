// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Azure's endorsement of a container host's utility VM: a COSE_Sign1 whose issuer is a `did:x509` and whose payload names
//! one launch measurement.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::Error;
use crate::cbor::Key;
use crate::cose::Sign1;

/// An endorsement, not verified.
#[derive(Clone, Debug)]
pub struct Endorsement<'a> {
    /// The envelope with signature and chain.
    pub envelope: Sign1<'a>,
    /// Who issued it, a `did:x509`.
    pub issuer: &'a str,
    /// What kind of thing it endorses.
    pub feed: &'a str,
    /// The guest's security version.
    pub guest_svn: u64,
    /// The launch measurement, hexadecimal.
    pub launch_measurement: String,
}

/// A `did:x509` of version 0 (Microsoft, *did:x509 method specification*): a certificate by its digest, and a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DidX509 {
    /// SHA-256 of an authority's certificate.
    pub ca_sha256: Vec<u8>,
    /// The extended key usage that the leaf has to have.
    pub eku: String,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "x-ms-sevsnpvm-guestsvn")]
    guest_svn: String,
    #[serde(rename = "x-ms-sevsnpvm-launchmeasurement")]
    launch_measurement: String,
}

impl<'a> Endorsement<'a> {
    /// Parses an endorsement.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let envelope = Sign1::parse(bytes)?;
        let header = envelope.protected();
        let issuer = header.required("iss", header.text(Key::Text("iss")))?;
        let feed = header.required("feed", header.text(Key::Text("feed")))?;
        let malformed = |detail: String| Error::Malformed { what: "endorsement", detail };
        let payload: Payload =
            serde_json::from_slice(envelope.payload()).map_err(|error| malformed(error.to_string()))?;
        let guest_svn = payload.guest_svn.parse().map_err(|_| malformed(payload.guest_svn.clone()))?;
        Ok(Self { issuer, feed, guest_svn, launch_measurement: payload.launch_measurement, envelope })
    }
}

impl DidX509 {
    /// Parses `did:x509:0:sha256:DIGEST::eku:OID`; other digests and other policies are refused.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed = || Error::Malformed { what: "did:x509", detail: text.to_string() };
        let (digest, policy) =
            text.strip_prefix("did:x509:0:sha256:").and_then(|rest| rest.split_once("::")).ok_or_else(malformed)?;
        let ca_sha256 = URL_SAFE_NO_PAD.decode(digest).map_err(|_| malformed())?;
        let eku = policy.strip_prefix("eku:").filter(|oid| !oid.contains(':')).ok_or_else(malformed)?;
        if ca_sha256.len() != 32 {
            return Err(malformed());
        }
        Ok(Self { ca_sha256, eku: eku.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_policy_is_refused() {
        let did = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";
        assert_eq!(DidX509::parse(did).unwrap().eku, "1.3.6.1.4.1.311.76.59.1.2");
        assert!(DidX509::parse(&alloc::format!("{did}::subject:CN:x")).is_err());
        assert!(DidX509::parse("did:x509:0:sha256:AAAA::eku:1.2").is_err());
    }
}
