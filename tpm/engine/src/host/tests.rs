// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of endorsement keys and their certificates, from the host's side and from the guest's.

use super::{Ek, HostError, Pending};
use crate::testing::{TestTpm, command_bytes, password_command, powered, started};
use crate::{Execution, Failure, Locality, Phase, Profile, Tpm};
use evtpm_crypto::EntropyError;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Cc, Handle, Rc, Tpm2b, Tpm2bData, TpmSu, TpmaNv, TpmiRhBaseHierarchy, TpmiRhEnables, TpmiRhHierarchy,
    TpmiRhPlatform, TpmlPcrSelection, TpmsSensitiveCreate, TpmtPublic, YesNo,
};
use std::vec;
use std::vec::Vec;

const INDEX: u32 = Ek::EccP256.certificate_index();
const SIZE: usize = 64;

fn create(template: TpmtPublic) -> CreatePrimary {
    CreatePrimary {
        in_sensitive: Tpm2b(TpmsSensitiveCreate::default()),
        in_public: Tpm2b(template),
        outside_info: Tpm2bData::EMPTY,
        creation_pcr: TpmlPcrSelection::new(),
    }
}

const ENDORSEMENT: CreatePrimaryHandles = CreatePrimaryHandles { primary_handle: TpmiRhHierarchy::Endorsement };

fn execute(tpm: &mut TestTpm, command: &[u8]) -> Result<Rc, Pending> {
    let mut bytes = command.to_vec();
    let mut response = vec![0; 4096];
    match tpm.execute(Locality::ZERO, &mut bytes, &mut response) {
        Execution::Response(_) => Ok(Rc::from_raw(u32::from_be_bytes(response[6..10].try_into().unwrap()))),
        Execution::Pending(pending) => {
            assert_eq!(bytes, command, "a command that waits is untouched");
            Err(pending)
        }
    }
}

fn with_certificate(ek: Ek) -> TestTpm {
    let mut tpm = powered();
    tpm.host().define_ek_certificate(INDEX, ek, SIZE).unwrap();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    tpm
}

#[test]
fn the_host_and_the_guest_see_the_same_ek() {
    for ek in [Ek::EccP256, Ek::EccP384] {
        let mut tpm = powered();
        let public = tpm.host().ek_public(ek).unwrap();
        tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
        assert_eq!(tpm.send(&create(ek.template()), ENDORSEMENT).unwrap().out_public.0, public);
    }
}

#[test]
fn two_tpms_have_different_eks() {
    let mut first = powered();
    let mut platform = crate::testing::TestPlatform::new();
    platform.noise = crate::testing::TestNoise::Running(8);
    let mut second = Tpm::manufacture(platform, Profile::svsm()).unwrap();
    assert_ne!(first.host().ek_public(Ek::EccP256), second.host().ek_public(Ek::EccP256));
}

#[test]
fn the_ek_does_not_depend_on_what_the_guest_does() {
    let mut tpm = started();
    let public = tpm.host().ek_public(Ek::EccP256).unwrap();
    while tpm.send(&create(Ek::EccP256.template()), ENDORSEMENT).is_ok() {}
    let auth = HierarchyChangeAuth { new_auth: evtpm_tpm_wire::Tpm2bAuth::new(b"guest").unwrap() };
    let endorsement = evtpm_tpm_wire::TpmiRhHierarchyAuth::Endorsement;
    tpm.send(&auth, HierarchyChangeAuthHandles { auth_handle: endorsement }).unwrap();
    let disable = HierarchyControl { enable: TpmiRhEnables::Endorsement, state: YesNo::No };
    tpm.send(&disable, HierarchyControlHandles { auth_handle: TpmiRhBaseHierarchy::Platform }).unwrap();
    tpm.send(&Clear {}, ClearHandles { auth_handle: evtpm_tpm_wire::TpmiRhClear::Platform }).unwrap();
    assert_eq!(tpm.host().ek_public(Ek::EccP256).unwrap(), public);
}

#[test]
fn a_stuck_noise_source_gives_failure_mode_and_no_ek() {
    let mut platform = crate::testing::TestPlatform::new();
    platform.noise = crate::testing::TestNoise::Stuck(0);
    let mut tpm = Tpm::manufacture(platform, Profile::svsm()).unwrap();
    assert_eq!(tpm.phase(), Phase::Failed(Failure::Entropy(EntropyError::StuckAtZeros)));
    assert_eq!(tpm.host().ek_public(Ek::EccP256), Err(HostError::Failed));
    assert_eq!(tpm.host().define_ek_certificate(INDEX, Ek::EccP256, SIZE), Err(HostError::Failed));
    assert_eq!(tpm.rc(command_bytes(Cc::STARTUP, &[], &[], &[0, 0])), Rc::FAILURE);
}

