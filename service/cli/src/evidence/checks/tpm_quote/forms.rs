// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The forms in which quotes are stored: Google's several banks, trustee's evidence, tpm2-tools' files, Keylime's vector.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evtpm_logs::{HashId, PcrIndex, PcrSet};
use evtpm_tpm_wire::{Supported, TpmsAttest, from_bytes};
use evtpm_verify::tpm::{AkPublic, Selection, SignatureScheme, TrustedAk};
use evtpm_verify::x509::PublicKey;
use serde::Deserialize;

use super::{Recorded, every_register};
use crate::evidence::checks::tcg_eventlog::bank_name;
use crate::evidence::index::Store;
use crate::verify::pcrs::PcrValues;

/// What an item has to say.
pub(super) struct Form {
    pub(super) key: TrustedAk,
    pub(super) quotes: Vec<Recorded>,
    /// A file with the nonce, where the index refers to it by its name.
    pub(super) named_nonce: Option<(String, Vec<u8>)>,
}

pub(super) fn read(store: &Store) -> Result<Form> {
    if let Some(banks) = Banks::read(store)? {
        return self::banks(&banks);
    }
    if store.find("evidence.json").is_some() {
        return trustee(store);
    }
    if store.find("vector.json").is_some() {
        return keylime(store);
    }
    if store.find("quote.msg").is_some() {
        return files(store);
    }
    bail!("the quote is stored in a form that is not known")
}

/// Returns the scheme that the quotes' signatures name; a key without public area has none of its own.
pub(super) fn scheme(quotes: &[Recorded]) -> Result<SignatureScheme> {
    let first = quotes.first().context("no quote")?;
    SignatureScheme::of(&first.signature).context("the signature's scheme is not known")
}

