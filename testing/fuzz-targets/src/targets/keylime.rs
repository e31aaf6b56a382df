// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's quote text and the bodies of its push model: what is accepted, and written again, is read as the same.

use evtpm_keylime::push::{Capabilities, CollectedEvidence, Document, SessionOpening, SessionProof};
use evtpm_keylime::quote::{BankSelection, PcrBlob, QuoteText};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) fn quote(input: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(input) else { return false };
    let Ok(quote) = QuoteText::parse(text) else { return false };
    assert_eq!(QuoteText::parse(&quote.to_string()).as_ref(), Ok(&quote));
    assert_eq!(quote.pcrs.iter().count(), quote.pcrs.values().len());
    true
}

pub(super) fn quote_seeds() -> Vec<Vec<u8>> {
    let bank = BankSelection { hash: 0x000B, select: [0xFF, 0x07, 0x01] };
    let pcrs = PcrBlob::new(vec![bank], vec![vec![0xAA; 32]; 12]);
    let texts = pcrs.map(|pcrs| QuoteText { message: vec![1; 145], signature: vec![2; 72], pcrs }.to_string());
    texts.into_iter().map(String::into_bytes).collect()
}

/// A body of an agent that pushes, as each of the four that a verifier takes.
pub(super) fn push(input: &[u8]) -> bool {
    [
        reads_the_same::<SessionOpening>(input),
        reads_the_same::<SessionProof>(input),
        reads_the_same::<Capabilities>(input),
        reads_the_same::<CollectedEvidence>(input),
    ]
    .contains(&true)
}

fn reads_the_same<A: DeserializeOwned + Serialize + PartialEq + core::fmt::Debug>(input: &[u8]) -> bool {
    let Ok(document) = serde_json::from_slice::<Document<A>>(input) else { return false };
    let again = serde_json::to_vec(&document).and_then(|written| serde_json::from_slice(&written));
    assert_eq!(again.ok().as_ref(), Some(&document));
    true
}

pub(super) fn push_seeds() -> Vec<Vec<u8>> {
    let body = |kind: &str, attributes: &str| format!(r#"{{"data":{{"type":"{kind}","attributes":{attributes}}}}}"#);
    let way = r#""authentication_class":"pop","authentication_type":"tpm_pop""#;
    let opening = format!(r#"{{"agent_id":"a","authentication_supported":[{{{way}}}]}}"#);
    let proof = format!(
        r#"{{"agent_id":"a","authentication_provided":[{{{way},"data":{{"message":"AA==","signature":"AA=="}}}}]}}"#
    );
    let capabilities = r#"{"evidence_supported":[{"evidence_class":"certification","evidence_type":"tpm_quote",
        "capabilities":{"component_version":"2.0","hash_algorithms":["sha256"],"signature_schemes":["rsassa"],
        "available_subjects":{"sha256":[0,10]},"certification_keys":[{"key_class":"asymmetric","key_algorithm":"rsa",
        "key_size":2048,"server_identifier":"ak"}]}},{"evidence_class":"log","evidence_type":"ima_log","capabilities":
        {"entry_count":2,"supports_partial_access":true,"appendable":true,"formats":["text/plain"]}}],
        "system_info":{"boot_time":"2026-01-01T00:00:00Z"}}"#;
    let evidence = r#"{"evidence_collected":[{"evidence_class":"certification","evidence_type":"tpm_quote","data":
        {"subject_data":"AA==","message":"AA==","signature":"AA=="}},{"evidence_class":"log","evidence_type":"ima_log",
        "data":{"entry_count":1,"entries":"10 00 ima-ng sha256:00 /x\n"}}]}"#;
    [("session", opening.as_str()), ("session", &proof), ("attestation", capabilities), ("attestation", evidence)]
        .map(|(kind, attributes)| body(kind, attributes).into_bytes())
        .to_vec()
}
