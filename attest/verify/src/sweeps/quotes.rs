// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Quotes by TPMs: the message, the signature and the registers' values, in the forms of the evidence folder.

use std::collections::BTreeMap;

use base64::Engine as _;
use evtpm_crypto::HashAlg;
use evtpm_logs::{HashId, PcrIndex, PcrSet};
use evtpm_tpm_wire::{Supported, TpmsAttest, from_bytes};

use super::{Item, Subject};
use crate::recorded::{NOW, pcr_values, snapshots};
use crate::tpm::{AkPublic, Error, Issued, QuoteEvidence, Selection, TrustedAk};
use crate::x509::PublicKey;

/// A quote as an item has it; its nonce is its own.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) key: TrustedAk,
    pub(super) message: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) values: Vec<Vec<u8>>,
    /// What was asked for; `None` if the item does not say more than the quote.
    pub(super) asked: Option<Selection>,
}

impl Stored {
    pub(super) fn subjects(mut self, name: &str) -> Vec<Subject> {
        let attest: TpmsAttest<'_> = from_bytes(&self.message, &Supported::ALL).unwrap();
        let nonce = attest.extra_data.as_bytes().to_vec();
        let asked = self.asked.take().unwrap_or_else(|| self.selection(&nonce));
        let verify = |it: &Self, nonce: &[u8], asked: &Selection| it.verify(nonce, asked).is_ok();
        let (sizes, values) = (self.values.iter().map(Vec::len).collect::<Vec<_>>(), self.values.concat());
        let part = |part: &str, bytes: Vec<u8>, put: fn(&mut Self, &[u8], &[usize])| {
            let (original, nonce, asked, sizes) = (self.clone(), nonce.clone(), asked.clone(), sizes.clone());
            Subject::new(format!("{name} {part}"), bytes, move |bytes| {
                let mut changed = original.clone();
                put(&mut changed, bytes, &sizes);
                verify(&changed, &nonce, &asked)
            })
        };
        vec![
            part("message", self.message.clone(), |it, bytes, _| it.message = bytes.to_vec()),
            part("signature", self.signature.clone(), |it, bytes, _| it.signature = bytes.to_vec()),
            part("values", values, |it, mut bytes, sizes| {
                for (value, size) in it.values.iter_mut().zip(sizes) {
                    let (head, rest) = bytes.split_at(*size);
                    (*value, bytes) = (head.to_vec(), rest);
                }
            }),
        ]
    }

    fn verify(&self, nonce: &[u8], asked: &Selection) -> Result<(), Error> {
        let values: Vec<&[u8]> = self.values.iter().map(Vec::as_slice).collect();
        let evidence = QuoteEvidence { message: &self.message, signature: &self.signature, values: &values };
        self.key.verify(evidence, Issued::recorded(nonce), asked, NOW).map(drop)
    }

    /// The selection that the quote itself names.
    fn selection(&self, nonce: &[u8]) -> Selection {
        let wrong = Selection::new().with(HashId::SM3_256, PcrSet::from_mask(1 << 23).unwrap()).unwrap();
        match self.verify(nonce, &wrong) {
            Err(Error::Selection { actual, .. }) => actual,
            verdict => panic!("{verdict:?}"),
        }
    }
}

/// Wraps a bare number as `TPMT_SIGNATURE` of RSASSA with SHA-256.
pub(super) fn rsassa(signature: &[u8]) -> Vec<u8> {
    [&[0x00, 0x14, 0x00, 0x0B], (signature.len() as u16).to_be_bytes().as_slice(), signature].concat()
}

pub(super) fn subjects(item: &Item) -> Vec<Subject> {
    let quotes = if let Some(form) = item.json("quotes.json") {
        google(&form)
    } else if let Some(form) = item.json("evidence.json") {
        vec![trustee(&form)]
    } else if let Some(form) = item.json("vector.json") {
        vec![keylime(&form)]
    } else {
        vec![Stored {
            key: rsa(item.file("ak.pem").unwrap()),
            message: item.file("quote.msg").unwrap().to_vec(),
            signature: rsassa(item.file("quote.sig").unwrap()),
            values: pcr_values(item.file("pcrs.bin").unwrap()),
            asked: None,
        }]
    };
    let quotes = quotes.into_iter().enumerate();
    let quotes = quotes.flat_map(|(n, quote)| quote.subjects(&item.part(&format!("quote {n}"))));
    quotes.chain(super::certificates::of_item(item)).collect()
}

/// One quote by each key of each recorded boot.
pub(super) fn recorded_boots() -> Vec<Subject> {
    let mut boots = BTreeMap::new();
    for snapshot in snapshots() {
        boots.entry(snapshot.boot().to_owned()).or_insert(snapshot);
    }
    let quotes = boots.into_values().flat_map(|snapshot| {
        snapshot.quotes().into_iter().map(move |quote| {
            let name = format!("vm-boot/{} {}", snapshot.name, quote.scheme);
            let key = quote.trusted_ak();
            let (message, signature, values) = (quote.message, quote.signature, quote.values);
            (name, Stored { key, message, signature, values, asked: Some(quote.asked) })
        })
    });
    quotes.flat_map(|(name, quote)| quote.subjects(&name)).collect()
}

fn rsa(spki: &[u8]) -> TrustedAk {
    let PublicKey::Rsa { modulus, .. } = PublicKey::from_spki(spki).unwrap() else { panic!("not an RSA key") };
    TrustedAk::named_rsa(&modulus, false, HashAlg::Sha256).unwrap()
}

fn hexadecimal(value: &serde_json::Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn google(form: &serde_json::Value) -> Vec<Stored> {
    let key = || TrustedAk::named(AkPublic::from_tpmt(&hexadecimal(&form["ak_tpmt_public"])).unwrap());
    let quote = |quote: &serde_json::Value| {
        let mut values: Vec<(u32, Vec<u8>)> = quote["pcrs"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(pcr, value)| (PcrIndex::new(pcr.parse().unwrap()).unwrap().value().into(), hexadecimal(value)))
            .collect();
        values.sort();
        Stored {
            key: key(),
            message: hexadecimal(&quote["attest"]),
            signature: hexadecimal(&quote["tpmt_signature"]),
            values: values.into_iter().map(|(_, value)| value).collect(),
            asked: None,
        }
    };
    form["quotes"].as_array().unwrap().iter().map(quote).collect()
}

fn trustee(form: &serde_json::Value) -> Stored {
    let decode =
        |value: &serde_json::Value| base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
    let quote = &form["tpm_quote"];
    Stored {
        key: rsa(&decode(&form["ak_public"])),
        message: decode(&quote["message"]),
        signature: decode(&quote["signature"]),
        values: quote["pcrs"].as_array().unwrap().iter().map(hexadecimal).collect(),
        asked: None,
    }
}

fn keylime(form: &serde_json::Value) -> Stored {
    Stored {
        key: rsa(form["ak_pem"].as_str().unwrap().as_bytes()),
        message: hexadecimal(&form["quote"]),
        signature: hexadecimal(&form["tpmt_signature"]),
        values: pcr_values(&hexadecimal(&form["pcr_blob_tpm2_tools"])),
        asked: None,
    }
}
