// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the PCR commands.

use crate::Locality;
use crate::testing::TestCrypto;
use crate::testing::{TestTpm, started};
use evtpm_crypto::{Crypto, HashAlg};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Bytes, HashAlg as WireHash, PcrIndex, PcrSelect, Rc, Subject, Tpm2bDigest, TpmSu, TpmiRhPlatform, TpmlDigestValues,
    TpmlPcrSelection, TpmsPcrSelection, TpmtHa, YesNo,
};

fn selection(items: &[(WireHash, PcrSelect)]) -> TpmlPcrSelection {
    let mut list = TpmlPcrSelection::new();
    items.iter().for_each(|&(hash, select)| list.push(TpmsPcrSelection { hash, select }).unwrap());
    list
}

fn read(tpm: &mut TestTpm, hash: WireHash, pcr: PcrIndex) -> Option<Tpm2bDigest> {
    let pcr_selection_in = selection(&[(hash, PcrSelect::of(&[pcr]))]);
    tpm.send(&PcrRead { pcr_selection_in }, ()).unwrap().pcr_values.first().copied()
}

fn extend(tpm: &mut TestTpm, locality: u8, pcr: Option<PcrIndex>, digests: &[TpmtHa]) -> Result<(), Rc> {
    let digests = TpmlDigestValues::from_slice(digests).unwrap();
    let locality = Locality::new(locality).unwrap();
    tpm.send_at(locality, &PcrExtend { digests: digests.borrowed() }, PcrExtendHandles { pcr_handle: pcr }, &[])
}

fn sha256(fill: u8) -> TpmtHa {
    TpmtHa::new(WireHash::Sha256, &[fill; 32]).unwrap()
}

#[test]
fn extend_hashes_the_old_value_with_the_new_digest() {
    let mut tpm = started();
    extend(&mut tpm, 0, Some(PcrIndex::Pcr3), &[sha256(7)]).unwrap();
    let expected = TestCrypto::hash(HashAlg::Sha256, &[&[0; 32], &[7; 32]]);
    assert_eq!(read(&mut tpm, WireHash::Sha256, PcrIndex::Pcr3).unwrap().as_bytes(), expected.as_bytes());
    assert_eq!(read(&mut tpm, WireHash::Sha1, PcrIndex::Pcr3).unwrap().as_bytes(), [0; 20]);
}

#[test]
fn each_bank_that_is_extended_counts() {
    let mut tpm = started();
    let before = tpm.state.pcrs.update_counter();
    let sha1 = TpmtHa::new(WireHash::Sha1, &[1; 20]).unwrap();
    extend(&mut tpm, 0, Some(PcrIndex::Pcr3), &[sha256(7), sha1]).unwrap();
    assert_eq!(tpm.state.pcrs.update_counter(), before + 2);
}

#[test]
fn extend_of_null_does_nothing() {
    let mut tpm = started();
    let before = tpm.state.pcrs.clone();
    extend(&mut tpm, 0, None, &[sha256(7)]).unwrap();
    assert!(tpm.state.pcrs == before);
}

#[test]
fn the_locality_decides_what_may_be_extended_and_reset() {
    let mut tpm = started();
    let reset = |tpm: &mut TestTpm, locality: Locality, pcr_handle| {
        tpm.send_at(locality, &PcrReset {}, PcrResetHandles { pcr_handle }, &[])
    };
    assert_eq!(extend(&mut tpm, 0, Some(PcrIndex::Pcr17), &[sha256(1)]), Err(Rc::LOCALITY));
    assert_eq!(extend(&mut tpm, 4, Some(PcrIndex::Pcr17), &[sha256(1)]), Ok(()));
    assert_eq!(reset(&mut tpm, Locality::ZERO, PcrIndex::Pcr0), Err(Rc::LOCALITY));
    assert_eq!(reset(&mut tpm, Locality::FOUR, PcrIndex::Pcr0), Err(Rc::LOCALITY));
    assert_eq!(reset(&mut tpm, Locality::ZERO, PcrIndex::Pcr23), Ok(()));
    assert_eq!(reset(&mut tpm, Locality::TWO, PcrIndex::Pcr20), Ok(()));
    assert_eq!(read(&mut tpm, WireHash::Sha256, PcrIndex::Pcr20).unwrap().as_bytes(), [0; 32]);
    assert_eq!(reset(&mut tpm, Locality::THREE, PcrIndex::Pcr20), Err(Rc::LOCALITY));
}

