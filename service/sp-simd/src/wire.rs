// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The protocol on the socket: frames of a little-endian 32-bit length and that many bytes, a tag byte first.
//!
//! Both sides greet with [`GREETING`] and their version before the first frame. Every request gets one response.

use std::io::{Read, Write};

use evtpm_snp::{GuestMessage, IdAuth, IdBlock, PAGE_SIZE, Status};
use evtpm_sp_sim::{Misbehaviour, Refusal, Role};

use crate::error::Error;

/// What both sides send first.
pub(crate) const GREETING: &[u8; 8] = b"EVTPM-SP";
/// The version of the protocol.
pub(crate) const VERSION: u16 = 1;
/// The longest frame.
pub(crate) const MAX_FRAME: usize = 0x1_0000;
/// The longest certificate buffer of a guest request.
pub(crate) const MAX_CERTIFICATES: u32 = 0xc000;

/// A page on its way.
pub(crate) type Page = Box<[u8; PAGE_SIZE]>;

/// A certificate that a client can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateKind {
    /// A root or an intermediate.
    Authority(Role),
    /// The chip's key.
    Vcek,
    /// The provider's key.
    Vlek,
    /// The certificate table that guests get.
    Table,
}

const CERTIFICATE_KINDS: [CertificateKind; 6] = [
    CertificateKind::Authority(Role::Ark),
    CertificateKind::Authority(Role::Ask),
    CertificateKind::Authority(Role::Asvk),
    CertificateKind::Vcek,
    CertificateKind::Vlek,
    CertificateKind::Table,
];

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    LaunchStart { policy: u64, gosvw: [u8; 16] },
    LaunchUpdate { guest: u32, page_type: u8, gpa: u64, vmpl_permissions: [u8; 3], contents: Page },
    LaunchFinish { guest: u32, host_data: [u8; 32], identification: Option<Box<(IdBlock, IdAuth, bool)>> },
    Message { guest: u32, message: Box<GuestMessage>, certificates: Option<u32> },
    Decommission { guest: u32 },
    Certificate(CertificateKind),
    Misbehave(Vec<Misbehaviour>),
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    Done,
    Guest(u32),
    Page(Page),
    Message { message: Box<GuestMessage>, certificates: Vec<u8> },
    Certificate(Vec<u8>),
    Refused(Refusal),
    NotUnderstood,
}

impl Request {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::LaunchStart { policy, gosvw } => put(&mut out, &[&[1], &policy.to_le_bytes(), gosvw]),
            Self::LaunchUpdate { guest, page_type, gpa, vmpl_permissions, contents } => {
                let head = [&[2], &guest.to_le_bytes()[..], &[*page_type], &gpa.to_le_bytes(), vmpl_permissions];
                put(&mut out, &head);
                put(&mut out, &[&contents[..]]);
            }
            Self::LaunchFinish { guest, host_data, identification } => {
                put(&mut out, &[&[3], &guest.to_le_bytes(), host_data]);
                if let Some(identification) = identification {
                    let (block, auth, author) = &**identification;
                    put(&mut out, &[&[u8::from(*author)], block.as_bytes(), auth.as_bytes()]);
                }
            }
            Self::Message { guest, message, certificates } => {
                put(&mut out, &[&[4], &guest.to_le_bytes(), message.as_bytes()]);
                if let Some(size) = certificates {
                    put(&mut out, &[&size.to_le_bytes()]);
                }
            }
            Self::Decommission { guest } => put(&mut out, &[&[5], &guest.to_le_bytes()]),
            Self::Certificate(kind) => {
                let number = CERTIFICATE_KINDS.iter().position(|known| known == kind).unwrap_or_default();
                put(&mut out, &[&[6, number as u8]]);
            }
            Self::Misbehave(plan) => {
                put(&mut out, &[&[7]]);
                plan.iter().for_each(|misbehaviour| put_misbehaviour(&mut out, misbehaviour));
            }
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields { what: "request", rest: bytes };
        let request = match fields.u8()? {
            1 => Self::LaunchStart { policy: fields.u64()?, gosvw: fields.array()? },
            2 => Self::LaunchUpdate {
                guest: fields.u32()?,
                page_type: fields.u8()?,
                gpa: fields.u64()?,
                vmpl_permissions: fields.array()?,
                contents: Box::new(fields.array()?),
            },
            3 => {
                let (guest, host_data) = (fields.u32()?, fields.array()?);
                let identification = if fields.rest.is_empty() { None } else { Some(fields.identification()?) };
                Self::LaunchFinish { guest, host_data, identification }
            }
            4 => {
                let (guest, message) = (fields.u32()?, fields.message()?);
                let certificates = if fields.rest.is_empty() { None } else { Some(fields.u32()?) };
                if certificates.is_some_and(|size| size > MAX_CERTIFICATES) {
                    return Err(fields.malformed());
                }
                Self::Message { guest, message, certificates }
            }
            5 => Self::Decommission { guest: fields.u32()? },
            6 => {
                let number = usize::from(fields.u8()?);
                Self::Certificate(*CERTIFICATE_KINDS.get(number).ok_or_else(|| fields.malformed())?)
            }
            7 => {
                let mut plan = Vec::new();
                while !fields.rest.is_empty() {
                    plan.push(fields.misbehaviour()?);
                }
                Self::Misbehave(plan)
            }
            _ => return Err(fields.malformed()),
        };
        fields.end().map(|()| request)
    }
}

