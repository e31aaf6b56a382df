// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of objects from their making to their use.

use crate::Locality;
use crate::testing::objects::{OWN, ecc, keyed_hash, object, public, rsa, sealed};
use crate::testing::{TestTpm, started};
use evtpm_protocol::templates::{EkTemplate, attestation_key, storage_root_key};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    EccCurve, Handle, HashAlg, PublicBody, Rc, SensitiveBody, Subject, SymMode, Tpm2b, Tpm2bAuth, Tpm2bDigest,
    Tpm2bEccPrivate, Tpm2bEncryptedSecret, Tpm2bEncryptedSecretIn, Tpm2bName, Tpm2bPrivate, Tpm2bPrivateIn,
    Tpm2bPrivateKeyRsa, Tpm2bPublicKeyRsa, Tpm2bSymKey, TpmaObject, TpmiRhHierarchy, TpmsEccParms, TpmtEccScheme,
    TpmtKeyedhashScheme, TpmtPublic, TpmtPublicPlus, TpmtRsaScheme, TpmtSymDefObject,
};

fn unseal(tpm: &mut TestTpm, item: Handle, password: &[u8]) -> Result<UnsealResponse, Rc> {
    tpm.send_at(Locality::ZERO, &Unseal {}, UnsealHandles { item_handle: object(item) }, &[password])
}

fn read_public(tpm: &mut TestTpm, handle: Handle) -> Result<ReadPublicResponse, Rc> {
    tpm.send(&ReadPublic {}, ReadPublicHandles { object_handle: object(handle) })
}

#[test]
fn sealed_data_comes_back_to_whoever_knows_its_password() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let made = tpm.create(parent, sealed(), b"door", b"treasure").unwrap();
    let item = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap().object_handle;
    assert_eq!(unseal(&mut tpm, item, b"window"), Err(Rc::BAD_AUTH.at(Subject::Session(1))));
    assert_eq!(unseal(&mut tpm, item, b"door\0").unwrap().out_data.as_bytes(), b"treasure");
}

#[test]
fn the_size_of_a_private_area_does_not_tell_that_of_its_password() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let sizes = [&b""[..], b"door", b"door\0\0", &[7; 32]].map(|password| {
        let made = tpm.create(parent, sealed(), password, b"treasure").unwrap();
        let item = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap().object_handle;
        unseal(&mut tpm, item, password).unwrap();
        made.out_private.len()
    });
    assert_eq!(sizes, [sizes[0]; 4]);
}

#[test]
fn an_hmac_key_is_no_longer_than_a_block_of_its_hash() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let own_key = OWN.without(TpmaObject::SENSITIVE_DATA_ORIGIN) | TpmaObject::SIGN;
    let template = keyed_hash(own_key, Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha1)));
    tpm.create(parent, template.clone(), &[], &[7; 64]).unwrap();
    assert_eq!(tpm.create(parent, template, &[], &[7; 65]), Err(Rc::SIZE.at(Subject::Parameter(1))));
}

#[test]
fn only_a_data_object_can_be_unsealed() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    assert_eq!(unseal(&mut tpm, parent, &[]), Err(Rc::TYPE.at(Subject::Handle(1))));
    let hmac_key = tpm.child(parent, keyed_hash(OWN | TpmaObject::SIGN, None), &[]);
    assert_eq!(unseal(&mut tpm, hmac_key, &[]), Err(Rc::ATTRIBUTES.at(Subject::Handle(1))));
}

#[test]
fn a_loaded_object_has_the_name_that_its_creation_promised() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let made = tpm.create(parent, attestation_key(), &[], &[]).unwrap();
    let loaded = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap();
    let read = read_public(&mut tpm, loaded.object_handle).unwrap();
    assert_eq!(read.out_public, Tpm2b(TpmtPublicPlus(made.out_public.0)));
    assert_eq!(read.name, loaded.name);
    let parent_read = read_public(&mut tpm, parent).unwrap();
    let expected = evtpm_protocol::qualified_name::<crate::testing::TestCrypto>(
        &parent_read.qualified_name,
        Some(HashAlg::Sha256),
        &loaded.name,
    );
    assert_eq!(Ok(read.qualified_name), expected);
}

