// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SNP_GUEST_REQUEST (SNP ABI): opens a guest's message, answers it, and seals the answer.
//!
//! Statuses are those that hardware was seen to give: INVALID_PARAM for a malformed header and for a wrong authentication
//! tag, AEAD_OFLOW for an authentic message with a wrong sequence number.

use evtpm_crypto::aead;
use evtpm_snp::message::{MAX_PAYLOAD, TAG_SIZE};
use evtpm_snp::request::{KeyRequest, KeyRequestV2, ReportRequest, TscInfoRequest, TscInfoResponse};
use evtpm_snp::{GuestMessage, MessageHeader, MessageType, Status, U32, U64};

use crate::guest::{Guest, GuestState};
use crate::processor::Processor;

/// An opened request.
struct Request {
    message_type: MessageType,
    version: u8,
    vmpck: u8,
    sequence_number: u64,
    payload: [u8; MAX_PAYLOAD],
    length: usize,
}

impl Request {
    fn payload(&self) -> &[u8] {
        self.payload.get(..self.length).unwrap_or_default()
    }
}

impl Processor {
    /// Answers one message; on an error neither the guest's context nor the response page has changed.
    pub(crate) fn answer(
        &mut self,
        guest: &mut Guest,
        request: &GuestMessage,
        response: &mut GuestMessage,
    ) -> Result<(), Status> {
        if guest.state != GuestState::Running {
            return Err(Status::INVALID_GUEST_STATE);
        }
        let request = open(guest, request)?;
        let mut answer = Answer::new();
        match request.message_type {
            MessageType::ReportRequest => {
                let wanted = exactly(&request, 1, ReportRequest::view)?;
                answer.put(self.report(guest, request.vmpck, wanted)?.as_bytes());
            }
            MessageType::KeyRequest => {
                let (v1, mitigations) = match request.version {
                    2 => {
                        let wanted = exactly(&request, 2, KeyRequestV2::view)?;
                        (&wanted.v1, Some(wanted.launch_mit_vector.get()))
                    }
                    _ => (exactly(&request, 1, KeyRequest::view)?, None),
                };
                answer.put(self.derived_key(guest, request.vmpck, v1, mitigations)?.as_bytes());
            }
            MessageType::TscInfoRequest => {
                exactly(&request, 1, TscInfoRequest::view)?;
                answer.put(tsc_info(guest).as_bytes());
            }
            // There is no migration agent, so no guest is in a state in which one could act for it.
            MessageType::ExportRequest
            | MessageType::ImportRequest
            | MessageType::AbsorbRequest
            | MessageType::AbsorbNomaRequest
            | MessageType::VmrkRequest => return Err(Status::INVALID_GUEST_STATE),
            MessageType::CpuidRequest => return Err(Status::UNSUPPORTED),
            _ => return Err(Status::INVALID_PARAM),
        }
        let count = seal(guest, &request, &answer, response)?;

        if let Some(place) = guest.message_count.get_mut(usize::from(request.vmpck)) {
            *place = count;
        }
        Ok(())
    }
}

/// The payload of the answer.
struct Answer {
    bytes: [u8; MAX_PAYLOAD],
    length: usize,
}

impl Answer {
    fn new() -> Self {
        Self { bytes: [0; MAX_PAYLOAD], length: 0 }
    }

    fn put(&mut self, payload: &[u8]) {
        self.bytes.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
        self.length = payload.len();
    }
}

/// Checks the message version and that the payload has exactly the size of its structure.
fn exactly<'a, T, E>(
    request: &'a Request,
    version: u8,
    view: fn(&'a [u8]) -> Result<&'a T, E>,
) -> Result<&'a T, Status> {
    if request.version != version {
        return Err(Status::INVALID_PARAM);
    }
    view(request.payload()).map_err(|_| Status::INVALID_PARAM)
}

/// Opens a request: form, key, authenticity, sequence.
fn open(guest: &Guest, message: &GuestMessage) -> Result<Request, Status> {
    let header = message.header;
    let sealed = message.payload().map_err(|_| Status::INVALID_PARAM)?;
    let reserved_is_zero =
        header.reserved_28 == [0; 8] && header.reserved_38.get() == 0 && header.reserved_3d == [0; 35];
    let (tag, unused_tag) = header.auth_tag.split_first_chunk::<TAG_SIZE>().ok_or(Status::INVALID_PARAM)?;
    if !reserved_is_zero || unused_tag.iter().any(|byte| *byte != 0) {
        return Err(Status::INVALID_PARAM);
    }
    let message_type = MessageType::from_number(header.message_type).ok_or(Status::INVALID_PARAM)?;
    let key = guest.vmpck.get(usize::from(header.vmpck)).ok_or(Status::INVALID_PARAM)?;
    let count = guest.message_count.get(usize::from(header.vmpck)).ok_or(Status::INVALID_PARAM)?;

    let mut payload = [0; MAX_PAYLOAD];
    let length = sealed.len();
    let room = payload.get_mut(..length).ok_or(Status::INVALID_PARAM)?;
    room.copy_from_slice(sealed);
    aead::open(key, &header.nonce(), &header.additional_data(), room, tag).map_err(|_| Status::INVALID_PARAM)?;

    // "The firmware checks that the message sequence counter is one greater than the guest's": the number is the nonce,
    // so the answer takes the next one, and both must exist.
    let sequence_number = header.sequence_number.get();
    let expected = count.checked_add(1).filter(|expected| *expected < u64::MAX);
    if expected != Some(sequence_number) {
        return Err(Status::AEAD_OFLOW);
    }
    let (version, vmpck) = (header.message_version, header.vmpck);
    Ok(Request { message_type, version, vmpck, sequence_number, payload, length })
}

/// Seals an answer into the response page and returns its sequence number.
fn seal(guest: &Guest, request: &Request, answer: &Answer, response: &mut GuestMessage) -> Result<u64, Status> {
    let sequence_number = request.sequence_number.checked_add(1).ok_or(Status::AEAD_OFLOW)?;
    let message_type = request.message_type.response().ok_or(Status::INVALID_PARAM)?;
    let header = MessageHeader::new(message_type, request.version, sequence_number, request.vmpck, answer.length)
        .map_err(|_| Status::INVALID_LENGTH)?;
    let key = guest.vmpck.get(usize::from(request.vmpck)).ok_or(Status::INVALID_PARAM)?;

    let mut sealed = GuestMessage { header, room: answer.bytes };
    let payload = sealed.payload_mut().map_err(|_| Status::INVALID_LENGTH)?;
    let tag =
        aead::seal(key, &header.nonce(), &header.additional_data(), payload).map_err(|_| Status::HWERROR_PLATFORM)?;
    sealed.header.auth_tag.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
    *response = sealed;
    Ok(sequence_number)
}

/// MSG_TSC_INFO_RSP: one to one with the host's TSC, for guests that were launched with a secure one.
fn tsc_info(guest: &Guest) -> TscInfoResponse {
    /// GUEST_TSC_SCALE is a number with 32 bits after the binary point.
    const SCALE_OF_ONE: u64 = 1 << 32;
    if guest.secure_tsc {
        TscInfoResponse { guest_tsc_scale: U64::new(SCALE_OF_ONE), ..TscInfoResponse::zeroed() }
    } else {
        TscInfoResponse { status: U32::new(Status::INVALID_PARAM.0), ..TscInfoResponse::zeroed() }
    }
}
