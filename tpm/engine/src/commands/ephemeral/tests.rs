// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of operations in two commands: anonymous signatures as their verifier sees them, and two-phase key exchange.

use crate::state::{Commits, StartupLocality};
use crate::testing::TestCrypto;
use crate::testing::objects::{OWN, ecc, object};
use crate::testing::{TestNoise, TestPlatform, TestTpm, started};
use crate::{Profile, Tpm};
use evtpm_crypto::{Crypto, EccPoint, EccSignature};
use evtpm_protocol::{crypto_curve, ecc_point};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    EccCurve, Handle, HashAlg, KeyExchangeAlg, PublicBody, Rc, Subject, Supported, Tpm2b, Tpm2bData, Tpm2bDigest,
    Tpm2bEccParameter, Tpm2bEccPoint, Tpm2bName, Tpm2bSensitiveData, TpmSu, TpmaObject, TpmsAttest, TpmsEccPoint,
    TpmsSchemeEcdaa, TpmsSignatureEcc, TpmtEccScheme, TpmtSigScheme, TpmtSignature, TpmtTkHashcheck, from_bytes,
};

const EMPTY_POINT: Tpm2bEccPoint = Tpm2b(TpmsEccPoint { x: Tpm2bEccParameter::EMPTY, y: Tpm2bEccParameter::EMPTY });

const fn ecdaa(count: u16) -> TpmsSchemeEcdaa {
    TpmsSchemeEcdaa { hash_alg: HashAlg::Sha256, count }
}

fn anonymous_key(tpm: &mut TestTpm, curve: EccCurve) -> (Handle, EccPoint) {
    let parent = tpm.storage_root();
    let template = ecc(OWN | TpmaObject::SIGN, curve, Some(TpmtEccScheme::Ecdaa(ecdaa(0))));
    let key = tpm.child(parent, template, &[]);
    (key, public_point(tpm, key, curve))
}

fn public_point(tpm: &TestTpm, key: Handle, curve: EccCurve) -> EccPoint {
    let PublicBody::Ecc { unique, .. } = &tpm.object(key).unwrap().public.body else { panic!() };
    ecc_point(curve, unique).unwrap()
}

fn commit(tpm: &mut TestTpm, key: Handle, p1: &Tpm2bEccPoint, s2: &[u8], y2: &[u8]) -> Result<CommitResponse, Rc> {
    let (s2, y2) = (Tpm2bSensitiveData::new(s2).unwrap(), Tpm2bEccParameter::new(y2).unwrap());
    tpm.send(&Commit { p1: *p1, s2, y2 }, CommitHandles { sign_handle: object(key) })
}

fn sign(tpm: &mut TestTpm, key: Handle, count: u16, digest: &[u8]) -> Result<TpmsSignatureEcc, Rc> {
    let command = Sign {
        digest: Tpm2bDigest::new(digest).unwrap(),
        in_scheme: Some(TpmtSigScheme::Ecdaa(ecdaa(count))),
        validation: TpmtTkHashcheck::NULL,
    };
    match tpm.send(&command, SignHandles { key_handle: object(key) })?.signature {
        TpmtSignature::Ecdaa(signature) => Ok(signature),
        other => panic!("{other:?}"),
    }
}

/// What a verifier recomputes: [s]B - [T]Q for a base B; here of the generator.
fn claimed(curve: EccCurve, public: &EccPoint, signature: &TpmsSignatureEcc, digest: &[u8]) -> EccPoint {
    let factor = TestCrypto::hash(evtpm_crypto::HashAlg::Sha256, &[signature.signature_r.as_bytes(), digest]);
    let curve = crypto_curve(curve).unwrap();
    let claim = EccSignature::new(curve, factor.as_bytes(), signature.signature_s.as_bytes()).unwrap();
    TestCrypto::ecc_schnorr_commitment(public, &claim).unwrap()
}

#[test]
fn an_anonymous_signature_satisfies_its_verifier_on_every_curve() {
    for curve in [EccCurve::BnP256, EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521] {
        let mut tpm = started();
        let (key, public) = anonymous_key(&mut tpm, curve);
        let commitment = commit(&mut tpm, key, &EMPTY_POINT, &[], &[]).unwrap();
        assert_eq!((&commitment.k, &commitment.l, commitment.counter), (&EMPTY_POINT, &EMPTY_POINT, 0));

        let signature = sign(&mut tpm, key, 0, &[0x42; 32]).unwrap();
        // "If P1 is an Empty Point and s2 and y2 are Empty Buffers, then the TPM will set E := [r]G"
        let e = ecc_point(curve, &commitment.e.0).unwrap();
        assert_eq!(claimed(curve, &public, &signature, &[0x42; 32]), e);
    }
}