impl Response {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Done => put(&mut out, &[&[0]]),
            Self::Guest(guest) => put(&mut out, &[&[1], &guest.to_le_bytes()]),
            Self::Page(page) => put(&mut out, &[&[2], &page[..]]),
            Self::Message { message, certificates } => put(&mut out, &[&[3], message.as_bytes(), certificates]),
            Self::Certificate(der) => put(&mut out, &[&[4], der]),
            Self::Refused(Refusal::Busy) => put(&mut out, &[&[5]]),
            Self::Refused(Refusal::CertificateBufferTooSmall { pages }) => put(&mut out, &[&[6], &pages.to_le_bytes()]),
            Self::Refused(Refusal::Firmware(status)) => put(&mut out, &[&[7], &status.0.to_le_bytes()]),
            Self::NotUnderstood => put(&mut out, &[&[8]]),
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields { what: "response", rest: bytes };
        let response = match fields.u8()? {
            0 => Self::Done,
            1 => Self::Guest(fields.u32()?),
            2 => Self::Page(Box::new(fields.array()?)),
            3 => Self::Message { message: fields.message()?, certificates: fields.all() },
            4 => Self::Certificate(fields.all()),
            5 => Self::Refused(Refusal::Busy),
            6 => Self::Refused(Refusal::CertificateBufferTooSmall { pages: fields.u64()? }),
            7 => Self::Refused(Refusal::Firmware(Status(fields.u32()?))),
            8 => Self::NotUnderstood,
            _ => return Err(fields.malformed()),
        };
        fields.end().map(|()| response)
    }
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Every deviation takes six bytes: its number, an argument of four, and one of one.
fn put_misbehaviour(out: &mut Vec<u8>, misbehaviour: &Misbehaviour) {
    let position = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    let (number, argument, mask) = match misbehaviour {
        Misbehaviour::Busy => (0, 0, 0),
        Misbehaviour::DropResponse => (1, 0, 0),
        Misbehaviour::DropRequest => (2, 0, 0),
        Misbehaviour::ReplayResponse => (3, 0, 0),
        Misbehaviour::ReplayRequest => (4, 0, 0),
        Misbehaviour::Reorder => (5, 0, 0),
        Misbehaviour::TruncateResponse(length) => (6, position(*length), 0),
        Misbehaviour::CorruptRequest { offset, mask } => (7, position(*offset), *mask),
        Misbehaviour::CorruptResponse { offset, mask } => (8, position(*offset), *mask),
        Misbehaviour::Firmware(status) => (9, status.0, 0),
    };
    put(out, &[&[number], &argument.to_le_bytes(), &[mask]]);
}

/// What is left of a frame.
struct Fields<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl Fields<'_> {
    fn malformed(&self) -> Error {
        Error::Malformed { what: self.what }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(*array)
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    fn message(&mut self) -> Result<Box<GuestMessage>, Error> {
        let page: [u8; PAGE_SIZE] = self.array()?;
        GuestMessage::view(&page).map(|message| Box::new(message.clone())).map_err(|_| self.malformed())
    }

    fn identification(&mut self) -> Result<Box<(IdBlock, IdAuth, bool)>, Error> {
        let author = match self.u8()? {
            0 => false,
            1 => true,
            _ => return Err(self.malformed()),
        };
        let (block, auth): ([u8; IdBlock::SIZE], [u8; IdAuth::SIZE]) = (self.array()?, self.array()?);
        let block = *IdBlock::view(&block).map_err(|_| self.malformed())?;
        let auth = IdAuth::view(&auth).map_err(|_| self.malformed())?.clone();
        Ok(Box::new((block, auth, author)))
    }

    fn misbehaviour(&mut self) -> Result<Misbehaviour, Error> {
        let (number, argument, mask) = (self.u8()?, self.u32()?, self.u8()?);
        let offset = argument as usize;
        Ok(match number {
            0 => Misbehaviour::Busy,
            1 => Misbehaviour::DropResponse,
            2 => Misbehaviour::DropRequest,
            3 => Misbehaviour::ReplayResponse,
            4 => Misbehaviour::ReplayRequest,
            5 => Misbehaviour::Reorder,
            6 => Misbehaviour::TruncateResponse(offset),
            7 => Misbehaviour::CorruptRequest { offset, mask },
            8 => Misbehaviour::CorruptResponse { offset, mask },
            9 => Misbehaviour::Firmware(Status(argument)),
            _ => return Err(self.malformed()),
        })
    }

    fn all(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest).to_vec()
    }

    fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }
}

