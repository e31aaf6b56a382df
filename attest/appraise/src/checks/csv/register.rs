// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The runtime registers of CSV3.

use evtpm_verify::csv::CsvClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, CsvPolicy},
    vector::{TrustClaim, TrustVector},
};

/// A runtime register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register;

impl Subject for Register {
    const CODE: &'static str = "csv.register";
    const LAYER: Layer = Layer::Csv;
    const NAME: &'static str = "A runtime register";
    const RULE: &'static str = "registers in [csv]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &CsvPolicy, claims: &CsvClaims) -> Vec<Deviation<Register>> {
    let deviations = policy.registers.iter().filter_map(|(number, accepted)| {
        let value = claims.registers.and_then(|all| all.get(usize::from(number.0)).copied().map(Bytes));
        let deviation = Deviation::unlisted_or_missing(accepted, value.as_ref())?;
        Some(deviation.named(format!("Register {number}")))
    });
    deviations.collect()
}
