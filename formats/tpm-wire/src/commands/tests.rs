// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command table against Part 3, and the exact codes of damaged commands.
use super::*;
use crate::{
    Cc, Flags, HandleArea, Marshal, PcrIndex, Rc, Reader, Role, Subject, Supported, TpmaCc, Unmarshal, from_bytes,
};

/// The commands whose first parameter begins with a size in Part 3.
const DECRYPT: &[Cc] = &[
    Cc::ACTIVATE_CREDENTIAL,
    Cc::CERTIFY,
    Cc::CERTIFY_CREATION,
    Cc::CERTIFY_X509,
    Cc::COMMIT,
    Cc::CREATE,
    Cc::CREATE_LOADED,
    Cc::CREATE_PRIMARY,
    Cc::DUPLICATE,
    Cc::ECC_DECRYPT,
    Cc::ECC_ENCRYPT,
    Cc::ECDH_ZGEN,
    Cc::ENCRYPT_DECRYPT2,
    Cc::EVENT_SEQUENCE_COMPLETE,
    Cc::GET_COMMAND_AUDIT_DIGEST,
    Cc::GET_SESSION_AUDIT_DIGEST,
    Cc::GET_TIME,
    Cc::HASH,
    Cc::HASH_SEQUENCE_START,
    Cc::HIERARCHY_CHANGE_AUTH,
    Cc::HMAC,
    Cc::HMAC_START,
    Cc::IMPORT,
    Cc::LOAD,
    Cc::LOAD_EXTERNAL,
    Cc::MAKE_CREDENTIAL,
    Cc::NV_CERTIFY,
    Cc::NV_CHANGE_AUTH,
    Cc::NV_DEFINE_SPACE,
    Cc::NV_DEFINE_SPACE2,
    Cc::NV_EXTEND,
    Cc::NV_WRITE,
    Cc::OBJECT_CHANGE_AUTH,
    Cc::PCR_EVENT,
    Cc::PCR_SET_AUTH_POLICY,
    Cc::PCR_SET_AUTH_VALUE,
    Cc::POLICY_AUTHORIZE,
    Cc::POLICY_CAPABILITY,
    Cc::POLICY_COUNTER_TIMER,
    Cc::POLICY_CP_HASH,
    Cc::POLICY_DUPLICATION_SELECT,
    Cc::POLICY_NAME_HASH,
    Cc::POLICY_NV,
    Cc::POLICY_PARAMETERS,
    Cc::POLICY_PCR,
    Cc::POLICY_SECRET,
    Cc::POLICY_SIGNED,
    Cc::POLICY_TEMPLATE,
    Cc::POLICY_TICKET,
    Cc::POLICY_TRANSPORT_SPDM,
    Cc::QUOTE,
    Cc::REWRAP,
    Cc::RSA_DECRYPT,
    Cc::RSA_ENCRYPT,
    Cc::SEQUENCE_COMPLETE,
    Cc::SEQUENCE_UPDATE,
    Cc::SET_PRIMARY_POLICY,
    Cc::SIGN,
    Cc::START_AUTH_SESSION,
    Cc::STIR_RANDOM,
    Cc::VERIFY_SIGNATURE,
    Cc::ZGEN_2PHASE,
    Cc::SIGN_SEQUENCE_COMPLETE,
    Cc::VERIFY_DIGEST_SIGNATURE,
    Cc::SIGN_DIGEST,
    Cc::DECAPSULATE,
    Cc::VERIFY_SEQUENCE_START,
    Cc::SIGN_SEQUENCE_START,
];