/// Sends the greeting and checks the peer's.
pub(crate) fn greet(stream: &mut (impl Read + Write)) -> Result<(), Error> {
    stream.write_all(GREETING)?;
    stream.write_all(&VERSION.to_le_bytes())?;
    stream.flush()?;
    let (mut greeting, mut version) = ([0; 8], [0; 2]);
    stream.read_exact(&mut greeting)?;
    if &greeting != GREETING {
        return Err(Error::Malformed { what: "greeting" });
    }
    stream.read_exact(&mut version)?;
    match u16::from_le_bytes(version) {
        VERSION => Ok(()),
        actual => Err(Error::Version { expected: VERSION, actual }),
    }
}

pub(crate) fn write_frame(stream: &mut impl Write, frame: &[u8]) -> Result<(), Error> {
    let length = u32::try_from(frame.len()).ok().filter(|length| *length as usize <= MAX_FRAME);
    stream.write_all(&length.ok_or(Error::Malformed { what: "frame length" })?.to_le_bytes())?;
    stream.write_all(frame)?;
    Ok(stream.flush()?)
}

/// Reads a frame, or `None` if the peer has closed the connection before one.
pub(crate) fn read_frame(stream: &mut impl Read) -> Result<Option<Vec<u8>>, Error> {
    let mut length = [0; 4];
    let (first, rest) = length.split_at_mut(1);
    if stream.read(first)? == 0 {
        return Ok(None);
    }
    stream.read_exact(rest)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(Error::Malformed { what: "frame length" });
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame)?;
    Ok(Some(frame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requests() -> Vec<Request> {
        let identification = Box::new((IdBlock::zeroed(), IdAuth::zeroed(), true));
        let plan = vec![
            Misbehaviour::Busy,
            Misbehaviour::TruncateResponse(70),
            Misbehaviour::CorruptRequest { offset: 4000, mask: 3 },
            Misbehaviour::Firmware(Status::INVALID_PARAM),
        ];
        let mut requests = vec![
            Request::LaunchStart { policy: 0x30000, gosvw: [1; 16] },
            Request::LaunchUpdate {
                guest: 3,
                page_type: 2,
                gpa: 0xffff_ffff_f000,
                vmpl_permissions: [1, 2, 3],
                contents: Box::new([7; PAGE_SIZE]),
            },
            Request::LaunchFinish { guest: 1, host_data: [9; 32], identification: None },
            Request::LaunchFinish { guest: 1, host_data: [9; 32], identification: Some(identification) },
            Request::Message { guest: 1, message: Box::new(GuestMessage::zeroed()), certificates: None },
            Request::Message { guest: 1, message: Box::new(GuestMessage::zeroed()), certificates: Some(0x4000) },
            Request::Decommission { guest: u32::MAX },
            Request::Misbehave(plan),
            Request::Misbehave(Vec::new()),
        ];
        requests.extend(CERTIFICATE_KINDS.map(Request::Certificate));
        requests
    }

    fn responses() -> Vec<Response> {
        vec![
            Response::Done,
            Response::Guest(7),
            Response::Page(Box::new([1; PAGE_SIZE])),
            Response::Message { message: Box::new(GuestMessage::zeroed()), certificates: vec![1, 2, 3] },
            Response::Certificate(vec![4; 100]),
            Response::Refused(Refusal::Busy),
            Response::Refused(Refusal::CertificateBufferTooSmall { pages: 2 }),
            Response::Refused(Refusal::Firmware(Status::AEAD_OFLOW)),
            Response::NotUnderstood,
        ]
    }

    #[test]
    fn what_was_encoded_is_decoded_again() {
        for request in requests() {
            assert_eq!(Request::decode(&request.encode()).unwrap(), request);
        }
        for response in responses() {
            assert_eq!(Response::decode(&response.encode()).unwrap(), response);
        }
    }

    #[test]
    fn a_byte_too_few_is_malformed() {
        for request in requests() {
            let bytes = request.encode();
            let cut = Request::decode(&bytes[..bytes.len() - 1]);
            assert!(cut.is_err() || cut.unwrap() != request);
        }
        assert!(matches!(Request::decode(&[]), Err(Error::Malformed { what: "request" })));
        assert!(matches!(Response::decode(&[0, 0]), Err(Error::Malformed { what: "response" })));
    }

    #[test]
    fn a_certificate_buffer_beyond_the_limit_is_malformed() {
        let message = Box::new(GuestMessage::zeroed());
        let certificates = Some(MAX_CERTIFICATES + 1);
        assert!(Request::decode(&Request::Message { guest: 1, message, certificates }.encode()).is_err());
    }

    #[test]
    fn frames_longer_than_the_limit_are_not_read() {
        let frame = (MAX_FRAME as u32 + 1).to_le_bytes();
        assert!(matches!(read_frame(&mut &frame[..]), Err(Error::Malformed { what: "frame length" })));
        assert!(matches!(read_frame(&mut &[][..]), Ok(None)));
        assert!(matches!(read_frame(&mut &[1, 0][..]), Err(Error::Io(_))));
    }

    proptest! {
        #[test]
        fn random_frames_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (Request::decode(&bytes), Response::decode(&bytes));
        }
    }
}
