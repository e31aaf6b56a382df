// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the signing commands of version 185, with the keys that came with it.

use crate::Profile;
use crate::testing::TestCrypto;
use crate::testing::objects::{OWN, ecc, hash_mldsa, keyed_hash, mldsa, object, rsa};
use crate::testing::{TestTpm, started_as};
use evtpm_crypto::{Crypto, HashAlg as Hash, StreamingHash, mu_of_message};
use evtpm_protocol::message::verify_message;
use evtpm_protocol::templates::pqc::attestation_key;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    EccCurve, Handle, HashAlg, PublicBody, Rc, SensitiveBody, Subject, Supported, Tpm2bAuth, Tpm2bDigest,
    Tpm2bMaxBuffer, Tpm2bSensitiveData, Tpm2bSignatureCtx, Tpm2bSignatureHint, TpmaObject, TpmiDhSaved, TpmiMldsaParms,
    TpmiRhHierarchy, TpmtEccScheme, TpmtHa, TpmtKeyedhashScheme, TpmtPublic, TpmtRsaScheme, TpmtSignature,
    TpmtTkHashcheck, TpmtTkVerified, VerifiedTag, YesNo,
};
use std::vec::Vec;

const SIGN: TpmaObject = OWN.with(TpmaObject::SIGN);
const SHA256_HMAC: Option<TpmtKeyedhashScheme> = Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256));

fn started() -> TestTpm {
    started_as(Profile::pqc())
}

/// Every kind of key that signs messages, and whether it signs digests.
fn keys() -> Vec<(TpmtPublic, bool)> {
    let ecdsa = Some(TpmtEccScheme::Ecdsa(HashAlg::Sha256));
    std::vec![
        (mldsa(SIGN, TpmiMldsaParms::MlDsa44, YesNo::Yes), true),
        (mldsa(SIGN, TpmiMldsaParms::MlDsa65, YesNo::No), false),
        (mldsa(SIGN, TpmiMldsaParms::MlDsa87, YesNo::No), false),
        (hash_mldsa(SIGN, TpmiMldsaParms::MlDsa65, HashAlg::Sha512), true),
        (ecc(SIGN, EccCurve::Curve25519, Some(TpmtEccScheme::Eddsa)), false),
        (ecc(SIGN, EccCurve::Curve25519, Some(TpmtEccScheme::HashEddsa)), true),
        (ecc(SIGN, EccCurve::NistP256, ecdsa), true),
        (rsa(SIGN, Some(TpmtRsaScheme::Rsassa(HashAlg::Sha256))), true),
        (keyed_hash(SIGN, SHA256_HMAC), false),
    ]
}

fn takes_context(public: &TpmtPublic) -> bool {
    matches!(public.body, PublicBody::Mldsa { .. } | PublicBody::HashMldsa { .. })
}

fn is_eddsa(public: &TpmtPublic) -> bool {
    matches!(&public.body, PublicBody::Ecc { parms, .. } if parms.scheme == Some(TpmtEccScheme::Eddsa))
}

fn make(tpm: &mut TestTpm, template: TpmtPublic) -> (Handle, TpmtPublic) {
    let made = tpm.primary(TpmiRhHierarchy::Owner, template);
    (made.object_handle, made.out_public.0)
}

fn start_sign(tpm: &mut TestTpm, key: Handle, context: &[u8]) -> Result<Handle, Rc> {
    let context = Tpm2bSignatureCtx::new(context).unwrap();
    let command = SignSequenceStart { auth: Tpm2bAuth::EMPTY, context };
    let handles = SignSequenceStartHandles { key_handle: object(key) };
    tpm.send(&command, handles).map(|response| response.sequence_handle)
}

fn start_verify(tpm: &mut TestTpm, key: Handle, hint: &[u8], context: &[u8]) -> Result<Handle, Rc> {
    let (hint, context) = (Tpm2bSignatureHint::new(hint).unwrap(), Tpm2bSignatureCtx::new(context).unwrap());
    let command = VerifySequenceStart { auth: Tpm2bAuth::EMPTY, hint, context };
    let handles = VerifySequenceStartHandles { key_handle: object(key) };
    tpm.send(&command, handles).map(|response| response.sequence_handle)
}

