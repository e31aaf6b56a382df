// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attacks of a guest on the secure processor itself: levels that are not its own, keys that it must not have.

use evtpm_crypto::aead;
use evtpm_snp::request::{KeySelect, ReportRequest};
use evtpm_snp::secrets::SecretsPage;
use evtpm_snp::{GuestMessage, MessageHeader, MessageType, Status};
use evtpm_sp_sim::{Host, Product, Refusal};
use evtpm_sp_simd::{Channel, Launched};
use evtpm_svsm::{ChannelError, GuestChannel};
use evtpm_testing_support::{POLICY, chip, launch};
use evtpm_verify::evtpm::{Binding, bind};
use evtpm_verify::{Claim, Error};

use crate::verifier::{NOW, ask, commitment, tpm2b, verify};

const PRODUCT: Product = Product::Genoa;

/// A guest whose SVSM hands on the secrets page, with the guest at VMPL 2.
fn guest() -> (Host, Launched, SecretsPage) {
    let mut host = chip(PRODUCT);
    let launched = launch(&mut host, POLICY);
    let mut copy = launched.secrets.clone();
    copy.hide_keys_above(2);
    (host, launched, copy)
}

/// Row 5: the secure processor knows the level by the key, and never reports a more privileged one.
#[test]
fn a_guest_gets_no_report_of_a_level_above_its_own() {
    for vmpl in [0, 1] {
        let (host, launched, copy) = guest();
        let mut channel = GuestChannel::new(copy.vmpck[2], 2, 0);
        let refused = ask(&mut channel, &mut Channel::new(host, launched.guest), [0; 64], vmpl);
        assert_eq!(refused, Err(Status::INVALID_PARAM), "VMPL {vmpl}");
    }
}

/// Row 5: what it does get says at which level it was asked for, and binds no endorsement key.
#[test]
fn a_report_of_the_guests_own_level_binds_no_key() {
    let key = evtpm_protocol::templates::EkTemplate::L2.public();
    for (level, vmpl) in [(0, 1), (2, 2), (2, 3), (3, 3)] {
        let (host, launched, _) = guest();
        let mut channel = GuestChannel::new(launched.secrets.vmpck[level], level as u8, 0);
        let mut way = Channel::new(host, launched.guest);
        let report = ask(&mut channel, &mut way, commitment(&key), vmpl).unwrap();
        let report = verify(&report, way.firmware(), PRODUCT).unwrap();
        let refused = bind(report, Binding::NvReport { ek: &tpm2b(&key) }, NOW).unwrap_err();
        assert!(matches!(refused, Error::Mismatch { what: Claim::Vmpl, .. }), "VMPL {vmpl}: {refused}");
    }
}

/// Row 6: the copy that the guest gets has no key of a level above its own, and what is there opens no other level.
#[test]
fn a_guest_cannot_speak_for_vmpl_0() {
    let (mut host, launched, copy) = guest();
    assert_eq!(copy.vmpck[..2], [[0; 32]; 2]);
    let mut none = GuestChannel::new(copy.vmpck[0], 0, 0);
    let request = ReportRequest::new([0; 64], 0, KeySelect::Auto);
    let mut way = Channel::new(&mut host, launched.guest);
    let sent = none.request(&mut way, MessageType::ReportRequest, request.as_bytes(), None);
    assert_eq!(sent, Err(ChannelError::Closed), "zeros are no key");

    for key in [copy.vmpck[0], copy.vmpck[2], copy.vmpck[3]] {
        let mut message = GuestMessage::zeroed();
        message.header = MessageHeader::new(MessageType::ReportRequest, 1, 1, 0, request.as_bytes().len()).unwrap();
        let (nonce, additional) = (message.header.nonce(), message.header.additional_data());
        let payload = message.payload_mut().unwrap();
        payload.copy_from_slice(request.as_bytes());
        let tag = aead::seal(&key, &nonce, &additional, payload).unwrap();
        message.header.auth_tag[..tag.len()].copy_from_slice(&tag);
        let answer = host.guest_request(launched.guest, &message, &mut GuestMessage::zeroed(), None);
        assert_eq!(answer, Err(Refusal::Firmware(Status::INVALID_PARAM)));
    }
    // The SVSM's own channel is as it was.
    let mut channel = GuestChannel::new(launched.secrets.vmpck[0], 0, 0);
    ask(&mut channel, &mut Channel::new(host, launched.guest), [0; 64], 0).unwrap();
}
