// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Executes one command, in the order of Part 3, "Command Processing".

mod authorize;
mod command_audit;
mod respond;
mod session_area;
#[cfg(test)]
mod tests;

use crate::commands::{Row, row};
use crate::failure::Phase;
use crate::host::Pending;
use crate::name::Name;
use crate::state::NvIndex;
use crate::{Locality, Platform, Tpm};
use authorize::Request;
use evtpm_tpm_wire::{Cc, CommandTag, Flags, Handle, HandleList, Overflow, Rc, Reader, Spec, TpmaSession, Writer};
use respond::Before;
use session_area::SessionArea;

/// Size of the header of a command and of a response: tag, size, code.
pub(crate) const HEADER_SIZE: usize = 10;

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// The response, in so many bytes of the response buffer.
    Response(usize),
    /// Nothing yet: the host must do something and execute the same command again.
    Pending(Pending),
}

/// Why a command stopped.
enum Stop {
    Refused(Rc),
    Pending(Pending),
}

impl From<Rc> for Stop {
    fn from(rc: Rc) -> Self {
        Self::Refused(rc)
    }
}

impl<P: Platform> Tpm<P> {
    /// Executes one command at a locality and writes its response.
    ///
    /// `command` is decrypted in place. After [`Execution::Pending`] nothing has changed, neither in the TPM nor in
    /// `command`. `response` should hold [`crate::Limits::response_size`] bytes; in less than ten nothing is written.
    pub fn execute(&mut self, locality: Locality, command: &mut [u8], response: &mut [u8]) -> Execution {
        self.work.forget();
        self.dispatch(locality, command, response)
    }

    /// Executes one command, and goes on with the work that it began.
    pub(crate) fn dispatch(&mut self, locality: Locality, command: &mut [u8], response: &mut [u8]) -> Execution {
        let unannounced = self.unannounced();
        let now = self.platform.now_ms();
        self.clock.advance(now);
        self.da.heal(&self.state.da_parameters, self.clock.time());
        self.locality = locality;
        // "if any indication other the _TPM_Hash_Data occurs ... (including receipt of a command), then the H-CRTM Event Sequence
        // is abandoned ... and no change to any PCR is made"
        self.state.hcrtm = None;
        let result = self.process(command, response);
        self.may_differ |= unannounced != self.unannounced();
        match result {
            Ok(size) => Execution::Response(size),
            Err(Stop::Refused(rc)) => Execution::Response(write_error(rc, response)),
            Err(Stop::Pending(pending)) => Execution::Pending(pending),
        }
    }

    fn process(&mut self, command: &mut [u8], response: &mut [u8]) -> Result<usize, Stop> {
        if response.len() < self.profile.limits.response_size {
            return Err(Rc::MEMORY.into());
        }
        if command.len() > self.profile.limits.command_size {
            return Err(Rc::COMMAND_SIZE.into());
        }
        let supported = self.profile.supported;
        let (tag, code) = read_header(command)?;
        let row = row::<P>(code).ok_or(Rc::COMMAND_CODE)?;
        self.check_mode(tag, code)?;
        self.check_read_only(&row.spec)?;
        let mut reader = Reader::new(command.get(HEADER_SIZE..).unwrap_or_default(), &supported);
        let handles = (row.handles)(&mut reader)?;
        self.may_differ |= self.announces_change(&row.spec, &handles);
        for (handle, number) in handles.iter().zip(1..) {
            self.check_present(code, *handle, number)?;
        }
        self.check_read_only_index(code, &handles)?;
        let area = &mut SessionArea::default();
        self.read_sessions(tag, row, &handles, &mut reader, area)?;
        if let Some(pending) = self.pending(code, &handles, reader.remaining()) {
            return Err(Stop::Pending(pending));
        }
        if self.take_declined(&handles) {
            return Err(Rc::RETRY.into());
        }
        let before = &mut Before::default();
        self.authorize_all(row, &handles, area, reader.remaining(), before)?;
        let parameters_at = command.len().saturating_sub(reader.remaining().len());
        let parameters = command.get_mut(parameters_at..).ok_or(Rc::FAILURE)?;
        self.decrypt_parameter(area, parameters)?;
        let mut parameters = Reader::new(parameters, &supported);
        let mut writer = Writer::new(response);
        writer.bytes(&[0; HEADER_SIZE]).map_err(|Overflow| Rc::MEMORY)?;
        let parameters_at = (row.run)(self, &handles, &mut parameters, tag, &mut writer)?;
        let written = writer.written();
        Ok(self.finish(tag, code, area, before, response, parameters_at, written)?)
    }

    /// Tells whether a command may write NV memory: it is one of those marked "{NV}" in Part 3, or names an NV index whose PIN
    /// counts a use. Of PCRs and of the generator nothing is kept but after `TPM2_Shutdown`, which is marked itself.
    fn announces_change(&self, spec: &Spec, handles: &HandleList) -> bool {
        let is_volatile = matches!(spec.code, Cc::PCR_EXTEND | Cc::PCR_EVENT | Cc::PCR_RESET | Cc::STIR_RANDOM);
        let counts_uses = |handle: &Handle| self.state.nv.index(*handle).is_some_and(NvIndex::is_pin);
        spec.flags.contains(Flags::NV) && !is_volatile || handles.iter().any(counts_uses)
    }

