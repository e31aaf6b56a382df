// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of what happens to every command, whatever it does.

use crate::testing::{command_bytes, marshal, password_command, powered, started};
use crate::{Execution, Locality};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{Cc, Handle, PcrIndex, Rc, Subject, TpmSu, YesNo};
use std::vec;
use std::vec::Vec;

fn clear(auth_handle: evtpm_tpm_wire::TpmiRhClear) -> Vec<u8> {
    password_command(&Clear {}, ClearHandles { auth_handle }, &[])
}

#[test]
fn a_command_before_startup_is_refused() {
    assert_eq!(powered().rc(command_bytes(Cc::GET_RANDOM, &[], &[], &[0, 8])), Rc::INITIALIZE);
}

#[test]
fn a_second_startup_is_refused() {
    let mut tpm = started();
    assert_eq!(tpm.send(&Startup { startup_type: TpmSu::Clear }, ()), Err(Rc::INITIALIZE));
}

#[test]
fn an_unknown_tag_is_refused_in_a_response_of_version_2() {
    let mut command = command_bytes(Cc::GET_RANDOM, &[], &[], &[0, 8]);
    command[1] = 0x03;
    assert_eq!(started().raw(command), [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0x97]);
}

#[test]
fn a_size_that_is_not_the_commands_is_refused() {
    let mut command = command_bytes(Cc::GET_RANDOM, &[], &[], &[0, 8]);
    command[5] += 1;
    assert_eq!(started().rc(command), Rc::COMMAND_SIZE);
}

#[test]
fn an_unknown_code_is_refused() {
    assert_eq!(started().rc(command_bytes(Cc(0x11E), &[], &[], &[])), Rc::COMMAND_CODE);
    assert_eq!(started().rc(command_bytes(Cc::FIELD_UPGRADE_START, &[], &[], &[])), Rc::COMMAND_CODE);
}

#[test]
fn no_prefix_of_a_command_panics() {
    let whole = clear(evtpm_tpm_wire::TpmiRhClear::Platform);
    for length in 0..whole.len() {
        let mut command = whole[..length].to_vec();
        let mut response = vec![0; 4096];
        let Execution::Response(size) = started().execute(Locality::ZERO, &mut command, &mut response) else {
            panic!("nothing to wait for")
        };
        assert_eq!(size, 10);
        assert_ne!(response[6..10], [0; 4]);
    }
}

#[test]
fn a_trailing_byte_is_a_size_error() {
    assert_eq!(started().rc(command_bytes(Cc::GET_RANDOM, &[], &[], &[0, 8, 0])), Rc::SIZE);
}

#[test]
fn a_missing_parameter_names_its_number() {
    let command = command_bytes(Cc::GET_CAPABILITY, &[], &[], &[0, 0, 0, 6, 0, 0]);
    assert_eq!(started().rc(command), Rc::INSUFFICIENT.at(Subject::Parameter(2)));
}

#[test]
fn a_handle_of_another_kind_names_its_number() {
    let command = command_bytes(Cc::CLEAR, &marshal(&Handle::OWNER), &[], &[]);
    assert_eq!(started().rc(command), Rc::VALUE.at(Subject::Handle(1)));
}

#[test]
fn an_object_that_is_not_loaded_is_a_reference_warning() {
    let command = command_bytes(Cc::CONTEXT_SAVE, &[0x80, 0, 0, 3], &[], &[]);
    assert_eq!(started().rc(command), Rc::REFERENCE_H0);
}

#[test]
fn a_missing_authorization_is_named() {
    let command = command_bytes(Cc::CLEAR, &marshal(&Handle::PLATFORM), &[], &[]);
    assert_eq!(started().rc(command), Rc::AUTH_MISSING);
}

#[test]
fn sessions_are_refused_where_none_is_allowed() {
    let password = [0x40, 0, 0, 9, 0, 0, 0, 0, 0];
    let command = command_bytes(Cc::CONTEXT_SAVE, &marshal(&Handle::NULL), &password, &[]);
    // The handle is looked at first.
    assert_eq!(started().rc(command), Rc::VALUE.at(Subject::Handle(1)));
    let command = command_bytes(Cc::FLUSH_CONTEXT, &[], &password, &[0x80, 0, 0, 0]);
    assert_eq!(started().rc(command), Rc::AUTH_CONTEXT);
}

#[test]
fn an_authorization_area_with_a_wrong_size_is_refused() {
    let mut tpm = started();
    for (position, value) in [(17, 8), (17, 10), (14, 1)] {
        let mut command = clear(evtpm_tpm_wire::TpmiRhClear::Platform);
        command[position] = value;
        assert_eq!(tpm.rc(command), Rc::AUTHSIZE, "{position} {value}");
    }
}

