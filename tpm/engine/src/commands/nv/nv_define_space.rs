// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_DefineSpace` (Part 3, "TPM2_NV_DefineSpace").

use crate::commands::Execute;
use crate::state::{NvIndex, NvPublic};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvDefineSpace, NvDefineSpaceHandles};
use evtpm_tpm_wire::{Handle, MAX_NV_BUFFER, NvType, Rc, Subject, Tpm2b, Tpm2bAuth, TpmaNv, TpmiRhProvision};

/// The size of a counter, a bit field and a PIN index.
const WORD_SIZE: usize = 8;

impl Execute for NvDefineSpace {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvDefineSpaceHandles) -> Result<(), Rc> {
        let Tpm2b(public) = self.public_info;
        tpm.define_nv(handles.auth_handle, self.auth, public.into())
    }
}

impl<P: Platform> Tpm<P> {
    /// Defines an index of either kind.
    pub(super) fn define_nv(
        &mut self,
        auth_handle: TpmiRhProvision,
        auth: Tpm2bAuth,
        public: NvPublic,
    ) -> Result<(), Rc> {
        let auth = auth.without_trailing_zeros();
        let at_public = |rc: Rc| rc.at(Subject::Parameter(2));
        if !public.auth_policy.is_empty() && public.auth_policy.len() != public.name_alg.digest_size() {
            return Err(at_public(Rc::SIZE));
        }
        // "The size of auth is limited to be no larger than the size of the digest produced by the NV Index's nameAlg"
        if auth.len() > public.name_alg.digest_size() {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }
        let by_platform = auth_handle == TpmiRhProvision::Platform;
        // "Platform Authorization may not be used if phEnable or phEnableNV is CLEAR": phEnable was checked with the handle
        if by_platform && !self.state.hierarchies.platform_nv_enabled {
            return Err(Rc::HIERARCHY.at(Subject::Handle(1)));
        }
        check_sizes(&public).map_err(at_public)?;
        check_attributes(public.attributes).map_err(at_public)?;
        // "If TPMA_NV_PLATFORMCREATE is not set correctly for the authorization, the TPM shall return TPM_RC_ATTRIBUTES."
        if public.attributes.contains(TpmaNv::PLATFORMCREATE) != by_platform {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
        }
        // "If TPMA_NV_POLICY_DELETE is SET, then the authorization shall be with Platform Authorization"
        if public.attributes.contains(TpmaNv::POLICY_DELETE) && !by_platform {
            return Err(at_public(Rc::ATTRIBUTES));
        }
        if public.attributes.contains(TpmaNv::WRITEALL) && usize::from(public.data_size) > MAX_NV_BUFFER {
            return Err(at_public(Rc::SIZE));
        }
        if self.state.nv.index(Handle::from(public.nv_index)).is_some() {
            return Err(Rc::NV_DEFINED);
        }
        if self.state.nv.free_places() == 0 || usize::from(public.data_size) > self.state.nv.free_bytes() {
            return Err(Rc::NV_SPACE);
        }

        let index = NvIndex::new(public, auth).map_err(|_| Rc::NV_SPACE)?;

        self.state.nv.define(index).map_err(|_| Rc::NV_SPACE)
    }
}

fn check_sizes(public: &NvPublic) -> Result<(), Rc> {
    let size = usize::from(public.data_size);
    let fits = match public.attributes.nv_type().ok_or(Rc::ATTRIBUTES)? {
        // The largest size that the TPM supports was checked when the parameter was read.
        NvType::Ordinary => true,
        NvType::Extend => size == public.name_alg.digest_size(),
        NvType::Counter | NvType::Bits | NvType::PinFail | NvType::PinPass => size == WORD_SIZE,
    };
    if fits { Ok(()) } else { Err(Rc::SIZE) }
}

