// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of attestations, checked as a verifier would.

use crate::testing::TestCrypto;
use crate::testing::objects::{OWN, ecc, keyed_hash, object, rsa, sealed};
use crate::testing::{TestTpm, started};
use evtpm_crypto::Crypto;
use evtpm_protocol::templates::{attestation_key, storage_root_key};
use evtpm_protocol::{crypto_hash, verify_signature};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    EccCurve, Handle, HashAlg, PcrIndex, PcrSelect, Rc, Subject, Supported, Tpm2bAttest, Tpm2bData, Tpm2bName,
    TpmaObject, TpmiRhEndorsement, TpmiRhHierarchy, TpmlPcrSelection, TpmsAttest, TpmsPcrSelection, TpmtEccScheme,
    TpmtPublic, TpmtRsaScheme, TpmtSigScheme, TpmtSignature, TpmtTkCreation, TpmuAttest, from_bytes,
};

fn nonce() -> Tpm2bData {
    Tpm2bData::new(b"a nonce").unwrap()
}

fn selection(hash: HashAlg, pcrs: &[PcrIndex]) -> TpmlPcrSelection {
    TpmlPcrSelection::from_slice(&[TpmsPcrSelection { hash, select: PcrSelect::of(pcrs) }]).unwrap()
}

fn quote(
    tpm: &mut TestTpm,
    key: Option<Handle>,
    in_scheme: Option<TpmtSigScheme>,
    pcr_select: TpmlPcrSelection,
) -> Result<QuoteResponse, Rc> {
    let command = Quote { qualifying_data: nonce(), in_scheme, pcr_select };
    tpm.send(&command, QuoteHandles { sign_handle: key.map(object) })
}

/// Reads an attestation whose signature is right.
fn checked<'a>(key: &TpmtPublic, attest: &'a Tpm2bAttest, signature: Option<&TpmtSignature>) -> TpmsAttest<'a> {
    let signature = signature.expect("a key signs");
    let digest = TestCrypto::hash(crypto_hash(signature.hash_alg()).unwrap(), &[attest.as_bytes()]);
    verify_signature::<TestCrypto>(key, digest.as_bytes(), signature).unwrap();
    from_bytes(attest.as_bytes(), &Supported::ALL).unwrap()
}

/// Makes and loads a key under a new storage key of a hierarchy.
fn key_in(tpm: &mut TestTpm, hierarchy: TpmiRhHierarchy, template: TpmtPublic) -> (Handle, TpmtPublic) {
    let parent = tpm.primary(hierarchy, storage_root_key()).object_handle;
    let made = tpm.create(parent, template, &[], &[]).unwrap();
    let loaded = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap();
    (loaded.object_handle, made.out_public.0)
}

fn read_public(tpm: &mut TestTpm, handle: Handle) -> ReadPublicResponse {
    tpm.send(&ReadPublic {}, ReadPublicHandles { object_handle: object(handle) }).unwrap()
}

#[test]
fn a_quote_says_what_the_pcrs_hold_and_who_asked() {
    let mut tpm = started();
    let (key, public) = key_in(&mut tpm, TpmiRhHierarchy::Endorsement, attestation_key());
    let pcrs = [PcrIndex::Pcr0, PcrIndex::Pcr17];
    let quoted = quote(&mut tpm, Some(key), None, selection(HashAlg::Sha256, &pcrs)).unwrap();
    let attest = checked(&public, &quoted.quoted, quoted.signature.as_ref());
    assert_eq!(attest.extra_data, nonce());
    assert_eq!(attest.qualified_signer, read_public(&mut tpm, key).qualified_name);
    let TpmuAttest::Quote(info) = attest.attested else { panic!("a quote") };
    let expected = TestCrypto::hash(evtpm_crypto::HashAlg::Sha256, &[&[0; 32], &[0xFF; 32]]);
    assert_eq!(info.pcr_digest.as_bytes(), expected.as_bytes());
    assert_eq!(info.pcr_select, selection(HashAlg::Sha256, &pcrs));
}

