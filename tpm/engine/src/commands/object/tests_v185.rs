// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of objects of the types that version 185 added: making, loading, moving, keeping, and what they are used for.

use crate::Profile;
use crate::testing::TestCrypto;
use crate::testing::objects::{OWN, dhkem, ecc, hash_mldsa, mldsa, mlkem, object, public};
use crate::testing::{TestTpm, started, started_as};
use evtpm_protocol::credential::{self, Credential};
use evtpm_protocol::message::verify_message;
use evtpm_protocol::templates::pqc::{attestation_key, storage_key};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    EccCurve, Handle, HashAlg, Marshal, PcrIndex, PcrSelect, PublicBody, Rc, Subject, Supported, Tpm2b, Tpm2bData,
    Tpm2bEncryptedSecretIn, Tpm2bKemCiphertextIn, Tpm2bPrivateIn, TpmaObject, TpmiDhPersistent, TpmiMldsaParms,
    TpmiMlkemParms, TpmiRhHierarchy, TpmiRhProvision, TpmlPcrSelection, TpmsAttest, TpmsEccParms, TpmsEccPoint,
    TpmsPcrSelection, TpmtEccScheme, TpmtKdfScheme, TpmtPublic, TpmtSymDefObject, TpmuAttest, YesNo, from_bytes,
};
use std::vec::Vec;

const SIGN: TpmaObject = OWN.with(TpmaObject::SIGN);
const DECRYPT: TpmaObject = OWN.with(TpmaObject::DECRYPT);

fn pqc() -> TestTpm {
    started_as(Profile::pqc())
}

fn x25519_storage() -> TpmtPublic {
    let symmetric = Some(TpmtSymDefObject::AES_128_CFB);
    let parms = TpmsEccParms { symmetric, scheme: None, curve_id: EccCurve::Curve25519, kdf: None };
    let body = PublicBody::Ecc { parms, unique: TpmsEccPoint::default() };
    public(DECRYPT | TpmaObject::RESTRICTED, body)
}

fn templates() -> Vec<TpmtPublic> {
    std::vec![
        mldsa(SIGN, TpmiMldsaParms::MlDsa87, YesNo::Yes),
        hash_mldsa(SIGN, TpmiMldsaParms::MlDsa44, HashAlg::Sha3_256),
        mlkem(DECRYPT, TpmiMlkemParms::MlKem1024),
        storage_key(TpmiMlkemParms::MlKem768),
        ecc(SIGN, EccCurve::Curve25519, Some(TpmtEccScheme::Eddsa)),
        ecc(DECRYPT, EccCurve::Curve25519, Some(TpmtEccScheme::Ecdh(HashAlg::Sha256))),
        x25519_storage(),
        dhkem(DECRYPT, EccCurve::NistP384, HashAlg::Sha384),
    ]
}

/// The templates of children: a storage key among them that may leave its parent may have other algorithms than it.
fn children() -> Vec<TpmtPublic> {
    let fixed = TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT;
    let movable =
        |template: TpmtPublic| TpmtPublic { object_attributes: template.object_attributes.without(fixed), ..template };
    templates().into_iter().map(movable).collect()
}

#[test]
fn what_was_made_loads_and_reads_as_it_was_made() {
    let mut tpm = pqc();
    let parent = tpm.primary(TpmiRhHierarchy::Owner, storage_key(TpmiMlkemParms::MlKem768)).object_handle;
    for template in children() {
        let made = tpm.create(parent, template, &[], &[]).unwrap();
        let loaded = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap();
        let handles = ReadPublicHandles { object_handle: object(loaded.object_handle) };
        let read = tpm.send(&ReadPublic {}, handles).unwrap();
        assert_eq!((read.out_public.0.0, read.name), (made.out_public.0, loaded.name));
        tpm.state.objects.flush(loaded.object_handle).unwrap();
    }
}

#[test]
fn a_primary_key_is_a_function_of_seed_and_template() {
    let mut tpm = pqc();
    for template in templates() {
        let first = tpm.primary(TpmiRhHierarchy::Endorsement, template.clone());
        let second = tpm.primary(TpmiRhHierarchy::Endorsement, template.clone());
        let other = tpm.primary(TpmiRhHierarchy::Owner, template);
        assert_eq!((&first.out_public, first.name), (&second.out_public, second.name));
        assert_ne!(first.out_public, other.out_public);
        for made in [first, second, other] {
            tpm.state.objects.flush(made.object_handle).unwrap();
        }
    }
}

