// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of certificates: what is refused, and that the digest is that of the certificate which the caller puts together.
//! testing/cross shows the finished certificates to OpenSSL.

use crate::testing::TestCrypto;
use crate::testing::objects::{OWN, ecc, keyed_hash, object, rsa};
use crate::testing::{TestTpm, started};
use evtpm_crypto::Crypto;
use evtpm_protocol::verify_signature;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    EccCurve, Handle, HashAlg, Rc, Subject, Tpm2bData, Tpm2bMaxBuffer, TpmaObject, TpmtEccScheme, TpmtSigScheme,
};
use std::vec::Vec;

const SIGN: TpmaObject = OWN.with(TpmaObject::SIGN);
const ECDSA: Option<TpmtSigScheme> = Some(TpmtSigScheme::Ecdsa(HashAlg::Sha256));
/// Key usage digitalSignature, critical.
const SIGNS: &[u8] = &[0x30, 14, 6, 3, 0x55, 0x1D, 0x0F, 1, 1, 0xFF, 4, 4, 3, 2, 7, 0x80];
/// An empty SEQUENCE in the place of issuer, validity and subject: the TPM does not look into them.
const EMPTY: &[u8] = &[0x30, 0];

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(contents.len()).unwrap()][..], contents].concat()
}

fn partial(sequences: &[&[u8]], extensions: &[u8]) -> Vec<u8> {
    element(0x30, &[sequences.concat(), element(0xA3, &element(0x30, extensions))].concat())
}

/// An extension with the attributes of the key.
fn attributes(attributes: u32) -> Vec<u8> {
    let value = [&[3, 5, 0][..], &attributes.to_be_bytes()].concat();
    element(0x30, &[&element(6, &[0x67, 0x81, 5, 10, 1, 1, 1])[..], &element(4, &value)].concat())
}

fn certify(
    tpm: &mut TestTpm,
    (subject, signer): (Handle, Handle),
    in_scheme: Option<TpmtSigScheme>,
    partial: &[u8],
) -> Result<CertifyX509Response, Rc> {
    let partial_certificate = Tpm2bMaxBuffer::new(partial).unwrap();
    let command = CertifyX509 { reserved: Tpm2bData::EMPTY, in_scheme, partial_certificate };
    tpm.send(&command, CertifyX509Handles { object_handle: object(subject), sign_handle: object(signer) })
}

#[test]
fn the_digest_is_that_of_the_certificate_which_the_caller_puts_together() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(SIGN, EccCurve::NistP256, None), &[]);
    let made = certify(&mut tpm, (key, key), ECDSA, &partial(&[EMPTY; 3], SIGNS)).unwrap();

    // SEQUENCE { [0] version, serial number, algorithm, key }, as sizes of the elements
    let added = &made.added_to_certificate.as_bytes()[3..];
    let (head, rest) = added.split_at(5 + 2 + 20);
    let (algorithm, key_info) = rest.split_at(12);
    assert_eq!((head[..5].to_vec(), key_info.len()), (std::vec![0xA0, 3, 2, 1, 2], 91));
    let extensions = element(0xA3, &element(0x30, SIGNS));
    let parts = [head, algorithm, EMPTY, EMPTY, EMPTY, key_info, &extensions].concat();
    let tbs = [&[0x30, 0x81, u8::try_from(parts.len()).unwrap()][..], &parts].concat();
    assert_eq!(TestCrypto::hash(evtpm_crypto::HashAlg::Sha256, &[&tbs]).as_bytes(), made.tbs_digest.as_bytes());
    let public = &tpm.object(key).unwrap().public;
    assert_eq!(verify_signature::<TestCrypto>(public, made.tbs_digest.as_bytes(), &made.signature), Ok(()));
}