/// The commands whose first response parameter begins with a size in Part 3.
const ENCRYPT: &[Cc] = &[
    Cc::ACTIVATE_CREDENTIAL,
    Cc::CERTIFY,
    Cc::CERTIFY_CREATION,
    Cc::CERTIFY_X509,
    Cc::COMMIT,
    Cc::CREATE,
    Cc::CREATE_LOADED,
    Cc::CREATE_PRIMARY,
    Cc::DUPLICATE,
    Cc::ECC_DECRYPT,
    Cc::ECC_ENCRYPT,
    Cc::ECDH_KEY_GEN,
    Cc::ECDH_ZGEN,
    Cc::EC_EPHEMERAL,
    Cc::ENCRYPT_DECRYPT,
    Cc::ENCRYPT_DECRYPT2,
    Cc::GET_COMMAND_AUDIT_DIGEST,
    Cc::GET_RANDOM,
    Cc::GET_SESSION_AUDIT_DIGEST,
    Cc::GET_TEST_RESULT,
    Cc::GET_TIME,
    Cc::HASH,
    Cc::HMAC,
    Cc::IMPORT,
    Cc::LOAD,
    Cc::LOAD_EXTERNAL,
    Cc::MAKE_CREDENTIAL,
    Cc::NV_CERTIFY,
    Cc::NV_READ,
    Cc::NV_READ_PUBLIC,
    Cc::NV_READ_PUBLIC2,
    Cc::OBJECT_CHANGE_AUTH,
    Cc::POLICY_GET_DIGEST,
    Cc::POLICY_SECRET,
    Cc::POLICY_SIGNED,
    Cc::QUOTE,
    Cc::READ_PUBLIC,
    Cc::REWRAP,
    Cc::RSA_DECRYPT,
    Cc::RSA_ENCRYPT,
    Cc::SEQUENCE_COMPLETE,
    Cc::START_AUTH_SESSION,
    Cc::UNSEAL,
    Cc::ZGEN_2PHASE,
    Cc::ENCAPSULATE,
    Cc::DECAPSULATE,
];

fn codes(choose: fn(&Spec) -> bool) -> impl Iterator<Item = Cc> {
    ALL_SPECS.iter().filter(move |spec| choose(spec)).map(|spec| spec.code)
}

#[test]
fn the_table_is_ordered_by_code() {
    assert!(ALL_SPECS.windows(2).all(|pair| pair[0].code < pair[1].code));
}

#[test]
fn exactly_the_commands_with_a_sized_first_parameter_take_an_encrypted_one() {
    let mut expected = DECRYPT.to_vec();
    expected.sort_unstable();
    assert!(codes(|spec| spec.decrypt).eq(expected));
}

#[test]
fn exactly_the_responses_with_a_sized_first_parameter_return_an_encrypted_one() {
    let mut expected = ENCRYPT.to_vec();
    expected.sort_unstable();
    assert!(codes(|spec| spec.encrypt).eq(expected));
}

#[test]
fn handles_that_need_authorization_come_first() {
    for spec in ALL_SPECS {
        assert!(spec.roles.iter().is_sorted_by_key(Option::is_none), "{}", spec.code);
    }
}

#[test]
fn admin_and_dup_roles_are_the_ones_of_part_3() {
    let with = |role| ALL_SPECS.iter().filter(move |spec| spec.roles.contains(&Some(role))).map(|spec| spec.code);
    assert!(with(Role::Dup).eq([Cc::DUPLICATE]));
    assert!(with(Role::Admin).eq([
        Cc::NV_UNDEFINE_SPACE_SPECIAL,
        Cc::NV_CHANGE_AUTH,
        Cc::ACTIVATE_CREDENTIAL,
        Cc::CERTIFY,
        Cc::OBJECT_CHANGE_AUTH,
        Cc::CERTIFY_X509,
    ]));
}

#[test]
fn sequences_flush_and_starts_return_handles() {
    assert!(codes(|spec| spec.flags.contains(Flags::FLUSHED)).eq([
        Cc::SEQUENCE_COMPLETE,
        Cc::EVENT_SEQUENCE_COMPLETE,
        Cc::VERIFY_SEQUENCE_COMPLETE,
        Cc::SIGN_SEQUENCE_COMPLETE,
    ]));
    assert!(codes(|spec| spec.returns_handle).eq([
        Cc::CREATE_PRIMARY,
        Cc::LOAD,
        Cc::HMAC_START,
        Cc::CONTEXT_LOAD,
        Cc::LOAD_EXTERNAL,
        Cc::START_AUTH_SESSION,
        Cc::HASH_SEQUENCE_START,
        Cc::CREATE_LOADED,
        Cc::VERIFY_SEQUENCE_START,
        Cc::SIGN_SEQUENCE_START,
    ]));
}

