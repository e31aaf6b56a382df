// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MRENCLAVE, the measurement of the enclave.

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, SgxPolicy},
    vector::{TrustClaim, TrustVector},
};

/// MRENCLAVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enclave;

impl Subject for Enclave {
    const CODE: &'static str = "sgx.enclave";
    const LAYER: Layer = Layer::Sgx;
    const NAME: &'static str = "MRENCLAVE, the measurement of the enclave,";
    const RULE: &'static str = "enclaves in [sgx]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &SgxPolicy, mr_enclave: [u8; 32]) -> Option<Deviation<Enclave>> {
    Deviation::unlisted(&policy.enclaves, &Bytes(mr_enclave))
}
