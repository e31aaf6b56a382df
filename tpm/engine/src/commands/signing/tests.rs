// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of signing, with the tickets that restricted keys need.

use crate::testing::objects::{OWN, ecc, keyed_hash, object, rsa};
use crate::testing::{TestTpm, started};
use evtpm_protocol::templates::{attestation_key, storage_root_key};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    EccCurve, Handle, HashAlg, PublicBody, Rc, Subject, Tpm2bDigest, Tpm2bMaxBuffer, TpmaObject, TpmiRhHierarchy,
    TpmtEccScheme, TpmtKeyedhashScheme, TpmtRsaScheme, TpmtSigScheme, TpmtSignature, TpmtTkHashcheck, TpmtTkVerified,
};

const SIGN: TpmaObject = OWN.with(TpmaObject::SIGN);
const ECDSA: Option<TpmtSigScheme> = Some(TpmtSigScheme::Ecdsa(HashAlg::Sha256));

fn sign(
    tpm: &mut TestTpm,
    key: Handle,
    digest: &[u8],
    in_scheme: Option<TpmtSigScheme>,
    validation: TpmtTkHashcheck,
) -> Result<TpmtSignature, Rc> {
    let command = Sign { digest: Tpm2bDigest::new(digest).unwrap(), in_scheme, validation };
    tpm.send(&command, SignHandles { key_handle: object(key) }).map(|response| response.signature)
}

fn verify(tpm: &mut TestTpm, key: Handle, digest: &[u8], signature: &TpmtSignature) -> Result<TpmtTkVerified, Rc> {
    let command = VerifySignature { digest: Tpm2bDigest::new(digest).unwrap(), signature: signature.clone() };
    tpm.send(&command, VerifySignatureHandles { key_handle: object(key) }).map(|response| response.validation)
}

fn hash(tpm: &mut TestTpm, data: &[u8], hierarchy: TpmiRhHierarchy) -> HashResponse {
    let data = Tpm2bMaxBuffer::new(data).unwrap();
    tpm.send(&Hash { data, hash_alg: HashAlg::Sha256, hierarchy }, ()).unwrap()
}

#[test]
fn what_a_key_signed_it_verifies() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let rsassa = Some(TpmtSigScheme::Rsassa(HashAlg::Sha256));
    let rsapss = Some(TpmtSigScheme::Rsapss(HashAlg::Sha256));
    let hmac = Some(TpmtSigScheme::Hmac(HashAlg::Sha256));
    let keys = [
        (ecc(SIGN, EccCurve::NistP256, None), ECDSA),
        (ecc(SIGN, EccCurve::NistP521, None), ECDSA),
        (ecc(SIGN, EccCurve::BnP256, None), ECDSA),
        (ecc(SIGN, EccCurve::NistP256, None), Some(TpmtSigScheme::Ecschnorr(HashAlg::Sha256))),
        (ecc(SIGN, EccCurve::NistP384, Some(TpmtEccScheme::Ecschnorr(HashAlg::Sha256))), None),
        (ecc(SIGN, EccCurve::BnP256, Some(TpmtEccScheme::Ecschnorr(HashAlg::Sha256))), None),
        (rsa(SIGN, None), rsassa),
        (rsa(SIGN, Some(TpmtRsaScheme::Rsapss(HashAlg::Sha256))), None),
        (rsa(SIGN | TpmaObject::DECRYPT, None), rsapss),
        (keyed_hash(SIGN, None), hmac),
        (keyed_hash(SIGN, Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256))), None),
    ];
    for (template, scheme) in keys {
        let key = tpm.child(parent, template, &[]);
        let signature = sign(&mut tpm, key, &[7; 32], scheme, TpmtTkHashcheck::NULL).unwrap();
        let ticket = verify(&mut tpm, key, &[7; 32], &signature).unwrap();
        assert_eq!((ticket.hierarchy, ticket.digest.len()), (TpmiRhHierarchy::Owner, 64));
        let refused = verify(&mut tpm, key, &[8; 32], &signature);
        assert_eq!(refused, Err(Rc::SIGNATURE.at(Subject::Parameter(2))));
    }
}

