// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MRSIGNER, the digest of the key that signed the enclave.

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, SgxPolicy},
    vector::{TrustClaim, TrustVector},
};

/// MRSIGNER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer;

impl Subject for Signer {
    const CODE: &'static str = "sgx.signer";
    const LAYER: Layer = Layer::Sgx;
    const NAME: &'static str = "MRSIGNER, the digest of the signer's key,";
    const RULE: &'static str = "signers in [sgx]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &SgxPolicy, mr_signer: [u8; 32]) -> Option<Deviation<Signer>> {
    Deviation::unlisted(&policy.signers, &Bytes(mr_signer))
}
