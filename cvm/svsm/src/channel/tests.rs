// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The channel against hosts that misbehave.

use std::vec::Vec;

use evtpm_snp::Status;

use super::*;

const KEY: [u8; 32] = [7; 32];

/// A firmware that echoes payloads, behind a host that does what the test says.
#[derive(Default)]
struct Firmware {
    expected: u64,
    seen: Vec<GuestMessage>,
    behaviour: Vec<Behaviour>,
    last_answer: Option<GuestMessage>,
}

#[derive(Clone, Copy)]
enum Behaviour {
    Busy,
    Refuse,
    Flip(usize),
    ReplayLastAnswer,
    DropAfterDelivery,
}

impl Firmware {
    fn answer(&mut self, request: &GuestMessage) -> Result<GuestMessage, HostError> {
        if request.header.sequence_number.get() != self.expected + 1 {
            return Err(HostError::Firmware(Status::INVALID_PARAM));
        }
        let mut opened = request.clone();
        let header = request.header;
        let tag = *header.auth_tag.first_chunk().unwrap();
        aead::open(&KEY, &header.nonce(), &header.additional_data(), opened.payload_mut().unwrap(), &tag)
            .map_err(|_| HostError::Firmware(Status::INVALID_PARAM))?;
        self.expected += 2;
        let response_type = MessageType::from_number(header.message_type).unwrap().response().unwrap();
        let payload = opened.payload().unwrap().to_vec();
        let mut answer = GuestMessage::zeroed();
        answer.header = MessageHeader::new(response_type, 1, self.expected, header.vmpck, payload.len()).unwrap();
        let (nonce, additional) = (answer.header.nonce(), answer.header.additional_data());
        answer.payload_mut().unwrap().copy_from_slice(&payload);
        let tag = aead::seal(&KEY, &nonce, &additional, answer.payload_mut().unwrap()).unwrap();
        answer.header.auth_tag[..16].copy_from_slice(&tag);
        Ok(answer)
    }
}

impl SecureProcessor for Firmware {
    fn guest_request(
        &mut self,
        request: &GuestMessage,
        response: &mut GuestMessage,
        _: Option<&mut [u8]>,
    ) -> Result<(), HostError> {
        self.seen.push(request.clone());
        let behaviour = if self.behaviour.is_empty() { None } else { Some(self.behaviour.remove(0)) };
        match behaviour {
            Some(Behaviour::Busy) => return Err(HostError::Busy),
            Some(Behaviour::Refuse) => return Err(HostError::Firmware(Status::INVALID_PARAM)),
            Some(Behaviour::ReplayLastAnswer) => *response = self.last_answer.clone().unwrap(),
            Some(Behaviour::DropAfterDelivery) => {
                self.last_answer = Some(self.answer(request)?);
                return Err(HostError::Busy);
            }
            Some(Behaviour::Flip(bit)) => {
                let answer = self.answer(request)?;
                let mut bytes = *answer.as_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                *response = GuestMessage::view(&bytes).unwrap().clone();
            }
            None => {
                let answer = self.answer(request)?;
                self.last_answer = Some(answer.clone());
                *response = answer;
            }
        }
        Ok(())
    }
}

fn ask<'a>(channel: &'a mut GuestChannel, firmware: &mut Firmware, payload: &[u8]) -> Result<&'a [u8], ChannelError> {
    channel.request(firmware, MessageType::ReportRequest, payload, None)
}

/// No two different messages under one sequence number, whatever happened.
fn assert_no_iv_reuse(firmware: &Firmware) {
    for (index, one) in firmware.seen.iter().enumerate() {
        for other in &firmware.seen[index + 1..] {
            if one.header.sequence_number == other.header.sequence_number {
                assert_eq!(one.as_bytes(), other.as_bytes());
            }
        }
    }
}

#[test]
fn sequence_numbers_rise_by_two() {
    let (mut channel, mut firmware) = (GuestChannel::new(KEY, 0, 0), Firmware::default());
    assert_eq!(ask(&mut channel, &mut firmware, b"one").unwrap(), b"one");
    assert_eq!(ask(&mut channel, &mut firmware, b"two").unwrap(), b"two");
    let numbers: Vec<u64> = firmware.seen.iter().map(|message| message.header.sequence_number.get()).collect();
    assert_eq!(numbers, [1, 3]);
}

