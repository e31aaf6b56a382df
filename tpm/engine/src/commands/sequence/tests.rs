// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of sequences against the commands that do the same at once.

use crate::Locality;
use crate::testing::objects::{OWN, keyed_hash, object, public};
use crate::testing::{TestTpm, started};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Handle, HashAlg, MacAlg, PcrIndex, PublicBody, Rc, Subject, SymMode, Tpm2bAuth, Tpm2bDigest, Tpm2bMaxBuffer,
    TpmaObject, TpmiRhHierarchy, TpmtSymDefObject, TpmtTkHashcheck,
};

fn start(tpm: &mut TestTpm, auth: &[u8], hash_alg: Option<HashAlg>) -> Handle {
    let command = HashSequenceStart { auth: Tpm2bAuth::new(auth).unwrap(), hash_alg };
    tpm.send(&command, ()).unwrap().sequence_handle
}

fn update(tpm: &mut TestTpm, sequence: Handle, auth: &[u8], data: &[u8]) -> Result<(), Rc> {
    let command = SequenceUpdate { buffer: Tpm2bMaxBuffer::new(data).unwrap() };
    tpm.send_at(Locality::ZERO, &command, SequenceUpdateHandles { sequence_handle: object(sequence) }, &[auth])
}

fn complete(tpm: &mut TestTpm, sequence: Handle, data: &[u8]) -> Result<SequenceCompleteResponse, Rc> {
    let command = SequenceComplete { buffer: Tpm2bMaxBuffer::new(data).unwrap(), hierarchy: TpmiRhHierarchy::Owner };
    tpm.send(&command, SequenceCompleteHandles { sequence_handle: object(sequence) })
}

fn complete_event(
    tpm: &mut TestTpm,
    pcr_handle: Option<PcrIndex>,
    sequence: Handle,
    data: &[u8],
) -> Result<EventSequenceCompleteResponse, Rc> {
    let command = EventSequenceComplete { buffer: Tpm2bMaxBuffer::new(data).unwrap() };
    tpm.send(&command, EventSequenceCompleteHandles { pcr_handle, sequence_handle: object(sequence) })
}

fn hash_at_once(tpm: &mut TestTpm, data: &[u8]) -> HashResponse {
    let data = Tpm2bMaxBuffer::new(data).unwrap();
    tpm.send(&Hash { data, hash_alg: HashAlg::Sha256, hierarchy: TpmiRhHierarchy::Owner }, ()).unwrap()
}

#[test]
fn a_sequence_gives_the_digest_and_the_ticket_of_the_whole() {
    let mut tpm = started();
    let sequence = start(&mut tpm, &[], Some(HashAlg::Sha256));
    update(&mut tpm, sequence, &[], b"1234").unwrap();
    update(&mut tpm, sequence, &[], b"56").unwrap();
    let result = complete(&mut tpm, sequence, b"789").unwrap();
    let expected = hash_at_once(&mut tpm, b"123456789");
    assert_eq!((result.result, result.validation), (expected.out_hash, expected.validation));
    assert_eq!(update(&mut tpm, sequence, &[], b"more"), Err(Rc::REFERENCE_H0));
}

#[test]
fn only_the_first_buffer_decides_whether_a_digest_is_safe_to_sign() {
    let mut tpm = started();
    let cases: [(&[&[u8]], bool); 6] = [
        (&[b"1234", b"\xFFTCG"], true),
        (&[b"\xFFTCG", b"1234"], false),
        (&[b"\xFFT", b"CG12"], false),
        // "if the first buffer sent to the TPM had fewer than sizeof(TPM_GENERATED) octets": not safe either
        (&[b"123", b"4567"], false),
        (&[b"", b"4567"], false),
        (&[b"4567"], true),
    ];
    for (buffers, safe) in cases {
        let sequence = start(&mut tpm, &[], Some(HashAlg::Sha256));
        let (last, updates) = buffers.split_last().unwrap();
        updates.iter().for_each(|buffer| update(&mut tpm, sequence, &[], buffer).unwrap());
        let result = complete(&mut tpm, sequence, last).unwrap();
        assert_eq!(result.validation != TpmtTkHashcheck::NULL, safe, "{buffers:?}");
    }
}

#[test]
fn an_hmac_sequence_gives_the_hmac_of_the_whole() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, keyed_hash(OWN | TpmaObject::SIGN, None), &[]);
    let command = HmacStart { auth: Tpm2bAuth::EMPTY, hash_alg: Some(HashAlg::Sha384) };
    let started = tpm.send(&command, HmacStartHandles { handle: object(key) }).unwrap();
    update(&mut tpm, started.sequence_handle, &[], b"1234").unwrap();
    let result = complete(&mut tpm, started.sequence_handle, b"5678").unwrap();
    let buffer = Tpm2bMaxBuffer::new(b"12345678").unwrap();
    let whole = Hmac { buffer, hash_alg: Some(HashAlg::Sha384) };
    let whole = tpm.send(&whole, HmacHandles { handle: object(key) }).unwrap();
    assert_eq!((result.result, result.validation), (whole.out_hmac, TpmtTkHashcheck::NULL));
}