fn check_attributes(attributes: TpmaNv) -> Result<(), Rc> {
    let written_or_locked = TpmaNv::WRITTEN | TpmaNv::READLOCKED | TpmaNv::WRITELOCKED;
    let pin_writers = TpmaNv::PPWRITE | TpmaNv::OWNERWRITE | TpmaNv::POLICYWRITE;
    let writers = pin_writers | TpmaNv::AUTHWRITE;
    let readers = TpmaNv::PPREAD | TpmaNv::OWNERREAD | TpmaNv::AUTHREAD | TpmaNv::POLICYREAD;
    if attributes.intersects(written_or_locked) || !attributes.intersects(readers) || !attributes.intersects(writers) {
        return Err(Rc::ATTRIBUTES);
    }
    // As the reference: a lock that lasts has no place where each start clears the index.
    if attributes.contains(TpmaNv::CLEAR_STCLEAR | TpmaNv::WRITEDEFINE) {
        return Err(Rc::ATTRIBUTES);
    }
    let fits = match attributes.nv_type().ok_or(Rc::ATTRIBUTES)? {
        // "If TPMA_NV_CLEAR_STCLEAR is SET, then nvIndexType shall not be TPM_NT_COUNTER"
        NvType::Counter => !attributes.contains(TpmaNv::CLEAR_STCLEAR),
        // "A user knowing the authorization value could decrease pinCount or increase pinLimit"
        NvType::PinPass => attributes.intersects(pin_writers) && !attributes.contains(TpmaNv::AUTHWRITE),
        // "If nvIndexType is TPM_NT_PIN_FAIL, then TPMA_NV_NO_DA shall be SET."
        NvType::PinFail => {
            attributes.intersects(pin_writers)
                && !attributes.contains(TpmaNv::AUTHWRITE)
                && attributes.contains(TpmaNv::NO_DA)
        }
        NvType::Ordinary | NvType::Bits | NvType::Extend => true,
    };
    if fits { Ok(()) } else { Err(Rc::ATTRIBUTES) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{INDEX, OWNER, public, with_large_indices};
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::{HashAlg, Tpm2bAuth, Tpm2bDigest};

    const BY_PLATFORM: NvDefineSpaceHandles = NvDefineSpaceHandles { auth_handle: TpmiRhProvision::Platform };
    const BY_OWNER: NvDefineSpaceHandles = NvDefineSpaceHandles { auth_handle: TpmiRhProvision::Owner };
    const PUBLIC_ATTRIBUTES: Rc = Rc::ATTRIBUTES.at(Subject::Parameter(2));
    const PUBLIC_SIZE: Rc = Rc::SIZE.at(Subject::Parameter(2));

    fn define(tpm: &mut TestTpm, attributes: TpmaNv, data_size: u16, by: NvDefineSpaceHandles) -> Result<(), Rc> {
        let public_info = Tpm2b(public(attributes, data_size));
        tpm.send(&NvDefineSpace { auth: Tpm2bAuth::EMPTY, public_info }, by)
    }

    fn refused(attributes: TpmaNv, data_size: u16) -> Rc {
        let mut tpm = started();
        let before = tpm.state.clone();
        let rc = define(&mut tpm, attributes, data_size, BY_OWNER).unwrap_err();
        assert!(tpm.state == before);
        rc
    }

    #[test]
    fn a_new_index_is_there_and_unwritten() {
        let mut tpm = started();
        define(&mut tpm, OWNER, 40, BY_OWNER).unwrap();
        let index = tpm.state.nv.index(INDEX).unwrap();
        assert_eq!((index.public.attributes, index.data.len()), (OWNER, 40));
    }

    #[test]
    fn an_index_is_defined_once() {
        let mut tpm = started();
        define(&mut tpm, OWNER, 8, BY_OWNER).unwrap();
        assert_eq!(define(&mut tpm, OWNER, 8, BY_OWNER), Err(Rc::NV_DEFINED));
    }

    #[test]
    fn an_undefined_type_is_an_attributes_error() {
        assert_eq!(refused(OWNER | TpmaNv(0x30), 8), PUBLIC_ATTRIBUTES);
    }

    #[test]
    fn what_the_tpm_sets_itself_may_not_be_asked_for() {
        for attribute in [TpmaNv::WRITTEN, TpmaNv::READLOCKED, TpmaNv::WRITELOCKED] {
            assert_eq!(refused(OWNER | attribute, 8), PUBLIC_ATTRIBUTES, "{attribute:?}");
        }
    }

    #[test]
    fn an_index_that_nobody_can_read_or_write_is_refused() {
        assert_eq!(refused(TpmaNv::OWNERREAD, 8), PUBLIC_ATTRIBUTES);
        assert_eq!(refused(TpmaNv::OWNERWRITE, 8), PUBLIC_ATTRIBUTES);
    }

    #[test]
    fn numbers_have_eight_octets_and_extended_digests_their_own_size() {
        for kind in [NvType::Counter, NvType::Bits, NvType::PinPass, NvType::PinFail] {
            assert_eq!(refused(OWNER | TpmaNv::NO_DA | TpmaNv::of_type(kind), 9), PUBLIC_SIZE, "{kind:?}");
        }
        assert_eq!(refused(OWNER | TpmaNv::of_type(NvType::Extend), 20), PUBLIC_SIZE);
    }

    #[test]
    fn an_index_that_is_only_written_whole_fits_one_command() {
        let mut tpm = with_large_indices();
        define(&mut tpm, OWNER, 2049, BY_OWNER).unwrap();
        let refused = define(&mut with_large_indices(), OWNER | TpmaNv::WRITEALL, 2049, BY_OWNER);
        assert_eq!(refused, Err(PUBLIC_SIZE));
    }

    #[test]
    fn a_counter_may_not_forget() {
        let attributes = OWNER | TpmaNv::of_type(NvType::Counter) | TpmaNv::CLEAR_STCLEAR;
        assert_eq!(refused(attributes, 8), PUBLIC_ATTRIBUTES);
    }

    #[test]
    fn what_each_start_clears_is_not_locked_for_good() {
        assert_eq!(refused(OWNER | TpmaNv::CLEAR_STCLEAR | TpmaNv::WRITEDEFINE, 8), PUBLIC_ATTRIBUTES);
    }

    #[test]
    fn a_wrong_attribute_is_met_before_a_wrong_owner_and_that_before_a_size_that_no_command_writes() {
        let mut tpm = with_large_indices();
        let whole = OWNER | TpmaNv::PLATFORMCREATE | TpmaNv::WRITEALL;
        assert_eq!(define(&mut tpm, whole | TpmaNv::WRITTEN, 2049, BY_OWNER), Err(PUBLIC_ATTRIBUTES));
        assert_eq!(define(&mut tpm, whole, 2049, BY_OWNER), Err(Rc::ATTRIBUTES.at(Subject::Handle(1))));
    }

    #[test]
    fn a_pin_does_not_write_its_own_limit() {
        for kind in [NvType::PinPass, NvType::PinFail] {
            let pin = TpmaNv::of_type(kind) | TpmaNv::NO_DA;
            assert_eq!(refused(OWNER | pin | TpmaNv::AUTHWRITE, 8), PUBLIC_ATTRIBUTES, "{kind:?}");
        }
    }

    #[test]
    fn a_pin_that_counts_failures_has_no_other_protection_against_guessing() {
        assert_eq!(refused(OWNER | TpmaNv::of_type(NvType::PinFail), 8), PUBLIC_ATTRIBUTES);
        define(&mut started(), OWNER | TpmaNv::of_type(NvType::PinPass), 8, BY_OWNER).unwrap();
    }

    #[test]
    fn platformcreate_says_who_defined() {
        let at_auth = Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
        assert_eq!(define(&mut started(), OWNER | TpmaNv::PLATFORMCREATE, 8, BY_OWNER), at_auth);
        assert_eq!(define(&mut started(), OWNER, 8, BY_PLATFORM), at_auth);
        define(&mut started(), OWNER | TpmaNv::PLATFORMCREATE, 8, BY_PLATFORM).unwrap();
    }

    #[test]
    fn only_the_platform_defines_what_only_a_policy_deletes() {
        assert_eq!(refused(OWNER | TpmaNv::POLICY_DELETE, 8), PUBLIC_ATTRIBUTES);
    }

    #[test]
    fn an_authorization_value_longer_than_a_digest_is_a_size_error() {
        let mut tpm = started();
        let command =
            |auth: &[u8]| NvDefineSpace { auth: Tpm2bAuth::new(auth).unwrap(), public_info: Tpm2b(public(OWNER, 8)) };
        assert_eq!(tpm.send(&command(&[1; 33]), BY_OWNER), Err(Rc::SIZE.at(Subject::Parameter(1))));
        // Trailing zeros do not count.
        let mut padded = [0; 40];
        padded[0] = 1;
        tpm.send(&command(&padded), BY_OWNER).unwrap();
        assert_eq!(tpm.state.nv.index(INDEX).unwrap().auth.as_bytes(), [1]);
    }

    #[test]
    fn a_policy_has_the_size_of_its_algorithm() {
        let mut public = public(OWNER, 8);
        public.auth_policy = Tpm2bDigest::new(&[7; 32]).unwrap();
        let command = |public| NvDefineSpace { auth: Tpm2bAuth::EMPTY, public_info: Tpm2b(public) };
        assert_eq!(started().send(&command(public.clone()), BY_OWNER), Ok(()));
        public.name_alg = HashAlg::Sha384;
        assert_eq!(started().send(&command(public), BY_OWNER), Err(PUBLIC_SIZE));
    }

    #[test]
    fn a_full_memory_is_out_of_space() {
        let mut tpm = started();
        for number in 0..64 {
            let mut public = public(OWNER, 2048);
            public.nv_index = crate::commands::nv::testing::index(0x0180_0100 + number);
            let command = NvDefineSpace { auth: Tpm2bAuth::EMPTY, public_info: Tpm2b(public) };
            tpm.send(&command, BY_OWNER).unwrap();
        }
        assert_eq!(define(&mut tpm, OWNER, 1, BY_OWNER), Err(Rc::NV_SPACE));
    }

    #[test]
    fn with_the_platforms_nv_disabled_nothing_is_defined_for_it() {
        let mut tpm = started();
        tpm.state.hierarchies.platform_nv_enabled = false;
        let result = define(&mut tpm, OWNER | TpmaNv::PLATFORMCREATE, 8, BY_PLATFORM);
        assert_eq!(result, Err(Rc::HIERARCHY.at(Subject::Handle(1))));
    }
}