#[test]
fn a_password_session_without_purpose_is_refused() {
    let password = [0x40, 0, 0, 9, 0, 0, 0, 0, 0];
    let command = command_bytes(Cc::GET_RANDOM, &[], &password, &[0, 8]);
    assert_eq!(started().rc(command), Rc::ATTRIBUTES.at(Subject::Session(1)));
}

#[test]
fn a_session_that_does_not_exist_is_a_reference_warning() {
    let session = [2, 0, 0, 5, 0, 0, 1, 0, 0];
    let command = command_bytes(Cc::CLEAR, &marshal(&Handle::PLATFORM), &session, &[]);
    assert_eq!(started().rc(command), Rc::REFERENCE_S0);
}

#[test]
fn a_wrong_password_of_a_hierarchy_is_bad_auth_and_not_counted() {
    let mut tpm = started();
    let handles = PcrAllocateHandles { auth_handle: evtpm_tpm_wire::TpmiRhPlatform::Platform };
    let command = PcrAllocate { pcr_allocation: Default::default() };
    let result = tpm.send_at(Locality::ZERO, &command, handles, &[b"wrong"]);
    assert_eq!(result, Err(Rc::BAD_AUTH.at(Subject::Session(1))));
    assert_eq!(tpm.da.failed_tries(), 0);
}

#[test]
fn a_wrong_lockout_password_disables_lockout_auth() {
    let mut tpm = started();
    let handles = DictionaryAttackLockResetHandles { lock_handle: evtpm_tpm_wire::TpmiRhLockout::Lockout };
    let wrong = tpm.send_at(Locality::ZERO, &DictionaryAttackLockReset {}, handles, &[b"wrong"]);
    assert_eq!(wrong, Err(Rc::AUTH_FAIL.at(Subject::Session(1))));
    let right = tpm.send(&DictionaryAttackLockReset {}, handles);
    assert_eq!(right, Err(Rc::LOCKOUT));
    tpm.platform_mut().now += 86_400_000;
    assert_eq!(tpm.send(&DictionaryAttackLockReset {}, handles), Ok(()));
}

#[test]
fn trailing_zeros_of_a_password_do_not_count() {
    let mut tpm = started();
    let handles = HierarchyChangeAuthHandles { auth_handle: evtpm_tpm_wire::TpmiRhHierarchyAuth::Owner };
    let new_auth = evtpm_tpm_wire::Tpm2bAuth::new(b"own\0\0").unwrap();
    tpm.send(&HierarchyChangeAuth { new_auth: new_auth.clone() }, handles).unwrap();
    tpm.send_at(Locality::ZERO, &HierarchyChangeAuth { new_auth }, handles, &[b"own\0"]).unwrap();
}

#[test]
fn failure_mode_takes_only_test_result_and_capability() {
    let mut tpm = started();
    tpm.enter_failure_mode();
    assert_eq!(tpm.rc(command_bytes(Cc::GET_RANDOM, &[], &[], &[0, 8])), Rc::FAILURE);
    assert_eq!(tpm.rc(command_bytes(Cc::STARTUP, &[], &[], &[0, 0])), Rc::FAILURE);
    let result = tpm.send(&GetTestResult {}, ()).unwrap();
    assert_eq!((result.test_result, result.out_data.as_bytes()), (Rc::FAILURE, &[0, 0, 0, 5][..]));
    let manufacturer =
        GetCapability { capability: evtpm_tpm_wire::TpmCap::TpmProperties, property: 0x105, property_count: 1 };
    assert_eq!(tpm.send(&manufacturer, ()).unwrap().more_data, YesNo::Yes);
    tpm.power_on();
    assert_eq!(tpm.rc(command_bytes(Cc::STARTUP, &[], &[], &[0, 0])), Rc::FAILURE);
}

#[test]
fn a_response_buffer_that_is_too_small_changes_nothing() {
    let mut tpm = started();
    let before = tpm.state.clone();
    let mut command = password_command(&PcrReset {}, PcrResetHandles { pcr_handle: PcrIndex::Pcr16 }, &[]);
    let mut response = vec![0; 100];
    assert_eq!(tpm.execute(Locality::ZERO, &mut command, &mut response), Execution::Response(10));
    assert_eq!(response[6..10], Rc::MEMORY.raw().to_be_bytes());
    assert!(tpm.state == before);
}
