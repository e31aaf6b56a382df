// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PSA tokens, below the key that their owner named.

use evtpm_appraise::Layer;
use evtpm_evidence::psa::Token;
use evtpm_verify::psa::{self, PsaClaims};
use evtpm_verify::software::Component;
use serde_json::{Value, json};

use super::Verification;
use super::args::Hardware;
use crate::output::{hex, printable};
use crate::verify::facts::Fact;

const WHAT: &str = "PSA token";

pub(super) fn verify(verification: &mut Verification, hardware: &Hardware) -> Option<()> {
    let named = hardware.psa.as_ref()?;
    let parsed = Token::parse(&named.bytes).map_err(evtpm_verify::Error::from);
    let token = match parsed.and_then(|token| psa::verify(&token, &named.key, &named.name)) {
        Ok(token) => token,
        Err(error) => {
            verification.refuse(WHAT, Layer::Psa, &error);
            return None;
        }
    };
    let challenge = verification.answer(hardware, Layer::Psa, &token.nonce)?;
    verification
        .prove(WHAT, format!("up to {}", token.root()), facts(&token), |claims| claims.with_psa(&token, challenge));
    verification.gap(true, "whose the PSA device's key is: it is yours to vouch for");
    Some(())
}

fn facts(token: &PsaClaims) -> Vec<Fact> {
    vec![
        Fact::new("implementation_id", hex(&token.implementation_id)),
        Fact::new("instance_id", hex(&token.instance_id)),
        Fact::new("lifecycle", format!("{:#06x}", token.lifecycle)),
        Fact::new("client_id", token.client_id),
        Fact::new("nonce", hex(&token.nonce)),
        Fact::new("components", token.components.iter().map(component).collect::<Vec<Value>>()),
    ]
}

/// One software component, as a line.
pub(super) fn component(component: &Component) -> Value {
    let kind = component.kind.as_deref().map_or_else(|| "without name".to_owned(), printable);
    let version = component.version.as_deref().map(|version| format!(" version {}", printable(version)));
    let (measurement, signer) = (hex(&component.measurement), hex(&component.signer));
    json!(format!("{kind}{}: {measurement}, signed by {signer}", version.unwrap_or_default()))
}
