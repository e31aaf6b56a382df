// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a registrar is told beside the endorsement key: the certificate at its NV index, or the report that an e-vTPM has there.

use anyhow::{Context, Result};
use evtpm_evidence::ek_certificate::EkCertificate;
use evtpm_tpm_wire::{PublicBody, Tpm2bEccParameter, TpmtPublic};

use crate::nv_certificate;

/// Bytes of an SEV-SNP report.
const REPORT: usize = 1184;

/// Makes the certificate out of what the index holds; `None` where that is neither a certificate nor a report.
///
/// Keylime wants a certificate, so a report travels in an unsigned one; `evtpm ek-check` takes it out again.
pub(super) fn certificate(index: &[u8], ek: &TpmtPublic) -> Result<Option<Vec<u8>>> {
    if nv_certificate::is_certificate(index) {
        // Of one that is not whole, the registrar says what it lacks.
        return Ok(Some(nv_certificate::certificate(index).unwrap_or(index).to_vec()));
    }
    let PublicBody::Ecc { unique, .. } = &ek.body else { return Ok(None) };
    if index.len() != REPORT {
        return Ok(None);
    }
    let wrapped = EkCertificate::of_p256(&coordinate(&unique.x)?, &coordinate(&unique.y)?, index).to_der();
    Ok(Some(wrapped.context("wrapping the report")?))
}

/// A coordinate of P-256, with leading zeros.
fn coordinate(number: &Tpm2bEccParameter) -> Result<[u8; 32]> {
    let number = number.as_bytes();
    let mut padded = [0; 32];
    let zeros = padded.len().checked_sub(number.len()).context("the endorsement key is on another curve than P-256")?;
    padded.iter_mut().skip(zeros).zip(number).for_each(|(to, from)| *to = *from);
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use evtpm_protocol::templates::EkTemplate;

    use super::*;

    #[test]
    fn a_report_is_wrapped_and_a_certificate_is_not() {
        let ek = EkTemplate::L2.public();
        let wrapped = certificate(&[7; REPORT], &ek).unwrap().unwrap();
        assert_eq!(EkCertificate::parse(&wrapped).unwrap().report, [7; REPORT]);
        assert_eq!(certificate(b"\x30\x82\x01\x00", &ek).unwrap().unwrap(), b"\x30\x82\x01\x00");
        let padded = [&b"\x30\x82\x00\x02ok"[..], &[0xFF; 100]].concat();
        assert_eq!(certificate(&padded, &ek).unwrap().unwrap(), b"\x30\x82\x00\x02ok");
        assert_eq!(certificate(b"something else", &ek).unwrap(), None);
    }
}
