// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Guest messages: what the processor answers, and what it refuses without an answer.

use alloc::vec;

use super::{Guest, image, launch, processor};
use crate::{LaunchFinish, Platform, Processor, Product};
use evtpm_snp::request::{
    GuestFieldSelect, KeyRequest, KeyRequestV2, KeyResponse, KeySelect, ReportRequest, ReportResponse, TscInfoRequest,
    TscInfoResponse,
};
use evtpm_snp::secrets::SecretsPage;
use evtpm_snp::vmsa::Vmsa;
use evtpm_snp::{GuestMessage, MessageHeader, MessageType, Status, Tcb, U16, U32, U64};
use proptest::prelude::*;

fn guest() -> (Processor, Guest, SecretsPage) {
    let mut processor = processor(Product::Milan);
    let (guest, secrets) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
    (processor, guest, secrets)
}

fn report_request(vmpl: u32) -> ReportRequest {
    ReportRequest::new([1; 64], vmpl, KeySelect::Auto)
}

fn deliver(processor: &mut Processor, guest: &Guest, message: &GuestMessage) -> Result<GuestMessage, Status> {
    let mut response = GuestMessage::zeroed();
    let result = processor.guest_request(guest.handle, message, &mut response);
    if result.is_err() {
        assert_eq!(response, GuestMessage::zeroed(), "a refusal leaves the response page alone");
    }
    result.map(|()| response)
}

#[test]
fn sequence_numbers_go_up_by_two() {
    let (mut processor, mut guest, _) = guest();
    for expected in [1, 3, 5] {
        assert_eq!(guest.next, expected);
        let message = guest.seal(MessageType::ReportRequest, 1, report_request(0).as_bytes());
        let response = deliver(&mut processor, &guest, &message).unwrap();
        assert_eq!(response.header.sequence_number.get(), expected + 1);
        assert_eq!(response.header.message_type, MessageType::ReportResponse.number());
        guest.next += 2;
    }
}

#[test]
fn a_wrong_sequence_number_overflows_the_aead_and_changes_nothing() {
    let (mut processor, mut guest, _) = guest();
    guest.report(&mut processor, [0; 64]);
    for wrong in [0, 1, 2, 4, 5, u64::MAX - 1, u64::MAX] {
        let liar = Guest { next: wrong, ..guest.clone() };
        let message = liar.seal(MessageType::ReportRequest, 1, report_request(0).as_bytes());
        assert_eq!(deliver(&mut processor, &guest, &message), Err(Status::AEAD_OFLOW), "{wrong}");
    }
    guest.report(&mut processor, [0; 64]);
}

#[test]
fn a_message_is_answered_once() {
    let (mut processor, guest, _) = guest();
    let message = guest.seal(MessageType::ReportRequest, 1, report_request(0).as_bytes());
    assert!(deliver(&mut processor, &guest, &message).is_ok());
    assert_eq!(deliver(&mut processor, &guest, &message), Err(Status::AEAD_OFLOW));
}

#[test]
fn each_level_has_a_key_and_a_sequence_of_its_own() {
    let (mut processor, guest, secrets) = guest();
    for level in [3, 0, 2, 1] {
        let mut guest = guest.at(&secrets, level);
        assert_eq!(guest.report(&mut processor, [0; 64]).vmpl(), u32::from(level));
        guest.report(&mut processor, [0; 64]);
    }
}

#[test]
fn a_level_cannot_have_a_report_of_a_higher_one() {
    let (_, guest, secrets) = guest();
    for (level, vmpl, expected) in [
        (0, 3, Ok(3)),
        (2, 2, Ok(2)),
        (2, 3, Ok(3)),
        (2, 1, Err(Status::INVALID_PARAM)),
        (2, 0, Err(Status::INVALID_PARAM)),
        (3, 0, Err(Status::INVALID_PARAM)),
        (0, 4, Err(Status::INVALID_PARAM)),
        (0, u32::MAX, Err(Status::INVALID_PARAM)),
    ] {
        let mut guest = guest.at(&secrets, level);
        let mut fresh = relaunched(&guest, &secrets);
        let answer = guest.ask(&mut fresh, MessageType::ReportRequest, 1, report_request(vmpl).as_bytes()).unwrap();
        assert_eq!(ReportResponse::parse(&answer).unwrap().map(|report| report.vmpl()), expected, "{level} {vmpl}");
    }
}

