// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Dictionary attacks from the outside: lockout, and its end by time, by the lockout authority and by power.

use crate::Locality;
use crate::testing::objects::{object, sealed};
use crate::testing::{TestTpm, started};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Handle, Rc, Subject, Tpm2bAuth, TpmSu, TpmaObject, TpmiRhHierarchyAuth, TpmiRhLockout, TpmtPublic,
};

const LOCKOUT: TpmiRhLockout = TpmiRhLockout::Lockout;
const FAILED: Result<(), Rc> = Err(Rc::AUTH_FAIL.at(Subject::Session(1)));

/// A TPM that locks after two failures, and forgives one every ten seconds.
fn protected() -> TestTpm {
    let mut tpm = started();
    let (new_max_tries, new_recovery_time, lockout_recovery) = (2, 10, 60);
    let parameters = DictionaryAttackParameters { new_max_tries, new_recovery_time, lockout_recovery };
    tpm.send(&parameters, DictionaryAttackParametersHandles { lock_handle: LOCKOUT }).unwrap();
    tpm
}

/// Makes the protected object, which a power cycle takes away.
fn load(tpm: &mut TestTpm) -> Handle {
    let parent = tpm.storage_root();
    let template = sealed();
    let object_attributes = template.object_attributes.without(TpmaObject::NO_DA);
    let made = tpm.create(parent, TpmtPublic { object_attributes, ..template }, b"pin", b"data").unwrap();
    tpm.load(parent, &made.out_private, &made.out_public.0).unwrap().object_handle
}

fn unseal(tpm: &mut TestTpm, item: Handle, pin: &[u8]) -> Result<(), Rc> {
    let handles = UnsealHandles { item_handle: object(item) };
    tpm.send_at(Locality::ZERO, &Unseal {}, handles, &[pin]).map(|_| ())
}

fn reset_lock(tpm: &mut TestTpm, password: &[u8]) -> Result<(), Rc> {
    let handles = DictionaryAttackLockResetHandles { lock_handle: LOCKOUT };
    tpm.send_at(Locality::ZERO, &DictionaryAttackLockReset {}, handles, &[password])
}

fn power_cycle(tpm: &mut TestTpm) {
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
}

#[test]
fn the_first_use_after_a_reset_without_shutdown_never_asks_to_retry() {
    let mut tpm = protected();
    power_cycle(&mut tpm);
    let item = load(&mut tpm);
    assert_eq!(unseal(&mut tpm, item, b"pin"), Ok(()));
    power_cycle(&mut tpm);
    let item = load(&mut tpm);
    assert_eq!(unseal(&mut tpm, item, b"no"), FAILED);
}

#[test]
fn lockout_refuses_the_right_pin_until_time_forgives_one_failure() {
    let mut tpm = protected();
    let item = load(&mut tpm);
    assert_eq!([unseal(&mut tpm, item, b"no"), unseal(&mut tpm, item, b"no")], [FAILED, FAILED]);
    assert_eq!(unseal(&mut tpm, item, b"pin"), Err(Rc::LOCKOUT));
    tpm.platform_mut().now += 9_999;
    assert_eq!(unseal(&mut tpm, item, b"pin"), Err(Rc::LOCKOUT));
    tpm.platform_mut().now += 1;
    assert_eq!(unseal(&mut tpm, item, b"pin"), Ok(()));
    assert_eq!(unseal(&mut tpm, item, b"no"), FAILED, "the other failure still counts");
    assert_eq!(unseal(&mut tpm, item, b"pin"), Err(Rc::LOCKOUT));
}

#[test]
fn neither_a_reset_nor_success_forgives_a_failure_and_the_lockout_authority_forgives_all() {
    let mut tpm = protected();
    let item = load(&mut tpm);
    assert_eq!(unseal(&mut tpm, item, b"no"), FAILED);
    assert_eq!(unseal(&mut tpm, item, b"pin"), Ok(()));
    assert_eq!(unseal(&mut tpm, item, b"no"), FAILED);
    power_cycle(&mut tpm);
    let item = load(&mut tpm);
    assert_eq!(unseal(&mut tpm, item, b"pin"), Err(Rc::LOCKOUT));
    assert_eq!(reset_lock(&mut tpm, b""), Ok(()));
    assert_eq!(unseal(&mut tpm, item, b"pin"), Ok(()));
}

#[test]
fn a_wrong_lockout_password_locks_the_lockout_authority_for_its_own_time() {
    let mut tpm = protected();
    let handles = HierarchyChangeAuthHandles { auth_handle: TpmiRhHierarchyAuth::Lockout };
    tpm.send(&HierarchyChangeAuth { new_auth: Tpm2bAuth::new(b"admin").unwrap() }, handles).unwrap();
    assert_eq!(reset_lock(&mut tpm, b"no"), FAILED);
    assert_eq!(reset_lock(&mut tpm, b"admin"), Err(Rc::LOCKOUT));
    tpm.platform_mut().now += 30_000;
    power_cycle(&mut tpm);
    tpm.platform_mut().now += 59_999;
    assert_eq!(reset_lock(&mut tpm, b"admin"), Err(Rc::LOCKOUT), "the interval begins anew with power");
    tpm.platform_mut().now += 1;
    assert_eq!(reset_lock(&mut tpm, b"admin"), Ok(()));
}

#[test]
fn objects_without_protection_open_during_lockout() {
    let mut tpm = protected();
    let item = load(&mut tpm);
    assert_eq!([unseal(&mut tpm, item, b"no"), unseal(&mut tpm, item, b"no")], [FAILED, FAILED]);
    let parent = tpm.storage_root();
    let made = tpm.create(parent, sealed(), b"pin", b"data").unwrap();
    let free = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap().object_handle;
    assert_eq!(unseal(&mut tpm, free, b"no"), Err(Rc::BAD_AUTH.at(Subject::Session(1))));
    assert_eq!(unseal(&mut tpm, free, b"pin"), Ok(()));
}
