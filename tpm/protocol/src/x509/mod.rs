// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificates that a TPM completes and signs (Part 3, "TPM2_CertifyX509"; RFC 5280).
mod der;
mod identifier;
mod partial;

use evtpm_crypto::{Crypto, Digest, HashAlg};
use evtpm_tpm_wire::{Buf, MAX_DIGEST_BUFFER, Overflow, TpmtPublic, TpmtSigScheme};

use der::{Builder, INTEGER, SEQUENCE, context};
pub use partial::{KeyClaims, KeyUsage, PartialCertificate};

/// "CertificateSerialNumber values MUST be ... no longer than 20 octets" (RFC 5280).
pub const SERIAL_NUMBER_SIZE: usize = 20;

/// What a TPM adds to a partial certificate.
#[derive(Clone, Debug)]
pub struct Completed {
    /// "a DER encoded SEQUENCE containing the DER encoded fields added to partialCertificate"
    pub added: Buf<MAX_DIGEST_BUFFER>,
    /// The digest to be signed.
    pub tbs_digest: Digest,
}

/// Tells whether a key can stand in a certificate, as its subject.
pub const fn is_certifiable(public: &TpmtPublic) -> bool {
    identifier::has_public_key(public)
}

/// Tells whether "the TPM has OID values for the signing scheme".
pub const fn has_identifier(scheme: TpmtSigScheme) -> bool {
    identifier::has_signature_algorithm(scheme)
}

/// Completes a certificate for a subject key: version, serial number, signature algorithm if the caller gave none, and
/// the key; `serial` makes the number from all that is certified and the size of an RSAPSS salt is the signer's.
///
/// # Errors
/// When the key or the scheme has no identifier, or the result does not fit.
pub fn complete<C: Crypto>(
    partial: &PartialCertificate<'_>,
    subject: &TpmtPublic,
    (scheme, alg): (TpmtSigScheme, HashAlg),
    salt: usize,
    serial: impl Fn(&[&[u8]]) -> [u8; SERIAL_NUMBER_SIZE],
) -> Result<Completed, Overflow> {
    let mut buffer = [0; MAX_DIGEST_BUFFER];
    let mut builder = Builder::new(&mut buffer);
    let end = builder.mark();
    identifier::public_key(&mut builder, subject)?;
    let key = builder.mark();
    if partial.signature.is_none() {
        identifier::signature_algorithm(&mut builder, scheme, salt)?;
    }
    let algorithm = builder.mark();

    let lent = builder.since(end);
    let (made_algorithm, key_info) = lent.split_at_checked(key.saturating_sub(algorithm)).unwrap_or_default();
    let signature = partial.signature.unwrap_or(made_algorithm);
    let tail = [signature, partial.issuer, partial.validity, partial.subject, key_info, partial.extensions];
    let mut number = serial(&tail);
    // Positive, and as long whatever the first octets are.
    if let Some(first) = number.first_mut() {
        *first = *first & 0x7F | 0x40;
    }

    let mut head = [0; 5 + 2 + SERIAL_NUMBER_SIZE];
    let mut head_builder = Builder::new(&mut head);
    let head_end = head_builder.mark();
    head_builder.element(INTEGER, &number)?;
    let version = head_builder.mark();
    // "Version [0] - integer value of 2 indicating version 3"
    head_builder.element(INTEGER, &[2])?;
    head_builder.wrap(context(0), version)?;
    let head = head_builder.since(head_end);

    let size = tail.iter().fold(head.len(), |sum, part| sum.saturating_add(part.len()));
    let (header, header_size) = der::header(SEQUENCE, size)?;
    let header = header.get(..header_size).ok_or(Overflow)?;
    let [first, second, third, fourth, fifth, sixth] = tail;
    let tbs_digest = C::hash(alg, &[header, head, first, second, third, fourth, fifth, sixth]);

    builder.bytes(head)?;
    builder.wrap(SEQUENCE, end)?;
    Ok(Completed { added: Buf::new(builder.since(end))?, tbs_digest })
}
