// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The report itself: its signature's form, its agreement with the endorsement key, and the signature.

use evtpm_crypto::{Crypto, EccCurve, EccSignature, HashAlg, RustCrypto};
use evtpm_snp::{Generation, Report, StatedGeneration, signature::ECDSA_P384_SHA384};

use super::{EndorsementKey, Signer, SnpClaims, VekKind, vek::VekSubject};
use crate::{Claim, Error, UnixTime, Verified, error::Hex};

/// Verifies a report, as received, with an endorsement key whose chain was verified before.
pub fn verify_with(received: &[u8], key: &EndorsementKey, at: UnixTime) -> Result<Verified<SnpClaims>, Error> {
    let report = Report::parse(received)?;
    let numbers = check_signature_form(&report)?;
    key.check_validity(at)?;
    let kind = VekKind::of_report(&report)?;
    if kind != key.kind() {
        return Err(Error::mismatch(Claim::SigningKey, key.kind().name(), kind.name()));
    }
    let generation = agreed_generation(&report, key)?;
    check_tcb(&report, key)?;
    let signer = agreed_signer(&report, key)?;
    check_signature(&report, numbers, key)?;

    let claims = SnpClaims {
        generation,
        signer,
        product_name: key.extensions.product_name.clone(),
        valid_until: key.valid_until,
        revocation: key.revocation,
        report,
    };
    Ok(Verified::new(claims, key.root.clone()))
}

/// Checks everything that the signature field has to be before any key is at hand, and returns r and s.
pub(super) fn check_signature_form(report: &Report) -> Result<([u8; 48], [u8; 48]), Error> {
    let algorithm = report.signature_algorithm();
    if algorithm != ECDSA_P384_SHA384 {
        return Err(Error::mismatch(Claim::SignatureAlgorithm, ECDSA_P384_SHA384, algorithm));
    }
    // SNP ABI, MASK_CHIP_KEY: "the firmware will write zeroes into the SIGNATURE field instead of signing the report".
    let signature = report.signature();
    if report.key_info().mask_chip_key() || signature.is_absent() {
        return Err(Error::MaskedChipKey);
    }
    // The signature does not cover itself: what follows r and s could carry a message past every check.
    if !signature.reserved_is_zero() {
        return Err(Error::SignaturePadding);
    }
    let r = in_range("r", signature.r_be())?;
    let s = in_range("s", signature.s_be())?;
    Ok((r, s))
}

/// FIPS 186-5, 6.4.2: "Verify that r and s are both integers in the interval [1, n − 1]."
fn in_range(number: &'static str, value: Option<[u8; 48]>) -> Result<[u8; 48], Error> {
    match value {
        Some(value) if value != [0; 48] && value.as_slice() < EccCurve::P384.parameters().n => Ok(value),
        _ => Err(Error::SignatureRange { number }),
    }
}

/// The report's CPUID and the certificate have to name one generation; a version 2 report names none.
fn agreed_generation(report: &Report, key: &EndorsementKey) -> Result<Generation, Error> {
    let certified = key.extensions.generation;
    match report.generation() {
        StatedGeneration::Known(stated) if stated == certified => Ok(stated),
        StatedGeneration::NotStated => Ok(certified),
        StatedGeneration::Known(stated) => Err(Error::mismatch(Claim::Generation, certified, stated)),
        StatedGeneration::Unknown { family, model } => {
            Err(Error::mismatch(Claim::Generation, certified, format!("family {family:#04x} model {model:#04x}")))
        }
    }
}

/// The key is derived from REPORTED_TCB, so its certificate has to state that very version, reserved bytes included.
fn check_tcb(report: &Report, key: &EndorsementKey) -> Result<(), Error> {
    let (certified, reported) = (key.extensions.tcb, report.reported_tcb());
    if certified == reported {
        return Ok(());
    }
    let show =
        |version: evtpm_snp::TcbVersion| format!("{} ({:#018x})", version.decode(key.extensions.generation), version.0);
    Err(Error::mismatch(Claim::ReportedTcb, show(certified), show(reported)))
}

fn agreed_signer(report: &Report, key: &EndorsementKey) -> Result<Signer, Error> {
    match &key.extensions.subject {
        VekSubject::Provider(csp_id) => Ok(Signer::Provider { csp_id: csp_id.clone() }),
        VekSubject::Chip(id) if report.chip_id_is_masked() || report.chip_id() == id => Ok(Signer::Chip { id: *id }),
        VekSubject::Chip(id) => Err(Error::mismatch(Claim::ChipId, Hex(id), Hex(report.chip_id()))),
    }
}

fn check_signature(report: &Report, (r, s): ([u8; 48], [u8; 48]), key: &EndorsementKey) -> Result<(), Error> {
    let digest = RustCrypto::hash(HashAlg::Sha384, &[report.signed_bytes()]);
    let genuine = EccSignature::new(EccCurve::P384, &r, &s)
        .and_then(|signature| RustCrypto::ecdsa_verify(&key.point, digest.as_bytes(), &signature));
    genuine.map_err(|_| Error::BadSignature { of: "attestation report".into(), by: key.name.clone() })
}
