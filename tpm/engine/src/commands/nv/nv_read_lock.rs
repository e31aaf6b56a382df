// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_ReadLock` (Part 3, "TPM2_NV_ReadLock").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvReadLock, NvReadLockHandles};
use evtpm_tpm_wire::{Rc, Subject, TpmaNv};

impl Execute for NvReadLock {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvReadLockHandles) -> Result<(), Rc> {
        // "if proper read authorization is not provided, the TPM may return either TPM_RC_SUCCESS or an authorization error"
        if tpm.nv_has(handles.nv_index, TpmaNv::READLOCKED)? {
            return Ok(());
        }
        // "An Index that had not been written may be locked for reading."
        let index = tpm.nv_for_reader(handles.auth_handle, handles.nv_index)?;
        if !index.has(TpmaNv::READ_STCLEAR) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(2)));
        }

        tpm.nv_mut(handles.nv_index)?.assign(TpmaNv::READLOCKED, true);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{AUTH, INDEX, OWNER, nv, nv_auth, read, with_index, write};
    use crate::testing::TestTpm;
    use evtpm_tpm_wire::{Handle, NvType, TpmSu, commands};

    fn lock(tpm: &mut TestTpm) -> Result<(), Rc> {
        tpm.send(&NvReadLock {}, NvReadLockHandles { auth_handle: nv_auth(Handle::OWNER), nv_index: nv(INDEX) })
    }

    #[test]
    fn a_locked_index_is_read_again_after_startup() {
        let mut tpm = with_index(OWNER | TpmaNv::READ_STCLEAR, NvType::Ordinary, b"");
        lock(&mut tpm).unwrap();
        lock(&mut tpm).unwrap();
        write(&mut tpm, Handle::OWNER, b"", b"x", 0).unwrap();
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 1, 0), Err(Rc::NV_LOCKED));
        tpm.power_on();
        tpm.send(&commands::Startup { startup_type: TpmSu::Clear }, ()).unwrap();
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 1, 0).unwrap(), b"x");
    }

    #[test]
    fn a_locked_index_is_locked_by_anyone_and_says_so_before_who_may_read() {
        let mut tpm = with_index(AUTH | TpmaNv::READ_STCLEAR, NvType::Ordinary, b"");
        assert_eq!(lock(&mut tpm), Err(Rc::NV_AUTHORIZATION));
        tpm.state.nv.index_mut(INDEX).unwrap().assign(TpmaNv::READLOCKED, true);
        assert_eq!(lock(&mut tpm), Ok(()));
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 1, 0), Err(Rc::NV_LOCKED));
    }

    #[test]
    fn an_index_without_a_lock_is_an_attributes_error() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        assert_eq!(lock(&mut tpm), Err(Rc::ATTRIBUTES.at(Subject::Handle(2))));
    }
}