#[test]
fn a_signing_key_is_no_parent() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, attestation_key(), &[]);
    let not_a_parent = Rc::TYPE.at(Subject::Handle(1));
    assert_eq!(tpm.create(key, sealed(), &[], b"data").unwrap_err(), not_a_parent);
    let made = tpm.create(parent, sealed(), &[], b"data").unwrap();
    assert_eq!(tpm.load(key, &made.out_private, &made.out_public.0), Err(not_a_parent));
}

#[test]
fn a_template_that_contradicts_itself_names_its_parameter() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let sign = OWN | TpmaObject::SIGN;
    let p256 = EccCurve::NistP256;
    let cases = [
        // The caller's data where the TPM shall make it, and the other way round.
        (sealed(), &[][..], Rc::ATTRIBUTES),
        (keyed_hash(sign, None), b"key", Rc::ATTRIBUTES),
        (ecc(sign.without(TpmaObject::SENSITIVE_DATA_ORIGIN), p256, None), &[7; 32], Rc::ATTRIBUTES),
        // Neither sign nor decrypt, or both and restricted.
        (ecc(OWN, p256, None), &[], Rc::ATTRIBUTES),
        (ecc(sign | TpmaObject::DECRYPT | TpmaObject::RESTRICTED, p256, None), &[], Rc::ATTRIBUTES),
        // fixedTPM without fixedParent.
        (ecc(sign.without(TpmaObject::FIXED_PARENT), p256, None), &[], Rc::ATTRIBUTES),
        // A restricted signing key without scheme, an encryption scheme of a signing key.
        (ecc(sign | TpmaObject::RESTRICTED, p256, None), &[], Rc::SCHEME),
        (ecc(sign, p256, Some(TpmtEccScheme::Ecdh(HashAlg::Sha256))), &[], Rc::SCHEME),
        (rsa(sign, Some(TpmtRsaScheme::Rsaes)), &[], Rc::SCHEME),
        // A policy of another size.
        (TpmtPublic { auth_policy: Tpm2bDigest::zeros(20).unwrap(), ..sealed() }, b"data", Rc::SIZE),
    ];
    for (template, data, expected) in cases {
        let refused = tpm.create(parent, template.clone(), &[], data).unwrap_err();
        assert_eq!(refused, expected.at(Subject::Parameter(2)), "{template:?}");
    }
}

/// "If the object being created is a Storage Key and fixedParent is SET in the attributes of inPublic, then the symmetric
/// algorithms and parameters of inPublic are required to match those of the parent."
#[test]
fn a_storage_key_that_cannot_leave_its_parent_has_the_parents_algorithms() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let fixed = storage_root_key();
    let PublicBody::Ecc { parms, unique } = fixed.body.clone() else { unreachable!("it is one of P-256") };
    let parms = TpmsEccParms { symmetric: Some(TpmtSymDefObject::AES_256_CFB), ..parms };
    let other_cipher = TpmtPublic { body: PublicBody::Ecc { parms, unique }, ..fixed.clone() };
    let other_hash = TpmtPublic { name_alg: Some(HashAlg::Sha384), ..fixed.clone() };
    tpm.create(parent, fixed, &[], &[]).unwrap();
    for (template, code) in [(other_hash, Rc::HASH), (other_cipher, Rc::SYMMETRIC)] {
        assert_eq!(tpm.create(parent, template.clone(), &[], &[]).unwrap_err(), code.at(Subject::Parameter(2)));
        let free = TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT;
        let movable = TpmtPublic { object_attributes: template.object_attributes.without(free), ..template };
        tpm.create(parent, movable, &[], &[]).unwrap();
    }
}