#[test]
fn an_algorithm_of_the_caller_is_taken_and_not_returned() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(SIGN, EccCurve::NistP256, None), &[]);
    let made = certify(&mut tpm, (key, key), ECDSA, &partial(&[EMPTY; 4], SIGNS)).unwrap();
    assert_eq!(made.added_to_certificate.len(), 2 + 5 + 2 + 20 + 91);
    // For a scheme without identifier the caller has to give one.
    let schnorr = Some(TpmtSigScheme::Ecschnorr(HashAlg::Sha256));
    let refused = certify(&mut tpm, (key, key), schnorr, &partial(&[EMPTY; 3], SIGNS));
    assert_eq!(refused, Err(Rc::SCHEME.at(Subject::Handle(2))));
    certify(&mut tpm, (key, key), schnorr, &partial(&[EMPTY; 4], SIGNS)).unwrap();
}

#[test]
fn parameters_of_rsapss_that_have_their_defaults_are_left_out() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, rsa(SIGN, None), &[]);
    let made = certify(&mut tpm, (key, key), Some(TpmtSigScheme::Rsapss(HashAlg::Sha1)), &partial(&[EMPTY; 3], SIGNS));
    // OBJECT IDENTIFIER id-RSASSA-PSS, and an empty SEQUENCE.
    let identifier = [0x30, 13, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10, 0x30, 0];
    assert!(made.unwrap().added_to_certificate.as_bytes().windows(15).any(|bytes| bytes == identifier));
}

#[test]
fn what_the_extensions_claim_must_be_true_of_the_key() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(SIGN, EccCurve::NistP256, None), &[]);
    let not_true = Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
    for usage in [0x20, 0x10, 0x08, 0x01] {
        let mut extension = SIGNS.to_vec();
        *extension.last_mut().unwrap() = usage;
        extension[14] = u8::try_from(usage.trailing_zeros()).unwrap();
        assert_eq!(certify(&mut tpm, (key, key), ECDSA, &partial(&[EMPTY; 3], &extension)), not_true, "{usage}");
    }
    let with = |value| partial(&[EMPTY; 3], &[SIGNS, &attributes(value)].concat());
    certify(&mut tpm, (key, key), ECDSA, &with(SIGN.0)).unwrap();
    assert_eq!(certify(&mut tpm, (key, key), ECDSA, &with(0xFFFF_FFFF)), not_true);
    assert_eq!(certify(&mut tpm, (key, key), ECDSA, &with(SIGN.0 ^ TpmaObject::NO_DA.0)), not_true);
}

#[test]
fn each_unfit_input_has_its_own_code() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(SIGN, EccCurve::NistP256, Some(TpmtEccScheme::Ecdsa(HashAlg::Sha256))), &[]);
    let secret = tpm.child(parent, keyed_hash(SIGN, None), &[]);
    let decrypts = tpm.child(parent, rsa(OWN | TpmaObject::DECRYPT, None), &[]);
    let good = partial(&[EMPTY; 3], SIGNS);
    let rsassa = Some(TpmtSigScheme::Rsassa(HashAlg::Sha256));
    assert_eq!(certify(&mut tpm, (key, decrypts), rsassa, &good), Err(Rc::KEY.at(Subject::Handle(2))));
    assert_eq!(certify(&mut tpm, (key, key), rsassa, &good), Err(Rc::SCHEME.at(Subject::Parameter(2))));
    assert_eq!(certify(&mut tpm, (secret, key), None, &good), Err(Rc::ASYMMETRIC.at(Subject::Handle(1))));
    let at = |rc: Rc| Err(rc.at(Subject::Parameter(3)));
    assert_eq!(certify(&mut tpm, (key, key), None, &good[..good.len() - 1]), at(Rc::SIZE));
    assert_eq!(certify(&mut tpm, (key, key), None, &partial(&[EMPTY; 2], SIGNS)), at(Rc::VALUE));
    assert_eq!(certify(&mut tpm, (key, key), None, &partial(&[EMPTY; 3], &[])), at(Rc::VALUE));
    let reserved = CertifyX509 {
        reserved: Tpm2bData::new(&[0]).unwrap(),
        in_scheme: None,
        partial_certificate: Tpm2bMaxBuffer::new(&good).unwrap(),
    };
    let handles = CertifyX509Handles { object_handle: object(key), sign_handle: object(key) };
    assert_eq!(tpm.send(&reserved, handles), Err(Rc::SIZE.at(Subject::Parameter(1))));
}
