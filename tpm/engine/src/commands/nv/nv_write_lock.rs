// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_WriteLock` (Part 3, "TPM2_NV_WriteLock").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvWriteLock, NvWriteLockHandles};
use evtpm_tpm_wire::{Rc, Subject, TpmaNv};

impl Execute for NvWriteLock {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvWriteLockHandles) -> Result<(), Rc> {
        // "If TPMA_NV_WRITELOCKED for the NV Index is already SET", even without proper authorization "the TPM may return ...
        // TPM_RC_SUCCESS"
        if tpm.nv_has(handles.nv_index, TpmaNv::WRITELOCKED)? {
            return Ok(());
        }
        let index = tpm.nv_for_writer(handles.auth_handle, handles.nv_index)?;
        if !index.has(TpmaNv::WRITEDEFINE | TpmaNv::WRITE_STCLEAR) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(2)));
        }

        tpm.nv_mut(handles.nv_index)?.assign(TpmaNv::WRITELOCKED, true);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{AUTH, INDEX, OWNER, nv, nv_auth, with_index, write};
    use crate::testing::TestTpm;
    use evtpm_tpm_wire::{Handle, NvType, TpmSu, commands};

    fn lock(tpm: &mut TestTpm) -> Result<(), Rc> {
        tpm.send(&NvWriteLock {}, NvWriteLockHandles { auth_handle: nv_auth(Handle::OWNER), nv_index: nv(INDEX) })
    }

    fn write_after_startup(tpm: &mut TestTpm) -> Result<(), Rc> {
        tpm.power_on();
        tpm.send(&commands::Startup { startup_type: TpmSu::Clear }, ()).unwrap();
        write(tpm, Handle::OWNER, b"", b"x", 0)
    }

    #[test]
    fn an_index_locks_until_the_next_startup_or_for_good() {
        for (attribute, after) in [(TpmaNv::WRITE_STCLEAR, Ok(())), (TpmaNv::WRITEDEFINE, Err(Rc::NV_LOCKED))] {
            let mut tpm = with_index(OWNER | attribute, NvType::Ordinary, b"");
            write(&mut tpm, Handle::OWNER, b"", b"x", 0).unwrap();
            lock(&mut tpm).unwrap();
            lock(&mut tpm).unwrap();
            assert_eq!(write(&mut tpm, Handle::OWNER, b"", b"x", 0), Err(Rc::NV_LOCKED));
            assert_eq!(write_after_startup(&mut tpm), after);
        }
    }

    #[test]
    fn an_index_that_was_never_written_is_not_locked_for_good() {
        let mut tpm = with_index(OWNER | TpmaNv::WRITEDEFINE, NvType::Ordinary, b"");
        lock(&mut tpm).unwrap();
        assert_eq!(write(&mut tpm, Handle::OWNER, b"", b"x", 0), Err(Rc::NV_LOCKED));
        assert_eq!(write_after_startup(&mut tpm), Ok(()));
    }

    #[test]
    fn a_locked_index_is_locked_by_anyone_and_says_so_before_who_may_write() {
        let mut tpm = with_index(AUTH | TpmaNv::WRITE_STCLEAR, NvType::Ordinary, b"");
        assert_eq!(lock(&mut tpm), Err(Rc::NV_AUTHORIZATION));
        tpm.state.nv.index_mut(INDEX).unwrap().assign(TpmaNv::WRITELOCKED, true);
        assert_eq!(lock(&mut tpm), Ok(()));
        assert_eq!(write(&mut tpm, Handle::OWNER, b"", b"x", 0), Err(Rc::NV_LOCKED));
    }

    #[test]
    fn an_index_without_a_lock_is_an_attributes_error() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        assert_eq!(lock(&mut tpm), Err(Rc::ATTRIBUTES.at(Subject::Handle(2))));
    }
}
