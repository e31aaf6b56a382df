// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signed runtime policies: DSSE envelopes (version 1) as Keylime's tenant makes them, signed with ECDSA and SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_verify::x509::{Certificate, PublicKey};
use serde::Deserialize;

/// The most signatures that are looked at.
const MOST: usize = 16;

#[derive(Deserialize)]
struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    /// A certificate in PEM in base64, or the hash of a key: then the key comes beside the envelope.
    #[serde(default)]
    keyid: Option<String>,
    sig: String,
}

/// Takes a policy out of its envelope, once a signature of it holds; a document without envelope is returned as it is.
///
/// `key` is a public key in PEM that has to have signed. Without one, a certificate in the envelope has to: as in Keylime,
/// whose it is does not matter, so that such a signature only shows that nothing was changed on the way.
pub(crate) fn open(document: String, key: Option<&[u8]>) -> Result<String, String> {
    let Ok(envelope) = serde_json::from_str::<Envelope>(&document) else {
        return if key.is_some() { Err("Runtime policy is not signed!".to_owned()) } else { Ok(document) };
    };
    let payload = STANDARD.decode(&envelope.payload).map_err(|error| format!("DSSE payload: {error}"))?;
    let signed = authenticated(&envelope.payload_type, &payload);
    let key = key.map(PublicKey::from_spki).transpose().map_err(|error| format!("runtime_policy_key: {error}"))?;
    let holds = |signature: &Signature| {
        let signer = key.clone().or_else(|| embedded(signature.keyid.as_deref()?));
        let bytes = STANDARD.decode(&signature.sig).ok();
        signer.zip(bytes).is_some_and(|(signer, bytes)| signer.verifies_ecdsa_sha256(&signed, &bytes))
    };
    if !envelope.signatures.iter().take(MOST).any(holds) {
        return Err("Runtime policy failed DSSE signature verification!".to_owned());
    }
    String::from_utf8(payload).map_err(|error| format!("DSSE payload: {error}"))
}

/// The bytes that are signed (DSSE, "Signature Definition": PAE).
fn authenticated(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The key of the certificate that stands where a key's name would.
fn embedded(keyid: &str) -> Option<PublicKey> {
    let pem = STANDARD.decode(keyid).ok()?;
    Certificate::all_from(&pem).ok()?.first()?.public_key().ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PublicKeyData as _, SigningKey as _};

    use super::*;

    const POLICY: &str = r#"{"digests":{}}"#;

    fn envelope(key: &KeyPair, keyid: &str, payload: &str) -> String {
        let sig = key.sign(&authenticated("application/vnd.keylime+json", POLICY.as_bytes())).unwrap();
        format!(
            r#"{{"payload":"{}","payloadType":"application/vnd.keylime+json","signatures":[{{"keyid":"{keyid}","sig":"{}"}}]}}"#,
            STANDARD.encode(payload),
            STANDARD.encode(sig)
        )
    }

    #[test]
    fn a_policy_is_taken_out_of_an_envelope_that_the_key_signed() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let pem = key.public_key_pem();
        assert_eq!(open(envelope(&key, "ab", POLICY), Some(pem.as_bytes())).as_deref(), Ok(POLICY));
        assert!(open(envelope(&other, "ab", POLICY), Some(pem.as_bytes())).unwrap_err().contains("signature"));
        assert!(open(envelope(&key, "ab", "{}"), Some(pem.as_bytes())).unwrap_err().contains("signature"));
        assert!(open(envelope(&key, "ab", POLICY), None).is_err(), "a key's hash names nobody");
        assert_eq!(key.subject_public_key_info().len(), 91, "P-256");
    }

    #[test]
    fn a_certificate_in_the_envelope_has_to_have_signed_it() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let certificate = CertificateParams::new(["dsse".to_owned()]).unwrap().self_signed(&key).unwrap();
        let keyid = STANDARD.encode(certificate.pem());
        assert_eq!(open(envelope(&key, &keyid, POLICY), None).as_deref(), Ok(POLICY));
        assert!(open(envelope(&other, &keyid, POLICY), None).is_err());
    }

    #[test]
    fn a_document_without_envelope_is_none_that_was_signed() {
        assert_eq!(open(POLICY.into(), None).as_deref(), Ok(POLICY));
        let pem = KeyPair::generate().unwrap().public_key_pem();
        assert_eq!(open(POLICY.into(), Some(pem.as_bytes())), Err("Runtime policy is not signed!".into()));
    }

    #[test]
    fn the_form_of_what_is_signed_is_that_of_the_specification() {
        assert_eq!(
            authenticated("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