/// What only the caller could know to be secret protects nothing that is bound to this TPM.
#[test]
fn a_parent_of_this_tpm_has_no_key_that_its_caller_chose() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let storage = OWN.without(TpmaObject::SENSITIVE_DATA_ORIGIN) | TpmaObject::RESTRICTED | TpmaObject::DECRYPT;
    let cipher = |attributes| {
        let parms = TpmtSymDefObject::AES_128_CFB;
        public(attributes, PublicBody::SymCipher { parms, unique: Tpm2bDigest::EMPTY })
    };
    let refused = tpm.create(parent, cipher(storage), &[], &[7; 16]).unwrap_err();
    assert_eq!(refused, Rc::ATTRIBUTES.at(Subject::Parameter(2)));
    let movable = storage.without(TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT);
    tpm.create(parent, cipher(movable), &[], &[7; 16]).unwrap();
}

/// "For a restricted decryption key, shall be set to a supported symmetric algorithm"
#[test]
fn the_public_area_of_a_parent_names_a_cipher() {
    let mut tpm = started();
    let (foreign, _) = foreign_ecc();
    let attributes = TpmaObject::RESTRICTED | TpmaObject::DECRYPT;
    let without = TpmtPublic { object_attributes: attributes, ..foreign };
    assert_eq!(
        tpm.load_external(None, without, TpmiRhHierarchy::Owner).unwrap_err(),
        Rc::SYMMETRIC.at(Subject::Parameter(2))
    );
}

/// Part 2, TPMA_OBJECT, x509sign: only for an asymmetric key that signs.
#[test]
fn a_symmetric_key_signs_no_certificates() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let template = keyed_hash(OWN | TpmaObject::SIGN | TpmaObject::X509_SIGN, None);
    let refused = tpm.create(parent, template, &[], &[]).unwrap_err();
    assert_eq!(refused, Rc::ATTRIBUTES.at(Subject::Parameter(2)));
}

#[test]
fn an_authorization_longer_than_the_name_digest_is_a_size_error() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let refused = tpm.create(parent, sealed(), &[7; 33], b"data").unwrap_err();
    assert_eq!(refused, Rc::SIZE.at(Subject::Parameter(1)));
    tpm.create(parent, sealed(), &[7; 32], b"data").unwrap();
}

#[test]
fn a_changed_private_or_public_area_is_an_integrity_error() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let made = tpm.create(parent, sealed(), &[], b"data").unwrap();
    let integrity = Err(Rc::INTEGRITY.at(Subject::Parameter(1)));
    for position in [2, 40, made.out_private.len() - 1] {
        let mut private = made.out_private.clone();
        private.as_mut_bytes()[position] ^= 1;
        assert_eq!(tpm.load(parent, &private, &made.out_public.0), integrity);
    }
    let mut other = made.out_public.0.clone();
    other.object_attributes = other.object_attributes.without(TpmaObject::NO_DA);
    assert_eq!(tpm.load(parent, &made.out_private, &other), integrity);
    assert_eq!(tpm.load(parent, &Tpm2bPrivate::EMPTY, &made.out_public.0), Err(Rc::SIZE.at(Subject::Parameter(1))));
}

#[test]
fn a_private_area_has_an_iv_of_a_block() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let made = tpm.create(parent, sealed(), &[], b"data").unwrap();
    let mut private = made.out_private;
    // Behind the digest of SHA-256 and its size stands the size of the IV.
    assert_eq!(private.as_bytes()[34..36], [0, 16]);
    for size in [0, 15, 17, 255] {
        private.as_mut_bytes()[35] = size;
        let refused = tpm.load(parent, &private, &made.out_public.0);
        assert_eq!(refused, Err(Rc::INTEGRITY.at(Subject::Parameter(1))), "{size}");
    }
}

#[test]
fn a_private_area_does_not_tell_how_long_its_password_is() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let mut size = |password| tpm.create(parent, sealed(), password, b"data").unwrap().out_private.len();
    assert_eq!(size(b""), size(b"password"));
    assert_eq!(size(b""), size(&[7; 32]));
}

