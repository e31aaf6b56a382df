// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The other registers of an enclave: kernel, application, parent instance, signer.

use evtpm_verify::nitro::NitroClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{HexBytes, NitroPolicy},
    vector::{TrustClaim, TrustVector},
};

/// A register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register;

impl Subject for Register {
    const CODE: &'static str = "nitro.register";
    const LAYER: Layer = Layer::Nitro;
    const NAME: &'static str = "A register";
    const RULE: &'static str = "pcrs in [nitro]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &NitroPolicy, claims: &NitroClaims) -> Vec<Deviation<Register>> {
    let deviations = policy.pcrs.iter().filter_map(|(number, accepted)| {
        let accepted: Vec<HexBytes> = accepted.iter().map(|value| HexBytes(value.0.to_vec())).collect();
        let deviation = Deviation::unlisted_or_missing(&accepted, value(claims, number.0).as_ref())?;
        Some(deviation.named(format!("PCR {number}")))
    });
    deviations.collect()
}

/// The value of a register, if the document has it.
pub(super) fn value(claims: &NitroClaims, number: u8) -> Option<HexBytes> {
    let found = claims.pcrs.iter().find(|(register, _)| *register == number);
    found.map(|(_, value)| HexBytes(value.clone()))
}