#[test]
fn a_keyed_hash_key_with_an_asymmetric_scheme_is_a_scheme_error() {
    // CVE-2025-2884, CVE-2025-49133.
    let mut tpm = started();
    let parent = tpm.storage_root();
    let refused = Rc::SCHEME.at(Subject::Parameter(2));
    for own in [None, Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256))] {
        let key = tpm.child(parent, keyed_hash(SIGN, own), &[]);
        for scheme in [
            TpmtSigScheme::Rsassa(HashAlg::Sha256),
            TpmtSigScheme::Rsapss(HashAlg::Sha256),
            TpmtSigScheme::Ecdsa(HashAlg::Sha256),
        ] {
            assert_eq!(sign(&mut tpm, key, &[7; 32], Some(scheme), TpmtTkHashcheck::NULL), Err(refused));
        }
    }
    // And the other way round.
    let key = tpm.child(parent, ecc(SIGN, EccCurve::NistP256, None), &[]);
    let hmac = Some(TpmtSigScheme::Hmac(HashAlg::Sha256));
    assert_eq!(sign(&mut tpm, key, &[7; 32], hmac, TpmtTkHashcheck::NULL), Err(refused));
}

#[test]
fn a_restricted_key_signs_only_what_the_tpm_hashed() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, attestation_key(), &[]);
    let hashed = hash(&mut tpm, b"a message", TpmiRhHierarchy::Endorsement);
    let digest = hashed.out_hash.as_bytes();
    sign(&mut tpm, key, digest, None, hashed.validation.clone()).unwrap();
    let refused = Err(Rc::TICKET.at(Subject::Parameter(3)));
    assert_eq!(sign(&mut tpm, key, digest, None, TpmtTkHashcheck::NULL), refused);
    assert_eq!(sign(&mut tpm, key, &[7; 32], None, hashed.validation.clone()), refused);
    let elsewhere = TpmtTkHashcheck::new(TpmiRhHierarchy::Platform, hashed.validation.digest);
    assert_eq!(sign(&mut tpm, key, digest, None, elsewhere), refused);
}

#[test]
fn a_ticket_is_of_one_hash_algorithm() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let sha384 = Some(TpmtEccScheme::Ecdsa(HashAlg::Sha384));
    let key = tpm.child(parent, ecc(SIGN, EccCurve::NistP256, sha384), &[]);
    let hashed = hash(&mut tpm, b"a message", TpmiRhHierarchy::Owner);
    // "the hash algorithm used in computing the digest is required to be the hash algorithm specified in the scheme"
    let refused = sign(&mut tpm, key, hashed.out_hash.as_bytes(), None, hashed.validation);
    assert_eq!(refused, Err(Rc::TICKET.at(Subject::Parameter(3))));
}

#[test]
fn a_restricted_key_signs_no_forged_attestation() {
    let mut tpm = started();
    for data in [&b"\xFFTCG and what follows"[..], b"\xFFTCG"] {
        assert_eq!(hash(&mut tpm, data, TpmiRhHierarchy::Owner).validation, TpmtTkHashcheck::NULL, "{data:?}");
    }
    assert_ne!(hash(&mut tpm, b"\xFFTCH", TpmiRhHierarchy::Owner).validation, TpmtTkHashcheck::NULL);
    assert_eq!(hash(&mut tpm, b"message", TpmiRhHierarchy::Null).validation, TpmtTkHashcheck::NULL);
}

#[test]
fn a_wrong_ticket_is_refused_even_where_none_is_needed() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(SIGN, EccCurve::NistP256, None), &[]);
    let ticket = TpmtTkHashcheck::new(TpmiRhHierarchy::Owner, Tpm2bDigest::zeros(64).unwrap());
    assert_eq!(sign(&mut tpm, key, &[7; 32], ECDSA, ticket), Err(Rc::TICKET.at(Subject::Parameter(3))));
}

