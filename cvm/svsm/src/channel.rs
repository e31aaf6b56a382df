// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The sealed channel to the secure processor (SNP ABI, "Guest Messages").
//!
//! One rule decides everything here: no two plaintexts are ever sealed under one sequence number, because it is the IV of
//! AES-GCM. So a message that may have been seen is sent again as the very same ciphertext or not at all.

use core::fmt;

use evtpm_crypto::aead;
use evtpm_snp::{GuestMessage, MessageHeader, MessageType, U64};
use zeroize::Zeroize;

use crate::processor::{HostError, SecureProcessor};

/// The largest request that is sent: `MSG_REPORT_REQ`.
const MAX_REQUEST: usize = 0x60;

/// Answers that are missing, refused or not authentic, in a row, after which the channel is closed for good.
const MAX_FAILURES: u8 = 8;

/// The last sequence number that the secrets page's 32-bit counters can hold.
const MAX_SEQUENCE: u64 = 0xffff_fffe;

/// A key shared with the secure processor, and where its message sequence stands.
pub struct GuestChannel {
    vmpck: [u8; 32],
    vmpck_id: u8,
    next_sequence: u64,
    open: bool,
    failures: u8,
    in_flight: Option<InFlight>,
    request: GuestMessage,
    response: GuestMessage,
}

/// The plaintext of the message in `request`, to know it again.
struct InFlight {
    message_type: MessageType,
    payload: [u8; MAX_REQUEST],
    length: usize,
}

impl InFlight {
    fn is(&self, message_type: MessageType, payload: &[u8]) -> bool {
        self.message_type == message_type && self.payload.get(..self.length) == Some(payload)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelError {
    /// The host did not deliver; the same request may be made again.
    Host(HostError),
    /// The answer was not sealed by the secure processor for this request.
    NotAuthentic,
    /// The channel was given up: no further request will ever be sealed.
    Closed,
    /// The request is longer than any that is known.
    RequestTooLong {
        /// Most bytes that are taken.
        limit: usize,
        /// Bytes given.
        actual: usize,
    },
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChannelError::Host(error) => error.fmt(f),
            ChannelError::NotAuthentic => {
                f.write_str("the host's answer is not one of the secure processor to this request")
            }
            ChannelError::Closed => f.write_str("the channel to the secure processor was closed for good"),
            ChannelError::RequestTooLong { limit, actual } => {
                write!(f, "a request of {actual} bytes is longer than {limit}")
            }
        }
    }
}

impl core::error::Error for ChannelError {}

impl From<HostError> for ChannelError {
    fn from(error: HostError) -> Self {
        ChannelError::Host(error)
    }
}

impl fmt::Debug for GuestChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestChannel")
            .field("vmpck_id", &self.vmpck_id)
            .field("next_sequence", &self.next_sequence)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Drop for GuestChannel {
    fn drop(&mut self) {
        self.vmpck.zeroize();
    }
}

impl GuestChannel {
    /// Takes a key of the secrets page. `messages` counts the messages exchanged under it so far, both ways.
    #[must_use]
    pub fn new(vmpck: [u8; 32], vmpck_id: u8, messages: u32) -> Self {
        GuestChannel {
            vmpck,
            vmpck_id,
            next_sequence: u64::from(messages).saturating_add(1),
            // A page that the hypervisor wiped, or that was cleared for a lower VMPL, holds no key.
            open: vmpck != [0; 32],
            failures: 0,
            in_flight: None,
            request: GuestMessage::zeroed(),
            response: GuestMessage::zeroed(),
        }
    }