    /// "The mode checks shall be performed in the order listed."
    fn check_mode(&self, tag: CommandTag, code: Cc) -> Result<(), Rc> {
        match self.phase {
            Phase::Failed(_) if tag == CommandTag::Sessions => Err(Rc::FAILURE),
            Phase::Failed(_) if !matches!(code, Cc::GET_TEST_RESULT | Cc::GET_CAPABILITY) => Err(Rc::FAILURE),
            Phase::Initialized if code != Cc::STARTUP => Err(Rc::INITIALIZE),
            Phase::Operational if code == Cc::STARTUP => Err(Rc::INITIALIZE),
            Phase::Failed(_) | Phase::Initialized | Phase::Operational => Ok(()),
        }
    }

    #[inline(never)] // What reading leaves on the stack is not there when the command runs.
    fn read_sessions(
        &self,
        tag: CommandTag,
        row: &Row<P>,
        handles: &HandleList,
        reader: &mut Reader<'_>,
        area: &mut SessionArea,
    ) -> Result<(), Rc> {
        if tag == CommandTag::NoSessions {
            return if row.spec.authorizations() == 0 { Ok(()) } else { Err(Rc::AUTH_MISSING) };
        }
        if row.spec.flags.contains(Flags::NO_SESSIONS) {
            return Err(Rc::AUTH_CONTEXT);
        }
        area.read(reader, &row.spec, &self.state.sessions)?;
        area.assign(&row.spec, handles)
    }

    /// Authorizes the command, and remembers what its actions may change but the response still needs.
    #[inline(never)] // See above.
    fn authorize_all(
        &mut self,
        row: &Row<P>,
        handles: &HandleList,
        area: &mut SessionArea,
        parameters: &[u8],
        before: &mut Before,
    ) -> Result<(), Rc> {
        let mut request = Request { spec: &row.spec, names: [Name::EMPTY; 3], parameters, handles };
        // They enter cpHash, which a password needs none of; of an NV index the Name is a hash by itself.
        if area.iter().any(|used| !used.is_password()) || self.state.command_audit.covers(row.spec.code) {
            for (name, handle) in request.names.iter_mut().zip(handles) {
                *name = self.entity_name(*handle);
            }
        }
        self.authorize(&request, area)?;
        for (auth, used) in before.auths.iter_mut().zip(area.iter()).filter(|(_, used)| !used.is_password()) {
            *auth = self.included_auth(used, true).clone();
        }
        let session = area.with(TpmaSession::AUDIT).and_then(|used| self.state.sessions.loaded(used.handle.0));
        before.audit = session.map(|session| request.cp_hash::<P::Crypto>(session.hash)).transpose()?;
        before.command_audit = self.command_audit_begins(&request)?;
        Ok(())
    }

    /// Completes a response whose handle and parameters have been written.
    #[expect(clippy::too_many_arguments, reason = "everything that a response consists of")]
    fn finish(
        &mut self,
        tag: CommandTag,
        code: Cc,
        area: &SessionArea,
        before: &mut Before,
        response: &mut [u8],
        parameters_at: usize,
        written: usize,
    ) -> Result<usize, Rc> {
        // "The TPM MAY nullify this command for any subsequent command"
        if code != Cc::SHUTDOWN {
            self.state.orderly = None;
        }
        let mut size = written;
        if tag == CommandTag::Sessions {
            let parameters = u32::try_from(written.saturating_sub(parameters_at)).map_err(|_| Rc::FAILURE)?;
            patch(response, parameters_at.saturating_sub(4), &parameters.to_be_bytes());
            size = self.respond_with_sessions(code, area, before, response, parameters_at, written)?;
        } else if !matches!(
            code,
            Cc::CONTEXT_SAVE | Cc::CONTEXT_LOAD | Cc::FLUSH_CONTEXT | Cc::STARTUP | Cc::READ_CLOCK
        ) {
            self.state.sessions.set_exclusive(None);
        }
        self.command_audit_ends(code, before, response.get(parameters_at..written).unwrap_or_default());
        write_header(tag.number(), Rc::SUCCESS, size, response);
        Ok(size)
    }
}

/// "a set of command format and consistency checks", in the order of "Command Header Validation".
fn read_header(command: &[u8]) -> Result<(CommandTag, Cc), Rc> {
    let mut reader = Reader::permissive(command);
    let tag = reader.read()?;
    let size: u32 = reader.read()?;
    if usize::try_from(size).ok() != Some(command.len()) {
        return Err(Rc::COMMAND_SIZE);
    }
    Ok((tag, reader.read()?))
}

/// "When a command fails ... the tag parameter in the response shall be TPM_ST_NO_SESSIONS". If the command's tag is
/// unknown: "If the TPM does not have compatibility with TPM 1.2, the TPM shall return TPM_ST_NO_SESSION and a response
/// code of TPM_RC_TAG"; firmware probes with a command of version 1.2, and takes TPM_TAG_RSP_COMMAND for a TPM of it.
pub(crate) fn write_error(rc: Rc, response: &mut [u8]) -> usize {
    let rc = if rc == Rc::BAD_TAG { Rc::TAG } else { rc };
    write_header(CommandTag::NoSessions.number(), rc, HEADER_SIZE, response);
    HEADER_SIZE.min(response.len())
}

fn write_header(tag: u16, rc: Rc, size: usize, response: &mut [u8]) {
    let ([t0, t1], [s0, s1, s2, s3]) = (tag.to_be_bytes(), u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes());
    let [c0, c1, c2, c3] = rc.raw().to_be_bytes();
    if let Some(header) = response.first_chunk_mut() {
        *header = [t0, t1, s0, s1, s2, s3, c0, c1, c2, c3];
    }
}

fn patch(buffer: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in buffer.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}