#[test]
fn a_touched_index_waits_for_the_host_and_the_creation_of_its_key_too() {
    let mut tpm = with_certificate(Ek::EccP256);
    let pending = Pending::EkCertificate { index: INDEX };
    let before = tpm.state.clone();
    let create = password_command(&create(Ek::EccP256.template()), ENDORSEMENT, &[]);
    assert_eq!(execute(&mut tpm, &create), Err(pending));
    assert!(tpm.state == before);
    tpm.host().set_ek_certificate(INDEX, &[0xAB; SIZE]).unwrap();
    assert_eq!(execute(&mut tpm, &create), Ok(Rc::SUCCESS));
    assert_eq!(tpm.state.nv.index(Handle(INDEX)).unwrap().data.as_slice(), [0xAB; SIZE]);
}

#[test]
fn another_template_and_another_hierarchy_wait_for_nothing() {
    let mut tpm = with_certificate(Ek::EccP256);
    tpm.send(&create(Ek::EccP384.template()), ENDORSEMENT).unwrap();
    let owner = CreatePrimaryHandles { primary_handle: TpmiRhHierarchy::Owner };
    tpm.send(&create(Ek::EccP256.template()), owner).unwrap();
}

#[test]
fn after_a_refusal_creation_goes_on_and_the_next_one_asks_again() {
    let mut tpm = with_certificate(Ek::EccP256);
    let create = password_command(&create(Ek::EccP256.template()), ENDORSEMENT, &[]);
    for _ in 0..2 {
        assert_eq!(execute(&mut tpm, &create), Err(Pending::EkCertificate { index: INDEX }));
        tpm.host().decline_ek_certificate(INDEX).unwrap();
        assert_eq!(execute(&mut tpm, &create), Ok(Rc::SUCCESS));
    }
}

#[test]
fn a_certificate_longer_than_its_index_is_refused_whole() {
    let mut tpm = with_certificate(Ek::EccP256);
    let too_long = HostError::TooLong { room: SIZE, actual: SIZE + 1 };
    assert_eq!(tpm.host().set_ek_certificate(INDEX, &[1; SIZE + 1]), Err(too_long));
    assert_eq!(tpm.host().stale_ek_certificates().collect::<Vec<_>>(), [(INDEX, Ek::EccP256)]);
}

#[test]
fn the_host_is_told_what_is_wrong_with_an_index() {
    let mut tpm = with_certificate(Ek::EccP256);
    let mut host = tpm.host();
    assert_eq!(host.define_ek_certificate(INDEX, Ek::EccP384, SIZE), Err(HostError::Defined(INDEX)));
    assert_eq!(host.define_ek_certificate(0x8100_0000, Ek::EccP384, 1), Err(HostError::NotAnIndex(0x8100_0000)));
    assert_eq!(host.define_ek_certificate(INDEX + 1, Ek::EccP384, 1 << 20), Err(HostError::NoSpace));
    assert_eq!(host.set_ek_certificate(INDEX + 1, &[]), Err(HostError::NoCertificate(INDEX + 1)));
}

#[test]
fn a_new_eps_makes_new_keys_and_asks_for_new_certificates() {
    let mut tpm = with_certificate(Ek::EccP256);
    tpm.host().set_ek_certificate(INDEX, &[0xAB; SIZE]).unwrap();
    let old = tpm.host().ek_public(Ek::EccP256).unwrap();
    tpm.send(&ChangeEps {}, ChangeEpsHandles { auth_handle: TpmiRhPlatform::Platform }).unwrap();
    assert_ne!(tpm.host().ek_public(Ek::EccP256).unwrap(), old);
    assert_eq!(tpm.host().stale_ek_certificates().collect::<Vec<_>>(), [(INDEX, Ek::EccP256)]);
    assert_eq!(tpm.state.nv.index(Handle(INDEX)).unwrap().data.as_slice(), [0xFF; SIZE]);
    let create = password_command(&create(Ek::EccP256.template()), ENDORSEMENT, &[]);
    assert_eq!(execute(&mut tpm, &create), Err(Pending::EkCertificate { index: INDEX }));
}

#[test]
fn neither_clear_nor_startup_unlocks_or_empties_a_certificate() {
    let mut tpm = with_certificate(Ek::EccP256);
    tpm.host().set_ek_certificate(INDEX, &[0xAB; SIZE]).unwrap();
    tpm.send(&Clear {}, ClearHandles { auth_handle: evtpm_tpm_wire::TpmiRhClear::Platform }).unwrap();
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    let index = tpm.state.nv.index(Handle(INDEX)).unwrap();
    let locked = TpmaNv::WRITELOCKED | TpmaNv::WRITTEN | TpmaNv::WRITEDEFINE | TpmaNv::POLICY_DELETE;
    assert!(index.public.attributes.contains(locked));
    assert_eq!(index.data.as_slice(), [0xAB; SIZE]);
}

