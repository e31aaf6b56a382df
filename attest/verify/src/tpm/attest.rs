// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPMS_ATTEST` of a quote, in the order in which it may be believed (verification rule 2).

use evtpm_tpm_wire::{Rc, Supported, TPM_GENERATED, TpmsAttest, TpmsQuoteInfo, TpmuAttest, from_bytes};

use crate::tpm::Error;

/// `TPM_ST_ATTEST_QUOTE`.
const ATTEST_QUOTE: u16 = 0x8018;

/// Parses a quote: the magic number and the type decide before any other field is looked at.
pub(super) fn parse(message: &[u8]) -> Result<(TpmsAttest<'_>, TpmsQuoteInfo), Error> {
    let malformed = |code| Error::Malformed { what: "TPMS_ATTEST", code };
    let Some((magic, rest)) = message.split_first_chunk::<4>() else {
        return Err(malformed(Rc::INSUFFICIENT));
    };
    let magic = u32::from_be_bytes(*magic);
    if magic != TPM_GENERATED {
        return Err(Error::NotGeneratedByTpm { actual: magic });
    }
    let Some((kind, _)) = rest.split_first_chunk::<2>() else {
        return Err(malformed(Rc::INSUFFICIENT));
    };
    let kind = u16::from_be_bytes(*kind);
    if kind != ATTEST_QUOTE {
        return Err(Error::NotAQuote { actual: kind });
    }

    let attest: TpmsAttest<'_> = from_bytes(message, &Supported::ALL).map_err(malformed)?;
    match attest.attested.clone() {
        TpmuAttest::Quote(info) => Ok((attest, info)),
        _ => Err(Error::NotAQuote { actual: kind }),
    }
}
