// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nothing of one boot is there in the next: seeds, keys, reports, PCRs, wrapped objects.

use evtpm_protocol::templates::{attestation_key, storage_root_key};
use evtpm_sp_sim::Product;
use evtpm_testing_support::{Machine, Noise, TestPlatform, boot_on, chip, client};
use evtpm_tpm_wire::{HashAlg, PcrIndex, PcrSelect, Subject, TpmtHa};

use super::*;

fn boot_with(noise: u64) -> Machine {
    let mut machine = boot_on(chip(Product::Milan), TestPlatform::new(Noise::Good(noise)));
    client(&mut machine).startup(TpmSu::Clear).unwrap();
    machine
}

fn keys(machine: &mut Machine) -> Vec<TpmtPublic> {
    let mut keys: Vec<_> = TEMPLATES.into_iter().map(|template| ek(machine, template)).collect();
    let mut tpm = client(machine);
    for hierarchy in [TpmiRhHierarchy::Owner, TpmiRhHierarchy::Platform] {
        let made = tpm.create_primary(hierarchy, &[], &storage_root_key()).unwrap();
        tpm.flush(made.handle).unwrap();
        keys.push(made.public);
    }
    keys
}

fn pcr_7(machine: &mut Machine) -> Vec<u8> {
    let mut tpm = client(machine);
    let selection = evtpm_client::Client::<evtpm_testing_support::Driver<'_>, Noise>::selection(
        &[HashAlg::Sha256],
        PcrSelect::of(&[PcrIndex::Pcr7]),
    );
    tpm.pcr_read(&selection.unwrap()).unwrap()[0].digest.as_bytes().to_vec()
}

fn share_no_key(one: &[TpmtPublic], other: &[TpmtPublic]) -> bool {
    one.iter().all(|key| !other.contains(key))
}

#[test]
fn two_boots_share_no_key() {
    let (mut first, mut second) = (boot_with(1), boot_with(2));
    assert!(share_no_key(&keys(&mut first), &keys(&mut second)));
}

#[test]
fn a_guest_reset_is_a_new_tpm() {
    let mut machine = boot_with(1);
    let old_keys = keys(&mut machine);
    let old_report = read(&mut machine, EkTemplate::L2).unwrap();
    let measured = TpmtHa::new(HashAlg::Sha256, &[0xaa; 32]).unwrap();
    client(&mut machine).pcr_extend(PcrIndex::Pcr7, &[measured]).unwrap();
    assert_ne!(pcr_7(&mut machine), [0; 32]);

    let mut machine = machine.reset().unwrap();
    client(&mut machine).startup(TpmSu::Clear).unwrap();
    assert_eq!(pcr_7(&mut machine), [0; 32]);
    assert!(share_no_key(&keys(&mut machine), &old_keys));
    for template in TEMPLATES {
        let report = read(&mut machine, template).unwrap();
        let key = ek(&mut machine, template);
        assert!(vouches(&report, &key) && !vouches(&old_report, &key));
    }
    // Both boots of the guest speak with the chip under one key.
    machine.processor().assert_no_iv_reuse();
}

#[test]
fn an_object_of_one_boot_does_not_load_in_the_next() {
    let mut first = boot_with(1);
    let mut tpm = client(&mut first);
    let parent = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key()).unwrap();
    let (private, public) = tpm.create(&parent, &[], &attestation_key()).unwrap();
    tpm.load(&parent, &[], &private, &public).unwrap();

    let mut second = first.reset().unwrap();
    let mut tpm = client(&mut second);
    tpm.startup(TpmSu::Clear).unwrap();
    let parent = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key()).unwrap();
    let refused = refusal(tpm.load(&parent, &[], &private, &public));
    assert_eq!(refused, Rc::INTEGRITY.at(Subject::Parameter(1)));
    // What is made anew works as before.
    let (private, public) = tpm.create(&parent, &[], &attestation_key()).unwrap();
    tpm.load(&parent, &[], &private, &public).unwrap();
}