fn update(tpm: &mut TestTpm, sequence: Handle, data: &[u8]) -> Result<(), Rc> {
    let command = SequenceUpdate { buffer: Tpm2bMaxBuffer::new(data).unwrap() };
    tpm.send(&command, SequenceUpdateHandles { sequence_handle: object(sequence) })
}

fn complete_sign(tpm: &mut TestTpm, sequence: Handle, key: Handle, data: &[u8]) -> Result<TpmtSignature, Rc> {
    let command = SignSequenceComplete { buffer: Tpm2bMaxBuffer::new(data).unwrap() };
    let handles = SignSequenceCompleteHandles { sequence_handle: object(sequence), key_handle: object(key) };
    tpm.send(&command, handles).map(|response| response.signature)
}

/// Signs a message in one sequence.
fn sign_message(tpm: &mut TestTpm, key: Handle, message: &[u8]) -> TpmtSignature {
    let sequence = start_sign(tpm, key, b"").unwrap();
    complete_sign(tpm, sequence, key, message).unwrap()
}

fn complete_verify(
    tpm: &mut TestTpm,
    sequence: Handle,
    key: Handle,
    signature: &TpmtSignature,
) -> Result<TpmtTkVerified, Rc> {
    let command = VerifySequenceComplete { signature: signature.clone() };
    let handles = VerifySequenceCompleteHandles { sequence_handle: object(sequence), key_handle: object(key) };
    tpm.send(&command, handles).map(|response| response.validation)
}

fn sign_digest(
    tpm: &mut TestTpm,
    key: Handle,
    context: &[u8],
    digest: &[u8],
    validation: TpmtTkHashcheck,
) -> Result<TpmtSignature, Rc> {
    let (context, digest) = (Tpm2bSignatureCtx::new(context).unwrap(), Tpm2bDigest::new(digest).unwrap());
    let handles = SignDigestHandles { key_handle: object(key) };
    tpm.send(&SignDigest { context, digest, validation }, handles).map(|response| response.signature)
}

fn verify_digest(
    tpm: &mut TestTpm,
    key: Handle,
    context: &[u8],
    digest: &[u8],
    signature: &TpmtSignature,
) -> Result<TpmtTkVerified, Rc> {
    let (context, digest) = (Tpm2bSignatureCtx::new(context).unwrap(), Tpm2bDigest::new(digest).unwrap());
    let command = VerifyDigestSignature { context, digest, signature: signature.clone() };
    let handles = VerifyDigestSignatureHandles { key_handle: object(key) };
    tpm.send(&command, handles).map(|response| response.validation)
}

/// Saves a context and loads it again in place of what was saved.
fn through_context(tpm: &mut TestTpm, handle: Handle) -> Handle {
    let save_handle = evtpm_tpm_wire::TpmiDhContext::new(handle, &Supported::ALL).unwrap();
    let saved = tpm.send(&ContextSave {}, ContextSaveHandles { save_handle }).unwrap().context;
    assert!(saved.context_blob.len() <= 4096 - 18, "Linux has 4,096 bytes for a context");
    tpm.send(&FlushContext { flush_handle: save_handle }, ()).unwrap();
    let context = evtpm_tpm_wire::TpmsContextIn {
        sequence: saved.sequence,
        saved_handle: TpmiDhSaved::new(saved.saved_handle.handle(), &Supported::ALL).unwrap(),
        hierarchy: saved.hierarchy,
        context_blob: evtpm_tpm_wire::Bytes::new(saved.context_blob.as_bytes()).unwrap(),
    };
    tpm.send(&ContextLoad { context }, ()).unwrap().loaded_handle
}

