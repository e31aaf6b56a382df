// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Quotes of TDX and SGX below Intel's root, and Intel's documents about them.

use evtpm_evidence::pcs::Answer;
use evtpm_evidence::quote::Quote;

use super::{Item, Subject, begin, certificates};
use crate::dcap::{self, SignedDocument};
use crate::x509::Certificate;

pub(super) fn subjects(item: &Item) -> Vec<Subject> {
    let Some(quote) = quote(item, item.file("quote.bin").unwrap()) else { return Vec::new() };
    let chain = dcap::pck_chain(&Quote::parse(&quote.bytes).unwrap()).unwrap();
    let chain = certificates::below(item, &chain, &chain);
    [quote].into_iter().chain(chain).chain(documents(item)).collect()
}

/// Everything before the certificates: PEM has room for changes that change nothing. They are subjects of their own.
pub(super) fn quote(item: &Item, bytes: &[u8]) -> Option<Subject> {
    let (parsed, _) = Quote::parse_prefix(bytes).unwrap();
    let chain = dcap::pck_chain(&parsed).ok()?;
    let (at, whole) = (begin(&chain), parsed.bytes.len());
    let signed = whole - parsed.certification.data.len();
    let believes = move |bytes: &[u8]| Quote::parse(bytes).is_ok_and(|quote| dcap::verify(&quote, &[], at).is_ok());
    Some(Subject::new(item.part("quote"), parsed.bytes.to_vec(), believes).in_part(0..signed))
}

/// The documents with a chain beside them: as `dcap-qvl` stores them, or an answer of the service.
fn documents(item: &Item) -> Vec<Subject> {
    let mut found = Vec::new();
    if let Some(stored) = item.json("collateral.json") {
        let text = |name: &str| stored[name].as_str().unwrap().to_owned();
        for name in ["tcb_info", "qe_identity"] {
            let (signature, chain) = (text(&format!("{name}_signature")), text(&format!("{name}_issuer_chain")));
            found.push((name, text(name), hex::decode(signature).unwrap(), chain));
        }
    }
    for (name, bytes) in
        item.files.iter().filter(|(name, _)| name.starts_with("tcb_info_v3") && name.ends_with(".json"))
    {
        let answer = Answer::parse(std::str::from_utf8(bytes).unwrap()).unwrap();
        let chain = item.file(&name.replace(".json", "_certs.pem")).unwrap();
        let signature = hex::decode(&answer.signature).unwrap();
        found.push(("answer", answer.document.to_owned(), signature, String::from_utf8(chain.to_vec()).unwrap()));
    }
    found
        .into_iter()
        .flat_map(|(name, text, signature, chain)| document(&item.part(name), text, signature, chain))
        .collect()
}

fn document(name: &str, text: String, signature: Vec<u8>, issuer_chain: String) -> [Subject; 2] {
    let at = begin(&Certificate::all_from(issuer_chain.as_bytes()).unwrap());
    let check = move |text: &[u8], signature: &[u8]| {
        let Ok(text) = String::from_utf8(text.to_vec()) else { return false };
        let document = SignedDocument { text, signature: signature.to_vec(), issuer_chain: issuer_chain.clone() };
        document.check(at).is_ok()
    };
    let (whole, by) = (text.clone().into_bytes(), signature.clone());
    let believes = check.clone();
    [
        Subject::new(format!("{name} text"), whole.clone(), move |text| believes(text, &by)),
        Subject::new(format!("{name} signature"), signature, move |signature| check(&whole, signature)),
    ]
}
