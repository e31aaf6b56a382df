// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The logs of a machine that nobody booted, and a quote of the registers that they lead to.

use anyhow::{Context, Result};
use evtpm_agent::random::SystemRng;
use evtpm_crypto::{Crypto, EccCurve, EccPrivate, HashAlg, RustCrypto};
use evtpm_logs::{Digest, HashId, Hashes as _, PcrBank, PcrSet};
use evtpm_verify::logs::CryptoHashes;
use evtpm_verify::tpm::{Issued, Quote, QuoteEvidence, Selection, SignatureScheme, TrustedAk};
use evtpm_verify::x509::PublicKey;

use crate::verify::moment;

/// Signs a quote of registers of one bank, and verifies it: what a machine's logs are compared with.
pub(super) fn quote(bank: &PcrBank, pcrs: PcrSet) -> Result<(TrustedAk, Quote)> {
    let nonce = [7; 32];
    let values: Vec<&[u8]> = pcrs.iter().map(|pcr| bank.value(pcr).as_bytes()).collect();
    let digest = RustCrypto::hash(HashAlg::Sha256, &values);
    let [low, middle, high, _] = pcrs.mask().to_le_bytes();
    let message = [
        b"\xffTCG\x80\x18".as_slice(), // TPM_GENERATED_VALUE, TPM_ST_ATTEST_QUOTE
        &[0, 0],                       // qualifiedSigner
        &[0, 32],
        &nonce,
        &[0; 16],      // clock, resetCount, restartCount
        &[1],          // safe
        &[0; 8],       // firmwareVersion
        &[0, 0, 0, 1], // one selection
        &bank.algorithm().0.to_be_bytes(),
        &[3, low, middle, high],
        &[0, 32],
        digest.as_bytes(),
    ]
    .concat();
    let key = EccPrivate::generate(EccCurve::P256, &mut SystemRng)?;
    let signed = RustCrypto::hash(HashAlg::Sha256, &[&message]);
    let signature = RustCrypto::ecdsa_sign(&key, signed.as_bytes(), &mut SystemRng)?;
    let (r, s) = (signature.r(), signature.s());
    let signature = [[0, 0x18, 0, 0x0B, 0, 32].as_slice(), r, &[0, 32], s].concat();
    let public = PublicKey::Ecc(RustCrypto::ecc_public(&key)?);
    let selection = Selection::new().with(bank.algorithm(), pcrs).context("no register")?;
    let evidence = QuoteEvidence { message: &message, signature: &signature, values: &values };
    let key = TrustedAk::named_key(&public, SignatureScheme::Ecdsa(HashAlg::Sha256))?;
    let quote = key.verify(evidence, Issued::recorded(&nonce), &selection, moment::now())?;
    Ok((key, quote))
}

/// Hashes with one bank's function.
pub(super) fn hash(bank: HashId, parts: &[&[u8]]) -> Result<Digest> {
    CryptoHashes.hash(bank, parts).context("no such hash function")
}