#[test]
fn what_a_key_signed_in_a_sequence_it_verifies_in_one() {
    let mut tpm = started();
    for (template, _) in keys() {
        let (key, public) = make(&mut tpm, template);
        let context: &[u8] = if takes_context(&public) { b"context" } else { b"" };
        let sequence = start_sign(&mut tpm, key, context).unwrap();
        let (first, second) =
            if is_eddsa(&public) { (&b""[..], &b"a message"[..]) } else { (&b"a mes"[..], &b"sage"[..]) };
        if !first.is_empty() {
            update(&mut tpm, sequence, first).unwrap();
        }
        let sequence = through_context(&mut tpm, sequence);
        let signature = complete_sign(&mut tpm, sequence, key, second).unwrap();
        if !matches!(public.body, PublicBody::KeyedHash { .. }) {
            verify_message::<TestCrypto>(&public, context, b"a message", &signature).unwrap();
        }

        let hint = evtpm_protocol::message::hint(&signature).to_vec();
        for (message, expected) in [(&b"a message"[..], true), (b"another message", false)] {
            let sequence = start_verify(&mut tpm, key, &hint, context).unwrap();
            let (first, second) = message.split_at(5);
            update(&mut tpm, sequence, first).unwrap();
            let sequence = through_context(&mut tpm, sequence);
            update(&mut tpm, sequence, second).unwrap();
            match complete_verify(&mut tpm, sequence, key, &signature) {
                Ok(ticket) => {
                    assert!(expected);
                    assert_eq!((ticket.tag, ticket.hierarchy), (VerifiedTag::Message, TpmiRhHierarchy::Owner));
                }
                Err(rc) => {
                    assert_eq!((rc, expected), (Rc::SIGNATURE.at(Subject::Parameter(1)), false));
                    tpm.send(&FlushContext { flush_handle: context_handle(sequence) }, ()).unwrap();
                }
            }
        }
        tpm.send(&FlushContext { flush_handle: context_handle(key) }, ()).unwrap();
    }
}

fn context_handle(handle: Handle) -> evtpm_tpm_wire::TpmiDhContext {
    evtpm_tpm_wire::TpmiDhContext::new(handle, &Supported::ALL).unwrap()
}

#[test]
fn what_a_key_signed_as_a_digest_it_verifies_as_one() {
    let mut tpm = started();
    for (template, takes_digests) in keys() {
        let (key, public) = make(&mut tpm, template);
        let size = match &public.body {
            PublicBody::Mldsa { .. } | PublicBody::HashMldsa { .. } => 64,
            PublicBody::Ecc { parms, .. } if parms.curve_id == EccCurve::Curve25519 => 64,
            _ => 32,
        };
        let digest = &[7; 64][..size];
        let signature = sign_digest(&mut tpm, key, b"", digest, TpmtTkHashcheck::NULL);
        if !takes_digests {
            assert_eq!(signature, Err(Rc::SCHEME.at(Subject::Handle(1))));
            continue;
        }
        let signature = signature.unwrap();
        let ticket = verify_digest(&mut tpm, key, b"", digest, &signature).unwrap();
        assert!(matches!(ticket.tag, VerifiedTag::Digest(hash) if hash.digest_size() == size));
        let other = &[8; 64][..size];
        let refused = verify_digest(&mut tpm, key, b"", other, &signature);
        assert_eq!(refused, Err(Rc::SIGNATURE.at(Subject::Parameter(3))));
        let short = sign_digest(&mut tpm, key, b"", &digest[1..], TpmtTkHashcheck::NULL);
        assert_eq!(short, Err(Rc::SIZE.at(Subject::Parameter(2))));
        let pre_hashed = matches!(public.body, PublicBody::HashMldsa { .. });
        let with_context = sign_digest(&mut tpm, key, b"context", digest, TpmtTkHashcheck::NULL);
        assert_eq!(with_context.is_ok(), pre_hashed);
        tpm.send(&FlushContext { flush_handle: context_handle(key) }, ()).unwrap();
    }
}

#[test]
fn an_external_mu_is_signed_as_the_message_that_it_represents() {
    let mut tpm = started();
    let (key, public) = make(&mut tpm, mldsa(SIGN, TpmiMldsaParms::MlDsa65, YesNo::Yes));
    let PublicBody::Mldsa { unique, .. } = &public.body else { panic!("an ML-DSA key") };
    let mut mu = mu_of_message::<TestCrypto>(unique.as_bytes(), b"context").unwrap();
    mu.update(b"a message");
    let signature = sign_digest(&mut tpm, key, b"", mu.finish().as_bytes(), TpmtTkHashcheck::NULL).unwrap();
    assert_eq!(verify_message::<TestCrypto>(&public, b"context", b"a message", &signature), Ok(()));
}