#[test]
fn an_object_loads_under_its_own_parent_alone() {
    let mut tpm = started();
    let (parent, other) = (tpm.storage_root(), tpm.primary(TpmiRhHierarchy::Null, storage_root_key()).object_handle);
    let made = tpm.create(parent, sealed(), &[], b"data").unwrap();
    let refused = tpm.load(other, &made.out_private, &made.out_public.0);
    assert_eq!(refused, Err(Rc::INTEGRITY.at(Subject::Parameter(1))));
}

#[test]
fn full_slots_are_a_warning_before_anything_else() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let made = tpm.create(parent, sealed(), &[], b"data").unwrap();
    for _ in 1..tpm.profile().limits.transient_objects {
        tpm.load(parent, &made.out_private, &made.out_public.0).unwrap();
    }
    assert_eq!(tpm.load(parent, &made.out_private, &made.out_public.0), Err(Rc::OBJECT_MEMORY));
    assert_eq!(tpm.load_external(None, made.out_public.0, TpmiRhHierarchy::Null), Err(Rc::OBJECT_MEMORY));
    // TPM2_Create keeps nothing, so it goes on.
    tpm.create(parent, sealed(), &[], b"data").unwrap();
}

/// A P-256 key pair that the TPM does not know: the public area of a key and its private number.
fn foreign_ecc() -> (TpmtPublic, SensitiveBody) {
    use crate::testing::TestCrypto;
    use evtpm_crypto::{Crypto, EccCurve as Curve, EccPrivate};
    let private = EccPrivate::new(Curve::P256, &[0x11; 32]).unwrap();
    let point = TestCrypto::ecc_public(&private).unwrap();
    let mut key = ecc(TpmaObject::USER_WITH_AUTH | TpmaObject::SIGN, EccCurve::NistP256, None);
    if let PublicBody::Ecc { unique, .. } = &mut key.body {
        unique.x = evtpm_tpm_wire::Tpm2bEccParameter::new(point.x()).unwrap();
        unique.y = evtpm_tpm_wire::Tpm2bEccParameter::new(point.y()).unwrap();
    }
    (key, SensitiveBody::Ecc(Tpm2bEccPrivate::new(private.as_bytes()).unwrap()))
}

#[test]
fn an_external_key_pair_belongs_to_the_null_hierarchy() {
    let mut tpm = started();
    let (key, private) = foreign_ecc();
    let owned = tpm.load_external(Some(private.clone()), key.clone(), TpmiRhHierarchy::Owner);
    assert_eq!(owned, Err(Rc::HIERARCHY.at(Subject::Parameter(3))));
    let loaded = tpm.load_external(Some(private), key.clone(), TpmiRhHierarchy::Null).unwrap();
    let read = read_public(&mut tpm, loaded.object_handle).unwrap();
    assert_eq!(read.qualified_name, loaded.name);
    // A public area alone may belong to any.
    tpm.load_external(None, key, TpmiRhHierarchy::Owner).unwrap();
}

#[test]
fn the_coordinates_of_a_public_area_alone_are_as_long_as_the_curves() {
    let mut tpm = started();
    let (mut key, _) = foreign_ecc();
    if let PublicBody::Ecc { unique, .. } = &mut key.body {
        unique.x.truncate(31);
    }
    let refused = tpm.load_external(None, key, TpmiRhHierarchy::Owner);
    assert_eq!(refused, Err(Rc::KEY.at(Subject::Parameter(2))));
}

#[test]
fn an_external_key_pair_that_poses_as_protected_is_refused() {
    let mut tpm = started();
    let (key, private) = foreign_ecc();
    let fixed = TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT;
    for attributes in [fixed, TpmaObject::RESTRICTED] {
        let mut posing = key.clone();
        posing.object_attributes = posing.object_attributes | attributes;
        let refused = tpm.load_external(Some(private.clone()), posing, TpmiRhHierarchy::Null);
        assert_eq!(refused, Err(Rc::ATTRIBUTES.at(Subject::Parameter(2))));
    }
}