#[test]
fn a_commit_is_used_once() {
    let mut tpm = started();
    let (key, _) = anonymous_key(&mut tpm, EccCurve::BnP256);
    assert_eq!(sign(&mut tpm, key, 0, &[1; 32]), Err(Rc::RANGE));
    let first = commit(&mut tpm, key, &EMPTY_POINT, &[], &[]).unwrap();
    let second = commit(&mut tpm, key, &EMPTY_POINT, &[], &[]).unwrap();
    assert_eq!((first.counter, second.counter), (0, 1));
    assert_ne!(first.e, second.e);
    sign(&mut tpm, key, 0, &[1; 32]).unwrap();
    assert_eq!(sign(&mut tpm, key, 0, &[1; 32]), Err(Rc::VALUE));
    // A signature that is refused for another reason uses nothing up.
    assert_eq!(sign(&mut tpm, key, 1, &[1; 31]), Err(Rc::SIZE.at(Subject::Parameter(1))));
    sign(&mut tpm, key, 1, &[1; 32]).unwrap();
}

#[test]
fn a_reset_ends_every_commit_and_a_restart_none() {
    let mut tpm = started();
    let (key, _) = anonymous_key(&mut tpm, EccCurve::BnP256);
    commit(&mut tpm, key, &EMPTY_POINT, &[], &[]).unwrap();
    let before = tpm.state.commits;
    tpm.state.restart(StartupLocality::Zero);
    assert_eq!(tpm.state.commits, before);
    tpm.send(&Shutdown { shutdown_type: TpmSu::Clear }, ()).unwrap();
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    assert_eq!(tpm.state.commits, Commits::default());
}

/// A base point as a host finds it: a name whose hash is the x coordinate of a point of BN-P256, and its y coordinate,
/// (x³ + 3)^((p + 1) / 4) mod p.
const S2: &[u8] = b"base name 0";
const Y2: [u8; 32] = [
    0x81, 0x84, 0x3c, 0x6d, 0x7a, 0x44, 0xb9, 0xb7, 0xf8, 0xce, 0xdd, 0x45, 0x27, 0x15, 0xc7, 0x58, 0x88, 0xa7, 0x55,
    0x69, 0x68, 0x61, 0x11, 0x84, 0xfe, 0x74, 0x79, 0x6d, 0x22, 0x32, 0xbd, 0xa3,
];

#[test]
fn a_base_point_from_a_string_is_multiplied_by_key_and_commitment() {
    let mut tpm = started();
    let curve = EccCurve::BnP256;
    let (key, public) = anonymous_key(&mut tpm, curve);
    let response = commit(&mut tpm, key, &EMPTY_POINT, S2, &Y2).unwrap();
    assert_eq!(response.e, EMPTY_POINT);
    let (k, l) = (ecc_point(curve, &response.k.0).unwrap(), ecc_point(curve, &response.l.0).unwrap());
    assert!(TestCrypto::ecc_on_curve(&k) && TestCrypto::ecc_on_curve(&l));
    assert_ne!((k, l), (public, public));

    // With P1 = G besides, the same r makes L and E: E is checked through the signature.
    let generator = crypto_curve(curve).unwrap().parameters();
    let p1 = Tpm2b(TpmsEccPoint {
        x: Tpm2bEccParameter::new(generator.gx).unwrap(),
        y: Tpm2bEccParameter::new(generator.gy).unwrap(),
    });
    let response = commit(&mut tpm, key, &p1, S2, &Y2).unwrap();
    assert_eq!(ecc_point(curve, &response.k.0), Ok(k), "K depends on the key and the base point alone");
    let signature = sign(&mut tpm, key, response.counter, &[7; 32]).unwrap();
    assert_eq!(Ok(claimed(curve, &public, &signature, &[7; 32])), ecc_point(curve, &response.e.0));
}