#[test]
fn a_restricted_mldsa_key_signs_no_representative_that_the_tpm_hashed() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let mut template = attestation_key(TpmiMldsaParms::MlDsa44);
    if let PublicBody::Mldsa { parms, .. } = &mut template.body {
        parms.allow_external_mu = YesNo::Yes;
    }
    let made = tpm.create(parent, template, &[], &[]).unwrap();
    let key = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap().object_handle;
    let PublicBody::Mldsa { unique, .. } = &made.out_public.0.body else { panic!("an ML-DSA key") };
    // What SHAKE256 makes of this is the representative of a message that begins like an attestation.
    let tr = TestCrypto::hash(Hash::Shake256_512, &[unique.as_bytes()]);
    let forged = [tr.as_bytes(), &[0, 0], b"\xFFTCG and so on"].concat();
    let data = Tpm2bMaxBuffer::new(&forged).unwrap();
    let hash_alg = HashAlg::Shake256_512;
    let hashed = tpm.send(&evtpm_tpm_wire::commands::Hash { data, hash_alg, hierarchy: TpmiRhHierarchy::Owner }, ());
    let hashed = hashed.unwrap();
    assert_ne!(hashed.validation, TpmtTkHashcheck::NULL);
    let refused = sign_digest(&mut tpm, key, b"", hashed.out_hash.as_bytes(), hashed.validation);
    assert_eq!(refused, Err(Rc::ATTRIBUTES.at(Subject::Handle(1))));
}

#[test]
fn a_restricted_key_signs_no_message_that_begins_like_an_attestation() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, attestation_key(TpmiMldsaParms::MlDsa44), &[]);
    for (first, second, fits) in [
        (&b""[..], &b"\xFFTCG and so on"[..], false),
        (b"\xFFTCG", b"and so on", false),
        (b"\xFF", b"TCG", false),
        (b"", b"abc", false),
        (b"abcd", b"", true),
        (b"", b"a message", true),
    ] {
        let sequence = start_sign(&mut tpm, key, b"").unwrap();
        if !first.is_empty() {
            update(&mut tpm, sequence, first).unwrap();
        }
        let signed = complete_sign(&mut tpm, sequence, key, second);
        if fits {
            signed.unwrap();
        } else {
            assert_eq!(signed, Err(Rc::VALUE.at(Subject::Parameter(1))));
            tpm.send(&FlushContext { flush_handle: context_handle(sequence) }, ()).unwrap();
        }
    }
}

#[test]
fn eddsa_signs_no_message_that_comes_in_pieces() {
    let mut tpm = started();
    let (key, _) = make(&mut tpm, ecc(SIGN, EccCurve::Curve25519, Some(TpmtEccScheme::Eddsa)));
    let sequence = start_sign(&mut tpm, key, b"").unwrap();
    update(&mut tpm, sequence, b"a piece").unwrap();
    let refused = complete_sign(&mut tpm, sequence, key, b"");
    assert_eq!(refused, Err(Rc::ONE_SHOT_SIGNATURE.at(Subject::Handle(1))));
}

#[test]
fn a_sequence_ends_with_the_key_that_it_began_with() {
    let mut tpm = started();
    let (key, _) = make(&mut tpm, mldsa(SIGN, TpmiMldsaParms::MlDsa44, YesNo::No));
    let (other, _) = make(&mut tpm, mldsa(SIGN, TpmiMldsaParms::MlDsa44, YesNo::Yes));
    let sequence = start_sign(&mut tpm, key, b"").unwrap();
    let refused = complete_sign(&mut tpm, sequence, other, b"a message");
    assert_eq!(refused, Err(Rc::SIGN_CONTEXT_KEY.at(Subject::Handle(2))));
    let signature = complete_sign(&mut tpm, sequence, key, b"a message").unwrap();
    let sequence = start_verify(&mut tpm, key, b"", b"").unwrap();
    let refused = complete_verify(&mut tpm, sequence, other, &signature);
    assert_eq!(refused, Err(Rc::SIGN_CONTEXT_KEY.at(Subject::Handle(2))));
    // A sequence of one kind is not ended as one of another.
    assert_eq!(complete_sign(&mut tpm, sequence, key, b""), Err(Rc::MODE.at(Subject::Handle(1))));
}