#[test]
fn every_kind_of_key_quotes_with_its_scheme() {
    let mut tpm = started();
    let sign = OWN | TpmaObject::SIGN | TpmaObject::RESTRICTED;
    let ecdsa = |curve, hash| ecc(sign, curve, Some(TpmtEccScheme::Ecdsa(hash)));
    let templates = [
        ecdsa(EccCurve::NistP384, HashAlg::Sha384),
        ecdsa(EccCurve::NistP521, HashAlg::Sha512),
        // A digest longer than the order is cut.
        ecdsa(EccCurve::NistP256, HashAlg::Sha512),
        rsa(sign, Some(TpmtRsaScheme::Rsassa(HashAlg::Sha256))),
        rsa(sign, Some(TpmtRsaScheme::Rsapss(HashAlg::Sha256))),
        // The salt is shorter than the digest, since the key is.
        rsa(sign, Some(TpmtRsaScheme::Rsapss(HashAlg::Sha512))),
    ];
    for template in templates {
        let (key, public) = key_in(&mut tpm, TpmiRhHierarchy::Endorsement, template);
        let quoted = quote(&mut tpm, Some(key), None, selection(HashAlg::Sha1, &[PcrIndex::Pcr3])).unwrap();
        checked(&public, &quoted.quoted, quoted.signature.as_ref());
        tpm.state.objects.flush_all();
    }
}

#[test]
fn a_key_without_scheme_takes_the_callers_and_a_key_with_one_keeps_it() {
    let mut tpm = started();
    let pcrs = selection(HashAlg::Sha256, &[PcrIndex::Pcr0]);
    let refused = Rc::SCHEME.at(Subject::Parameter(2));
    let (free, public) =
        key_in(&mut tpm, TpmiRhHierarchy::Owner, ecc(OWN | TpmaObject::SIGN, EccCurve::NistP256, None));
    let (bound, _) = key_in(&mut tpm, TpmiRhHierarchy::Owner, attestation_key());
    let ecdsa = |hash| Some(TpmtSigScheme::Ecdsa(hash));
    let quoted = quote(&mut tpm, Some(free), ecdsa(HashAlg::Sha384), pcrs).unwrap();
    assert_eq!(quoted.signature.as_ref().unwrap().hash_alg(), HashAlg::Sha384);
    checked(&public, &quoted.quoted, quoted.signature.as_ref());
    assert_eq!(quote(&mut tpm, Some(free), None, pcrs), Err(refused));
    for family in [TpmtSigScheme::Rsassa(HashAlg::Sha256), TpmtSigScheme::Hmac(HashAlg::Sha256)] {
        assert_eq!(quote(&mut tpm, Some(free), Some(family), pcrs), Err(refused));
    }
    quote(&mut tpm, Some(bound), ecdsa(HashAlg::Sha256), pcrs).unwrap();
    assert_eq!(quote(&mut tpm, Some(bound), ecdsa(HashAlg::Sha384), pcrs), Err(refused));
}

#[test]
fn what_does_not_sign_is_a_key_error() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let item = tpm.child(parent, sealed(), b"data");
    for handle in [parent, item] {
        let refused = quote(&mut tpm, Some(handle), None, TpmlPcrSelection::new());
        assert_eq!(refused, Err(Rc::KEY.at(Subject::Handle(1))));
    }
}

#[test]
fn without_a_key_the_quote_is_not_signed_but_needs_a_hash() {
    let mut tpm = started();
    let pcrs = selection(HashAlg::Sha256, &[PcrIndex::Pcr0]);
    assert_eq!(quote(&mut tpm, None, None, pcrs), Err(Rc::SCHEME.at(Subject::Parameter(2))));
    let quoted = quote(&mut tpm, None, Some(TpmtSigScheme::Ecdsa(HashAlg::Sha384)), pcrs).unwrap();
    assert_eq!(quoted.signature, None);
    let attest: TpmsAttest<'_> = from_bytes(quoted.quoted.as_bytes(), &Supported::ALL).unwrap();
    assert_eq!(attest.qualified_signer.as_bytes(), Handle::NULL.0.to_be_bytes());
    let TpmuAttest::Quote(info) = attest.attested else { panic!("a quote") };
    assert_eq!(info.pcr_digest.len(), 48);
}