#[test]
fn each_wrong_input_of_a_commit_has_its_own_code() {
    let mut tpm = started();
    let (key, _) = anonymous_key(&mut tpm, EccCurve::BnP256);
    let off_curve =
        Tpm2b(TpmsEccPoint { x: Tpm2bEccParameter::new(&[1]).unwrap(), y: Tpm2bEccParameter::new(&[1]).unwrap() });
    let at = |rc: Rc, number| Err(rc.at(Subject::Parameter(number)));
    assert_eq!(commit(&mut tpm, key, &EMPTY_POINT, S2, &[]), at(Rc::SIZE, 3));
    assert_eq!(commit(&mut tpm, key, &EMPTY_POINT, &[], &Y2), at(Rc::SIZE, 3));
    assert_eq!(commit(&mut tpm, key, &EMPTY_POINT, S2, &Y2[1..]), at(Rc::ECC_POINT, 2));
    assert_eq!(commit(&mut tpm, key, &off_curve, &[], &[]), at(Rc::ECC_POINT, 1));
    let parent = tpm.storage_root();
    let ecdsa = ecc(OWN | TpmaObject::SIGN, EccCurve::NistP256, Some(TpmtEccScheme::Ecdsa(HashAlg::Sha256)));
    let ecdsa = tpm.child(parent, ecdsa, &[]);
    assert_eq!(commit(&mut tpm, ecdsa, &EMPTY_POINT, &[], &[]), Err(Rc::SCHEME.at(Subject::Handle(1))));
    assert_eq!(tpm.state.commits, Commits::default(), "what fails counts nothing");
}

#[test]
fn the_counter_is_the_callers_even_when_the_key_names_the_scheme() {
    let mut tpm = started();
    let (key, _) = anonymous_key(&mut tpm, EccCurve::BnP256);
    commit(&mut tpm, key, &EMPTY_POINT, &[], &[]).unwrap();
    let refused = |tpm: &mut TestTpm, in_scheme| {
        let digest = Tpm2bDigest::new(&[1; 32]).unwrap();
        let command = Sign { digest, in_scheme, validation: TpmtTkHashcheck::NULL };
        tpm.send(&command, SignHandles { key_handle: object(key) }).err()
    };
    let scheme_error = Some(Rc::SCHEME.at(Subject::Parameter(2)));
    assert_eq!(refused(&mut tpm, None), scheme_error);
    let other_hash = TpmsSchemeEcdaa { hash_alg: HashAlg::Sha384, count: 0 };
    assert_eq!(refused(&mut tpm, Some(TpmtSigScheme::Ecdaa(other_hash))), scheme_error);
    assert_eq!(refused(&mut tpm, Some(TpmtSigScheme::Ecdsa(HashAlg::Sha256))), scheme_error);
}

#[test]
fn an_anonymous_attestation_does_not_tell_whose_it_is() {
    let mut tpm = started();
    let curve = EccCurve::BnP256;
    let (key, public) = anonymous_key(&mut tpm, curve);
    let commitment = commit(&mut tpm, key, &EMPTY_POINT, &[], &[]).unwrap();
    let certify = |count| Certify {
        qualifying_data: Tpm2bData::new(b"a nonce").unwrap(),
        in_scheme: Some(TpmtSigScheme::Ecdaa(ecdaa(count))),
    };
    let handles = CertifyHandles { object_handle: object(key), sign_handle: Some(object(key)) };
    assert_eq!(tpm.send(&certify(1), handles), Err(Rc::RANGE));
    let certified = tpm.send(&certify(0), handles).unwrap();

    let attest: TpmsAttest<'_> = from_bytes(certified.certify_info.as_bytes(), &Supported::ALL).unwrap();
    assert_eq!((attest.qualified_signer, attest.extra_data), (Tpm2bName::EMPTY, Tpm2bData::EMPTY));
    let Some(TpmtSignature::Ecdaa(signature)) = certified.signature else { panic!() };
    let hash = |parts: &[&[u8]]| TestCrypto::hash(evtpm_crypto::HashAlg::Sha256, parts);
    let signed = hash(&[b"a nonce", hash(&[certified.certify_info.as_bytes()]).as_bytes()]);
    let claimed = claimed(curve, &public, &signature, signed.as_bytes());
    assert_eq!(Ok(claimed), ecc_point(curve, &commitment.e.0));
}