#[test]
fn halves_of_two_keys_do_not_bind() {
    let mut tpm = pqc();
    let parent = tpm.storage_root();
    for template in children() {
        let first = tpm.create(parent, template.clone(), &[], &[]).unwrap();
        let second = tpm.create(parent, template, &[], &[]).unwrap();
        // The Name protects a private blob, so that the engine's own check is looked at.
        let sensitive = tpm.load(parent, &first.out_private, &first.out_public.0).unwrap().object_handle;
        let sensitive = tpm.object(sensitive).unwrap().sensitive.clone();
        let blame = crate::object::load::Blame::LOAD;
        assert_eq!(tpm.check_keys(&first.out_public.0, sensitive.as_ref(), blame), Ok(()));
        let refused = tpm.check_keys(&second.out_public.0, sensitive.as_ref(), blame);
        assert_eq!(refused, Err(Rc::BINDING));
        tpm.state.objects.flush_all();
        tpm.storage_root();
    }
}

#[test]
fn another_profile_does_not_know_the_types() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let refused = |tpm: &mut TestTpm, template| tpm.create(parent, template, &[], &[]).unwrap_err();
    let type_error = Rc::TYPE.at(Subject::Parameter(2));
    assert_eq!(refused(&mut tpm, mldsa(SIGN, TpmiMldsaParms::MlDsa44, YesNo::No)), type_error);
    assert_eq!(refused(&mut tpm, mlkem(DECRYPT, TpmiMlkemParms::MlKem768)), type_error);
    let curve = ecc(SIGN, EccCurve::Curve25519, Some(TpmtEccScheme::Ecdsa(HashAlg::Sha256)));
    assert_eq!(refused(&mut tpm, curve), Rc::CURVE.at(Subject::Parameter(2)));

    let mut page = started_as(Profile::pqc().within(4096));
    let parent = page.storage_root();
    let refused = page.create(parent, mldsa(SIGN, TpmiMldsaParms::MlDsa87, YesNo::No), &[], &[]);
    assert_eq!(refused.unwrap_err(), Rc::PARMS.at(Subject::Parameter(2)));
}

#[test]
fn each_wrong_template_has_its_code() {
    let mut tpm = pqc();
    let parent = tpm.storage_root();
    let hkdf = |curve, hash| dhkem(DECRYPT, curve, hash);
    let mut sealed_kdf = ecc(SIGN, EccCurve::NistP256, Some(TpmtEccScheme::Ecdsa(HashAlg::Sha256)));
    if let PublicBody::Ecc { parms, .. } = &mut sealed_kdf.body {
        parms.kdf = Some(TpmtKdfScheme::Hkdf(HashAlg::Sha256));
    }
    let ecdsa = Some(TpmtEccScheme::Ecdsa(HashAlg::Sha256));
    for (template, rc) in [
        (mldsa(DECRYPT, TpmiMldsaParms::MlDsa44, YesNo::No), Rc::ATTRIBUTES),
        (mldsa(SIGN | TpmaObject::DECRYPT, TpmiMldsaParms::MlDsa44, YesNo::No), Rc::ATTRIBUTES),
        (mlkem(SIGN, TpmiMlkemParms::MlKem512), Rc::ATTRIBUTES),
        (mlkem(DECRYPT | TpmaObject::RESTRICTED, TpmiMlkemParms::MlKem512), Rc::SYMMETRIC),
        (hash_mldsa(SIGN, TpmiMldsaParms::MlDsa44, HashAlg::Sha1), Rc::HASH),
        (ecc(SIGN, EccCurve::Curve25519, None), Rc::SCHEME),
        (ecc(SIGN, EccCurve::Curve25519, ecdsa), Rc::SCHEME),
        (ecc(SIGN, EccCurve::NistP256, Some(TpmtEccScheme::Eddsa)), Rc::SCHEME),
        (ecc(DECRYPT, EccCurve::Curve25519, Some(TpmtEccScheme::Eddsa)), Rc::SCHEME),
        (hkdf(EccCurve::NistP256, HashAlg::Sha384), Rc::KDF),
        (hkdf(EccCurve::Curve25519, HashAlg::Sha512), Rc::KDF),
        (sealed_kdf, Rc::KDF),
    ] {
        let refused = tpm.create(parent, template.clone(), &[], &[]).unwrap_err();
        assert_eq!(refused, rc.at(Subject::Parameter(2)), "{template:?}");
    }
}