#[test]
fn the_halves_of_an_external_key_must_belong_together() {
    let mut tpm = started();
    let (key, private) = foreign_ecc();
    let mut load = |private, key| tpm.load_external(Some(private), key, TpmiRhHierarchy::Null);
    let ecc_private = |bytes: &[u8]| SensitiveBody::Ecc(Tpm2bEccPrivate::new(bytes).unwrap());
    let (blame_private, blame_public) = (Subject::Parameter(1), Subject::Parameter(2));
    assert_eq!(load(ecc_private(&[0x12; 32]), key.clone()), Err(Rc::BINDING));
    assert_eq!(load(ecc_private(&[0x11; 31]), key.clone()), Err(Rc::KEY_SIZE.at(blame_private)));
    assert_eq!(load(ecc_private(&[0xFF; 32]), key.clone()), Err(Rc::KEY_SIZE.at(blame_private)));
    let symmetric = SensitiveBody::SymCipher(Tpm2bSymKey::new(&[1; 16]).unwrap());
    assert_eq!(load(symmetric.clone(), key.clone()), Err(Rc::TYPE.at(blame_private)));
    let mut off_curve = key;
    if let PublicBody::Ecc { unique, .. } = &mut off_curve.body {
        unique.x.as_mut_bytes()[0] ^= 1;
    }
    assert_eq!(load(private, off_curve.clone()), Err(Rc::ECC_POINT.at(blame_public)));
    assert_eq!(load(symmetric, off_curve), Err(Rc::TYPE.at(blame_private)));
}

#[test]
fn an_rsa_key_needs_its_own_prime_and_a_modulus_of_its_size() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let template = rsa(OWN | TpmaObject::SIGN, None);
    let PublicBody::Rsa { unique, .. } = tpm.create(parent, template, &[], &[]).unwrap().out_public.0.body else {
        panic!("an RSA key")
    };
    let external = |modulus: &[u8]| {
        let mut key = rsa(TpmaObject::USER_WITH_AUTH | TpmaObject::SIGN, None);
        if let PublicBody::Rsa { unique, .. } = &mut key.body {
            *unique = Tpm2bPublicKeyRsa::new(modulus).unwrap();
        }
        key
    };
    let prime = |bytes: &[u8]| Some(SensitiveBody::Rsa(Tpm2bPrivateKeyRsa::new(bytes).unwrap()));
    let mut load = |private, public| tpm.load_external(private, public, TpmiRhHierarchy::Null);
    let modulus = unique.as_bytes();
    assert_eq!(load(prime(&[0xFF; 64]), external(modulus)), Err(Rc::BINDING));
    assert_eq!(load(prime(&[0xFF; 63]), external(modulus)), Err(Rc::KEY_SIZE.at(Subject::Parameter(1))));
    assert_eq!(load(prime(&[0x7F; 64]), external(modulus)), Err(Rc::KEY_SIZE.at(Subject::Parameter(1))));
    assert_eq!(load(None, external(&modulus[1..])), Err(Rc::KEY.at(Subject::Parameter(2))));
    assert_eq!(load(None, external(&[])), Err(Rc::KEY.at(Subject::Parameter(2))));
    load(None, external(modulus)).unwrap();
}

