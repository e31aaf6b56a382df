// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Answered requests of IBM Secure Execution, by the key that only the maker of the request has.

use evtpm_appraise::{Challenge, Layer};
use evtpm_evidence::s390::{Exchange, ImageHeader};
use evtpm_verify::s390::{self, SeClaims};
use evtpm_verify::{Error, Vendor, Verified};

use super::Verification;
use super::args::{self, Hardware};
use crate::output::hex;
use crate::verify::facts::Fact;

const WHAT: &str = "measurement";

pub(super) fn verify(verification: &mut Verification, hardware: &Hardware) -> Option<()> {
    let files = hardware.s390.as_ref()?;
    let guest = match verify_one(files) {
        Ok(guest) => guest,
        Err(error) => {
            verification.refuse(WHAT, Layer::S390, &error);
            return None;
        }
    };
    // The request's key and nonce went into the HMAC, so that it answers this request and no other.
    let detail = format!("of the image with tag {}, by the request's key", hex(&guest.image_tag));
    verification.prove(WHAT, detail, facts(&guest), |claims| claims.with_s390(&guest, Challenge::Recorded));
    verification.gap(true, "which machine could open the request: its host key documents are yours to check");
    Some(())
}

fn verify_one(files: &args::Exchange) -> Result<Verified<SeClaims, Vendor>, Error> {
    let (exchange, image) = (Exchange::parse(&files.bytes)?, ImageHeader::parse(&files.header)?);
    s390::verify_measurement(&exchange, &image, &files.key, files.nonce.as_ref(), "the request's measurement key")
}

fn facts(guest: &SeClaims) -> Vec<Fact> {
    vec![
        Fact::new("image_tag", hex(&guest.image_tag)),
        Fact::new("config_uid", hex(&guest.config_uid)),
        Fact::new("guest_data", hex(&guest.user_data)),
        Fact::new("additional_data", hex(&guest.additional)),
    ]
}