/// Launches the same guest again, so that its sequences start anew.
fn relaunched(guest: &Guest, secrets: &SecretsPage) -> Processor {
    let mut processor = processor(Product::Milan);
    let (again, same) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
    assert_eq!((again.handle, &same), (guest.handle, secrets));
    processor
}

#[test]
fn a_guest_cannot_speak_with_the_key_of_another_level_or_guest() {
    let (mut processor, guest, secrets) = guest();
    let (other, _) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
    let stolen = Guest { vmpck: secrets.vmpck[2], level: 0, ..guest.clone() };
    let message = stolen.seal(MessageType::ReportRequest, 1, report_request(0).as_bytes());
    assert_eq!(deliver(&mut processor, &guest, &message), Err(Status::INVALID_PARAM));
    let message = guest.seal(MessageType::ReportRequest, 1, report_request(0).as_bytes());
    assert_eq!(deliver(&mut processor, &other, &message), Err(Status::INVALID_PARAM));
}

#[test]
fn reserved_fields_of_a_report_request_must_be_zero() {
    let (mut processor, mut guest, _) = guest();
    for change in [0x44, 0x45, 0x48, 0x5f] {
        let mut request = *report_request(0).as_bytes();
        request[change] |= if change == 0x44 { 3 } else { 1 };
        let answer = guest.ask(&mut processor, MessageType::ReportRequest, 1, &request).unwrap();
        assert_eq!(ReportResponse::parse(&answer).unwrap(), Err(Status::INVALID_PARAM), "{change:#x}");
    }
}

#[test]
fn each_header_field_out_of_place_is_an_invalid_parameter() {
    let (mut processor, guest, _) = guest();
    let payload = report_request(0);
    let good = MessageHeader::new(MessageType::ReportRequest, 1, 1, 0, 0x60).unwrap();
    let headers = [
        MessageHeader { algorithm: 0, ..good },
        MessageHeader { algorithm: 2, ..good },
        MessageHeader { header_version: 2, ..good },
        MessageHeader { header_size: U16::new(0x61), ..good },
        MessageHeader { message_type: 0, ..good },
        MessageHeader { message_type: 6, ..good },
        MessageHeader { message_type: 19, ..good },
        MessageHeader { message_version: 0, ..good },
        MessageHeader { message_version: 2, ..good },
        MessageHeader { message_size: U16::new(4001), ..good },
        MessageHeader { vmpck: 4, ..good },
        MessageHeader { vmpck: 255, ..good },
        MessageHeader { reserved_28: [1; 8], ..good },
        MessageHeader { reserved_38: U32::new(1), ..good },
        MessageHeader { reserved_3d: [1; 35], ..good },
    ];
    for header in headers {
        let message = guest.seal_as(header, payload.as_bytes());
        assert_eq!(deliver(&mut processor, &guest, &message), Err(Status::INVALID_PARAM), "{header:?}");
    }
    assert!(deliver(&mut processor, &guest, &guest.seal_as(good, payload.as_bytes())).is_ok());
}

#[test]
fn a_payload_of_another_size_is_an_invalid_parameter() {
    let (mut processor, guest, _) = guest();
    for size in [0, 0x5f, 0x61, 4000] {
        let message = guest.seal(MessageType::ReportRequest, 1, &vec![0; size]);
        assert_eq!(deliver(&mut processor, &guest, &message), Err(Status::INVALID_PARAM), "{size:#x}");
    }
}

#[test]
fn messages_of_a_migration_agent_find_the_guest_in_the_wrong_state() {
    let (mut processor, guest, _) = guest();
    for (message_type, expected) in [
        (MessageType::ExportRequest, Status::INVALID_GUEST_STATE),
        (MessageType::ImportRequest, Status::INVALID_GUEST_STATE),
        (MessageType::AbsorbRequest, Status::INVALID_GUEST_STATE),
        (MessageType::AbsorbNomaRequest, Status::INVALID_GUEST_STATE),
        (MessageType::VmrkRequest, Status::INVALID_GUEST_STATE),
        (MessageType::CpuidRequest, Status::UNSUPPORTED),
        (MessageType::KeyResponse, Status::INVALID_PARAM),
    ] {
        let message = guest.seal(message_type, 1, &[0; 32]);
        assert_eq!(deliver(&mut processor, &guest, &message), Err(expected), "{message_type:?}");
    }
}