#[test]
fn a_symmetric_object_is_bound_by_its_unique_field() {
    let mut tpm = started();
    let parms = TpmtSymDefObject { mode: Some(SymMode::Cfb), ..TpmtSymDefObject::AES_128_CFB };
    let attributes = TpmaObject::USER_WITH_AUTH | TpmaObject::DECRYPT;
    let key = |name_alg, unique: &[u8]| TpmtPublic {
        name_alg,
        ..public(attributes, PublicBody::SymCipher { parms, unique: Tpm2bDigest::new(unique).unwrap() })
    };
    let body = |size| Some(SensitiveBody::SymCipher(Tpm2bSymKey::zeros(size).unwrap()));
    let mut load = |private, public| tpm.load_external(private, public, TpmiRhHierarchy::Null);
    let sha256 = Some(HashAlg::Sha256);
    assert_eq!(load(body(16), key(sha256, &[7; 32])), Err(Rc::BINDING));
    assert_eq!(load(body(16), key(sha256, &[7; 31])), Err(Rc::KEY.at(Subject::Parameter(2))));
    assert_eq!(load(body(32), key(sha256, &[7; 32])), Err(Rc::KEY_SIZE.at(Subject::Parameter(1))));
    // "If nameAlg is TPM_ALG_NULL, then the Name is the Empty Buffer."
    assert_eq!(load(body(16), key(None, &[])).unwrap().name, Tpm2bName::EMPTY);
}

fn credential_for(tpm: &mut TestTpm, key: Handle, object_name: Tpm2bName) -> MakeCredentialResponse {
    let command = MakeCredential { credential: Tpm2bDigest::new(b"credential").unwrap(), object_name };
    tpm.send(&command, MakeCredentialHandles { handle: object(key) }).unwrap()
}

fn activate(
    tpm: &mut TestTpm,
    (attestation, key): (Handle, Handle),
    credential: &MakeCredentialResponse,
) -> Result<ActivateCredentialResponse, Rc> {
    let command = ActivateCredential {
        credential_blob: credential.credential_blob,
        secret: Tpm2bEncryptedSecretIn::new(credential.secret.as_bytes()).unwrap(),
    };
    let handles = ActivateCredentialHandles { activate_handle: object(attestation), key_handle: object(key) };
    tpm.send(&command, handles)
}

/// An endorsement key that a password opens, for tests that are not about its policy.
fn endorsement(template: EkTemplate) -> TpmtPublic {
    let attributes = storage_root_key().object_attributes;
    TpmtPublic { object_attributes: attributes, auth_policy: Tpm2bDigest::EMPTY, ..template.public() }
}

#[test]
fn a_credential_is_activated_by_the_tpm_that_holds_both_keys() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let attestation = tpm.child(parent, attestation_key(), &[]);
    let name = read_public(&mut tpm, attestation).unwrap().name;
    for template in [EkTemplate::L2, EkTemplate::H3, EkTemplate::H4] {
        let key = tpm.primary(TpmiRhHierarchy::Endorsement, endorsement(template)).object_handle;
        let credential = credential_for(&mut tpm, key, name);
        let activated = activate(&mut tpm, (attestation, key), &credential).unwrap();
        assert_eq!(activated.cert_info.as_bytes(), b"credential");
        // Another object than the one named, a changed blob, a changed secret.
        let integrity = Err(Rc::INTEGRITY.at(Subject::Parameter(1)));
        assert_eq!(activate(&mut tpm, (parent, key), &credential), integrity);
        let mut changed = credential.clone();
        changed.credential_blob.as_mut_bytes()[10] ^= 1;
        assert_eq!(activate(&mut tpm, (attestation, key), &changed), integrity);
        changed.credential_blob.truncate(1);
        let short = Err(Rc::INSUFFICIENT.at(Subject::Parameter(1)));
        assert_eq!(activate(&mut tpm, (attestation, key), &changed), short);
        let mut off_curve = credential.clone();
        off_curve.secret.as_mut_bytes()[5] ^= 1;
        let refused = Err(Rc::ECC_POINT.at(Subject::Parameter(2)));
        assert_eq!(activate(&mut tpm, (attestation, key), &off_curve), refused);
        if template == EkTemplate::L2 {
            // A point of P-521.
            let coordinate = [&[0, 66][..], &[1; 66]].concat();
            off_curve.secret = Tpm2bEncryptedSecret::new(&coordinate.repeat(2)).unwrap();
            assert_eq!(activate(&mut tpm, (attestation, key), &off_curve), refused);
        }
        off_curve.secret.truncate(1);
        let refused = Err(Rc::INSUFFICIENT.at(Subject::Parameter(2)));
        assert_eq!(activate(&mut tpm, (attestation, key), &off_curve), refused);
    }
}

