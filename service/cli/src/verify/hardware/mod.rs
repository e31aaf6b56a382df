// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The steps of hardware other than AMD's: one file for each kind, all of one shape.

pub(crate) mod args;
mod azure;
mod cca;
mod csv;
mod dcap;
mod nitro;
mod nvidia;
mod psa;
mod s390;

use evtpm_appraise::{Challenge, Claims, Layer};
use evtpm_verify::UnixTime;
use evtpm_verify::tpm::TrustedAk;
use evtpm_verify::x509::Revocation;

use super::args::Evidence;
use super::chain::{State, Verification, answers};
use super::facts::Fact;
use args::Hardware;
pub(super) use azure::inner_report;

/// Follows every kind of evidence that there is; returns the attestation key that a paravisor's report leads to.
pub(super) fn verify(verification: &mut Verification, evidence: &Evidence) -> Option<TrustedAk> {
    let (hardware, at) = (&evidence.hardware, evidence.at);
    let quote = dcap::verify(verification, hardware, at);
    nitro::verify(verification, hardware, at);
    cca::verify(verification, hardware);
    psa::verify(verification, hardware);
    nvidia::verify(verification, hardware, at);
    s390::verify(verification, hardware);
    csv::verify(verification, hardware);
    azure::verify(verification, hardware, quote)
}

impl Verification {
    /// Notes what was proven, what it says, and what it adds to the claims.
    fn prove(&mut self, what: &'static str, detail: String, facts: Vec<Fact>, add: impl FnOnce(Claims) -> Claims) {
        self.note(what, State::Verified, detail);
        self.facts.extend(facts);
        self.claims = add(std::mem::take(&mut self.claims));
    }

    /// Notes what the reader must not take for checked.
    fn gap(&mut self, is_open: bool, text: &str) {
        self.not_checked.extend(is_open.then(|| text.to_owned()));
    }

    /// Compares what evidence answers with the challenge that it has to answer, if somebody told.
    fn answer(&mut self, hardware: &Hardware, layer: Layer, answered: &[u8]) -> Option<Challenge> {
        let Some(expected) = &hardware.challenge else { return Some(Challenge::Unchecked) };
        if answers(answered, expected) {
            return Some(Challenge::Recorded);
        }
        let reason = format!("expected {}, got {}", crate::output::hex(expected), crate::output::hex(answered));
        self.refuse("challenge", layer, &reason);
        None
    }

    fn revocation_gap(&mut self, known: Revocation, of: &str) {
        let text = format!("revocation of {of}: no current list was given");
        self.gap(!matches!(known, Revocation::Checked { .. }), &text);
    }
}

/// The moment, for a detail.
fn at_text(at: UnixTime) -> String {
    format!("at {at}")
}
