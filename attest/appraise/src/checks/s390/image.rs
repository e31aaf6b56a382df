// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The tag of the image's header, which stands for the whole image.

use evtpm_verify::s390::SeClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, S390Policy},
    vector::{TrustClaim, TrustVector},
};

/// The image's tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image;

impl Subject for Image {
    const CODE: &'static str = "s390.image";
    const LAYER: Layer = Layer::S390;
    const NAME: &'static str = "The tag of the image";
    const RULE: &'static str = "image_tags in [s390]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &S390Policy, claims: &SeClaims) -> Option<Deviation<Image>> {
    Deviation::unlisted(&policy.image_tags, &Bytes(claims.image_tag))
}
