// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPMS_ATTEST` in the order in which it may be believed (verification rule 2).

use evtpm_crypto::constant_time_eq;
use evtpm_tpm_wire::{Rc, Supported, TPM_GENERATED, TpmsAttest, from_bytes};

use crate::UnixTime;
use crate::backend::Backend;
use crate::tpm::signature::VerificationKey;
use crate::tpm::{Error, Freshness, Issued, QualifyingData};

/// `TPM_ST_ATTEST_NV`.
pub(super) const ATTEST_NV: u16 = 0x8014;
/// `TPM_ST_ATTEST_CERTIFY`.
pub(super) const ATTEST_CERTIFY: u16 = 0x8017;
/// `TPM_ST_ATTEST_QUOTE`.
pub(super) const ATTEST_QUOTE: u16 = 0x8018;

/// `TPM_ST_ATTEST_CREATION`.
pub(super) const ATTEST_CREATION: u16 = 0x801A;

/// Verifies that `key` signed an attestation of type `kind` in answer to `nonce`.
///
/// The magic number and the type decide before any other field is looked at, and the signature before any is believed.
pub(super) fn verify<'a>(
    (key, backend): (&VerificationKey, &dyn Backend),
    message: &'a [u8],
    signature: &[u8],
    kind: u16,
    nonce: Issued<QualifyingData>,
    at: UnixTime,
) -> Result<(TpmsAttest<'a>, Freshness), Error> {
    let (qualifying_data, freshness) = nonce.consume(at)?;
    let attest = signed(message, kind, || key.verify(backend, message, signature))?;
    if !constant_time_eq(attest.extra_data.as_bytes(), qualifying_data.as_bytes()) {
        return Err(Error::Nonce);
    }

    Ok((attest, freshness))
}

/// Reads an attestation of type `kind` whose signature `check` finds good.
pub(super) fn signed<'a>(
    message: &'a [u8],
    kind: u16,
    check: impl FnOnce() -> Result<(), Error>,
) -> Result<TpmsAttest<'a>, Error> {
    check_kind(message, kind)?;
    let attest = from_bytes(message, &Supported::ALL).map_err(malformed)?;
    check()?;
    Ok(attest)
}

fn check_kind(message: &[u8], expected: u16) -> Result<(), Error> {
    let (magic, rest) = message.split_first_chunk::<4>().ok_or_else(|| malformed(Rc::INSUFFICIENT))?;
    let magic = u32::from_be_bytes(*magic);
    if magic != TPM_GENERATED {
        return Err(Error::NotGeneratedByTpm { actual: magic });
    }
    let (actual, _) = rest.split_first_chunk::<2>().ok_or_else(|| malformed(Rc::INSUFFICIENT))?;
    let actual = u16::from_be_bytes(*actual);
    if actual == expected { Ok(()) } else { Err(Error::AttestationType { expected, actual }) }
}

const fn malformed(code: Rc) -> Error {
    Error::Malformed { what: "TPMS_ATTEST", code }
}
