// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MSG_KEY_REQ (SNP ABI, "Key Derivation"): keys that follow from the chip and from what the guest selects of itself.
//!
//! The real function is not published; any function that depends on every selected field serves.

use evtpm_crypto::{Crypto as _, HashAlg, RustCrypto};
use evtpm_snp::request::{GuestFieldSelect, KeyRequest, KeyResponse, KeySelect};
use evtpm_snp::{Status, TcbVersion, U32};

use crate::endorsement::EndorsementKey;
use crate::guest::Guest;
use crate::processor::Processor;
use crate::report::is_level_allowed;

/// The bits of ROOT_KEY_SELECT that are defined.
const ROOT_KEY_SELECT: u32 = 0b111;

impl Processor {
    /// Answers a key request that came under the key of level `vmpck`; version 2 of the request names mitigations.
    pub(crate) fn derived_key(
        &self,
        guest: &Guest,
        vmpck: u8,
        request: &KeyRequest,
        mitigations: Option<u64>,
    ) -> Result<KeyResponse, Status> {
        let root = match self.check_key_request(guest, vmpck, request, mitigations) {
            Ok(root) => root,
            Err(status) => return Ok(KeyResponse { status: U32::new(status.0), ..KeyResponse::zeroed() }),
        };
        let select = GuestFieldSelect(request.guest_field_select.get());
        let field = |bit, bytes: &[u8]| {
            let (selected, mut value) = (select.contains(bit), [0; 49]);
            if selected {
                let [flag, place @ ..] = &mut value;
                *flag = 1;
                place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            }
            value
        };
        let identity = &guest.identity;
        let fields = [
            field(GuestFieldSelect::GUEST_POLICY, &guest.policy.0.to_le_bytes()),
            field(GuestFieldSelect::IMAGE_ID, &identity.image_id),
            field(GuestFieldSelect::FAMILY_ID, &identity.family_id),
            field(GuestFieldSelect::MEASUREMENT, &guest.measurement.digest().0),
            field(GuestFieldSelect::GUEST_SVN, &request.guest_svn.get().to_le_bytes()),
            field(GuestFieldSelect::TCB_VERSION, &request.tcb_version.get().to_le_bytes()),
            field(GuestFieldSelect::LAUNCH_MIT_VECTOR, &mitigations.unwrap_or(0).to_le_bytes()),
        ];
        let digest = RustCrypto::hmac(
            HashAlg::Sha256,
            root.private.as_bytes(),
            &[b"MSG_KEY_REQ", &request.vmpl.get().to_le_bytes(), fields.as_flattened()],
        );

        let mut response = KeyResponse::zeroed();
        response.derived_key.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        Ok(response)
    }

    fn check_key_request(
        &self,
        guest: &Guest,
        vmpck: u8,
        request: &KeyRequest,
        mitigations: Option<u64>,
    ) -> Result<&EndorsementKey, Status> {
        let select = request.guest_field_select.get();
        let selectable = match mitigations {
            Some(_) => 0x7f,
            None => 0x3f,
        };
        let well_formed = request.reserved.get() == 0
            && request.root_key_select.get() & !ROOT_KEY_SELECT == 0
            && select & !selectable == 0;
        // "The VMPL to mix into the derived key. Must be greater than or equal to the current VMPL."
        if !well_formed || !is_level_allowed(vmpck, request.vmpl.get()) {
            return Err(Status::INVALID_PARAM);
        }
        // "The guest SVN to mix into the key. Must not exceed the guest SVN provided at launch in the ID block."
        let svn_allowed = request.guest_svn.get() <= guest.identity.guest_svn;
        // "The TCB version to mix into the derived key. Must not exceed CommittedTcb."
        let generation = self.platform.product.generation();
        let version = TcbVersion(request.tcb_version.get());
        let tcb = version.decode(generation);
        let tcb_allowed = tcb.encode() == version && self.platform.committed_tcb.is_at_least(tcb);
        let mitigations_allowed = mitigations.unwrap_or(0) & !guest.launch_mitigations == 0;
        if !svn_allowed || !tcb_allowed || !mitigations_allowed {
            return Err(Status::INVALID_PARAM);
        }
        self.root_key(request)
    }

    fn root_key(&self, request: &KeyRequest) -> Result<&EndorsementKey, Status> {
        let selected = request.key_select().ok_or(Status::INVALID_PARAM)?;
        // A VMRK comes from a migration agent, and there is none.
        if request.root_key_select.get() & KeyRequest::ROOT_VMRK != 0 {
            return Err(Status::INVALID_KEY);
        }
        match (selected, &self.vlek) {
            (KeySelect::Auto | KeySelect::Vlek, Some(vlek)) => Ok(vlek),
            (KeySelect::Vlek, None) => Err(Status::INVALID_KEY),
            (KeySelect::Auto | KeySelect::Vcek, _) if self.platform.mask_chip_key => Err(Status::INVALID_KEY),
            (KeySelect::Auto, None) | (KeySelect::Vcek, _) => Ok(&self.vcek),
        }
    }
}