#[test]
fn a_quote_drops_pcrs_of_banks_that_are_not_there() {
    let mut tpm = started();
    let (key, public) = key_in(&mut tpm, TpmiRhHierarchy::Endorsement, attestation_key());
    let none = quote(&mut tpm, Some(key), None, selection(HashAlg::Sha256, &[])).unwrap();
    let TpmuAttest::Quote(info) = checked(&public, &none.quoted, none.signature.as_ref()).attested else {
        panic!("a quote")
    };
    assert_eq!(info.pcr_digest.as_bytes(), TestCrypto::hash(evtpm_crypto::HashAlg::Sha256, &[]).as_bytes());
}

#[test]
fn a_keyed_hash_key_attests_with_an_hmac() {
    let mut tpm = started();
    let (key, _) = key_in(&mut tpm, TpmiRhHierarchy::Owner, keyed_hash(OWN | TpmaObject::SIGN, None));
    let hmac = Some(TpmtSigScheme::Hmac(HashAlg::Sha256));
    let quoted = quote(&mut tpm, Some(key), hmac, selection(HashAlg::Sha256, &[PcrIndex::Pcr0])).unwrap();
    assert!(matches!(quoted.signature, Some(TpmtSignature::Hmac(_))));
}

#[test]
fn a_keyed_hash_key_with_an_asymmetric_scheme_is_a_scheme_error() {
    // CVE-2025-2884, CVE-2025-49133: an implementation read past the signature here, or stopped.
    let mut tpm = started();
    let (key, _) = key_in(&mut tpm, TpmiRhHierarchy::Owner, keyed_hash(OWN | TpmaObject::SIGN, None));
    for scheme in [
        TpmtSigScheme::Rsassa(HashAlg::Sha256),
        TpmtSigScheme::Rsapss(HashAlg::Sha256),
        TpmtSigScheme::Ecdsa(HashAlg::Sha256),
    ] {
        let refused = quote(&mut tpm, Some(key), Some(scheme), TpmlPcrSelection::new());
        assert_eq!(refused, Err(Rc::SCHEME.at(Subject::Parameter(2))));
    }
}

fn certify(tpm: &mut TestTpm, what: Handle, key: Option<Handle>) -> Result<CertifyResponse, Rc> {
    let command = Certify { qualifying_data: nonce(), in_scheme: None };
    tpm.send(&command, CertifyHandles { object_handle: object(what), sign_handle: key.map(object) })
}

#[test]
fn a_certified_object_is_named_by_both_its_names() {
    let mut tpm = started();
    let (key, public) = key_in(&mut tpm, TpmiRhHierarchy::Endorsement, attestation_key());
    let (what, _) = key_in(&mut tpm, TpmiRhHierarchy::Owner, attestation_key());
    let certified = certify(&mut tpm, what, Some(key)).unwrap();
    let attest = checked(&public, &certified.certify_info, certified.signature.as_ref());
    let TpmuAttest::Certify(info) = attest.attested else { panic!("a certification") };
    let read = read_public(&mut tpm, what);
    assert_eq!((info.name, info.qualified_name), (read.name, read.qualified_name));
    assert_eq!(certify(&mut tpm, what, None).unwrap().signature, None);
}

#[test]
fn a_key_certifies_itself() {
    let mut tpm = started();
    let (key, public) = key_in(&mut tpm, TpmiRhHierarchy::Owner, attestation_key());
    let certified = certify(&mut tpm, key, Some(key)).unwrap();
    let attest = checked(&public, &certified.certify_info, certified.signature.as_ref());
    assert_eq!(attest.qualified_signer, read_public(&mut tpm, key).qualified_name);
}