#[test]
fn tsc_information_is_for_guests_with_a_secure_tsc() {
    for (features, status, scale) in [(1, Status::INVALID_PARAM, 0), (1 | 1 << 9, Status::SUCCESS, 1 << 32)] {
        let mut processor = processor(Product::Genoa);
        let mut pages = image();
        *pages[6].2 = *Vmsa::qemu_bsp(0x00a1_0f11, features).as_bytes();
        let (mut guest, _) = launch(&mut processor, pages, &LaunchFinish::default()).unwrap();
        let request = TscInfoRequest::zeroed();
        let answer = guest.ask(&mut processor, MessageType::TscInfoRequest, 1, request.as_bytes()).unwrap();
        let answer = TscInfoResponse::view(&answer).unwrap();
        assert_eq!((Status(answer.status.get()), answer.guest_tsc_scale.get()), (status, scale));
    }
}

fn key(processor: &mut Processor, guest: &mut Guest, request: &KeyRequest) -> Result<[u8; 32], Status> {
    let answer = guest.ask(processor, MessageType::KeyRequest, 1, request.as_bytes()).unwrap();
    let answer = KeyResponse::view(&answer).unwrap();
    match Status(answer.status.get()) {
        Status::SUCCESS => Ok(answer.derived_key),
        status => {
            assert_eq!(answer.derived_key, [0; 32]);
            Err(status)
        }
    }
}

fn key_request(select: u64) -> KeyRequest {
    KeyRequest { guest_field_select: U64::new(select), ..KeyRequest::zeroed() }
}

#[test]
fn a_derived_key_is_the_same_each_time_and_other_for_each_selection() {
    let (mut processor, mut guest, _) = guest();
    let first = key(&mut processor, &mut guest, &key_request(0)).unwrap();
    assert_eq!(key(&mut processor, &mut guest, &key_request(0)), Ok(first));
    let mut seen = std::collections::BTreeSet::new();
    for select in 0..0x40 {
        assert!(seen.insert(key(&mut processor, &mut guest, &key_request(select)).unwrap()), "{select:#x}");
    }
    for vmpl in 1..4 {
        let request = KeyRequest { vmpl: U32::new(vmpl), ..key_request(0) };
        assert!(seen.insert(key(&mut processor, &mut guest, &request).unwrap()));
    }
}

#[test]
fn another_image_has_another_key_only_if_the_measurement_is_selected() {
    let key_of = |select, byte| {
        let mut processor = processor(Product::Milan);
        let mut pages = image();
        pages[0].2[0] = byte;
        let (mut guest, _) = launch(&mut processor, pages, &LaunchFinish::default()).unwrap();
        key(&mut processor, &mut guest, &key_request(select)).unwrap()
    };
    assert_eq!(key_of(GuestFieldSelect::GUEST_POLICY, 1), key_of(GuestFieldSelect::GUEST_POLICY, 2));
    assert_ne!(key_of(GuestFieldSelect::MEASUREMENT, 1), key_of(GuestFieldSelect::MEASUREMENT, 2));
}

#[test]
fn another_chip_has_other_keys() {
    let key_of = |chip| {
        let mut processor = Processor::new(Platform::new(Product::Milan, [chip; 32]), &[5; 32]).unwrap();
        let (mut guest, _) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
        key(&mut processor, &mut guest, &key_request(0)).unwrap()
    };
    assert_ne!(key_of(1), key_of(2));
}

