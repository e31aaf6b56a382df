// SPDX-License-Identifier: Apache-2.0 OR MIT
//! NV indices: defining, writing, and reading those that are greater than one command.
use alloc::vec::Vec;

use evtpm_crypto::Rng;
use evtpm_tpm_wire::commands::{
    NvDefineSpace, NvDefineSpaceHandles, NvRead, NvReadHandles, NvUndefineSpace, NvUndefineSpaceHandles, NvWrite,
    NvWriteHandles,
};
use evtpm_tpm_wire::{
    Cc, Handle, MAX_NV_BUFFER, Rc, Supported, Tpm2b, Tpm2bAuth, Tpm2bMaxNvBuffer, TpmPt, TpmaNv, TpmiRhNvAuth,
    TpmiRhNvDefinedIndex, TpmiRhNvIndex, TpmiRhProvision, TpmsNvPublic,
};

use crate::auth::Auth;
use crate::{Client, ClientError, Transport};

fn nv_index(index: Handle) -> Result<TpmiRhNvIndex, ClientError> {
    TpmiRhNvIndex::new(index, &Supported::ALL).ok_or(ClientError::NotReadable { index })
}

fn nv_auth(handle: Handle) -> Result<TpmiRhNvAuth, ClientError> {
    TpmiRhNvAuth::new(handle, &Supported::ALL).ok_or(ClientError::NotReadable { index: handle })
}

impl<T: Transport, R: Rng> Client<T, R> {
    /// Reads all of an NV index, in as many commands as it takes.
    ///
    /// The attributes of the index decide who authorizes: the index itself, the owner or the platform, in this order;
    /// `auth` is that authValue.
    pub fn nv_read(&mut self, index: Handle, auth: &[u8]) -> Result<Vec<u8>, ClientError> {
        let nv_index = nv_index(index)?;
        let public = self.nv_public(nv_index)?.0;
        let auth_handle = nv_auth(reader_of(&public).ok_or(ClientError::NotReadable { index })?)?;
        let handles = NvReadHandles { auth_handle, nv_index };
        let chunk = self.nv_buffer_size()?;
        let mut content = Vec::with_capacity(usize::from(public.data_size));
        while let Some(left) = usize::from(public.data_size).checked_sub(content.len()).filter(|left| *left > 0) {
            let size = u16::try_from(left.min(chunk)).map_err(|_| ClientError::TooLong)?;
            let offset = u16::try_from(content.len()).map_err(|_| ClientError::TooLong)?;
            let read = self.run(handles, &NvRead { size, offset }, &mut [Auth::Password(auth)])?;
            if read.data.len() != usize::from(size) {
                return Err(ClientError::Malformed { command: Cc::NV_READ, code: Rc::SIZE });
            }
            content.extend_from_slice(read.data.as_bytes());
        }
        Ok(content)
    }

    /// Writes `data` from the start of an NV index; `auth_handle` authorizes, with `auth` as its authValue.
    pub fn nv_write(
        &mut self,
        index: Handle,
        auth_handle: Handle,
        auth: &[u8],
        data: &[u8],
    ) -> Result<(), ClientError> {
        let handles = NvWriteHandles { auth_handle: nv_auth(auth_handle)?, nv_index: nv_index(index)? };
        let chunk = self.nv_buffer_size()?;
        let mut offset = 0u16;
        for piece in data.chunks(chunk.max(1)) {
            let command = NvWrite { data: Tpm2bMaxNvBuffer::new(piece)?, offset };
            self.run(handles, &command, &mut [Auth::Password(auth)])?;
            let size = u16::try_from(piece.len()).map_err(|_| ClientError::TooLong)?;
            offset = offset.checked_add(size).ok_or(ClientError::TooLong)?;
        }
        Ok(())
    }

    /// Defines an NV index for the owner, whose authValue is `auth`; the index gets `index_auth`.
    pub fn nv_define(&mut self, public: &TpmsNvPublic, auth: &[u8], index_auth: &[u8]) -> Result<(), ClientError> {
        let command = NvDefineSpace { auth: Tpm2bAuth::new(index_auth)?, public_info: Tpm2b(public.clone()) };
        let handles = NvDefineSpaceHandles { auth_handle: TpmiRhProvision::Owner };
        self.run(handles, &command, &mut [Auth::Password(auth)])
    }

    /// Removes an NV index of the owner, whose authValue is `auth`.
    pub fn nv_undefine(&mut self, index: Handle, auth: &[u8]) -> Result<(), ClientError> {
        let nv_index = TpmiRhNvDefinedIndex::new(index, &Supported::ALL).ok_or(ClientError::NotReadable { index })?;
        let handles = NvUndefineSpaceHandles { auth_handle: TpmiRhProvision::Owner, nv_index };
        self.run(handles, &NvUndefineSpace {}, &mut [Auth::Password(auth)])
    }

    /// Returns how much one command reads or writes: `TPM_PT_NV_BUFFER_MAX`, or less if this client handles less.
    fn nv_buffer_size(&mut self) -> Result<usize, ClientError> {
        let size = self.property(TpmPt::NV_BUFFER_MAX)?.ok_or(ClientError::Capability { what: "NV_BUFFER_MAX" })?;
        Ok(usize::try_from(size).unwrap_or(MAX_NV_BUFFER).clamp(1, MAX_NV_BUFFER))
    }
}

/// Returns who may authorize a read of an index.
fn reader_of(public: &TpmsNvPublic) -> Option<Handle> {
    [
        (TpmaNv::AUTHREAD, public.nv_index.handle()),
        (TpmaNv::OWNERREAD, Handle::OWNER),
        (TpmaNv::PPREAD, Handle::PLATFORM),
    ]
    .into_iter()
    .find(|(attribute, _)| public.attributes.contains(*attribute))
    .map(|(_, handle)| handle)
}