#[test]
fn attributes_of_a_command_come_from_its_declaration() {
    let expected = TpmaCc(0x0000_0185 | 2 << 25) | TpmaCc::NV | TpmaCc::FLUSHED;
    assert_eq!(EventSequenceComplete::SPEC.attributes(), expected);
    assert_eq!(CreatePrimary::SPEC.attributes(), TpmaCc(0x0000_0131 | 1 << 25) | TpmaCc::R_HANDLE);
    assert_eq!(Clear::SPEC.attributes(), TpmaCc(0x0000_0126 | 1 << 25) | TpmaCc::NV | TpmaCc::EXTENSIVE);
}

#[test]
fn a_bad_handle_is_blamed_by_its_number() {
    let handles = [0x40, 0, 0, 0x0B, 0x40, 0, 0, 0x0B];
    assert_eq!(
        from_bytes::<CertifyHandles>(&handles, &Supported::ALL),
        Err(Rc::VALUE.at(Subject::Handle(1))),
        "a hierarchy is no object"
    );
    let handles = [0x80, 0, 0, 0, 0x40, 0, 0, 0x0B];
    assert_eq!(from_bytes::<CertifyHandles>(&handles, &Supported::ALL), Err(Rc::VALUE.at(Subject::Handle(2))));
    assert_eq!(
        from_bytes::<CertifyHandles>(&handles[..6], &Supported::ALL),
        Err(Rc::INSUFFICIENT.at(Subject::Handle(2)))
    );
}

#[test]
fn a_null_sign_handle_is_allowed_and_keeps_its_place() {
    let handles: CertifyHandles = from_bytes(&[0x80, 0, 0, 0, 0x40, 0, 0, 7], &Supported::ALL).unwrap();
    assert_eq!(handles.sign_handle, None);
    assert_eq!(handles.list().as_slice(), [crate::Handle(0x8000_0000), crate::Handle::NULL]);
}

#[test]
fn a_bad_parameter_is_blamed_by_its_number() {
    let blamed = |bytes: &[u8]| NvWrite::unmarshal(&mut Reader::permissive(bytes)).unwrap_err();
    assert_eq!(blamed(&[0, 2, 1]), Rc::INSUFFICIENT.at(Subject::Parameter(1)));
    assert_eq!(blamed(&[0, 2, 1, 1]), Rc::INSUFFICIENT.at(Subject::Parameter(2)));
    assert_eq!(blamed(&[0x08, 0x01]), Rc::SIZE.at(Subject::Parameter(1)));
}

#[test]
fn pcr_extend_takes_the_null_handle_and_pcr_reset_does_not() {
    let null = [0x40, 0, 0, 7];
    let extend: PcrExtendHandles = from_bytes(&null, &Supported::ALL).unwrap();
    assert_eq!(extend.pcr_handle, None);
    assert_eq!(from_bytes::<PcrResetHandles>(&null, &Supported::ALL), Err(Rc::VALUE.at(Subject::Handle(1))));
    let reset: PcrResetHandles = from_bytes(&[0, 0, 0, 16], &Supported::ALL).unwrap();
    assert_eq!(reset.pcr_handle, PcrIndex::Pcr16);
}

#[test]
fn load_external_takes_a_public_area_without_name_algorithm_and_create_does_not() {
    let public = [0, 14, 0, 8, 0, 0x10, 0, 0, 0, 0x40, 0, 0, 0, 0x10, 0, 0];
    let mut external = [0; 22];
    external[2..18].copy_from_slice(&public);
    external[18..].copy_from_slice(&[0x40, 0, 0, 7]);
    assert!(from_bytes::<LoadExternal>(&external, &Supported::ALL).is_ok());
    let mut create = [0; 28];
    create[..6].copy_from_slice(&[0, 4, 0, 0, 0, 0]);
    create[6..22].copy_from_slice(&public);
    assert_eq!(from_bytes::<Create>(&create, &Supported::ALL), Err(Rc::HASH.at(Subject::Parameter(2))));
}

#[test]
fn parameters_marshal_to_what_they_were_read_from() {
    let bytes = [0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0, 0];
    let read: PcrRead = from_bytes(&bytes, &Supported::ALL).unwrap();
    let mut buffer = [0; 16];
    assert_eq!(read.to_bytes(&mut buffer), Ok(&bytes[..]));
}