#[test]
fn a_sequence_does_not_end_with_another_secret_behind_the_same_public_area() {
    let mut tpm = started();
    let mut public = keyed_hash(SIGN.without(TpmaObject::FIXED_TPM.with(TpmaObject::FIXED_PARENT)), SHA256_HMAC);
    public.name_alg = None;
    let [key, other] = [7, 8].map(|secret| {
        let body = SensitiveBody::KeyedHash(Tpm2bSensitiveData::new(&[secret; 32]).unwrap());
        tpm.load_external(Some(body), public.clone(), TpmiRhHierarchy::Null).unwrap().object_handle
    });
    let sequence = start_sign(&mut tpm, key, b"").unwrap();
    let refused = complete_sign(&mut tpm, sequence, other, b"a message");
    assert_eq!(refused, Err(Rc::SIGN_CONTEXT_KEY.at(Subject::Handle(2))));
    complete_sign(&mut tpm, sequence, key, b"a message").unwrap();
}

#[test]
fn a_verification_ends_in_the_hierarchy_that_it_began_in() {
    let mut tpm = started();
    let (key, public) = make(&mut tpm, mldsa(SIGN, TpmiMldsaParms::MlDsa44, YesNo::No));
    let signature = sign_message(&mut tpm, key, b"");
    let outside = tpm.load_external(None, public, TpmiRhHierarchy::Null).unwrap().object_handle;
    let sequence = start_verify(&mut tpm, outside, b"", b"").unwrap();
    let refused = complete_verify(&mut tpm, sequence, key, &signature);
    assert_eq!(refused, Err(Rc::SIGN_CONTEXT_KEY.at(Subject::Handle(2))));
    let ticket = complete_verify(&mut tpm, sequence, outside, &signature).unwrap();
    assert_eq!(ticket.hierarchy, TpmiRhHierarchy::Null);
}

#[test]
fn an_hmac_with_the_name_of_another_hash_is_a_scheme_error() {
    let mut tpm = started();
    let (key, _) = make(&mut tpm, keyed_hash(SIGN, SHA256_HMAC));
    let TpmtSignature::Hmac(mac) = sign_message(&mut tpm, key, b"a message") else { panic!("an HMAC") };
    let renamed = TpmtSignature::Hmac(TpmtHa::new(HashAlg::Sha3_256, mac.digest()).unwrap());
    let sequence = start_verify(&mut tpm, key, b"", b"").unwrap();
    update(&mut tpm, sequence, b"a message").unwrap();
    assert_eq!(complete_verify(&mut tpm, sequence, key, &renamed), Err(Rc::SCHEME.at(Subject::Parameter(1))));
    complete_verify(&mut tpm, sequence, key, &TpmtSignature::Hmac(mac)).unwrap();
}

#[test]
fn each_refusal_of_a_start_has_its_code() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    assert_eq!(start_sign(&mut tpm, parent, b""), Err(Rc::KEY.at(Subject::Handle(1))));
    assert_eq!(start_verify(&mut tpm, parent, b"", b""), Err(Rc::KEY.at(Subject::Handle(1))));
    let (open, _) = make(&mut tpm, ecc(SIGN, EccCurve::NistP256, None));
    assert_eq!(start_sign(&mut tpm, open, b""), Err(Rc::SCHEME.at(Subject::Handle(1))));
    let (key, _) = make(&mut tpm, ecc(SIGN, EccCurve::Curve25519, Some(TpmtEccScheme::Eddsa)));
    assert_eq!(start_sign(&mut tpm, key, b"context"), Err(Rc::SIZE.at(Subject::Parameter(2))));
    assert_eq!(start_verify(&mut tpm, key, b"", b""), Err(Rc::SIZE.at(Subject::Parameter(2))));
    assert_eq!(start_verify(&mut tpm, key, &[7; 32], b"context"), Err(Rc::SIZE.at(Subject::Parameter(3))));
    let restricted = SIGN | TpmaObject::RESTRICTED;
    let (mac, _) = make(&mut tpm, keyed_hash(restricted, SHA256_HMAC));
    assert_eq!(start_sign(&mut tpm, mac, b""), Err(Rc::ATTRIBUTES.at(Subject::Handle(1))));
}

