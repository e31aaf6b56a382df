// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who may read or write an NV index, and whether its locks allow it now (Part 3, "Non-volatile Storage", "Introduction").

use crate::state::NvIndex;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::{Handle, Rc, Subject, TpmaNv, TpmiRhNvAuth, TpmiRhNvIndex};

impl<P: Platform> Tpm<P> {
    /// Finds an index that `auth`, which has been proven, may read: `TPM_RC_NV_AUTHORIZATION` if it may not.
    pub(crate) fn nv_for_reader(&self, auth: TpmiRhNvAuth, index: TpmiRhNvIndex) -> Result<&NvIndex, Rc> {
        self.nv_for(auth, index, TpmaNv::OWNERREAD, TpmaNv::PPREAD)
    }

    /// Finds an index that `auth`, which has been proven, may write: `TPM_RC_NV_AUTHORIZATION` if it may not.
    pub(crate) fn nv_for_writer(&self, auth: TpmiRhNvAuth, index: TpmiRhNvIndex) -> Result<&NvIndex, Rc> {
        self.nv_for(auth, index, TpmaNv::OWNERWRITE, TpmaNv::PPWRITE)
    }

    /// Finds an index whose data `auth` may read now.
    pub(crate) fn nv_readable(&self, auth: TpmiRhNvAuth, index: TpmiRhNvIndex) -> Result<&NvIndex, Rc> {
        // "If authorization sessions are present, they are checked before the read-lock status of the NV Index is checked.":
        // they were, and whether the attributes let their entity read a locked index no longer matters
        if self.nv_has(index, TpmaNv::READLOCKED)? {
            return Err(Rc::NV_LOCKED);
        }
        let index = self.nv_for_reader(auth, index)?;
        if index.has(TpmaNv::WRITTEN) { Ok(index) } else { Err(Rc::NV_UNINITIALIZED) }
    }

    /// Finds an index whose data `auth` may change now.
    pub(crate) fn nv_writable(&self, auth: TpmiRhNvAuth, index: TpmiRhNvIndex) -> Result<&NvIndex, Rc> {
        if self.nv_has(index, TpmaNv::WRITELOCKED)? { Err(Rc::NV_LOCKED) } else { self.nv_for_writer(auth, index) }
    }

    /// Tells whether an index has any of the attributes.
    pub(crate) fn nv_has(&self, index: TpmiRhNvIndex, attributes: TpmaNv) -> Result<bool, Rc> {
        self.nv_index(index.handle()).map(|index| index.has(attributes)).ok_or(NO_INDEX)
    }

    /// Finds an index to change it; the checks have looked at it before.
    pub(crate) fn nv_mut(&mut self, index: TpmiRhNvIndex) -> Result<&mut NvIndex, Rc> {
        self.state.nv.index_mut(index.handle()).ok_or(NO_INDEX)
    }

    /// The index's own authorization was held against its attributes when it was proven; here it only must be this index's.
    fn nv_for(
        &self,
        auth: TpmiRhNvAuth,
        index: TpmiRhNvIndex,
        owner: TpmaNv,
        platform: TpmaNv,
    ) -> Result<&NvIndex, Rc> {
        let found = self.nv_index(index.handle()).ok_or(NO_INDEX)?;
        let allowed = match auth.handle() {
            Handle::OWNER => found.has(owner),
            Handle::PLATFORM => found.has(platform),
            // "If authHandle is an NV Index, it must be the same as nvIndex (TPM_RC_NV_AUTHORIZATION)."
            own => own == index.handle(),
        };
        if allowed { Ok(found) } else { Err(Rc::NV_AUTHORIZATION) }
    }
}

/// The index is the second handle of every command with an authorization beside it.
const NO_INDEX: Rc = Rc::HANDLE.at(Subject::Handle(2));