#[test]
fn a_cmac_sequence_gives_the_cmac_of_the_whole() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let parms = TpmtSymDefObject { mode: Some(SymMode::Cmac), ..TpmtSymDefObject::AES_256_CFB };
    let body = PublicBody::SymCipher { parms, unique: Tpm2bDigest::EMPTY };
    let key = tpm.child(parent, public(OWN | TpmaObject::SIGN, body), &[]);
    let handles = MacStartHandles { handle: object(key) };
    let started = tpm.send(&MacStart { auth: Tpm2bAuth::EMPTY, in_scheme: None }, handles).unwrap();
    update(&mut tpm, started.sequence_handle, &[], b"twelve bytes").unwrap();
    update(&mut tpm, started.sequence_handle, &[], b"and twenty bytes more").unwrap();
    let result = complete(&mut tpm, started.sequence_handle, b"and an end").unwrap();
    let buffer = Tpm2bMaxBuffer::new(b"twelve bytesand twenty bytes moreand an end").unwrap();
    let whole = Mac { buffer, in_scheme: Some(MacAlg::Cmac) };
    let whole = tpm.send(&whole, MacHandles { handle: object(key) }).unwrap();
    assert_eq!((result.result, result.validation), (whole.out_mac, TpmtTkHashcheck::NULL));
}

#[test]
fn an_event_sequence_extends_every_bank_like_one_event() {
    let mut tpm = started();
    let sequence = start(&mut tpm, &[], None);
    update(&mut tpm, sequence, &[], b"an ").unwrap();
    let pcr = Some(PcrIndex::Pcr16);
    let results = complete_event(&mut tpm, pcr, sequence, b"event").unwrap().results;
    let read = |tpm: &TestTpm| {
        let banks = tpm.state.pcrs.banks();
        banks.map(|bank| bank.value(PcrIndex::Pcr16).copied()).collect::<std::vec::Vec<_>>()
    };
    let extended = read(&tpm);
    tpm.send(&PcrReset {}, PcrResetHandles { pcr_handle: PcrIndex::Pcr16 }).unwrap();
    let event = PcrEvent { event_data: evtpm_tpm_wire::Tpm2bEvent::new(b"an event").unwrap() };
    let at_once = tpm.send(&event, PcrEventHandles { pcr_handle: pcr }).unwrap();
    assert_eq!((results, extended), (at_once.digests, read(&tpm)));
}

#[test]
fn an_event_sequence_without_pcr_only_hashes() {
    let mut tpm = started();
    let counter = tpm.state.pcrs.update_counter();
    let sequence = start(&mut tpm, &[], None);
    assert_eq!(complete_event(&mut tpm, None, sequence, b"event").unwrap().results.len(), 4);
    assert_eq!(tpm.state.pcrs.update_counter(), counter);
}

#[test]
fn a_pcr_of_another_locality_is_not_extended_and_the_sequence_stays() {
    let mut tpm = started();
    let sequence = start(&mut tpm, &[], None);
    let refused = complete_event(&mut tpm, Some(PcrIndex::Pcr17), sequence, b"event");
    assert_eq!(refused, Err(Rc::LOCALITY));
    complete_event(&mut tpm, Some(PcrIndex::Pcr16), sequence, b"event").unwrap();
}

#[test]
fn each_sequence_ends_in_its_own_way() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let (hash, event) = (start(&mut tpm, &[], Some(HashAlg::Sha1)), start(&mut tpm, &[], None));
    assert_eq!(complete(&mut tpm, event, b""), Err(Rc::MODE.at(Subject::Handle(1))));
    assert_eq!(complete(&mut tpm, parent, b""), Err(Rc::MODE.at(Subject::Handle(1))));
    assert_eq!(complete_event(&mut tpm, None, hash, b""), Err(Rc::MODE.at(Subject::Handle(2))));
    assert_eq!(update(&mut tpm, parent, &[], b""), Err(Rc::MODE.at(Subject::Handle(1))));
}

#[test]
fn a_sequence_has_the_password_that_it_was_started_with() {
    let mut tpm = started();
    let sequence = start(&mut tpm, b"mine\0", Some(HashAlg::Sha256));
    assert_eq!(update(&mut tpm, sequence, b"yours", b"data"), Err(Rc::BAD_AUTH.at(Subject::Session(1))));
    update(&mut tpm, sequence, b"mine", b"data").unwrap();
}

#[test]
fn a_sequence_is_no_object() {
    let mut tpm = started();
    let sequence = start(&mut tpm, &[], Some(HashAlg::Sha256));
    let read = tpm.send(&ReadPublic {}, ReadPublicHandles { object_handle: object(sequence) });
    assert_eq!(read, Err(Rc::SEQUENCE));
    let certify = Certify { qualifying_data: evtpm_tpm_wire::Tpm2bData::EMPTY, in_scheme: None };
    let handles = CertifyHandles { object_handle: object(sequence), sign_handle: None };
    assert_eq!(tpm.send(&certify, handles), Err(Rc::TYPE.at(Subject::Handle(1))));
}

#[test]
fn full_slots_refuse_another_sequence() {
    let mut tpm = started();
    for _ in 0..tpm.profile().limits.transient_objects {
        start(&mut tpm, &[], None);
    }
    let command = HashSequenceStart { auth: Tpm2bAuth::EMPTY, hash_alg: None };
    assert_eq!(tpm.send(&command, ()), Err(Rc::OBJECT_MEMORY));
}
