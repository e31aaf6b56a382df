// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ReadOnlyControl` (Part 3, "TPM2_ReadOnlyControl"), and what read-only mode refuses.

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{ReadOnlyControl, ReadOnlyControlHandles};
use evtpm_tpm_wire::{Cc, Flags, Handle, Rc, Spec, TpmaNv};

impl Execute for ReadOnlyControl {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: ReadOnlyControlHandles) -> Result<(), Rc> {
        tpm.state.read_only = self.state.is_yes();
        Ok(())
    }
}

/// "A device supporting Read-Only mode must reject any affected command before performing authorization checks".
impl<P: Platform> Tpm<P> {
    /// Refuses the commands that are "Not Permitted" in Part 3, "Commands Permitted in Read-Only Mode".
    pub(crate) fn check_read_only(&self, spec: &Spec) -> Result<(), Rc> {
        if self.state.read_only && spec.flags.contains(Flags::READ_ONLY) { Err(Rc::READ_ONLY) } else { Ok(()) }
    }

    /// Refuses the commands that are permitted only with some NV indices.
    pub(crate) fn check_read_only_index(&self, code: Cc, handles: &[Handle]) -> Result<(), Rc> {
        let permitted = match (code, handles) {
            _ if !self.state.read_only => true,
            // "Permitted only when the NV index is defined with TPMA_NV_ORDERLY and TPMA_NV_CLEAR_STCLEAR."
            (Cc::NV_WRITE | Cc::NV_EXTEND | Cc::NV_SET_BITS | Cc::NV_WRITE_LOCK | Cc::NV_READ_LOCK, [_, index, ..]) => {
                self.nv_index(*index)
                    .is_some_and(|index| index.public.attributes.contains(TpmaNv::ORDERLY | TpmaNv::CLEAR_STCLEAR))
            }
            // "Not permitted when used with a PIN Pass/Fail NV index.", which counts
            (Cc::POLICY_SECRET, [entity, ..]) => !self.nv_index(*entity).is_some_and(|index| index.is_pin()),
            _ => true,
        };
        if permitted { Ok(()) } else { Err(Rc::READ_ONLY) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::ea::testing::{policy, start};
    use crate::commands::nv::testing::{INDEX, OWNER, nv, nv_auth, with_index, write};
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::commands::*;
    use evtpm_tpm_wire::{
        HashAlg, NvType, Supported, Tpm2bDigest, Tpm2bNonce, TpmSe, TpmSu, TpmiDhEntity, TpmiRhClear, TpmiRhPlatform,
        YesNo,
    };

    fn control(tpm: &mut TestTpm, state: YesNo) {
        tpm.send(&ReadOnlyControl { state }, ReadOnlyControlHandles { auth_handle: TpmiRhPlatform::Platform }).unwrap();
    }

    fn clear(tpm: &mut TestTpm, password: &[u8]) -> Result<(), Rc> {
        let handles = ClearHandles { auth_handle: TpmiRhClear::Platform };
        tpm.send_at(crate::Locality::ZERO, &Clear {}, handles, &[password])
    }

    fn restart(tpm: &mut TestTpm, startup_type: TpmSu) {
        tpm.send(&Shutdown { shutdown_type: TpmSu::State }, ()).unwrap();
        tpm.power_on();
        tpm.send(&Startup { startup_type }, ()).unwrap();
    }

    #[test]
    fn what_changes_the_tpm_is_refused_whatever_the_password() {
        let mut tpm = started();
        control(&mut tpm, YesNo::Yes);
        for password in [&b""[..], b"wrong"] {
            assert_eq!(clear(&mut tpm, password), Err(Rc::READ_ONLY));
        }
        tpm.send(&GetRandom { bytes_requested: 1 }, ()).unwrap();
        control(&mut tpm, YesNo::No);
        assert_eq!(clear(&mut tpm, b""), Ok(()));
    }

    #[test]
    fn the_mode_is_kept_over_a_resume_and_left_by_a_restart() {
        let mut tpm = started();
        control(&mut tpm, YesNo::Yes);
        restart(&mut tpm, TpmSu::State);
        assert_eq!(clear(&mut tpm, b""), Err(Rc::READ_ONLY));
        restart(&mut tpm, TpmSu::Clear);
        assert_eq!(clear(&mut tpm, b""), Ok(()));
    }

    #[test]
    fn only_an_orderly_index_that_startup_clears_is_written_and_locked() {
        let volatile = TpmaNv::ORDERLY | TpmaNv::CLEAR_STCLEAR;
        let locks = TpmaNv::WRITE_STCLEAR | TpmaNv::READ_STCLEAR;
        for (attributes, expected) in [(volatile, Ok(())), (TpmaNv::ORDERLY, Err(Rc::READ_ONLY))] {
            let mut tpm = with_index(OWNER | locks | attributes, NvType::Ordinary, b"");
            control(&mut tpm, YesNo::Yes);
            assert_eq!(write(&mut tpm, Handle::OWNER, b"", b"x", 0), expected);
            let (auth_handle, nv_index) = (nv_auth(Handle::OWNER), nv(INDEX));
            assert_eq!(tpm.send(&NvWriteLock {}, NvWriteLockHandles { auth_handle, nv_index }), expected);
            assert_eq!(tpm.send(&NvReadLock {}, NvReadLockHandles { auth_handle, nv_index }), expected);
        }
    }

    #[test]
    fn the_secret_of_a_pin_is_refused_since_its_use_counts() {
        let pin = OWNER | TpmaNv::AUTHREAD | TpmaNv::NO_DA;
        for (kind, expected) in [(NvType::PinFail, Err(Rc::READ_ONLY)), (NvType::Ordinary, Ok(()))] {
            let mut tpm = with_index(pin, kind, b"");
            write(&mut tpm, Handle::OWNER, b"", &[0, 0, 0, 0, 0, 0, 0, 5], 0).unwrap();
            let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
            control(&mut tpm, YesNo::Yes);
            let auth_handle = TpmiDhEntity::new(INDEX, &Supported::ALL).unwrap();
            let handles = PolicySecretHandles { auth_handle, policy_session: policy(session) };
            let command = PolicySecret {
                nonce_tpm: Tpm2bNonce::EMPTY,
                cp_hash_a: Tpm2bDigest::EMPTY,
                policy_ref: Tpm2bNonce::EMPTY,
                expiration: 0,
            };
            assert_eq!(tpm.send(&command, handles).map(|_| ()), expected, "{kind:?}");
        }
    }
}