#[test]
fn a_digest_of_another_size_is_a_size_error() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(SIGN, EccCurve::NistP256, None), &[]);
    for size in [0, 20, 31, 33] {
        let refused = sign(&mut tpm, key, &[7; 64][..size], ECDSA, TpmtTkHashcheck::NULL);
        assert_eq!(refused, Err(Rc::SIZE.at(Subject::Parameter(1))));
    }
}

#[test]
fn a_key_that_does_not_sign_is_refused_by_both() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(SIGN, EccCurve::NistP256, None), &[]);
    let signature = sign(&mut tpm, key, &[7; 32], ECDSA, TpmtTkHashcheck::NULL).unwrap();
    let refused = sign(&mut tpm, parent, &[7; 32], ECDSA, TpmtTkHashcheck::NULL);
    assert_eq!(refused, Err(Rc::KEY.at(Subject::Handle(1))));
    assert_eq!(verify(&mut tpm, parent, &[7; 32], &signature), Err(Rc::ATTRIBUTES.at(Subject::Handle(1))));
}

#[test]
fn a_certificate_signing_key_signs_no_digest() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(SIGN | TpmaObject::X509_SIGN, EccCurve::NistP256, None), &[]);
    let refused = sign(&mut tpm, key, &[7; 32], ECDSA, TpmtTkHashcheck::NULL);
    assert_eq!(refused, Err(Rc::ATTRIBUTES.at(Subject::Handle(1))));
}

#[test]
fn a_signature_of_another_kind_is_a_scheme_error() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let curve_key = tpm.child(parent, ecc(SIGN, EccCurve::NistP256, None), &[]);
    let rsa_key = tpm.child(parent, rsa(SIGN, None), &[]);
    let mac_key = tpm.child(parent, keyed_hash(SIGN, Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha384))), &[]);
    let signature = sign(&mut tpm, curve_key, &[7; 32], ECDSA, TpmtTkHashcheck::NULL).unwrap();
    let refused = Err(Rc::SCHEME.at(Subject::Parameter(2)));
    for key in [rsa_key, mac_key] {
        assert_eq!(verify(&mut tpm, key, &[7; 32], &signature), refused);
    }
    // The key's own hash binds its verifier as it binds its signer.
    let other_hash = TpmtSignature::Hmac(evtpm_tpm_wire::TpmtHa::new(HashAlg::Sha256, &[0; 32]).unwrap());
    assert_eq!(verify(&mut tpm, mac_key, &[7; 32], &other_hash), refused);
}

#[test]
fn a_public_key_of_the_null_hierarchy_verifies_without_a_ticket() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let made = tpm.create(parent, ecc(SIGN, EccCurve::NistP256, None), &[], &[]).unwrap();
    let key = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap().object_handle;
    let signature = sign(&mut tpm, key, &[7; 32], ECDSA, TpmtTkHashcheck::NULL).unwrap();
    let mut load = |hierarchy| {
        let handle = tpm.load_external(None, made.out_public.0.clone(), hierarchy).unwrap().object_handle;
        verify(&mut tpm, handle, &[7; 32], &signature).unwrap()
    };
    assert_eq!(load(TpmiRhHierarchy::Null), TpmtTkVerified::NULL);
    let owned = load(TpmiRhHierarchy::Owner);
    assert_eq!(owned, verify(&mut tpm, key, &[7; 32], &signature).unwrap());
}

#[test]
fn a_public_key_alone_cannot_sign() {
    let mut tpm = started();
    let made = tpm.primary(TpmiRhHierarchy::Owner, storage_root_key());
    let mut public = made.out_public.0;
    public.object_attributes = TpmaObject::USER_WITH_AUTH | TpmaObject::SIGN;
    if let PublicBody::Ecc { parms, .. } = &mut public.body {
        parms.symmetric = None;
    }
    let handle = tpm.load_external(None, public, TpmiRhHierarchy::Owner).unwrap().object_handle;
    let refused = sign(&mut tpm, handle, &[7; 32], ECDSA, TpmtTkHashcheck::NULL);
    assert_eq!(refused.unwrap_err(), Rc::AUTH_UNAVAILABLE);
}
