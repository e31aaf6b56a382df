// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Quotes by a key that signs with SHA-1, as old virtual machines have them: the arithmetic is checked, and the key is refused.

use anyhow::{Context, Result, anyhow, ensure};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_protocol::message::verify_message;
use evtpm_tpm_wire::{Supported, TpmsAttest, TpmtPublic, TpmtSignature, TpmuAttest, from_bytes};
use evtpm_verify::tpm::{AkPublic, Error, KeyRule};

use super::Expect;
use super::forms::{BankQuote, Banks};
use crate::evidence::findings::Findings;
use crate::evidence::index::Store;

/// Reads the quotes of an item whose key no verifier takes because of its hash.
pub(super) fn read(store: &Store) -> Result<Option<Banks>> {
    let Some(form) = Banks::read(store)? else { return Ok(None) };
    let key = AkPublic::from_tpmt(&hex::decode(&form.ak_tpmt_public)?);
    Ok(Some(form).filter(|_| matches!(key, Err(Error::Key { rule: KeyRule::Hash, .. }))))
}

pub(super) fn check(form: &Banks, expect: &Expect, findings: &mut Findings) -> Result<()> {
    let area = hex::decode(&form.ak_tpmt_public)?;
    findings.refused("key, for its hash", AkPublic::from_tpmt(&area));
    let public: TpmtPublic = wire(from_bytes(&area, &Supported::ALL), "ak_tpmt_public")?;
    let expected = expect.signatures.as_ref().or(expect.signature.as_ref()).map_or("valid", String::as_str);
    for (n, quote) in form.quotes.iter().enumerate() {
        let what = format!("arithmetic of quote {}", n + 1);
        findings.verdict(&what, expected, arithmetic(&public, quote).map_err(|error| format!("{error:#}")));
        findings.equal_if("qualifying data", expect.qualifying_data.as_ref(), &quote.qualifying_data);
    }
    findings.not_checkable("what the registers say: no verifier believes a quote by this key");
    Ok(())
}

/// Signature, qualifying data, and the digest of the values.
fn arithmetic(public: &TpmtPublic, quote: &BankQuote) -> Result<()> {
    let (message, signature) = (hex::decode(&quote.attest)?, hex::decode(&quote.tpmt_signature)?);
    let signature: TpmtSignature = wire(from_bytes(&signature, &Supported::ALL), "tpmt_signature")?;
    verify_message::<RustCrypto>(public, &[], &message, &signature).map_err(|error| anyhow!("{error}"))?;
    let attest: TpmsAttest<'_> = wire(from_bytes(&message, &Supported::ALL), "attest")?;
    let TpmuAttest::Quote(info) = &attest.attested else { anyhow::bail!("the message is no quote") };
    ensure!(attest.extra_data.as_bytes() == hex::decode(&quote.qualifying_data)?, "other qualifying data");
    let values = quote.pcrs.values().map(hex::decode).collect::<Result<Vec<_>, _>>().context("a register")?;
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let digest = RustCrypto::hash(HashAlg::Sha1, &values);
    ensure!(digest.as_bytes() == info.pcr_digest.as_bytes(), "other values");
    Ok(())
}

fn wire<T>(parsed: Result<T, evtpm_tpm_wire::Rc>, what: &str) -> Result<T> {
    parsed.map_err(|code| anyhow!("{what}: {code:?}"))
}
