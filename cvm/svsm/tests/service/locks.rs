// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nobody in the guest, not even with platform authorization, can change, delete or replace a report.

use evtpm_client::{Auth, SessionOptions};
use evtpm_testing_support::{Driver, Machine, Noise, client};
use evtpm_tpm_wire::commands::{
    Clear, ClearHandles, NvChangeAuth, NvChangeAuthHandles, NvDefineSpace, NvDefineSpaceHandles, NvUndefineSpace,
    NvUndefineSpaceHandles, NvUndefineSpaceSpecial, NvUndefineSpaceSpecialHandles,
};
use evtpm_tpm_wire::{
    Cc, Handle, Subject, Supported, Tpm2bAuth, TpmiRhClear, TpmiRhNvDefinedIndex, TpmiRhNvIndex, TpmiRhPlatform,
    TpmiRhProvision,
};

use super::*;

type Tpm<'m> = evtpm_client::Client<Driver<'m>, Noise>;

const INDEX: Handle = Handle(EkTemplate::L2.certificate_index());

fn defined() -> TpmiRhNvDefinedIndex {
    TpmiRhNvDefinedIndex::new(INDEX, &Supported::ALL).unwrap()
}

/// Every way to get rid of the report or to put another in its place; each has to be refused.
fn attack(tpm: &mut Tpm<'_>) {
    assert_eq!(refusal(tpm.nv_write(INDEX, Handle::PLATFORM, &[], b"forged")), Rc::NV_LOCKED);
    assert_eq!(refusal(tpm.nv_write(INDEX, Handle::OWNER, &[], b"forged")), Rc::NV_LOCKED);
    // "TPM_RC_AUTH_UNAVAILABLE": the index does not have AUTHWRITE
    assert_eq!(refusal(tpm.nv_write(INDEX, INDEX, &[], b"forged")).base(), Rc::AUTH_UNAVAILABLE);

    for (auth_handle, expected) in [
        (TpmiRhProvision::Platform, Rc::ATTRIBUTES.at(Subject::Handle(2))),
        (TpmiRhProvision::Owner, Rc::ATTRIBUTES.at(Subject::Handle(2))),
    ] {
        let handles = NvUndefineSpaceHandles { auth_handle, nv_index: defined() };
        assert_eq!(refusal(tpm.run(handles, &NvUndefineSpace {}, &mut [Auth::EMPTY])), expected);
    }

    undefine_specially(tpm);
    redefine(tpm);
}

fn undefine_specially(tpm: &mut Tpm<'_>) {
    let handles = NvUndefineSpaceSpecialHandles { nv_index: defined(), platform: TpmiRhPlatform::Platform };
    let by_password = tpm.run(handles, &NvUndefineSpaceSpecial {}, &mut [Auth::EMPTY, Auth::EMPTY]);
    assert_eq!(refusal(by_password).base(), Rc::AUTH_TYPE);

    // The index's policy is the hash of a sentence; no assertion gets a session there.
    for assert_command in [false, true] {
        let mut session = tpm.start_session(SessionOptions::POLICY).unwrap();
        if assert_command {
            tpm.policy_command_code(&session, Cc::NV_UNDEFINE_SPACE_SPECIAL).unwrap();
        }
        let auths = &mut [Auth::session(&mut session), Auth::EMPTY];
        let by_policy = tpm.run(handles, &NvUndefineSpaceSpecial {}, auths);
        assert_eq!(refusal(by_policy), Rc::POLICY_FAIL.at(Subject::Session(1)));
        tpm.end_session(session).unwrap();
    }

    let mut session = tpm.start_session(SessionOptions::POLICY).unwrap();
    tpm.policy_command_code(&session, Cc::NV_CHANGE_AUTH).unwrap();
    let nv_index = TpmiRhNvIndex::new(INDEX, &Supported::ALL).unwrap();
    let command = NvChangeAuth { new_auth: Tpm2bAuth::new(b"mine").unwrap() };
    let changed = tpm.run(NvChangeAuthHandles { nv_index }, &command, &mut [Auth::session(&mut session)]);
    assert_eq!(refusal(changed), Rc::POLICY_FAIL.at(Subject::Session(1)));
    tpm.end_session(session).unwrap();
}

fn redefine(tpm: &mut Tpm<'_>) {
    let nv_index = TpmiRhNvIndex::new(INDEX, &Supported::ALL).unwrap();
    let mut public_info = tpm.nv_public(nv_index).unwrap();
    let locked = evtpm_tpm_wire::TpmaNv::WRITELOCKED | evtpm_tpm_wire::TpmaNv::WRITTEN;
    public_info.0.attributes = public_info.0.attributes.without(locked).with(evtpm_tpm_wire::TpmaNv::PPWRITE);
    let define = NvDefineSpace { auth: Tpm2bAuth::EMPTY, public_info };
    let handles = NvDefineSpaceHandles { auth_handle: TpmiRhProvision::Platform };
    assert_eq!(refusal(tpm.run(handles, &define, &mut [Auth::EMPTY])), Rc::NV_DEFINED);
}

fn clear(machine: &mut Machine) {
    let platform = ClearHandles { auth_handle: TpmiRhClear::Platform };
    client(machine).run(platform, &Clear {}, &mut [Auth::EMPTY]).unwrap();
}

/// `_TPM_Init` and a start without the firmware's help, as far as the guest can bring them about.
fn restart(machine: &mut Machine) {
    client(machine).shutdown(TpmSu::Clear).unwrap();
    machine.tpm().power_on();
    client(machine).startup(TpmSu::Clear).unwrap();
}

#[test]
fn platform_authorization_can_neither_overwrite_nor_delete_a_report() {
    let mut machine = started();
    let before = read(&mut machine, EkTemplate::L2).unwrap();
    attack(&mut client(&mut machine));
    assert_eq!(read(&mut machine, EkTemplate::L2).unwrap().as_bytes(), before.as_bytes());
}

#[test]
fn neither_startup_nor_clear_unlocks_a_report() {
    let mut machine = started();
    let before = read(&mut machine, EkTemplate::L2).unwrap();
    for step in [clear, restart] {
        step(&mut machine);
        attack(&mut client(&mut machine));
        assert_eq!(read(&mut machine, EkTemplate::L2).unwrap().as_bytes(), before.as_bytes());
    }
}