#[test]
fn an_encapsulated_secret_is_the_decapsulated_one() {
    let mut tpm = pqc();
    for (template, size, secret_size) in [
        (mlkem(DECRYPT, TpmiMlkemParms::MlKem512), 768, 32),
        (mlkem(DECRYPT, TpmiMlkemParms::MlKem768), 1088, 32),
        (mlkem(DECRYPT, TpmiMlkemParms::MlKem1024), 1568, 32),
        (dhkem(DECRYPT, EccCurve::Curve25519, HashAlg::Sha256), 32, 32),
        (dhkem(DECRYPT, EccCurve::NistP256, HashAlg::Sha256), 65, 32),
        (dhkem(DECRYPT, EccCurve::NistP384, HashAlg::Sha384), 97, 48),
        (dhkem(DECRYPT, EccCurve::NistP521, HashAlg::Sha512), 133, 64),
    ] {
        let made = tpm.primary(TpmiRhHierarchy::Owner, template);
        // "reference to public portion of KEM key": any TPM that has it can encapsulate
        let external = tpm.load_external(None, made.out_public.0, TpmiRhHierarchy::Null).unwrap().object_handle;
        let shared = tpm.send(&Encapsulate {}, EncapsulateHandles { key_handle: object(external) }).unwrap();
        assert_eq!((shared.ciphertext.len(), shared.shared_secret.len()), (size, secret_size));
        let mut decapsulate = |ciphertext: &[u8]| {
            let command = Decapsulate { ciphertext: Tpm2bKemCiphertextIn::new(ciphertext).unwrap() };
            let handles = DecapsulateHandles { key_handle: object(made.object_handle) };
            tpm.send(&command, handles).map(|response| response.shared_secret)
        };
        assert_eq!(decapsulate(shared.ciphertext.as_bytes()).unwrap(), shared.shared_secret);
        assert!(decapsulate(&shared.ciphertext.as_bytes()[1..]).is_err());
        for handle in [external, made.object_handle] {
            tpm.state.objects.flush(handle).unwrap();
        }
    }
}

#[test]
fn what_is_no_kem_key_or_a_restricted_one_decapsulates_nothing() {
    let mut tpm = pqc();
    let send = |tpm: &mut TestTpm, key| {
        let command = Decapsulate { ciphertext: Tpm2bKemCiphertextIn::new(&[0; 768]).unwrap() };
        tpm.send(&command, DecapsulateHandles { key_handle: object(key) }).map(|_| ()).unwrap_err()
    };
    let storage = tpm.primary(TpmiRhHierarchy::Owner, storage_key(TpmiMlkemParms::MlKem512)).object_handle;
    assert_eq!(send(&mut tpm, storage), Rc::ATTRIBUTES.at(Subject::Handle(1)));
    let parent = tpm.storage_root();
    assert_eq!(send(&mut tpm, parent), Rc::KEY.at(Subject::Handle(1)));
    let refused = tpm.send(&Encapsulate {}, EncapsulateHandles { key_handle: object(parent) });
    assert_eq!(refused.unwrap_err(), Rc::KEY.at(Subject::Handle(1)));
    let point = tpm.primary(TpmiRhHierarchy::Owner, dhkem(DECRYPT, EccCurve::NistP256, HashAlg::Sha256));
    let command = Decapsulate { ciphertext: Tpm2bKemCiphertextIn::new(&[4; 65]).unwrap() };
    let refused = tpm.send(&command, DecapsulateHandles { key_handle: object(point.object_handle) });
    assert_eq!(refused.unwrap_err(), Rc::ECC_POINT.at(Subject::Parameter(1)));
}

#[test]
fn each_new_storage_key_activates_a_credential() {
    let mut tpm = pqc();
    let attested = tpm.primary(TpmiRhHierarchy::Endorsement, attestation_key(TpmiMldsaParms::MlDsa65));
    for template in [
        storage_key(TpmiMlkemParms::MlKem512),
        storage_key(TpmiMlkemParms::MlKem768),
        storage_key(TpmiMlkemParms::MlKem1024),
        x25519_storage(),
    ] {
        let key = tpm.primary(TpmiRhHierarchy::Endorsement, template);
        let secret = Credential::new(b"a credential").unwrap();
        let made = credential::make::<TestCrypto>(&key.out_public.0, &secret, &attested.name, &mut tpm.rng());
        let (credential_blob, encrypted) = made.unwrap();
        let handles = ActivateCredentialHandles {
            activate_handle: object(attested.object_handle),
            key_handle: object(key.object_handle),
        };
        let mut activate = |bytes: &[u8]| {
            let command = ActivateCredential { credential_blob, secret: Tpm2bEncryptedSecretIn::new(bytes).unwrap() };
            tpm.send(&command, handles)
        };
        assert_eq!(activate(encrypted.as_bytes()).unwrap().cert_info.as_bytes(), b"a credential");
        let mut changed = encrypted.as_bytes().to_vec();
        changed[10] ^= 1;
        assert_eq!(activate(&changed).unwrap_err(), Rc::INTEGRITY.at(Subject::Parameter(1)));
        tpm.state.objects.flush(key.object_handle).unwrap();
    }
}