fn agree(
    tpm: &mut TestTpm,
    key: Handle,
    (in_qs_b, in_qe_b): (&Tpm2bEccPoint, &Tpm2bEccPoint),
    counter: u16,
) -> Result<ZGen2PhaseResponse, Rc> {
    let command = ZGen2Phase { in_qs_b: *in_qs_b, in_qe_b: *in_qe_b, in_scheme: KeyExchangeAlg::Ecdh, counter };
    tpm.send(&command, ZGen2PhaseHandles { key_a: object(key) })
}

fn wire(point: &EccPoint) -> Tpm2bEccPoint {
    crate::commands::asymmetric::wire_point(point).unwrap()
}

#[test]
fn two_parties_agree_on_two_points_once() {
    for curve in [EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521, EccCurve::BnP256] {
        let mut alice = started();
        let platform = TestPlatform { noise: TestNoise::Running(99), ..TestPlatform::new() };
        let mut bob = Tpm::manufacture(platform, Profile::pc_client()).unwrap();
        bob.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
        let party = |tpm: &mut TestTpm| {
            let parent = tpm.storage_root();
            let key = tpm.child(parent, ecc(OWN | TpmaObject::DECRYPT, curve, None), &[]);
            let ephemeral = tpm.send(&EcEphemeral { curve_id: curve }, ()).unwrap();
            (key, wire(&public_point(tpm, key, curve)), ephemeral)
        };
        let (key_a, static_a, ephemeral_a) = party(&mut alice);
        let (key_b, static_b, ephemeral_b) = party(&mut bob);

        let z_a = agree(&mut alice, key_a, (&static_b, &ephemeral_b.q), ephemeral_a.counter).unwrap();
        let z_b = agree(&mut bob, key_b, (&static_a, &ephemeral_a.q), ephemeral_b.counter).unwrap();
        assert_eq!(z_a, z_b);
        assert_ne!(z_a.out_z1, z_a.out_z2);
        let again = agree(&mut alice, key_a, (&static_b, &ephemeral_b.q), ephemeral_a.counter);
        assert_eq!(again, Err(Rc::VALUE.at(Subject::Parameter(4))));
    }
}

#[test]
fn each_wrong_input_of_an_exchange_has_its_own_code() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(OWN | TpmaObject::DECRYPT, EccCurve::NistP256, None), &[]);
    let signs = tpm.child(parent, ecc(OWN | TpmaObject::SIGN, EccCurve::NistP256, None), &[]);
    let q = tpm.send(&EcEphemeral { curve_id: EccCurve::NistP256 }, ()).unwrap().q;
    let other = tpm.send(&EcEphemeral { curve_id: EccCurve::BnP256 }, ()).unwrap().q;
    let at = |rc: Rc, subject| Err(rc.at(subject));
    assert_eq!(agree(&mut tpm, key, (&q, &q), 2), at(Rc::RANGE, Subject::Parameter(4)));
    assert_eq!(agree(&mut tpm, key, (&other, &q), 0), at(Rc::ECC_POINT, Subject::Parameter(1)));
    assert_eq!(agree(&mut tpm, key, (&q, &EMPTY_POINT), 0), at(Rc::ECC_POINT, Subject::Parameter(2)));
    assert_eq!(agree(&mut tpm, parent, (&q, &q), 0), at(Rc::ATTRIBUTES, Subject::Handle(1)));
    assert_eq!(agree(&mut tpm, signs, (&q, &q), 0), at(Rc::ATTRIBUTES, Subject::Handle(1)));
    agree(&mut tpm, key, (&q, &q), 0).unwrap();
}

#[test]
fn a_curve_that_the_profile_lacks_is_refused_as_a_parameter() {
    let mut tpm = Tpm::manufacture(TestPlatform::new(), Profile::svsm()).unwrap();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    let refused = tpm.send(&EcEphemeral { curve_id: EccCurve::BnP256 }, ());
    assert_eq!(refused, Err(Rc::CURVE.at(Subject::Parameter(1))));
}

#[test]
fn a_commit_that_is_not_there_is_met_after_all_other_faults() {
    let mut tpm = started();
    let (key, _) = anonymous_key(&mut tpm, EccCurve::NistP256);
    assert_eq!(sign(&mut tpm, key, 7, &[1; 20]), Err(Rc::SIZE.at(Subject::Parameter(1))));
}
