// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The reports at the NV indices of EK certificates: when they are made, and that they are the live keys'.

use evtpm_sp_sim::{Misbehaviour, Product};
use evtpm_testing_support::{Machine, boot, chip, client, predicted_measurement};
use evtpm_tpm_wire::commands::{ChangeEps, ChangeEpsHandles, Clear, ClearHandles};
use evtpm_tpm_wire::{Handle, Supported, TpmaNv, TpmiRhClear, TpmiRhHierarchy, TpmiRhNvIndex, TpmiRhPlatform};

use super::*;
use evtpm_client::Auth;

fn nv_index(template: EkTemplate) -> TpmiRhNvIndex {
    TpmiRhNvIndex::new(index(template), &Supported::ALL).unwrap()
}

#[test]
fn both_elliptic_keys_are_vouched_for_at_boot() {
    for product in Product::ALL {
        let mut machine = boot(chip(product));
        assert_eq!(delivered(&mut machine), 2);
        client(&mut machine).startup(TpmSu::Clear).unwrap();
        for template in [EkTemplate::L2, EkTemplate::H3] {
            let report = read(&mut machine, template).unwrap();
            let key = ek(&mut machine, template);
            assert!(vouches(&report, &key));
            assert_eq!(report.measurement(), predicted_measurement());
        }
        assert_eq!(delivered(&mut machine), 2, "nobody had to ask again");
    }
}

#[test]
fn every_index_is_listed_from_the_start_as_an_ek_certificate_that_is_locked() {
    let mut machine = started();
    let mut tpm = client(&mut machine);
    let mut listed = TEMPLATES.map(index);
    listed.sort();
    assert_eq!(tpm.handles(Handle(0x0100_0000)).unwrap(), listed);
    let attributes = TpmaNv::PLATFORMCREATE
        | TpmaNv::AUTHREAD
        | TpmaNv::OWNERREAD
        | TpmaNv::PPREAD
        | TpmaNv::NO_DA
        | TpmaNv::WRITEDEFINE
        | TpmaNv::POLICY_DELETE
        | TpmaNv::WRITELOCKED
        | TpmaNv::WRITTEN;
    for template in TEMPLATES {
        let public = tpm.nv_public(nv_index(template)).unwrap().0;
        assert_eq!((public.attributes, public.data_size), (attributes, 0x4a0));
    }
}

#[test]
fn the_rsa_key_waits_for_whoever_asks_first() {
    type Touch = fn(&mut Machine);
    let touches: [(&str, Touch); 3] = [
        ("reading the index", |machine| assert!(read(machine, EkTemplate::L1).is_ok())),
        ("looking at the index", |machine| assert!(client(machine).nv_public(nv_index(EkTemplate::L1)).is_ok())),
        ("making the key", |machine| assert_ne!(ek(machine, EkTemplate::L1), EkTemplate::L1.public())),
    ];
    for (name, touch) in touches {
        let mut machine = started();
        read(&mut machine, EkTemplate::L2).unwrap();
        assert_eq!(delivered(&mut machine), 2, "{name}");
        touch(&mut machine);
        assert_eq!(delivered(&mut machine), 3, "{name}");
        let report = read(&mut machine, EkTemplate::L1).unwrap();
        assert!(vouches(&report, &ek(&mut machine, EkTemplate::L1)), "{name}");
        assert_eq!(delivered(&mut machine), 3, "{name}");
    }
}

#[test]
fn a_key_of_the_template_in_another_hierarchy_asks_the_chip_for_nothing() {
    let mut machine = started();
    let mut tpm = client(&mut machine);
    let made = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &EkTemplate::L1.public()).unwrap();
    tpm.flush(made.handle).unwrap();
    assert_eq!(delivered(&mut machine), 2);
}

#[test]
fn a_busy_chip_delays_the_report_and_nothing_else() {
    let mut machine = started();
    machine.processor().host().misbehave_always(Some(Misbehaviour::Busy));
    assert_eq!(refusal(read(&mut machine, EkTemplate::L1)), Rc::RETRY);
    let key = ek(&mut machine, EkTemplate::L1);
    assert_eq!(refusal(read(&mut machine, EkTemplate::L1)), Rc::RETRY);
    client(&mut machine).random(&mut [0; 16]).unwrap();
    assert!(vouches(&read(&mut machine, EkTemplate::L2).unwrap(), &ek(&mut machine, EkTemplate::L2)));

    machine.processor().host().misbehave_always(None);
    assert!(vouches(&read(&mut machine, EkTemplate::L1).unwrap(), &key));
    machine.processor().assert_no_iv_reuse();
}

#[test]
fn a_chip_that_was_busy_at_boot_is_asked_when_the_index_is_read() {
    let mut host = chip(Product::Genoa);
    host.misbehave_always(Some(Misbehaviour::Busy));
    let mut machine = boot(host);
    assert_eq!(delivered(&mut machine), 0);
    client(&mut machine).startup(TpmSu::Clear).unwrap();
    assert_eq!(refusal(read(&mut machine, EkTemplate::L2)), Rc::RETRY);

    machine.processor().host().misbehave_always(None);
    for template in TEMPLATES {
        let report = read(&mut machine, template).unwrap();
        assert!(vouches(&report, &ek(&mut machine, template)));
    }
    machine.processor().assert_no_iv_reuse();
}

#[test]
fn a_new_endorsement_seed_makes_all_reports_anew() {
    let mut machine = started();
    let before = TEMPLATES.map(|template| read(&mut machine, template).unwrap());
    let platform = ChangeEpsHandles { auth_handle: TpmiRhPlatform::Platform };
    client(&mut machine).run(platform, &ChangeEps {}, &mut [Auth::EMPTY]).unwrap();
    for (template, old) in TEMPLATES.into_iter().zip(before) {
        let report = read(&mut machine, template).unwrap();
        let key = ek(&mut machine, template);
        assert!(vouches(&report, &key) && !vouches(&old, &key));
    }
    machine.processor().assert_no_iv_reuse();
}

#[test]
fn no_old_report_is_read_while_the_chip_is_busy_after_a_new_seed() {
    let mut machine = started();
    read(&mut machine, EkTemplate::L2).unwrap();
    machine.processor().host().misbehave_always(Some(Misbehaviour::Busy));
    let platform = ChangeEpsHandles { auth_handle: TpmiRhPlatform::Platform };
    client(&mut machine).run(platform, &ChangeEps {}, &mut [Auth::EMPTY]).unwrap();
    assert_eq!(refusal(read(&mut machine, EkTemplate::L2)), Rc::RETRY);
}

#[test]
fn clear_keeps_keys_and_reports() {
    let mut machine = started();
    let before = TEMPLATES.map(|template| (read(&mut machine, template).unwrap(), ek(&mut machine, template)));
    let platform = ClearHandles { auth_handle: TpmiRhClear::Platform };
    client(&mut machine).run(platform, &Clear {}, &mut [Auth::EMPTY]).unwrap();
    for (template, (report, key)) in TEMPLATES.into_iter().zip(before) {
        assert_eq!(read(&mut machine, template).unwrap().as_bytes(), report.as_bytes());
        assert_eq!(ek(&mut machine, template), key);
    }
}