#[test]
fn an_object_moves_to_a_parent_of_another_kind() {
    let mut tpm = pqc();
    let old = tpm.storage_root();
    let new = tpm.primary(TpmiRhHierarchy::Owner, storage_key(TpmiMlkemParms::MlKem768)).object_handle;
    let policy = duplication_policy();
    let mut template = mldsa(
        SIGN.without(TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT) | TpmaObject::ADMIN_WITH_POLICY,
        TpmiMldsaParms::MlDsa87,
        YesNo::No,
    );
    template.auth_policy = evtpm_tpm_wire::Tpm2bDigest::new(&policy).unwrap();
    let made = tpm.create(old, template, &[], &[]).unwrap();
    let key = tpm.load(old, &made.out_private, &made.out_public.0).unwrap().object_handle;
    let parent = tpm.object(new).unwrap().public.clone();
    let sensitive = tpm.object(key).unwrap().sensitive.clone().unwrap();
    let mut buffer = [0; 448];
    let mut writer = evtpm_tpm_wire::Writer::new(&mut buffer);
    writer.sized(&sensitive).unwrap();
    let name = tpm.entity_name(key);
    let plain = writer.as_written().to_vec();
    let shared =
        evtpm_protocol::secret::share::<TestCrypto>(&parent, evtpm_protocol::secret::Label::Duplicate, &mut tpm.rng());
    let (seed, encrypted) = shared.unwrap();
    let wrapper = evtpm_protocol::wrap::Wrapper {
        hash: parent.name_alg.unwrap(),
        cipher: parent.body.symmetric().unwrap(),
        seed: seed.as_bytes(),
        name: name.as_bytes(),
    };
    let duplicate = evtpm_protocol::duplication::seal_outer::<TestCrypto>(&wrapper, &plain).unwrap();
    let command = Import {
        encryption_key: Tpm2bData::EMPTY,
        object_public: Tpm2b(made.out_public.0.clone()),
        duplicate: Tpm2bPrivateIn::new(duplicate.as_bytes()).unwrap(),
        in_sym_seed: Tpm2bEncryptedSecretIn::new(encrypted.as_bytes()).unwrap(),
        symmetric_alg: None,
    };
    let imported = tpm.send(&command, ImportHandles { parent_handle: object(new) }).unwrap();
    tpm.load(new, &imported.out_private, &made.out_public.0).unwrap();
}

/// PolicyCommandCode(TPM2_Duplicate).
fn duplication_policy() -> [u8; 32] {
    use evtpm_crypto::{Crypto, HashAlg as Hash};
    let parts: [&[u8]; 3] = [&[0; 32], &[0, 0, 1, 0x6C], &[0, 0, 1, 0x4B]];
    TestCrypto::hash(Hash::Sha256, &parts).as_bytes().try_into().unwrap()
}

#[test]
fn a_public_key_alone_can_be_made_persistent() {
    let mut tpm = pqc();
    let made = tpm.primary(TpmiRhHierarchy::Owner, mldsa(SIGN, TpmiMldsaParms::MlDsa87, YesNo::No));
    let external = tpm.load_external(None, made.out_public.0.clone(), TpmiRhHierarchy::Owner).unwrap().object_handle;
    let persistent_handle = TpmiDhPersistent::new(Handle(0x8100_0001), &Supported::ALL).unwrap();
    let handles = EvictControlHandles { auth: TpmiRhProvision::Owner, object_handle: object(external) };
    tpm.send(&EvictControl { persistent_handle }, handles).unwrap();
    let handles = ReadPublicHandles { object_handle: object(Handle(0x8100_0001)) };
    assert_eq!(tpm.send(&ReadPublic {}, handles).unwrap().out_public.0.0, made.out_public.0);
    let external = tpm.load_external(None, made.out_public.0, TpmiRhHierarchy::Null).unwrap().object_handle;
    let persistent_handle = TpmiDhPersistent::new(Handle(0x8100_0002), &Supported::ALL).unwrap();
    let handles = EvictControlHandles { auth: TpmiRhProvision::Owner, object_handle: object(external) };
    let refused = tpm.send(&EvictControl { persistent_handle }, handles);
    assert_eq!(refused, Err(Rc::ATTRIBUTES.at(Subject::Handle(2))));
}