#[test]
fn a_secret_for_an_rsa_key_is_as_long_as_its_modulus() {
    let mut tpm = started();
    let key = tpm.primary(TpmiRhHierarchy::Endorsement, endorsement(EkTemplate::L1)).object_handle;
    let name = read_public(&mut tpm, key).unwrap().name;
    let mut credential = credential_for(&mut tpm, key, name);
    assert_eq!(activate(&mut tpm, (key, key), &credential).unwrap().cert_info.as_bytes(), b"credential");
    credential.secret.as_mut_bytes()[100] ^= 1;
    assert_eq!(activate(&mut tpm, (key, key), &credential), Err(Rc::VALUE.at(Subject::Parameter(2))));
    for size in [255, 0] {
        credential.secret.truncate(size);
        assert_eq!(activate(&mut tpm, (key, key), &credential), Err(Rc::SIZE.at(Subject::Parameter(2))));
    }
}

#[test]
fn a_storage_key_may_leave_its_mode_open_but_choose_no_other_than_cfb() {
    let mut tpm = started();
    let attributes = OWN | TpmaObject::RESTRICTED | TpmaObject::DECRYPT;
    let template = |mode| {
        let parms = TpmtSymDefObject { mode, ..TpmtSymDefObject::AES_128_CFB };
        public(attributes, PublicBody::SymCipher { parms, unique: Tpm2bDigest::EMPTY })
    };
    let parent = tpm.primary(TpmiRhHierarchy::Owner, template(None)).object_handle;
    let item = tpm.child(parent, sealed(), b"data");
    assert_eq!(unseal(&mut tpm, item, b"").unwrap().out_data.as_bytes(), b"data");
    let refused = tpm.create(parent, template(Some(SymMode::Ctr)), &[], &[]).unwrap_err();
    assert_eq!(refused, Rc::MODE.at(Subject::Parameter(2)));
}

#[test]
fn a_credential_is_for_storage_keys() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let attestation = tpm.child(parent, attestation_key(), &[]);
    let command = MakeCredential { credential: Tpm2bDigest::new(b"c").unwrap(), object_name: Tpm2bName::EMPTY };
    let made = tpm.send(&command, MakeCredentialHandles { handle: object(attestation) });
    assert_eq!(made, Err(Rc::TYPE.at(Subject::Handle(1))));
    let credential = credential_for(&mut tpm, parent, Tpm2bName::EMPTY);
    let refused = activate(&mut tpm, (parent, attestation), &credential);
    assert_eq!(refused, Err(Rc::TYPE.at(Subject::Handle(2))));
    let long = MakeCredential { credential: Tpm2bDigest::zeros(33).unwrap(), ..command };
    let made = tpm.send(&long, MakeCredentialHandles { handle: object(parent) });
    assert_eq!(made, Err(Rc::SIZE.at(Subject::Parameter(1))));
}

#[test]
fn a_changed_authorization_applies_to_the_next_load() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let made = tpm.create(parent, sealed(), b"old", b"data").unwrap();
    let item = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap().object_handle;
    let handles = ObjectChangeAuthHandles { object_handle: object(item), parent_handle: object(parent) };
    let mut change = |new: &[u8]| {
        let command = ObjectChangeAuth { new_auth: Tpm2bAuth::new(new).unwrap() };
        tpm.send_at(Locality::ZERO, &command, handles, &[b"old"])
    };
    assert_eq!(change(&[7; 33]), Err(Rc::SIZE.at(Subject::Parameter(1))));
    let changed = change(b"new\0\0").unwrap().out_private;
    assert_eq!(unseal(&mut tpm, item, b"old").unwrap().out_data.as_bytes(), b"data");
    let reloaded = tpm.load(parent, &changed, &made.out_public.0).unwrap().object_handle;
    assert_eq!(unseal(&mut tpm, reloaded, b"new").unwrap().out_data.as_bytes(), b"data");
}

