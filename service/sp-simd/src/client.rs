// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One connection to a simulated secure processor.

use std::os::unix::net::UnixStream;
use std::path::Path;

use evtpm_snp::GuestMessage;
use evtpm_sp_sim::{GuestHandle, LaunchFinish, LaunchPage, LaunchStart, Misbehaviour};

use crate::error::Error;
use crate::firmware::Firmware;
use crate::wire::{self, CertificateKind, Request, Response};

/// A connection; the guests that it launched end with it.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
}

impl Client {
    /// Connects to the socket of a server.
    ///
    /// # Errors
    /// Nobody listens there, or somebody else.
    pub fn connect(socket: impl AsRef<Path>) -> Result<Self, Error> {
        let mut stream = UnixStream::connect(socket)?;
        wire::greet(&mut stream)?;
        Ok(Self { stream })
    }

    /// Asks for a certificate, in DER, or for the certificate table.
    ///
    /// # Errors
    /// There is no such certificate, or the connection is lost.
    pub fn certificate(&mut self, kind: CertificateKind) -> Result<Vec<u8>, Error> {
        match self.ask(&Request::Certificate(kind))? {
            Response::Certificate(certificate) => Ok(certificate),
            other => Err(unexpected(other)),
        }
    }

    /// Plans deviations of the host, one for each of the next guest requests.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn misbehave(&mut self, plan: impl IntoIterator<Item = Misbehaviour>) -> Result<(), Error> {
        self.done(&Request::Misbehave(plan.into_iter().collect()))
    }

    fn ask(&mut self, request: &Request) -> Result<Response, Error> {
        wire::write_frame(&mut self.stream, &request.encode())?;
        let frame = wire::read_frame(&mut self.stream)?.ok_or(Error::Malformed { what: "end of the connection" })?;
        Response::decode(&frame)
    }

    fn done(&mut self, request: &Request) -> Result<(), Error> {
        match self.ask(request)? {
            Response::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }
}

fn unexpected(response: Response) -> Error {
    match response {
        Response::Refused(refusal) => Error::Refused(refusal),
        Response::NotUnderstood => Error::NotUnderstood,
        _ => Error::Malformed { what: "response" },
    }
}

impl Firmware for Client {
    fn launch_start(&mut self, start: &LaunchStart) -> Result<GuestHandle, Error> {
        match self.ask(&Request::LaunchStart { policy: start.policy.0, gosvw: start.gosvw })? {
            Response::Guest(guest) => Ok(GuestHandle(guest)),
            other => Err(unexpected(other)),
        }
    }

    fn launch_update(&mut self, guest: GuestHandle, page: LaunchPage<'_>) -> Result<(), Error> {
        let request = Request::LaunchUpdate {
            guest: guest.0,
            page_type: page.page_type.number(),
            gpa: page.gpa,
            vmpl_permissions: page.vmpl_permissions,
            contents: Box::new(*page.contents),
        };
        match self.ask(&request)? {
            Response::Page(contents) => {
                *page.contents = *contents;
                Ok(())
            }
            other => Err(unexpected(other)),
        }
    }

    fn launch_finish(&mut self, guest: GuestHandle, finish: &LaunchFinish<'_>) -> Result<(), Error> {
        let identification =
            finish.identification.map(|given| Box::new((*given.block, given.auth.clone(), given.author_key_enabled)));
        self.done(&Request::LaunchFinish { guest: guest.0, host_data: finish.host_data, identification })
    }

    fn guest_request(
        &mut self,
        guest: GuestHandle,
        request: &GuestMessage,
        response: &mut GuestMessage,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), Error> {
        // A larger buffer than the protocol carries is offered in part.
        let size = certificates.as_ref().map(|buffer| {
            u32::try_from(buffer.len()).map_or(wire::MAX_CERTIFICATES, |size| size.min(wire::MAX_CERTIFICATES))
        });
        let request = Request::Message { guest: guest.0, message: Box::new(request.clone()), certificates: size };
        match self.ask(&request)? {
            Response::Message { message, certificates: table } => {
                *response = *message;
                if let Some(buffer) = certificates {
                    let place = buffer.get_mut(..table.len()).ok_or(Error::Malformed { what: "certificate table" })?;
                    place.copy_from_slice(&table);
                }
                Ok(())
            }
            other => Err(unexpected(other)),
        }
    }

    fn decommission(&mut self, guest: GuestHandle) -> Result<(), Error> {
        self.done(&Request::Decommission { guest: guest.0 })
    }
}