#[test]
fn each_new_kind_of_key_signs_a_quote() {
    let mut tpm = pqc();
    let attributes = SIGN | TpmaObject::RESTRICTED;
    for template in [
        attestation_key(TpmiMldsaParms::MlDsa44),
        attestation_key(TpmiMldsaParms::MlDsa65),
        attestation_key(TpmiMldsaParms::MlDsa87),
        hash_mldsa(attributes, TpmiMldsaParms::MlDsa65, HashAlg::Sha512),
        ecc(attributes, EccCurve::Curve25519, Some(TpmtEccScheme::Eddsa)),
        ecc(attributes, EccCurve::Curve25519, Some(TpmtEccScheme::HashEddsa)),
    ] {
        let key = tpm.primary(TpmiRhHierarchy::Endorsement, template);
        let banks = [TpmsPcrSelection { hash: HashAlg::Sha256, select: PcrSelect::of(&[PcrIndex::Pcr7]) }];
        let command = Quote {
            qualifying_data: Tpm2bData::new(b"nonce").unwrap(),
            in_scheme: None,
            pcr_select: TpmlPcrSelection::from_slice(&banks).unwrap(),
        };
        let handles = QuoteHandles { sign_handle: Some(object(key.object_handle)) };
        let quote = tpm.send(&command, handles).unwrap();
        let signature = quote.signature.unwrap();
        let public = key.out_public.0;
        verify_message::<TestCrypto>(&public, &[], quote.quoted.as_bytes(), &signature).unwrap();
        let attest: TpmsAttest<'_> = from_bytes(quote.quoted.as_bytes(), &Supported::ALL).unwrap();
        let TpmuAttest::Quote(info) = attest.attested else { panic!("a quote") };
        let expected = match &public.body {
            PublicBody::HashMldsa { .. } => 64,
            _ => public.name_alg.unwrap().digest_size(),
        };
        assert_eq!(info.pcr_digest.len(), expected);
        // No scheme of the caller's takes the place of the key's.
        let in_scheme = Some(evtpm_tpm_wire::TpmtSigScheme::Ecdsa(HashAlg::Sha256));
        let refused = tpm.send(&Quote { in_scheme, ..command }, handles);
        assert_eq!(refused.unwrap_err(), Rc::SCHEME.at(Subject::Parameter(2)));
        tpm.state.objects.flush(key.object_handle).unwrap();
    }
}

#[test]
fn a_page_takes_a_quote_of_mldsa_65_and_refuses_what_does_not_fit() {
    let mut tpm = started_as(Profile::pqc().within(4096));
    let key = tpm.primary(TpmiRhHierarchy::Endorsement, attestation_key(TpmiMldsaParms::MlDsa65));
    let banks = [HashAlg::Sha1, HashAlg::Sha256, HashAlg::Sha384, HashAlg::Sha512]
        .map(|hash| TpmsPcrSelection { hash, select: PcrSelect::of(&[PcrIndex::Pcr7]) });
    let command = Quote {
        qualifying_data: Tpm2bData::new(&[7; 32]).unwrap(),
        in_scheme: None,
        pcr_select: TpmlPcrSelection::from_slice(&banks).unwrap(),
    };
    let handles = QuoteHandles { sign_handle: Some(object(key.object_handle)) };
    let quote = tpm.send(&command, handles).unwrap();
    assert!(quote.signature.unwrap().to_bytes(&mut [0; 4096]).is_ok());

    let mut narrow = started_as(Profile::pqc().within(3700));
    let key = narrow.primary(TpmiRhHierarchy::Endorsement, attestation_key(TpmiMldsaParms::MlDsa65));
    let handles = QuoteHandles { sign_handle: Some(object(key.object_handle)) };
    assert_eq!(narrow.send(&command, handles).unwrap_err(), Rc::SIZE);
    assert_eq!(narrow.phase(), crate::Phase::Operational);
}
