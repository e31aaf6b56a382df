// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ISVPRODID, the signer's number of the product.

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::SgxPolicy,
    vector::{TrustClaim, TrustVector},
};

/// ISVPRODID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product;

impl Subject for Product {
    const CODE: &'static str = "sgx.product";
    const LAYER: Layer = Layer::Sgx;
    const NAME: &'static str = "ISVPRODID, the product's number,";
    const RULE: &'static str = "products in [sgx]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &SgxPolicy, product_id: u16) -> Option<Deviation<Product>> {
    Deviation::unlisted(&policy.products, &product_id)
}
