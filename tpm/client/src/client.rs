// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Running one command.
use alloc::vec::Vec;

use evtpm_crypto::{Rng, RustCrypto};
use evtpm_protocol::{handle_name, nv_name, nv_name_2, object_name};
use evtpm_tpm_wire::commands::{
    GetRandom, NvReadPublic, NvReadPublic2, NvReadPublic2Handles, NvReadPublicHandles, ReadPublic, ReadPublicHandles,
    Shutdown, Startup,
};
use evtpm_tpm_wire::{
    Command, Handle, HandleArea, HandleType, Rc, Reader, Response, ResponseHeader, Supported, Tpm2bName, Tpm2bNvPublic,
    TpmSu, TpmiDhObject, TpmiRhNvIndex,
};

use crate::auth::{Area, Auth, check_count};
use crate::{ClientError, Transport, frame};

/// A client of one TPM.
#[derive(Debug)]
pub struct Client<T, R> {
    transport: T,
    pub(crate) rng: R,
    response: Vec<u8>,
}

/// How often a command is sent again when the TPM asks for it.
const ATTEMPTS: usize = 5;

impl<T: Transport, R: Rng> Client<T, R> {
    /// Makes a client; `rng` makes the nonces and salts of its sessions.
    pub const fn new(transport: T, rng: R) -> Self {
        Self { transport, rng, response: Vec::new() }
    }

    /// Returns the transport.
    pub fn into_transport(self) -> T {
        self.transport
    }