#[test]
fn the_wrong_signer_of_a_certification_is_the_second_handle() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    assert_eq!(certify(&mut tpm, parent, Some(parent)), Err(Rc::KEY.at(Subject::Handle(2))));
}

#[test]
fn creation_is_certified_with_the_ticket_of_the_creation_alone() {
    let mut tpm = started();
    let (key, public) = key_in(&mut tpm, TpmiRhHierarchy::Endorsement, attestation_key());
    let parent = tpm.storage_root();
    let made = tpm.create(parent, sealed(), &[], b"data").unwrap();
    let loaded = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap();
    let command = CertifyCreation {
        qualifying_data: nonce(),
        creation_hash: made.creation_hash,
        in_scheme: None,
        creation_ticket: made.creation_ticket.clone(),
    };
    let handles =
        CertifyCreationHandles { sign_handle: Some(object(key)), object_handle: object(loaded.object_handle) };
    let certified = tpm.send(&command, handles).unwrap();
    let attest = checked(&public, &certified.certify_info, certified.signature.as_ref());
    let TpmuAttest::Creation(info) = attest.attested else { panic!("a creation") };
    assert_eq!((info.object_name, info.creation_hash), (loaded.name, made.creation_hash));

    let refused = Err(Rc::TICKET.at(Subject::Parameter(4)));
    let ticket = |hierarchy| TpmtTkCreation::new(hierarchy, made.creation_ticket.digest);
    let elsewhere = CertifyCreation { creation_ticket: ticket(TpmiRhHierarchy::Platform), ..command.clone() };
    assert_eq!(tpm.send(&elsewhere, handles), refused);
    let empty = CertifyCreation { creation_ticket: TpmtTkCreation::NULL, ..command.clone() };
    assert_eq!(tpm.send(&empty, handles), refused);
    assert_eq!(tpm.send(&command, CertifyCreationHandles { object_handle: object(parent), ..handles }), refused);
}

fn get_time(tpm: &mut TestTpm, key: Option<Handle>) -> GetTimeResponse {
    let command = GetTime { qualifying_data: nonce(), in_scheme: None };
    let privacy_admin_handle = TpmiRhEndorsement::Endorsement;
    tpm.send(&command, GetTimeHandles { privacy_admin_handle, sign_handle: key.map(object) }).unwrap()
}

#[test]
fn counters_are_in_clear_for_keys_of_endorsement_and_platform_alone() {
    let mut tpm = started();
    let clear = tpm.time_info().clock_info;
    let mut seen = std::vec::Vec::new();
    for hierarchy in
        [TpmiRhHierarchy::Endorsement, TpmiRhHierarchy::Platform, TpmiRhHierarchy::Owner, TpmiRhHierarchy::Null]
    {
        let (key, public) = key_in(&mut tpm, hierarchy, attestation_key());
        let answer = get_time(&mut tpm, Some(key));
        let attest = checked(&public, &answer.time_info, answer.signature.as_ref());
        let TpmuAttest::Time(info) = attest.attested else { panic!("a time") };
        assert_eq!((info.time.clock_info, info.firmware_version), (clear, tpm.firmware_version()));
        let header = (attest.clock_info.reset_count, attest.clock_info.restart_count, attest.firmware_version);
        let in_clear = header == (clear.reset_count, clear.restart_count, tpm.firmware_version());
        assert_eq!(in_clear, matches!(hierarchy, TpmiRhHierarchy::Endorsement | TpmiRhHierarchy::Platform));
        assert_eq!(attest.clock_info.clock, clear.clock);
        seen.push(header);
    }
    // "The obfuscation value for each signing key will be unique to that key"
    assert_ne!(seen[2], seen[3]);
    let unsigned = get_time(&mut tpm, None);
    let attest: TpmsAttest<'_> = from_bytes(unsigned.time_info.as_bytes(), &Supported::ALL).unwrap();
    assert_ne!(attest.firmware_version, tpm.firmware_version());
    assert_eq!(attest.qualified_signer, Tpm2bName::new(&Handle::NULL.0.to_be_bytes()).unwrap());
}