#[test]
fn key_requests_beyond_their_bounds_are_refused() {
    let (mut processor, guest, secrets) = guest();
    let mut guest = guest.at(&secrets, 2);
    let committed = processor.platform().committed_tcb;
    let above = Tcb { snp: committed.snp + 1, ..committed }.encode().0;
    let at = KeyRequest { vmpl: U32::new(2), ..key_request(GuestFieldSelect::TCB_VERSION) };
    let refused = [
        KeyRequest { vmpl: U32::new(1), ..at },
        KeyRequest { vmpl: U32::new(4), ..at },
        KeyRequest { guest_svn: U32::new(1), ..at },
        KeyRequest { tcb_version: U64::new(above), ..at },
        KeyRequest { tcb_version: U64::new(1 << 16), ..at },
        KeyRequest { reserved: U32::new(1), ..at },
        KeyRequest { guest_field_select: U64::new(0x40), ..at },
        KeyRequest { root_key_select: U32::new(8), ..at },
        KeyRequest { root_key_select: U32::new(6), ..at },
    ];
    for request in refused {
        assert_eq!(key(&mut processor, &mut guest, &request), Err(Status::INVALID_PARAM), "{request:?}");
    }
    for root in [KeyRequest::ROOT_VMRK, KeySelect::Vlek.to_bits() << 1] {
        let request = KeyRequest { root_key_select: U32::new(root), ..at };
        assert_eq!(key(&mut processor, &mut guest, &request), Err(Status::INVALID_KEY));
    }
    let request = KeyRequest { tcb_version: U64::new(committed.encode().0), ..at };
    assert!(key(&mut processor, &mut guest, &request).is_ok());
}

#[test]
fn a_masked_chip_key_derives_nothing_and_a_vlek_derives_for_its_provider() {
    let masked = Platform { mask_chip_key: true, ..Platform::new(Product::Milan, [3; 32]) };
    let mut processor = Processor::new(masked, &[5; 32]).unwrap();
    let (mut guest, _) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
    assert_eq!(key(&mut processor, &mut guest, &key_request(0)), Err(Status::INVALID_KEY));

    let vlek_key = |chip, select: KeySelect| {
        let platform = Platform::new(Product::Milan, [chip; 32]).with_vlek("CN=simulated");
        let mut processor = Processor::new(platform, &[5; 32]).unwrap();
        let (mut guest, _) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
        let request = KeyRequest { root_key_select: U32::new(select.to_bits() << 1), ..key_request(0) };
        key(&mut processor, &mut guest, &request).unwrap()
    };
    assert_eq!(vlek_key(1, KeySelect::Auto), vlek_key(2, KeySelect::Vlek));
    assert_ne!(vlek_key(1, KeySelect::Vcek), vlek_key(2, KeySelect::Vcek));
}

#[test]
fn version_2_of_a_key_request_mixes_mitigations_that_were_there_at_launch() {
    let mut processor = processor(Product::Turin);
    let (mut guest, _) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
    let mut ask = |vector: u64| {
        let v1 = key_request(GuestFieldSelect::LAUNCH_MIT_VECTOR);
        let request = KeyRequestV2 { v1, launch_mit_vector: U64::new(vector) };
        let answer = guest.ask(&mut processor, MessageType::KeyRequest, 2, request.as_bytes()).unwrap();
        KeyResponse::view(&answer).unwrap().clone()
    };
    let (none, one, two) = (ask(0), ask(1), ask(2));
    assert_ne!(none.derived_key, one.derived_key);
    assert_eq!(two.status.get(), Status::INVALID_PARAM.0);
}

#[test]
fn keys_of_guests_follow_from_the_entropy_given_at_power_on() {
    let secrets = |entropy| {
        let mut processor = Processor::new(Platform::new(Product::Milan, [3; 32]), &[entropy; 32]).unwrap();
        launch(&mut processor, image(), &LaunchFinish::default()).unwrap().1.vmpck
    };
    assert_eq!(secrets(1), secrets(1));
    assert_ne!(secrets(1), secrets(2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_bit_anywhere_in_a_sealed_message_is_refused(position in 0_usize..0xc0, bit in 0_u32..8) {
        let (mut processor, guest, _) = guest();
        let message = guest.seal(MessageType::ReportRequest, 1, report_request(0).as_bytes());
        let mut bytes = *message.as_bytes();
        bytes[position] ^= 1 << bit;
        let flipped = GuestMessage::view(&bytes).unwrap();
        prop_assert_eq!(deliver(&mut processor, &guest, flipped), Err(Status::INVALID_PARAM));
        prop_assert!(deliver(&mut processor, &guest, &message).is_ok());
    }

    #[test]
    fn random_pages_never_panic(bytes in proptest::collection::vec(any::<u8>(), 4096)) {
        let (mut processor, guest, _) = guest();
        let page = GuestMessage::view(&bytes).unwrap();
        prop_assert_eq!(deliver(&mut processor, &guest, page), Err(Status::INVALID_PARAM));
    }
}