    /// Says whether requests can still be made.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Sends a request and returns the authentic answer's payload.
    ///
    /// One call makes at most two attempts: if an earlier, different request is still unanswered, that one has to be
    /// answered first, and its answer is dropped.
    ///
    /// # Errors
    /// [`ChannelError::Host`] and [`ChannelError::NotAuthentic`] leave the sealed message in flight: the next call sends
    /// the same ciphertext. After `MAX_FAILURES` answers that were not authentic the channel closes.
    pub fn request<S: SecureProcessor>(
        &mut self,
        processor: &mut S,
        message_type: MessageType,
        payload: &[u8],
        certificates: Option<&mut [u8]>,
    ) -> Result<&[u8], ChannelError> {
        if self.in_flight.as_ref().is_some_and(|message| !message.is(message_type, payload)) {
            self.exchange(processor, None)?;
        }
        if self.in_flight.is_none() {
            self.seal(message_type, payload)?;
        }
        self.exchange(processor, certificates)?;
        self.response.payload().map_err(|_| ChannelError::NotAuthentic)
    }

    /// Seals a request under the next sequence number.
    fn seal(&mut self, message_type: MessageType, payload: &[u8]) -> Result<(), ChannelError> {
        let too_long = ChannelError::RequestTooLong { limit: MAX_REQUEST, actual: payload.len() };
        if !self.open || self.next_sequence >= MAX_SEQUENCE {
            self.close();
            return Err(ChannelError::Closed);
        }
        let mut plaintext = [0; MAX_REQUEST];
        let place = plaintext.get_mut(..payload.len()).ok_or(too_long)?;
        place.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);

        self.request = GuestMessage::zeroed();
        self.request.header = MessageHeader::new(message_type, 1, self.next_sequence, self.vmpck_id, payload.len())
            .map_err(|_| too_long)?;
        let (nonce, additional) = (self.request.header.nonce(), self.request.header.additional_data());
        let room = self.request.payload_mut().map_err(|_| too_long)?;
        room.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
        let tag = aead::seal(&self.vmpck, &nonce, &additional, room).map_err(|_| too_long)?;
        self.request.header.auth_tag.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
        self.in_flight = Some(InFlight { message_type, payload: plaintext, length: payload.len() });
        Ok(())
    }

    /// Sends the sealed message once and opens the answer in place.
    fn exchange<S: SecureProcessor>(
        &mut self,
        processor: &mut S,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), ChannelError> {
        if !self.open {
            return Err(ChannelError::Closed);
        }
        self.response = GuestMessage::zeroed();
        if let Err(error) = processor.guest_request(&self.request, &mut self.response, certificates) {
            // A host that only makes us wait loses nothing by our patience; one that claims a refusal uses it up.
            if matches!(error, HostError::Firmware(_) | HostError::Other(_)) {
                self.count_failure();
            }
            return Err(error.into());
        }
        if !self.open_response() {
            self.count_failure();
            return Err(ChannelError::NotAuthentic);
        }
        self.in_flight = None;
        self.failures = 0;
        // "guest sends n, response carries n+1, next is n+2"
        self.next_sequence = self.next_sequence.saturating_add(2);
        Ok(())
    }

    fn open_response(&mut self) -> bool {
        let header = self.response.header;
        let expected = self.in_flight.as_ref().and_then(|message| message.message_type.response());
        let is_expected = header.check().is_ok()
            && expected.is_some_and(|expected| header.message_type == expected.number())
            && header.vmpck == self.vmpck_id
            && header.sequence_number == U64::new(self.next_sequence.saturating_add(1));
        let Some((tag, unused)) = header.auth_tag.split_first_chunk::<{ aead::TAG_SIZE }>() else {
            return false;
        };
        if !is_expected || unused.iter().any(|byte| *byte != 0) {
            return false;
        }
        let Ok(payload) = self.response.payload_mut() else {
            return false;
        };
        aead::open(&self.vmpck, &header.nonce(), &header.additional_data(), payload, tag).is_ok()
    }

    fn count_failure(&mut self) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= MAX_FAILURES {
            self.close();
        }
    }

    /// Wipes the key: "On any doubt either resend the identical message or wipe the VMPCK."
    fn close(&mut self) {
        self.vmpck.zeroize();
        self.open = false;
        self.in_flight = None;
    }
}

#[cfg(test)]
mod tests;