#[test]
fn an_authorization_changes_under_the_own_parent_alone() {
    let mut tpm = started();
    let (parent, other) = (tpm.storage_root(), tpm.primary(TpmiRhHierarchy::Null, storage_root_key()).object_handle);
    let item = tpm.child(parent, sealed(), b"data");
    let command = ObjectChangeAuth { new_auth: Tpm2bAuth::new(b"new").unwrap() };
    for (object_handle, parent_handle) in [(item, other), (item, item), (parent, parent)] {
        let handles =
            ObjectChangeAuthHandles { object_handle: object(object_handle), parent_handle: object(parent_handle) };
        assert_eq!(tpm.send(&command, handles), Err(Rc::TYPE.at(Subject::Handle(2))));
    }
}

#[test]
fn an_object_keeps_its_parents_hierarchy() {
    let mut tpm = started();
    let parent = tpm.primary(TpmiRhHierarchy::Endorsement, storage_root_key()).object_handle;
    let made = tpm.create(parent, sealed(), &[], b"data").unwrap();
    assert_eq!(made.creation_ticket.hierarchy, TpmiRhHierarchy::Endorsement);
    let data = made.creation_data.0;
    let parent_read = read_public(&mut tpm, parent).unwrap();
    assert_eq!((data.parent_name, data.parent_qualified_name), (parent_read.name, parent_read.qualified_name));
    assert_eq!(data.parent_name_alg, Some(HashAlg::Sha256));
}

#[test]
fn the_password_of_a_private_area_is_not_needed_to_load_it() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let made = tpm.create(parent, sealed(), b"secret", b"data").unwrap();
    let in_private = Tpm2bPrivateIn::new(made.out_private.as_bytes()).unwrap();
    let command = Load { in_private, in_public: made.out_public };
    let handles = LoadHandles { parent_handle: object(parent) };
    let wrong = tpm.send_at(Locality::ZERO, &command, handles, &[b"wrong"]);
    assert_eq!(wrong.unwrap_err().base(), Rc::BAD_AUTH);
    tpm.send(&command, handles).unwrap();
}

#[test]
fn a_derivation_parent_has_no_children_to_load() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let xor =
        evtpm_tpm_wire::TpmsSchemeXor { hash_alg: HashAlg::Sha256, kdf: Some(evtpm_tpm_wire::KdfAlg::Kdf1Sp800_108) };
    let attributes = OWN | TpmaObject::RESTRICTED | TpmaObject::DECRYPT;
    let scheme = evtpm_tpm_wire::TpmtKeyedhashScheme::Xor(xor);
    let derivation = tpm.child(parent, keyed_hash(attributes, Some(scheme)), &[]);
    assert_eq!(tpm.create(derivation, sealed(), &[], b"x").unwrap_err(), Rc::TYPE.at(Subject::Handle(1)));
}

#[test]
fn a_storage_key_on_every_curve_protects_keys_of_every_curve() {
    let mut tpm = started();
    let curves = [EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521, EccCurve::BnP256];
    for curve in curves {
        let mut template = storage_root_key();
        let PublicBody::Ecc { parms, .. } = &mut template.body else { panic!() };
        parms.curve_id = curve;
        let parent = tpm.primary(TpmiRhHierarchy::Owner, template).object_handle;
        for child in curves {
            let key = tpm.child(parent, ecc(OWN | TpmaObject::SIGN, child, None), &[]);
            let PublicBody::Ecc { unique, .. } = &tpm.object(key).unwrap().public.body else { panic!() };
            assert_eq!(unique.x.len(), child.coordinate_size());
            tpm.state.objects.flush(key).unwrap();
        }
        tpm.state.objects.flush(parent).unwrap();
    }
}
