// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestation documents of AWS Nitro enclaves.

use evtpm_appraise::Layer;
use evtpm_evidence::nitro::Document;
use evtpm_verify::UnixTime;
use evtpm_verify::nitro::{self, NitroClaims};
use serde_json::{Value, json};

use super::args::Hardware;
use super::{Verification, at_text};
use crate::output::hex;
use crate::verify::facts::Fact;

const WHAT: &str = "attestation document";

pub(super) fn verify(verification: &mut Verification, hardware: &Hardware, at: UnixTime) -> Option<()> {
    let bytes = hardware.nitro.as_ref()?;
    let verified = Document::parse(bytes).map_err(evtpm_verify::Error::from);
    let document = match verified.and_then(|document| nitro::verify(&document, at)) {
        Ok(document) => document,
        Err(error) => {
            verification.refuse(WHAT, Layer::Nitro, &error);
            return None;
        }
    };
    let nonce = document.nonce.as_deref().unwrap_or_default();
    let challenge = verification.answer(hardware, Layer::Nitro, nonce)?;
    let detail =
        format!("of {}, made at {}, up to {}, {}", document.module_id, document.made, document.root(), at_text(at));
    verification.prove(WHAT, detail, facts(&document), |claims| claims.with_nitro(&document, challenge));
    verification.gap(true, "revocation of the AWS certificates: AWS publishes no lists, and the key lives three hours");
    Some(())
}

fn facts(document: &NitroClaims) -> Vec<Fact> {
    let registers = document.pcrs.iter().map(|(number, value)| (format!("{number:02}"), json!(hex(value))));
    let banks = serde_json::Map::from_iter([("sha384".to_owned(), Value::Object(registers.collect()))]);
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map_or_else(|| "none".to_owned(), hex);
    vec![
        Fact::new("enclave_pcrs", banks),
        Fact::new("enclave_debug", document.debug),
        Fact::new("enclave_public_key", text(&document.public_key)),
        Fact::new("enclave_user_data", text(&document.user_data)),
        Fact::new("enclave_nonce", text(&document.nonce)),
    ]
}