#[test]
fn a_busy_host_gets_the_same_ciphertext_again_and_the_channel_recovers() {
    let (mut channel, mut firmware) = (GuestChannel::new(KEY, 0, 0), Firmware::default());
    firmware.behaviour = std::vec![Behaviour::Busy; 100];
    for _ in 0..100 {
        assert_eq!(ask(&mut channel, &mut firmware, b"one"), Err(ChannelError::Host(HostError::Busy)));
    }
    assert_eq!(ask(&mut channel, &mut firmware, b"one").unwrap(), b"one");
    assert_no_iv_reuse(&firmware);
}

#[test]
fn another_request_waits_until_the_one_in_flight_is_answered() {
    let (mut channel, mut firmware) = (GuestChannel::new(KEY, 0, 0), Firmware::default());
    firmware.behaviour = std::vec![Behaviour::Busy, Behaviour::Busy];
    ask(&mut channel, &mut firmware, b"one").unwrap_err();
    ask(&mut channel, &mut firmware, b"two").unwrap_err();
    assert_eq!(ask(&mut channel, &mut firmware, b"two").unwrap(), b"two");
    assert_no_iv_reuse(&firmware);
}

#[test]
fn every_flipped_bit_of_an_answer_is_refused() {
    let header_and_payload = (0x60 + 3) * 8;
    for bit in 0..header_and_payload {
        let (mut channel, mut firmware) = (GuestChannel::new(KEY, 0, 0), Firmware::default());
        firmware.behaviour = std::vec![Behaviour::Flip(bit)];
        // Bytes 0x28..0x30 of the header are reserved and stand outside of what the tag covers.
        let covered = !(0x28 * 8..0x30 * 8).contains(&bit);
        assert_eq!(ask(&mut channel, &mut firmware, b"one").is_err(), covered, "bit {bit}");
    }
}

#[test]
fn a_replayed_answer_is_refused() {
    let (mut channel, mut firmware) = (GuestChannel::new(KEY, 0, 0), Firmware::default());
    ask(&mut channel, &mut firmware, b"one").unwrap();
    firmware.behaviour = std::vec![Behaviour::ReplayLastAnswer];
    assert_eq!(ask(&mut channel, &mut firmware, b"two"), Err(ChannelError::NotAuthentic));
    assert_no_iv_reuse(&firmware);
}

#[test]
fn an_answer_that_the_host_held_back_is_taken_when_it_comes() {
    let (mut channel, mut firmware) = (GuestChannel::new(KEY, 0, 0), Firmware::default());
    firmware.behaviour = std::vec![Behaviour::DropAfterDelivery, Behaviour::ReplayLastAnswer];
    ask(&mut channel, &mut firmware, b"one").unwrap_err();
    assert_eq!(ask(&mut channel, &mut firmware, b"one").unwrap(), b"one");
    assert_eq!(ask(&mut channel, &mut firmware, b"two").unwrap(), b"two");
    assert_no_iv_reuse(&firmware);
}

#[test]
fn refusals_without_end_close_the_channel_and_wipe_the_key() {
    let (mut channel, mut firmware) = (GuestChannel::new(KEY, 0, 0), Firmware::default());
    firmware.behaviour = std::vec![Behaviour::Refuse; 100];
    for _ in 0..MAX_FAILURES {
        ask(&mut channel, &mut firmware, b"one").unwrap_err();
    }
    assert_eq!(ask(&mut channel, &mut firmware, b"one"), Err(ChannelError::Closed));
    assert_eq!(channel.vmpck, [0; 32]);
    assert_eq!(firmware.seen.len(), usize::from(MAX_FAILURES));
}

#[test]
fn a_key_of_zeros_is_no_key() {
    let (mut channel, mut firmware) = (GuestChannel::new([0; 32], 0, 0), Firmware::default());
    assert_eq!(ask(&mut channel, &mut firmware, b"one"), Err(ChannelError::Closed));
    assert!(firmware.seen.is_empty());
}

#[test]
fn the_last_sequence_number_is_the_end() {
    let (mut channel, mut firmware) = (GuestChannel::new(KEY, 0, u32::MAX - 2), Firmware::default());
    assert_eq!(ask(&mut channel, &mut firmware, b"one"), Err(ChannelError::Closed));
}