/// Wraps a bare RSA signature as a `TPMT_SIGNATURE` by RSASSA with SHA-256.
pub(in super::super) fn rsassa_sha256(signature: &[u8]) -> Result<Vec<u8>> {
    let size = u16::try_from(signature.len()).context("the signature is too long")?;
    Ok([&[0, 0x14, 0, 0x0b], size.to_be_bytes().as_slice(), signature].concat())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Banks {
    pub(super) ak_tpmt_public: String,
    pub(super) quotes: Vec<BankQuote>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BankQuote {
    bank: String,
    pub(super) attest: String,
    pub(super) tpmt_signature: String,
    pub(super) pcrs: BTreeMap<u32, String>,
    pub(super) qualifying_data: String,
}

impl Banks {
    /// Reads the quotes of several banks, or the one in a dump of `go-attestation`.
    pub(super) fn read(store: &Store) -> Result<Option<Self>> {
        if store.find("quotes.json").is_some() {
            return store.json("quotes.json").map(Some);
        }
        let dump = store.files().find_map(|(_, bytes)| serde_json::from_slice::<Dump>(bytes).ok());
        dump.map(Dump::into_banks).transpose()
    }
}

/// `attest.Dump` of go-attestation: its bytes are Base64, and its hash algorithms have the numbers of Go's `crypto.Hash`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dump {
    #[serde(rename = "AK")]
    ak: DumpedAk,
    quote: DumpedQuote,
    log: DumpedLog,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DumpedAk {
    public: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DumpedQuote {
    nonce: String,
    quote: String,
    signature: String,
}

#[derive(Deserialize)]
struct DumpedLog {
    #[serde(rename = "PCRs")]
    pcrs: Vec<DumpedPcr>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DumpedPcr {
    index: u32,
    digest: String,
    digest_alg: u8,
}

impl Dump {
    fn into_banks(self) -> Result<Banks> {
        let hex_of = |text: &str| STANDARD.decode(text).map(hex::encode);
        let pcrs = &self.log.pcrs;
        let bank = match pcrs.first().map(|pcr| pcr.digest_alg) {
            Some(3) => "sha1",
            Some(5) => "sha256",
            Some(6) => "sha384",
            Some(7) => "sha512",
            other => bail!("registers of the hash algorithm {other:?}"),
        };
        let pcrs: BTreeMap<_, _> =
            pcrs.iter().map(|pcr| Ok((pcr.index, hex_of(&pcr.digest)?))).collect::<Result<_>>()?;
        let quote = BankQuote {
            bank: bank.to_owned(),
            attest: hex_of(&self.quote.quote)?,
            tpmt_signature: hex_of(&self.quote.signature)?,
            pcrs,
            qualifying_data: hex_of(&self.quote.nonce)?,
        };
        Ok(Banks { ak_tpmt_public: hex_of(&self.ak.public)?, quotes: vec![quote] })
    }
}

fn banks(form: &Banks) -> Result<Form> {
    let quotes = form.quotes.iter().map(|quote| {
        let bank =
            HashId::from_name(&bank_name(&quote.bank)).with_context(|| format!("unknown bank {}", quote.bank))?;
        let pcrs: Option<PcrSet> = quote.pcrs.keys().map(|pcr| PcrIndex::new(*pcr)).collect();
        let selection = Selection::new().with(bank, pcrs.context("a register")?).context("no register")?;
        Ok(Recorded {
            message: hex::decode(&quote.attest)?,
            signature: hex::decode(&quote.tpmt_signature)?,
            selection,
            values: quote.pcrs.values().map(hex::decode).collect::<Result<_, _>>()?,
            nonce: hex::decode(&quote.qualifying_data)?,
        })
    });
    let key = TrustedAk::named(AkPublic::from_tpmt(&hex::decode(&form.ak_tpmt_public)?)?);
    Ok(Form { key, quotes: quotes.collect::<Result<_>>()?, named_nonce: None })
}

#[derive(Deserialize)]
struct Trustee {
    ak_public: String,
    tpm_quote: TrusteeQuote,
}

#[derive(Deserialize)]
struct TrusteeQuote {
    message: String,
    signature: String,
    pcrs: Vec<String>,
}

fn trustee(store: &Store) -> Result<Form> {
    let Trustee { ak_public, tpm_quote } = store.json("evidence.json")?;
    let message = STANDARD.decode(tpm_quote.message)?;
    let quotes = vec![Recorded {
        nonce: own_nonce(&message)?,
        message,
        signature: STANDARD.decode(tpm_quote.signature)?,
        selection: every_register(HashId::SHA256)?,
        values: tpm_quote.pcrs.iter().map(hex::decode).collect::<Result<_, _>>()?,
    }];
    let key = TrustedAk::named_key(&PublicKey::from_spki(&STANDARD.decode(ak_public)?)?, scheme(&quotes)?)?;
    Ok(Form { key, quotes, named_nonce: None })
}

#[derive(Deserialize)]
struct Keylime {
    ak_pem: String,
    nonce_ascii: String,
    quote: String,
    tpmt_signature: String,
    pcr_blob_tpm2_tools: String,
}

fn keylime(store: &Store) -> Result<Form> {
    let vector: Keylime = store.json("vector.json")?;
    let PcrValues { selection, values } = PcrValues::parse(&hex::decode(&vector.pcr_blob_tpm2_tools)?)?;
    let quotes = vec![Recorded {
        message: hex::decode(&vector.quote)?,
        signature: hex::decode(&vector.tpmt_signature)?,
        selection,
        values,
        nonce: vector.nonce_ascii.into_bytes(),
    }];
    let key = TrustedAk::named_key(&PublicKey::from_spki(vector.ak_pem.as_bytes())?, scheme(&quotes)?)?;
    Ok(Form { key, quotes, named_nonce: None })
}

fn files(store: &Store) -> Result<Form> {
    let PcrValues { selection, values } = PcrValues::parse(store.file("pcrs.bin")?)?;
    let signature = store.file("quote.sig")?;
    // tpm2-tools writes a TPMT_SIGNATURE, or the bare number with `--format plain`.
    let signature =
        if SignatureScheme::of(signature).is_some() { signature.to_vec() } else { rsassa_sha256(signature)? };
    let message = store.file("quote.msg")?.to_vec();
    let nonce = match store.find("nonce.hex") {
        Some(text) => hex::decode(str::from_utf8(text)?.trim()).context("nonce.hex")?,
        None => own_nonce(&message)?,
    };
    let quotes = vec![Recorded { message, signature, selection, values, nonce: nonce.clone() }];
    let key = TrustedAk::named_key(&PublicKey::from_spki(store.file("ak.pem")?)?, scheme(&quotes)?)?;
    Ok(Form { key, quotes, named_nonce: Some(("nonce.hex".to_owned(), nonce)) })
}

/// Returns the nonce of a message (`TPMS_ATTEST`) that is the only file of its item.
pub(super) fn lone_message(store: &Store) -> Option<Vec<u8>> {
    let mut files = store.files();
    let (Some((_, message)), None) = (files.next(), files.next()) else { return None };
    own_nonce(message).ok()
}

/// Takes the nonce from the message itself, where the item records none.
pub(in super::super) fn own_nonce(message: &[u8]) -> Result<Vec<u8>> {
    let attest: TpmsAttest<'_> =
        from_bytes(message, &Supported::ALL).map_err(|code| anyhow::anyhow!("TPMS_ATTEST: {code:?}"))?;
    Ok(attest.extra_data.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_of_go_attestation_is_a_quote_of_its_registers_bank() {
        let dump = |algorithm: u8| {
            let text = format!(
                r#"{{"Static":{{}},"AK":{{"Public":"AQ=="}},"Quote":{{"Nonce":"","Alg":4,"Quote":"Ag==","Signature":"Aw=="}},
                    "Log":{{"PCRs":[{{"Index":7,"Digest":"BA==","DigestAlg":{algorithm}}}],"Raw":""}}}}"#
            );
            serde_json::from_str::<Dump>(&text).unwrap().into_banks()
        };
        let banks = dump(5).unwrap();
        let [quote] = banks.quotes.as_slice() else { panic!("one quote") };
        assert_eq!((banks.ak_tpmt_public.as_str(), quote.bank.as_str()), ("01", "sha256"));
        assert_eq!((quote.attest.as_str(), quote.tpmt_signature.as_str()), ("02", "03"));
        assert_eq!((&quote.pcrs, quote.qualifying_data.as_str()), (&BTreeMap::from([(7, "04".to_owned())]), ""));
        assert!(dump(4).is_err());
    }
}
