// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Appended signatures (Linux, "Kernel module signing facility"): detached CMS messages (RFC 5652), as `sign-file` and OpenSSL make
//! them, with and without signed attributes.

use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_logs::ima::FileDigest;

use crate::logs::keyring::{Keyring, SignatureState, hash};

/// The longest message that is looked at: one with the chains of several signers has some ten thousand bytes.
const MAX_MESSAGE: usize = 64 * 1024;

/// Checks a message about content with this digest; one signer of the keyring is enough.
pub(super) fn check(keyring: &Keyring, message: &[u8], content: &FileDigest<'_>) -> SignatureState {
    let Some(signed) = parse(message) else { return SignatureState::Malformed };
    let mut worst = SignatureState::Unchecked;
    for signer in signed.signer_infos.0.iter() {
        match judge(keyring, signer, content) {
            valid @ SignatureState::Valid { .. } => return valid,
            SignatureState::Unchecked => {}
            other => worst = other,
        }
    }
    worst
}

/// Reads a message without content of its own.
fn parse(message: &[u8]) -> Option<SignedData> {
    let info = ContentInfo::from_der(message.get(..message.len().min(MAX_MESSAGE.saturating_add(1)))?).ok()?;
    let signed: SignedData = info.content.decode_as().ok().filter(|_| info.content_type == SIGNED_DATA)?;
    let is_detached = signed.encap_content_info.econtent.is_none() && signed.encap_content_info.econtent_type == DATA;
    Some(signed).filter(|_| is_detached && message.len() <= MAX_MESSAGE)
}

fn judge(keyring: &Keyring, signer: &SignerInfo, content: &FileDigest<'_>) -> SignatureState {
    let named = match &signer.sid {
        // RFC 5280, 4.2.1.2: the SHA-1 of the key's bits, of which a keyring has the end.
        SignerIdentifier::SubjectKeyIdentifier(id) => {
            id.0.as_bytes().last_chunk::<4>().map(|id| u32::from_be_bytes(*id))
        }
        SignerIdentifier::IssuerAndSerialNumber(_) => None,
    };
    let Some((algorithm, signed_hash)) = algorithm(signer) else { return SignatureState::Unchecked };
    let digest = (algorithm == content.algorithm).then(|| signed_digest(signer, signed_hash, content)).flatten();
    let signature = signer.signature.as_bytes();
    let signer = digest.and_then(|digest| keyring.find_signer(signed_hash, &digest, signature));
    match (signer, named) {
        (Some(key_id), _) => SignatureState::Valid { key_id },
        // The key is unknown, or it did not make the signature.
        (None, Some(key_id)) => keyring.judge(key_id, None, &[], signature),
        (None, None) => SignatureState::Unchecked,
    }
}

/// The digest that was signed: of the content, or of attributes that have it.
fn signed_digest(signer: &SignerInfo, hash: HashAlg, content: &FileDigest<'_>) -> Option<Vec<u8>> {
    let Some(attributes) = &signer.signed_attrs else { return Some(content.bytes.to_vec()) };
    let value = |oid| {
        let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
        let (attribute, None) = (found.next()?, found.next()) else { return None };
        let mut values = attribute.values.iter();
        values.next().filter(|_| attribute.values.len() == 1)
    };
    let digest: &OctetStringRef = value(MESSAGE_DIGEST)?.decode_as().ok()?;
    let kind: ObjectIdentifier = value(CONTENT_TYPE)?.decode_as().ok()?;
    if digest.as_bytes() != content.bytes || kind != DATA {
        return None;
    }
    // RFC 5652, 5.4: "a separate encoding of the signedAttrs field is performed for message digest calculation".
    Some(RustCrypto::hash(hash, &[&attributes.to_der().ok()?]).as_bytes().to_vec())
}

/// The hash of content and signature, which is the same one; `None` if it is not on the allow-list, or the signature is of a kind
/// that is not checked.
fn algorithm(signer: &SignerInfo) -> Option<(&'static str, HashAlg)> {
    let (_, name, schemes) = HASHES.iter().find(|(oid, ..)| *oid == signer.digest_alg.oid)?;
    let scheme = signer.signature_algorithm.oid;
    let is_known = scheme == RSA_ENCRYPTION || schemes.contains(&scheme);
    Some((*name, hash(name)?)).filter(|_| is_known)
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = oid("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = oid("1.2.840.113549.1.9.4");
const RSA_ENCRYPTION: ObjectIdentifier = oid("1.2.840.113549.1.1.1");

/// Each hash with its name in the kernel, and the signature algorithms that name it: RSA PKCS #1 v1.5 and ECDSA.
const HASHES: [(ObjectIdentifier, &str, [ObjectIdentifier; 2]); 3] = [
    (oid("2.16.840.1.101.3.4.2.1"), "sha256", [oid("1.2.840.113549.1.1.11"), oid("1.2.840.10045.4.3.2")]),
    (oid("2.16.840.1.101.3.4.2.2"), "sha384", [oid("1.2.840.113549.1.1.12"), oid("1.2.840.10045.4.3.3")]),
    (oid("2.16.840.1.101.3.4.2.3"), "sha512", [oid("1.2.840.113549.1.1.13"), oid("1.2.840.10045.4.3.4")]),
];