    /// Runs a command. `auths` authorizes the handles that need it, in their order; further entries are sessions for
    /// encryption or audit.
    ///
    /// The Names of the handles, which sessions authenticate, are asked from the TPM; see [`Client::run_named`] for
    /// callers that know them.
    pub fn run<K: Command>(
        &mut self,
        handles: K::Handles,
        command: &K,
        auths: &mut [Auth<'_>],
    ) -> Result<K::Response, ClientError> {
        let mut names = Vec::new();
        if auths.iter().any(Auth::is_session) {
            for handle in &handles.list() {
                names.push(self.name(*handle)?);
            }
        }
        self.run_named(handles, command, auths, &names)
    }

    /// Runs a command on entities whose Names the caller knows: with a session, a TPM that holds other ones refuses.
    pub fn run_named<K: Command>(
        &mut self,
        handles: K::Handles,
        command: &K,
        auths: &mut [Auth<'_>],
        names: &[Tpm2bName],
    ) -> Result<K::Response, ClientError> {
        let code = K::SPEC.code;
        check_count(code, K::SPEC.authorizations(), auths.len())?;
        let sessions = auths.len();
        let mut area = Area { spec: K::SPEC, names, auths };
        let mut parameters = frame::bytes_of(command)?;
        let authorizations = area.command(&mut self.rng, &mut parameters)?;
        let bytes = frame::command(code, &frame::bytes_of(&handles)?, &authorizations, &parameters)?;

        let header = self.transmit::<K>(&bytes)?;
        let malformed = |code_of_error| ClientError::Malformed { command: code, code: code_of_error };
        let body = self.response.get(ResponseHeader::SIZE..).unwrap_or_default();
        let parts = frame::response(header.tag, body, K::SPEC.returns_handle, sessions).map_err(malformed)?;
        let mut parameters = parts.parameters.to_vec();
        area.response(&parts.authorizations, &mut parameters)?;
        let mut reader = Reader::permissive(&parameters);
        let response = K::Response::unmarshal(&mut Reader::permissive(parts.handle), &mut reader).map_err(malformed)?;
        reader.finish().map_err(malformed)?;
        Ok(response)
    }

    /// Sends the bytes, again if the TPM says so, and returns the header of the successful response.
    fn transmit<K: Command>(&mut self, bytes: &[u8]) -> Result<ResponseHeader, ClientError> {
        let command = K::SPEC.code;
        let mut attempt = 1;
        loop {
            self.transport
                .transmit(bytes, &mut self.response)
                .map_err(|error| ClientError::Transport { command, error })?;
            let (header, _) = frame::header(&self.response).map_err(|code| ClientError::Malformed { command, code })?;
            match header.response_code {
                Rc::SUCCESS => return Ok(header),
                Rc::RETRY | Rc::YIELDED if attempt < ATTEMPTS => attempt += 1,
                code => return Err(ClientError::Refused { command, code }),
            }
        }
    }

    /// Returns the Name of an entity, computed from the public area that the TPM returns.
    pub fn name(&mut self, handle: Handle) -> Result<Tpm2bName, ClientError> {
        if let Some(nv_index) = TpmiRhNvIndex::new(handle, &Supported::ALL)
            && handle.kind() == Some(HandleType::ExternalNv)
        {
            let read = self.run(NvReadPublic2Handles { nv_index }, &NvReadPublic2 {}, &mut [])?;
            let name = nv_name_2::<RustCrypto>(&read.nv_public.0)?;
            return if name == read.nv_name { Ok(name) } else { Err(ClientError::Name { handle }) };
        }
        if let Some(nv_index) = TpmiRhNvIndex::new(handle, &Supported::ALL) {
            let read = self.run(NvReadPublicHandles { nv_index }, &NvReadPublic {}, &mut [])?;
            let name = nv_name::<RustCrypto>(&read.nv_public.0)?;
            return if name == read.nv_name { Ok(name) } else { Err(ClientError::Name { handle }) };
        }
        if !matches!(handle.kind(), Some(HandleType::Transient | HandleType::Persistent)) {
            return Ok(handle_name(handle));
        }
        let object_handle = TpmiDhObject::new(handle, &Supported::ALL).ok_or(ClientError::TooLong)?;
        match self.run(ReadPublicHandles { object_handle }, &ReadPublic {}, &mut []) {
            Ok(read) => {
                let name = object_name::<RustCrypto>(&read.out_public.0.0)?;
                if name == read.name { Ok(name) } else { Err(ClientError::Name { handle }) }
            }
            // "TPM_RC_SEQUENCE: objectHandle references a sequence object", whose Name is empty.
            Err(ClientError::Refused { code, .. }) if code.base() == Rc::SEQUENCE => Ok(Tpm2bName::EMPTY),
            Err(error) => Err(error),
        }
    }

    /// Returns the public area of an NV index.
    pub fn nv_public(&mut self, nv_index: TpmiRhNvIndex) -> Result<Tpm2bNvPublic, ClientError> {
        Ok(self.run(NvReadPublicHandles { nv_index }, &NvReadPublic {}, &mut [])?.nv_public)
    }

    /// Starts the TPM up; that it is already is no error.
    pub fn startup(&mut self, startup_type: TpmSu) -> Result<(), ClientError> {
        match self.run((), &Startup { startup_type }, &mut []) {
            Err(ClientError::Refused { code: Rc::INITIALIZE, .. }) => Ok(()),
            result => result,
        }
    }

    /// Prepares the TPM for a loss of power.
    pub fn shutdown(&mut self, shutdown_type: TpmSu) -> Result<(), ClientError> {
        self.run((), &Shutdown { shutdown_type }, &mut [])
    }

    /// Fills `out` with random bytes of the TPM.
    pub fn random(&mut self, out: &mut [u8]) -> Result<(), ClientError> {
        let mut rest = out;
        while !rest.is_empty() {
            // A TPM gives at most a digest at a time, however much is asked for.
            let bytes_requested = u16::try_from(rest.len().min(32)).unwrap_or(32);
            let given = self.run((), &GetRandom { bytes_requested }, &mut [])?.random_bytes;
            let size = given.len().min(rest.len());
            if size == 0 {
                return Err(ClientError::Malformed { command: GetRandom::SPEC.code, code: Rc::SIZE });
            }
            let (now, later) = rest.split_at_mut(size);
            now.iter_mut().zip(given.as_bytes()).for_each(|(to, from)| *to = *from);
            rest = later;
        }
        Ok(())
    }
}
