// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ISVSVN, the security version of the enclave.

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::SgxPolicy,
    vector::{TrustClaim, TrustVector},
};

/// ISVSVN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityVersion;

impl Subject for SecurityVersion {
    const CODE: &'static str = "sgx.security-version";
    const LAYER: Layer = Layer::Sgx;
    const NAME: &'static str = "ISVSVN, the enclave's security version,";
    const RULE: &'static str = "min_security_version in [sgx]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &SgxPolicy, security_version: u16) -> Option<Deviation<SecurityVersion>> {
    Deviation::below(policy.min_security_version, security_version)
}