#[test]
fn the_policy_of_a_certificate_is_not_that_of_a_fresh_session() {
    let tpm = with_certificate(Ek::EccP256);
    let policy = tpm.state.nv.index(Handle(INDEX)).unwrap().public.auth_policy;
    assert_eq!(policy.len(), 32);
    assert_ne!(policy.as_bytes(), [0; 32]);
}

fn nv_index() -> evtpm_tpm_wire::TpmiRhNvIndex {
    evtpm_tpm_wire::TpmiRhNvIndex::new(Handle(INDEX), &evtpm_tpm_wire::Supported::ALL).unwrap()
}

fn nv_auth(handle: Handle) -> evtpm_tpm_wire::TpmiRhNvAuth {
    evtpm_tpm_wire::TpmiRhNvAuth::new(handle, &evtpm_tpm_wire::Supported::ALL).unwrap()
}

#[test]
fn reading_the_index_waits_and_after_a_refusal_answers_retry_once() {
    let mut tpm = with_certificate(Ek::EccP256);
    let read = password_command(
        &NvRead { size: 4, offset: 0 },
        NvReadHandles { auth_handle: nv_auth(Handle(INDEX)), nv_index: nv_index() },
        &[],
    );
    let read_public = password_command(&NvReadPublic {}, NvReadPublicHandles { nv_index: nv_index() }, &[]);
    for command in [&read, &read_public] {
        assert_eq!(execute(&mut tpm, command), Err(Pending::EkCertificate { index: INDEX }));
        tpm.host().decline_ek_certificate(INDEX).unwrap();
        assert_eq!(execute(&mut tpm, command), Ok(Rc::RETRY));
    }
    assert_eq!(execute(&mut tpm, &read), Err(Pending::EkCertificate { index: INDEX }));
    tpm.host().set_ek_certificate(INDEX, &[0xAB; SIZE]).unwrap();
    for command in [&read, &read_public] {
        assert_eq!(execute(&mut tpm, command), Ok(Rc::SUCCESS));
    }
}

#[test]
fn not_even_the_platform_overwrites_or_undefines_a_certificate() {
    let mut tpm = with_certificate(Ek::EccP256);
    tpm.host().set_ek_certificate(INDEX, &[0xAB; SIZE]).unwrap();
    for auth in [Handle::PLATFORM, Handle::OWNER, Handle(INDEX)] {
        let data = evtpm_tpm_wire::Bytes::new(&[0; 4]).unwrap();
        let handles = NvWriteHandles { auth_handle: nv_auth(auth), nv_index: nv_index() };
        assert!(tpm.send(&NvWrite { data, offset: 0 }, handles).is_err(), "{auth:?}");
    }
    let defined = evtpm_tpm_wire::TpmiRhNvDefinedIndex::new(Handle(INDEX), &evtpm_tpm_wire::Supported::ALL).unwrap();
    for auth_handle in [evtpm_tpm_wire::TpmiRhProvision::Platform, evtpm_tpm_wire::TpmiRhProvision::Owner] {
        assert!(tpm.send(&NvUndefineSpace {}, NvUndefineSpaceHandles { auth_handle, nv_index: defined }).is_err());
    }
    // The policy session that could do it must have a digest that no assertions give.
    let mut session = tpm.start_session(crate::testing::Start::POLICY);
    let attributes = evtpm_tpm_wire::TpmaSession::CONTINUE_SESSION;
    let used = crate::testing::SessionUse { attributes, ..Default::default() };
    let platform = TpmiRhPlatform::Platform;
    let handles = NvUndefineSpaceSpecialHandles { nv_index: defined, platform };
    let mut uses = [crate::testing::Use::Session(&mut session, used), crate::testing::Use::Password(b"")];
    let refused = tpm.send_with(&NvUndefineSpaceSpecial {}, handles, &mut uses);
    assert_eq!(refused, Err(Rc::POLICY_FAIL.at(evtpm_tpm_wire::Subject::Session(1))));
    assert_eq!(tpm.state.nv.index(Handle(INDEX)).unwrap().data.as_slice(), [0xAB; SIZE]);
}

#[test]
fn the_certificate_reads_back_as_the_host_wrote_it() {
    let mut tpm = with_certificate(Ek::EccP256);
    let report: Vec<u8> = (0..SIZE as u8).collect();
    tpm.host().set_ek_certificate(INDEX, &report).unwrap();
    for auth in [Handle(INDEX), Handle::OWNER, Handle::PLATFORM] {
        let handles = NvReadHandles { auth_handle: nv_auth(auth), nv_index: nv_index() };
        let response = tpm.send(&NvRead { size: SIZE as u16, offset: 0 }, handles).unwrap();
        assert_eq!(response.data.as_bytes(), report);
    }
}