#[test]
fn an_event_is_extended_by_its_digest_in_every_bank() {
    let mut tpm = started();
    let event_data = Bytes::new(b"event").unwrap();
    let handles = PcrEventHandles { pcr_handle: Some(PcrIndex::Pcr5) };
    let digests = tpm.send(&PcrEvent { event_data }, handles).unwrap().digests;
    assert_eq!(digests.len(), 4);
    for digest in &digests {
        let alg = crate::algorithm::hash(digest.hash_alg()).unwrap();
        assert_eq!(digest.digest(), TestCrypto::hash(alg, &[b"event"]).as_bytes());
        let zeros = [0; 64];
        let expected = TestCrypto::hash(alg, &[&zeros[..alg.digest_size()], digest.digest()]);
        assert_eq!(read(&mut tpm, digest.hash_alg(), PcrIndex::Pcr5).unwrap().as_bytes(), expected.as_bytes());
    }
}

#[test]
fn a_read_stops_at_eight_digests_and_says_which_it_took() {
    let mut tpm = started();
    let all = selection(&[(WireHash::Sha1, PcrSelect::of(&[PcrIndex::Pcr1])), (WireHash::Sha256, PcrSelect::ALL)]);
    let response = tpm.send(&PcrRead { pcr_selection_in: all }, ()).unwrap();
    assert_eq!(response.pcr_values.len(), 8);
    let first_seven = PcrSelect::from_bits([0x7F, 0, 0]);
    assert_eq!(response.pcr_selection_out[0], all[0]);
    assert_eq!(response.pcr_selection_out[1].select, first_seven);
}

#[test]
fn an_allocation_takes_effect_at_the_next_power_on() {
    let mut tpm = started();
    let handles = PcrAllocateHandles { auth_handle: TpmiRhPlatform::Platform };
    let pcr_allocation = selection(&[(WireHash::Sha1, PcrSelect::NONE)]);
    let response = tpm.send(&PcrAllocate { pcr_allocation }, handles).unwrap();
    assert_eq!((response.allocation_success, response.max_pcr), (YesNo::Yes, 24));
    assert_eq!(response.size_needed, 24 * (32 + 48 + 64));
    assert!(read(&mut tpm, WireHash::Sha1, PcrIndex::Pcr0).is_some());
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    assert!(read(&mut tpm, WireHash::Sha1, PcrIndex::Pcr0).is_none());
}

#[test]
fn the_last_of_two_allocations_is_the_one_that_takes_effect() {
    let mut tpm = started();
    let handles = PcrAllocateHandles { auth_handle: TpmiRhPlatform::Platform };
    for bank in [WireHash::Sha1, WireHash::Sha512] {
        let pcr_allocation = selection(&[(bank, PcrSelect::NONE)]);
        tpm.send(&PcrAllocate { pcr_allocation }, handles).unwrap();
    }
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    assert!(read(&mut tpm, WireHash::Sha1, PcrIndex::Pcr0).is_some());
    assert!(read(&mut tpm, WireHash::Sha512, PcrIndex::Pcr0).is_none());
}

#[test]
fn after_an_allocation_the_state_cannot_be_kept_until_the_next_power_on() {
    let mut tpm = started();
    let handles = PcrAllocateHandles { auth_handle: TpmiRhPlatform::Platform };
    let pcr_allocation = selection(&[(WireHash::Sha1, PcrSelect::ALL)]);
    tpm.send(&PcrAllocate { pcr_allocation }, handles).unwrap();
    let keep = Shutdown { shutdown_type: TpmSu::State };
    assert_eq!(tpm.send(&keep, ()), Err(Rc::TYPE.at(Subject::Parameter(1))));
    tpm.send(&Shutdown { shutdown_type: TpmSu::Clear }, ()).unwrap();
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    tpm.send(&keep, ()).unwrap();
}

#[test]
fn an_allocation_without_pcr_0_or_17_is_refused() {
    let mut tpm = started();
    let handles = PcrAllocateHandles { auth_handle: TpmiRhPlatform::Platform };
    let banks = [WireHash::Sha1, WireHash::Sha256, WireHash::Sha384, WireHash::Sha512];
    for missing in [PcrIndex::Pcr0, PcrIndex::Pcr17] {
        let pcr_allocation = selection(&banks.map(|bank| (bank, PcrSelect::ALL.without(missing))));
        assert_eq!(tpm.send(&PcrAllocate { pcr_allocation }, handles), Err(Rc::PCR));
    }
}

#[test]
fn a_bank_that_is_not_implemented_is_a_hash_error() {
    let mut tpm = started();
    tpm.profile.supported.algorithms = tpm.profile.supported.algorithms.with(evtpm_tpm_wire::TpmAlgId::SHA3_256);
    let handles = PcrAllocateHandles { auth_handle: TpmiRhPlatform::Platform };
    let pcr_allocation = selection(&[(WireHash::Sha3_256, PcrSelect::ALL)]);
    assert_eq!(tpm.send(&PcrAllocate { pcr_allocation }, handles), Err(Rc::HASH.at(Subject::Parameter(1))));
}