#[test]
fn a_ticket_of_each_kind_satisfies_a_policy() {
    use crate::commands::ea::testing::{policy, start};
    let mut tpm = started();
    let (key, public) = make(&mut tpm, hash_mldsa(SIGN, TpmiMldsaParms::MlDsa44, HashAlg::Sha384));
    let name = tpm.entity_name(key);
    let approved = [0; 32];
    let message = [&approved[..], b"ref"].concat();
    let signature = sign_message(&mut tpm, key, &message);
    verify_message::<TestCrypto>(&public, b"", &message, &signature).unwrap();

    let sequence = start_verify(&mut tpm, key, b"", b"").unwrap();
    update(&mut tpm, sequence, &message).unwrap();
    let of_message = complete_verify(&mut tpm, sequence, key, &signature).unwrap();
    let digest = TestCrypto::hash(Hash::Sha384, &[&message]);
    let of_digest = verify_digest(&mut tpm, key, b"", digest.as_bytes(), &signature).unwrap();
    let mut swapped = of_message.clone();
    swapped.tag = VerifiedTag::Verified;
    let mut other_hash = of_digest.clone();
    other_hash.tag = VerifiedTag::Digest(HashAlg::Sha3_384);
    for (check_ticket, expected) in [
        (of_message, Ok(())),
        (of_digest, Ok(())),
        (swapped, Err(Rc::POLICY)),
        (other_hash, Err(Rc::POLICY)),
        (TpmtTkVerified { tag: VerifiedTag::Message, ..TpmtTkVerified::NULL }, Err(Rc::POLICY)),
    ] {
        let session = start(&mut tpm, evtpm_tpm_wire::TpmSe::Policy, HashAlg::Sha256).session_handle;
        let command = PolicyAuthorize {
            approved_policy: Tpm2bDigest::new(&approved).unwrap(),
            policy_ref: evtpm_tpm_wire::Tpm2bNonce::new(b"ref").unwrap(),
            key_sign: name,
            check_ticket,
        };
        assert_eq!(tpm.send(&command, PolicyAuthorizeHandles { policy_session: policy(session) }), expected);
    }
}

#[test]
fn a_public_key_alone_verifies() {
    let mut tpm = started();
    let (key, public) = make(&mut tpm, mldsa(SIGN, TpmiMldsaParms::MlDsa87, YesNo::No));
    let signature = sign_message(&mut tpm, key, b"a message");
    let external = tpm.load_external(None, public, TpmiRhHierarchy::Null).unwrap().object_handle;
    let sequence = start_verify(&mut tpm, external, b"", b"").unwrap();
    update(&mut tpm, sequence, b"a message").unwrap();
    let ticket = complete_verify(&mut tpm, sequence, external, &signature).unwrap();
    assert_eq!(ticket, TpmtTkVerified { tag: VerifiedTag::Message, ..TpmtTkVerified::NULL });
}

#[test]
fn the_deprecated_commands_know_no_new_scheme() {
    let mut tpm = started();
    for template in [
        mldsa(SIGN, TpmiMldsaParms::MlDsa44, YesNo::Yes),
        ecc(SIGN, EccCurve::Curve25519, Some(TpmtEccScheme::HashEddsa)),
    ] {
        let (key, _) = make(&mut tpm, template);
        let signature = sign_digest(&mut tpm, key, b"", &[7; 64], TpmtTkHashcheck::NULL).unwrap();
        let digest = Tpm2bDigest::new(&[7; 64]).unwrap();
        let command = Sign { digest, in_scheme: None, validation: TpmtTkHashcheck::NULL };
        let refused = tpm.send(&command, SignHandles { key_handle: object(key) });
        assert_eq!(refused.unwrap_err(), Rc::SCHEME.at(Subject::Parameter(2)));
        let refused =
            tpm.send(&VerifySignature { digest, signature }, VerifySignatureHandles { key_handle: object(key) });
        assert_eq!(refused.unwrap_err(), Rc::SCHEME.at(Subject::Parameter(2)));
    }
}
