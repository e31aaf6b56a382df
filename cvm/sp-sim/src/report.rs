// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MSG_REPORT_REQ (SNP ABI, "Attestation"): the report of a guest, signed with an endorsement key.

use evtpm_crypto::{Crypto as _, RustCrypto};
use evtpm_snp::report::RawReport;
use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_snp::signature::ECDSA_P384_SHA384;
use evtpm_snp::{EcdsaSignature, KeyInfo, ReportBody, ReportVersion, SigningKey, Status, U32, U64};

use crate::endorsement::EndorsementKey;
use crate::error::Error;
use crate::guest::{Guest, sha384};
use crate::processor::Processor;

/// The bits of the request's flags that select the key.
const KEY_SELECT: u32 = 3;
/// The least privileged level.
const MAX_VMPL: u32 = 3;

impl Processor {
    /// Answers a report request that came under the key of level `vmpck`.
    pub(crate) fn report(
        &mut self,
        guest: &Guest,
        vmpck: u8,
        request: &ReportRequest,
    ) -> Result<ReportResponse, Status> {
        // "VMPL to put in the attestation report. Must be greater than or equal to the current VMPL and at most three."
        let vmpl = request.vmpl.get();
        let flags = request.flags.get();
        let selected = KeySelect::from_bits(flags & KEY_SELECT).filter(|_| flags & !KEY_SELECT == 0);
        let Some(selected) = selected.filter(|_| request.reserved == [0; 24] && is_level_allowed(vmpck, vmpl)) else {
            return Ok(ReportResponse::failure(Status::INVALID_PARAM));
        };
        let masked = self.platform.mask_chip_key;
        let key = match (selected, &self.vlek) {
            (KeySelect::Auto | KeySelect::Vlek, Some(vlek)) => Some(vlek),
            (KeySelect::Vlek, None) => return Ok(ReportResponse::failure(Status::INVALID_KEY)),
            (KeySelect::Auto | KeySelect::Vcek, _) if masked => None,
            (KeySelect::Auto, None) | (KeySelect::Vcek, _) => Some(&self.vcek),
        };

        let mut report = RawReport::zeroed();
        report.body = self.report_body(guest, request, key.map_or(SigningKey::None, |key| key.kind));
        if let Some(key) = key {
            report.signature = sign(key, &report.body, &mut self.rng)?;
        }
        Ok(ReportResponse::success(report))
    }

    fn report_body(&self, guest: &Guest, request: &ReportRequest, signing_key: SigningKey) -> ReportBody {
        let (platform, identity) = (&self.platform, &guest.identity);
        let (current, committed) = (platform.current_firmware, platform.committed_firmware);
        let mut body = ReportBody {
            version: U32::new(platform.report_version.number()),
            guest_svn: U32::new(identity.guest_svn),
            policy: U64::new(guest.policy.0),
            family_id: identity.family_id,
            image_id: identity.image_id,
            vmpl: request.vmpl,
            signature_algo: U32::new(ECDSA_P384_SHA384),
            current_tcb: U64::new(platform.current_tcb.encode().0),
            platform_info: U64::new(platform.platform_info.0),
            key_info: U32::new(KeyInfo::new(identity.author_key_enabled, platform.mask_chip_key, signing_key).0),
            report_data: request.report_data,
            measurement: guest.measurement.digest().0,
            host_data: identity.host_data,
            id_key_digest: identity.id_key_digest,
            author_key_digest: identity.author_key_digest,
            report_id: guest.report_id,
            // No migration agent is associated.
            report_id_ma: [0xff; 32],
            reported_tcb: U64::new(platform.reported_tcb.encode().0),
            chip_id: if platform.mask_chip_id { [0; 64] } else { self.chip_id },
            committed_tcb: U64::new(platform.committed_tcb.encode().0),
            current_build: current.build,
            current_minor: current.minor,
            current_major: current.major,
            committed_build: committed.build,
            committed_minor: committed.minor,
            committed_major: committed.major,
            launch_tcb: U64::new(guest.launch_tcb.0),
            ..ReportBody::zeroed()
        };
        if platform.report_version >= ReportVersion::V3 {
            (body.cpuid_family, body.cpuid_model, body.cpuid_stepping) = platform.product.cpuid();
        }
        if platform.report_version >= ReportVersion::V5 {
            body.launch_mit_vector = U64::new(guest.launch_mitigations);
            body.current_mit_vector = U64::new(platform.mitigations);
        }
        body
    }
}

/// A level may speak for itself and for those below it.
pub(crate) fn is_level_allowed(vmpck: u8, vmpl: u32) -> bool {
    vmpl >= u32::from(vmpck) && vmpl <= MAX_VMPL
}

fn sign(key: &EndorsementKey, body: &ReportBody, rng: &mut dyn evtpm_crypto::Rng) -> Result<EcdsaSignature, Error> {
    let signature = RustCrypto::ecdsa_sign(&key.private, &sha384(body.as_bytes()), rng)?;
    let mut numbers = [[0; 48]; 2];
    for (number, bytes) in numbers.iter_mut().zip([signature.r(), signature.s()]) {
        number.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }
    let [r, s] = &numbers;
    Ok(EcdsaSignature::from_be(r, s))
}
