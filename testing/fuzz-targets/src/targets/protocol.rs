// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The partial certificate of TPM2_CertifyX509: what is read is all there is, and a certificate comes of it.

use evtpm_crypto::{HashAlg, RustCrypto};
use evtpm_protocol::templates::attestation_key;
use evtpm_protocol::x509::{PartialCertificate, complete};
use evtpm_tpm_wire::TpmtSigScheme;

/// Reads a partial certificate, puts its parts together again, and completes it for a key.
pub(super) fn partial_certificate(input: &[u8]) -> bool {
    let Ok(partial) = PartialCertificate::parse(input) else { return false };
    let parts = [partial.signature.unwrap_or_default(), partial.issuer, partial.validity, partial.subject];
    let parts = [&parts.concat(), partial.extensions].concat();
    assert!(input.ends_with(&parts) && input.len() - parts.len() <= 4, "only tag and size stand before the parts");

    let scheme = (TpmtSigScheme::Ecdsa(evtpm_tpm_wire::HashAlg::Sha256), HashAlg::Sha256);
    let completed = complete::<RustCrypto>(&partial, &attestation_key(), scheme, 0, |_| [0xFF; 20]);
    let is_sequence = |added: &[u8]| added.first() == Some(&0x30);
    assert!(
        completed.is_ok_and(|completed| is_sequence(completed.added.as_bytes())),
        "key and scheme have identifiers"
    );
    true
}

pub(super) fn partial_certificate_seeds() -> Vec<Vec<u8>> {
    let usage = [0x30, 14, 6, 3, 0x55, 0x1D, 0x0F, 1, 1, 0xFF, 4, 4, 3, 2, 7, 0x80];
    let object = [0x30, 0x14, 6, 7, 0x67, 0x81, 5, 10, 1, 1, 1, 4, 9, 3, 5, 0, 0, 4, 4, 0x72, 0, 0];
    let element =
        |tag: u8, contents: &[u8]| [&[tag, u8::try_from(contents.len()).unwrap_or(u8::MAX)][..], contents].concat();
    let certificate = |sequences: usize, extensions: &[u8]| {
        let names = [0x30, 2, 5, 0].repeat(sequences);
        element(0x30, &[names, element(0xA3, &element(0x30, extensions))].concat())
    };
    vec![certificate(3, &usage), certificate(4, &[&usage[..], &object[..20]].concat())]
}
