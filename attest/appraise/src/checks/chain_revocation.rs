// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is known about revocation of a vendor's chain; a certificate that a list names never comes so far.

use evtpm_verify::x509::Revocation;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::{Layer, Severity},
    policy::RevocationRule,
    vector::TrustVector,
};

/// Revocation of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainRevocation;

impl Subject for ChainRevocation {
    const CODE: &'static str = "evidence.revocation";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "Revocation of the chain";
    const RULE: &'static str = "revocation";
    const EFFECT: TrustVector = TrustVector::NONE;

    fn sentence(_: &Deviation<Self>) -> String {
        "Nobody can say that the chain's certificates are not revoked.".into()
    }

    fn suggestion(_: &Deviation<Self>) -> String {
        "Give the vendor's current revocation lists with the evidence; what only an online service knows stays unchecked.".into()
    }
}

pub(crate) fn check(rule: RevocationRule, known: Revocation, layer: Layer) -> Option<Deviation<ChainRevocation>> {
    let (actual, required) = match known {
        Revocation::Checked { .. } => return None,
        Revocation::Stale { next_update } => {
            (format!("a list that was due for renewal at {next_update}"), Severity::Stale)
        }
        Revocation::Unchecked => ("unchecked".to_owned(), Severity::Missing),
    };
    let severity = match rule {
        RevocationRule::Optional => Severity::Notice,
        RevocationRule::Required => required,
    };
    Some(Deviation::new("a current revocation list", actual).weighing(severity).at(layer))
}
