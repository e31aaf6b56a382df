// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The host between guest and processor: certificates, and each way in which it can misbehave.

use alloc::vec;

use super::{Guest, host};
use crate::{Host, Misbehaviour, Product, Refusal};
use evtpm_snp::request::{KeySelect, ReportRequest};
use evtpm_snp::{GuestMessage, MessageType, Status};

fn message(guest: &Guest) -> GuestMessage {
    guest.seal(MessageType::ReportRequest, 1, ReportRequest::new([1; 64], 0, KeySelect::Auto).as_bytes())
}

fn send(host: &mut Host, guest: &Guest) -> Result<GuestMessage, Refusal> {
    let mut response = GuestMessage::zeroed();
    host.guest_request(guest.handle, &message(guest), &mut response, None).map(|()| response)
}

#[test]
fn an_honest_host_delivers() {
    let (mut host, guest) = host(Product::Milan);
    let response = send(&mut host, &guest).unwrap();
    assert!(guest.open(&response).is_some());
    assert_eq!(host.delivered(), 1);
}

#[test]
fn certificates_come_with_an_extended_request() {
    let (mut host, guest) = host(Product::Milan);
    let table = host.processor().certificate_table().unwrap();
    host.install_certificates(table.clone());
    let mut buffer = vec![0xff; 0x4000];
    let mut response = GuestMessage::zeroed();
    host.guest_request(guest.handle, &message(&guest), &mut response, Some(&mut buffer)).unwrap();
    assert_eq!(buffer[..table.len()], table);
    assert!(buffer[table.len()..].iter().all(|byte| *byte == 0));
    assert!(guest.open(&response).is_some());
}

#[test]
fn a_short_certificate_buffer_is_answered_with_the_pages_needed_and_nothing_is_delivered() {
    let (mut host, guest) = host(Product::Milan);
    let table = host.processor().certificate_table().unwrap();
    host.install_certificates(table.clone());
    let pages = table.len().div_ceil(4096);
    let mut buffer = vec![0xff; (pages - 1) * 4096];
    let mut response = GuestMessage::zeroed();
    let refusal = host.guest_request(guest.handle, &message(&guest), &mut response, Some(&mut buffer));
    assert_eq!(refusal, Err(Refusal::CertificateBufferTooSmall { pages: pages as u64 }));
    assert_eq!((host.delivered(), response), (0, GuestMessage::zeroed()));
    assert!(send(&mut host, &guest).is_ok());
}

#[test]
fn a_busy_storm_ends_when_its_plan_does() {
    let (mut host, guest) = host(Product::Milan);
    host.misbehave(std::iter::repeat_n(Misbehaviour::Busy, 5));
    for _ in 0..5 {
        assert_eq!(send(&mut host, &guest), Err(Refusal::Busy));
    }
    assert_eq!(host.delivered(), 0);
    assert!(guest.open(&send(&mut host, &guest).unwrap()).is_some());

    host.misbehave_always(Some(Misbehaviour::Busy));
    assert!((0..100).all(|_| send(&mut host, &guest) == Err(Refusal::Busy)));
    host.misbehave_always(None);
    assert_eq!(send(&mut host, &guest), Err(Refusal::Firmware(Status::AEAD_OFLOW)));
}

#[test]
fn a_dropped_response_cannot_be_asked_for_again() {
    let (mut host, guest) = host(Product::Milan);
    host.misbehave([Misbehaviour::DropResponse]);
    assert_eq!(send(&mut host, &guest), Err(Refusal::Busy));
    assert_eq!(send(&mut host, &guest), Err(Refusal::Firmware(Status::AEAD_OFLOW)));
}

#[test]
fn a_dropped_request_leaves_a_response_that_does_not_open() {
    let (mut host, guest) = host(Product::Milan);
    host.misbehave([Misbehaviour::DropRequest]);
    assert_eq!(guest.open(&send(&mut host, &guest).unwrap()), None);
    assert!(guest.open(&send(&mut host, &guest).unwrap()).is_some());
}

#[test]
fn a_replayed_response_does_not_open() {
    let (mut host, mut guest) = host(Product::Milan);
    let first = send(&mut host, &guest).unwrap();
    guest.next += 2;
    host.misbehave([Misbehaviour::ReplayResponse]);
    let replayed = send(&mut host, &guest).unwrap();
    assert_eq!(replayed, first);
    assert_eq!(guest.open(&replayed), None);
}

#[test]
fn a_replayed_request_is_refused_by_the_firmware() {
    let (mut host, mut guest) = host(Product::Milan);
    send(&mut host, &guest).unwrap();
    guest.next += 2;
    host.misbehave([Misbehaviour::ReplayRequest]);
    assert_eq!(send(&mut host, &guest), Err(Refusal::Firmware(Status::AEAD_OFLOW)));
    assert!(guest.open(&send(&mut host, &guest).unwrap()).is_some());
}

#[test]
fn a_request_that_was_held_back_makes_the_next_one_late() {
    let (mut host, guest) = host(Product::Milan);
    host.misbehave([Misbehaviour::Reorder]);
    assert_eq!(send(&mut host, &guest), Err(Refusal::Busy));
    assert_eq!(send(&mut host, &guest), Err(Refusal::Firmware(Status::AEAD_OFLOW)));
    assert_eq!(host.delivered(), 2);
}

#[test]
fn truncated_and_corrupted_pages_are_noticed() {
    for deviation in [
        Misbehaviour::TruncateResponse(0x100),
        Misbehaviour::CorruptResponse { offset: 0x20, mask: 1 },
        Misbehaviour::CorruptResponse { offset: 0x60, mask: 0x80 },
    ] {
        let (mut host, guest) = host(Product::Milan);
        host.misbehave([deviation.clone()]);
        assert_eq!(guest.open(&send(&mut host, &guest).unwrap()), None, "{deviation:?}");
    }
    let (mut host, guest) = host(Product::Milan);
    host.misbehave([Misbehaviour::CorruptRequest { offset: 0x70, mask: 1 }]);
    assert_eq!(send(&mut host, &guest), Err(Refusal::Firmware(Status::INVALID_PARAM)));
    assert!(guest.open(&send(&mut host, &guest).unwrap()).is_some(), "the processor's sequence did not move");
}

#[test]
fn a_claimed_failure_never_reached_the_firmware() {
    let (mut host, guest) = host(Product::Milan);
    host.misbehave([Misbehaviour::Firmware(Status::HWERROR_UNSAFE)]);
    assert_eq!(send(&mut host, &guest), Err(Refusal::Firmware(Status::HWERROR_UNSAFE)));
    assert_eq!(host.delivered(), 0);
}
