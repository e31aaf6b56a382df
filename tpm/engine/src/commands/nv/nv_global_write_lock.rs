// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_GlobalWriteLock` (Part 3, "TPM2_NV_GlobalWriteLock").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::TpmaNv;
use evtpm_tpm_wire::commands::{NvGlobalWriteLock, NvGlobalWriteLockHandles};

impl Execute for NvGlobalWriteLock {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: NvGlobalWriteLockHandles) -> Result<(), Rc> {
        // "Index locking is independent of TPMA_NV_PLATFORMCREATE and the type of authorization."
        for index in tpm.state.nv.iter_mut().filter(|index| index.has(TpmaNv::GLOBALLOCK)) {
            index.assign(TpmaNv::WRITELOCKED, true);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{OWNER, attributes, define, public, with_index};
    use evtpm_tpm_wire::{NvType, TpmiRhProvision};

    const BY_OWNER: NvGlobalWriteLockHandles = NvGlobalWriteLockHandles { auth_handle: TpmiRhProvision::Owner };

    #[test]
    fn only_indices_that_were_there_and_asked_for_it_are_locked() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        let mut locked = public(OWNER | TpmaNv::GLOBALLOCK | TpmaNv::PLATFORMCREATE, 8);
        locked.nv_index = crate::commands::nv::testing::index(0x0180_0002);
        define(&mut tpm, locked.clone(), b"");
        tpm.send(&NvGlobalWriteLock {}, BY_OWNER).unwrap();
        let mut later = public(OWNER | TpmaNv::GLOBALLOCK, 8);
        later.nv_index = crate::commands::nv::testing::index(0x0180_0003);
        define(&mut tpm, later.clone(), b"");

        assert_eq!(attributes(&mut tpm), OWNER);
        let is_locked = |public: &evtpm_tpm_wire::TpmsNvPublic| {
            tpm.state.nv.index(public.nv_index.into()).unwrap().has(TpmaNv::WRITELOCKED)
        };
        assert_eq!((is_locked(&locked), is_locked(&later)), (true, false));
    }
}
