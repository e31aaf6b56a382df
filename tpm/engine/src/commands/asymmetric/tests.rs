// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of encryption to a key, and of agreement with one.

use crate::testing::objects::{OWN, ecc, object, rsa};
use crate::testing::{TestTpm, started};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Bytes, EccCurve, Handle, HashAlg, Rc, Subject, Tpm2b, Tpm2bData, Tpm2bEccParameter, Tpm2bMaxBuffer,
    Tpm2bPublicKeyRsa, TpmaObject, TpmsEccPoint, TpmtEccScheme, TpmtKdfScheme, TpmtRsaDecrypt, TpmtRsaScheme,
};

const DECRYPT: TpmaObject = OWN.with(TpmaObject::DECRYPT);
const OAEP: Option<TpmtRsaDecrypt> = Some(TpmtRsaDecrypt::Oaep(HashAlg::Sha256));
const RSAES: Option<TpmtRsaDecrypt> = Some(TpmtRsaDecrypt::Rsaes);

fn encrypt(
    tpm: &mut TestTpm,
    key: Handle,
    message: &[u8],
    in_scheme: Option<TpmtRsaDecrypt>,
    label: &[u8],
) -> Result<Tpm2bPublicKeyRsa, Rc> {
    let command =
        RsaEncrypt { message: Bytes::new(message).unwrap(), in_scheme, label: Tpm2bData::new(label).unwrap() };
    tpm.send(&command, RsaEncryptHandles { key_handle: object(key) }).map(|response| response.out_data)
}

fn decrypt(
    tpm: &mut TestTpm,
    key: Handle,
    cipher_text: &[u8],
    in_scheme: Option<TpmtRsaDecrypt>,
    label: &[u8],
) -> Result<Tpm2bPublicKeyRsa, Rc> {
    let cipher_text = Bytes::new(cipher_text).unwrap();
    let command = RsaDecrypt { cipher_text, in_scheme, label: Tpm2bData::new(label).unwrap() };
    tpm.send(&command, RsaDecryptHandles { key_handle: object(key) }).map(|response| response.message)
}

fn with_rsa(attributes: TpmaObject, scheme: Option<TpmtRsaScheme>) -> (TestTpm, Handle) {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, rsa(attributes, scheme), &[]);
    (tpm, key)
}

#[test]
fn what_was_encrypted_to_a_key_it_decrypts() {
    let (mut tpm, key) = with_rsa(DECRYPT, None);
    for scheme in [OAEP, RSAES] {
        let sealed = encrypt(&mut tpm, key, b"a message", scheme, b"label\0").unwrap();
        assert_eq!(sealed.len(), 128);
        let opened = decrypt(&mut tpm, key, sealed.as_bytes(), scheme, b"label\0").unwrap();
        assert_eq!(opened.as_bytes(), b"a message");
    }
    let sealed = encrypt(&mut tpm, key, b"\x01number", None, b"").unwrap();
    let opened = decrypt(&mut tpm, key, sealed.as_bytes(), None, b"").unwrap();
    assert_eq!((opened.len(), &opened.as_bytes()[121..]), (128, &b"\x01number"[..]));
}

#[test]
fn every_failed_padding_is_the_same_value_error() {
    let (mut tpm, key) = with_rsa(DECRYPT, None);
    let refused = Err(Rc::VALUE.at(Subject::Parameter(1)));
    let sealed = encrypt(&mut tpm, key, b"a message", OAEP, b"label\0").unwrap();
    assert_eq!(decrypt(&mut tpm, key, sealed.as_bytes(), OAEP, b"other\0"), refused);
    assert_eq!(decrypt(&mut tpm, key, sealed.as_bytes(), RSAES, b""), refused);
    let mut changed = sealed;
    changed.as_mut_bytes()[60] ^= 1;
    assert_eq!(decrypt(&mut tpm, key, changed.as_bytes(), OAEP, b"label\0"), refused);
    assert_eq!(decrypt(&mut tpm, key, &[0xFF; 128], OAEP, b"label\0"), refused);
}

#[test]
fn sizes_are_limited_by_the_padding() {
    let (mut tpm, key) = with_rsa(DECRYPT, None);
    let refused = Err(Rc::VALUE.at(Subject::Parameter(1)));
    for (scheme, limit) in [(OAEP, 128 - 2 * 32 - 2), (RSAES, 128 - 11)] {
        encrypt(&mut tpm, key, &[7; 128][..limit], scheme, b"").unwrap();
        assert_eq!(encrypt(&mut tpm, key, &[7; 128][..=limit], scheme, b""), refused);
    }
    // "the numeric value of the message must be less than the numeric value of the public modulus"
    assert_eq!(encrypt(&mut tpm, key, &[0xFF; 128], None, b""), refused);
    assert_eq!(encrypt(&mut tpm, key, &[0; 129], None, b""), refused);
    for size in [0, 127, 129] {
        let short = decrypt(&mut tpm, key, &[1; 129][..size], OAEP, b"");
        assert_eq!(short, Err(Rc::SIZE.at(Subject::Parameter(1))));
    }
}

#[test]
fn the_padding_is_the_keys_or_else_the_callers() {
    let (mut tpm, key) = with_rsa(DECRYPT, Some(TpmtRsaScheme::Oaep(HashAlg::Sha256)));
    let refused = Err(Rc::SCHEME.at(Subject::Parameter(2)));
    let sealed = encrypt(&mut tpm, key, b"a message", None, b"").unwrap();
    assert_eq!(decrypt(&mut tpm, key, sealed.as_bytes(), OAEP, b"").unwrap().as_bytes(), b"a message");
    for other in [RSAES, Some(TpmtRsaDecrypt::Oaep(HashAlg::Sha1))] {
        assert_eq!(encrypt(&mut tpm, key, b"a message", other, b""), refused);
        assert_eq!(decrypt(&mut tpm, key, sealed.as_bytes(), other, b""), refused);
    }
}

#[test]
fn a_label_without_its_zero_is_a_value_error_whatever_the_padding() {
    let (mut tpm, key) = with_rsa(DECRYPT, None);
    for scheme in [None, RSAES, OAEP] {
        let refused = Err(Rc::VALUE.at(Subject::Parameter(3)));
        assert_eq!(encrypt(&mut tpm, key, b"m", scheme, b"label"), refused);
        assert_eq!(decrypt(&mut tpm, key, &[1; 128], scheme, b"label"), refused);
    }
}

#[test]
fn only_an_unrestricted_rsa_decryption_key_decrypts() {
    let (mut tpm, signer) = with_rsa(OWN | TpmaObject::SIGN, None);
    assert_eq!(decrypt(&mut tpm, signer, &[1; 128], OAEP, b""), Err(Rc::ATTRIBUTES.at(Subject::Handle(1))));
    let parent = tpm.storage_root();
    assert_eq!(decrypt(&mut tpm, parent, &[1; 128], OAEP, b""), Err(Rc::KEY.at(Subject::Handle(1))));
    assert_eq!(encrypt(&mut tpm, parent, b"m", OAEP, b""), Err(Rc::KEY.at(Subject::Handle(1))));
}

fn z_gen(tpm: &mut TestTpm, key: Handle, point: TpmsEccPoint) -> Result<TpmsEccPoint, Rc> {
    let command = EcdhZGen { in_point: Tpm2b(point) };
    tpm.send(&command, EcdhZGenHandles { key_handle: object(key) }).map(|response| response.out_point.0)
}

#[test]
fn both_sides_of_an_agreement_get_the_same_point() {
    for curve in [EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521] {
        let mut tpm = started();
        let parent = tpm.storage_root();
        for scheme in [None, Some(TpmtEccScheme::Ecdh(HashAlg::Sha256))] {
            let key = tpm.child(parent, ecc(DECRYPT, curve, scheme), &[]);
            let made = tpm.send(&EcdhKeyGen {}, EcdhKeyGenHandles { key_handle: object(key) }).unwrap();
            assert_eq!(z_gen(&mut tpm, key, made.pub_point.0), Ok(made.z_point.0));
            assert_eq!(made.z_point.0.x.len(), curve.coordinate_size());
        }
    }
}

#[test]
fn a_point_off_the_curve_is_refused() {
    // Otherwise points of small order would tell the private key, bit by bit.
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(DECRYPT, EccCurve::NistP256, None), &[]);
    let made = tpm.send(&EcdhKeyGen {}, EcdhKeyGenHandles { key_handle: object(key) }).unwrap();
    let refused = Err(Rc::ECC_POINT.at(Subject::Parameter(1)));
    let mut changed = made.pub_point.0;
    changed.y.as_mut_bytes()[31] ^= 1;
    let long = TpmsEccPoint { x: Tpm2bEccParameter::new(&[7; 33]).unwrap(), ..made.pub_point.0 };
    for point in [changed, long, TpmsEccPoint::default()] {
        assert_eq!(z_gen(&mut tpm, key, point), refused);
    }
}

#[test]
fn each_key_that_cannot_agree_has_its_own_code() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let signer = tpm.child(parent, ecc(OWN | TpmaObject::SIGN, EccCurve::NistP256, None), &[]);
    let rsa_key = tpm.child(parent, rsa(DECRYPT, None), &[]);
    for (key, expected) in [(parent, Rc::ATTRIBUTES), (signer, Rc::ATTRIBUTES), (rsa_key, Rc::KEY)] {
        assert_eq!(z_gen(&mut tpm, key, TpmsEccPoint::default()), Err(expected.at(Subject::Handle(1))));
    }
    let made = tpm.send(&EcdhKeyGen {}, EcdhKeyGenHandles { key_handle: object(rsa_key) });
    assert_eq!(made, Err(Rc::KEY.at(Subject::Handle(1))));
}

#[test]
fn a_curve_tells_its_parameters() {
    let mut tpm = started();
    let parameters = |tpm: &mut TestTpm, curve_id| tpm.send(&EccParameters { curve_id }, ()).unwrap().parameters;
    for (curve, bits) in
        [(EccCurve::NistP256, 256), (EccCurve::NistP384, 384), (EccCurve::NistP521, 521), (EccCurve::BnP256, 256)]
    {
        let detail = parameters(&mut tpm, curve);
        assert_eq!((detail.key_size, detail.p.len(), detail.h.as_bytes()), (bits, curve.coordinate_size(), &[1][..]));
    }
    let refused = tpm.send(&EccParameters { curve_id: EccCurve::BnP638 }, ());
    assert_eq!(refused.unwrap_err(), Rc::CURVE.at(Subject::Parameter(1)));
}

const KDF2: Option<TpmtKdfScheme> = Some(TpmtKdfScheme::Kdf2(HashAlg::Sha256));

fn ecc_encrypt(
    tpm: &mut TestTpm,
    key: Handle,
    message: &[u8],
    in_scheme: Option<TpmtKdfScheme>,
) -> Result<EccEncryptResponse, Rc> {
    let plain_text = Tpm2bMaxBuffer::new(message).unwrap();
    tpm.send(&EccEncrypt { plain_text, in_scheme }, EccEncryptHandles { key_handle: object(key) })
}

fn ecc_decrypt(
    tpm: &mut TestTpm,
    key: Handle,
    sealed: &EccEncryptResponse,
    in_scheme: Option<TpmtKdfScheme>,
) -> Result<std::vec::Vec<u8>, Rc> {
    let c2 = Tpm2bMaxBuffer::new(sealed.c2.as_bytes()).unwrap();
    let command = EccDecrypt { c1: sealed.c1, c2, c3: sealed.c3, in_scheme };
    let opened = tpm.send(&command, EccDecryptHandles { key_handle: object(key) })?;
    Ok(opened.plain_text.as_bytes().to_vec())
}

#[test]
fn what_was_encrypted_to_an_ecc_key_it_decrypts_on_every_curve() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    for curve in [EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521, EccCurve::BnP256] {
        let key = tpm.child(parent, ecc(DECRYPT, curve, None), &[]);
        for message in [&b""[..], b"short", &[0x5a; 1024]] {
            let sealed = ecc_encrypt(&mut tpm, key, message, KDF2).unwrap();
            assert_eq!((sealed.c2.len(), sealed.c3.len()), (message.len(), 32));
            assert_eq!(ecc_decrypt(&mut tpm, key, &sealed, KDF2).unwrap(), message);
        }
    }
}

#[test]
fn each_wrong_input_of_ecc_encryption_has_its_own_code() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let key = tpm.child(parent, ecc(DECRYPT, EccCurve::NistP256, None), &[]);
    let signs = tpm.child(parent, ecc(OWN | TpmaObject::SIGN, EccCurve::NistP256, None), &[]);
    let rsa_key = tpm.child(parent, rsa(DECRYPT, None), &[]);
    let at = |rc: Rc, number| rc.at(Subject::Parameter(number));
    let mgf1 = Some(TpmtKdfScheme::Mgf1(HashAlg::Sha256));
    assert_eq!(ecc_encrypt(&mut tpm, key, b"x", None), Err(at(Rc::SCHEME, 2)));
    assert_eq!(ecc_encrypt(&mut tpm, key, b"x", mgf1), Err(Rc::SCHEME));
    assert_eq!(ecc_encrypt(&mut tpm, rsa_key, b"x", KDF2), Err(Rc::KEY.at(Subject::Handle(1))));
    // "The TPM does not verify the objectAttributes of key."
    let sealed = ecc_encrypt(&mut tpm, signs, b"x", KDF2).unwrap();
    assert_eq!(ecc_decrypt(&mut tpm, signs, &sealed, KDF2), Err(Rc::ATTRIBUTES.at(Subject::Handle(1))));
    assert_eq!(ecc_decrypt(&mut tpm, rsa_key, &sealed, KDF2), Err(Rc::KEY.at(Subject::Handle(1))));
    assert_eq!(ecc_decrypt(&mut tpm, key, &sealed, None), Err(at(Rc::SCHEME, 4)));
    assert_eq!(ecc_decrypt(&mut tpm, key, &sealed, KDF2), Err(Rc::VALUE));
    let off_curve = EccEncryptResponse { c1: Tpm2b(TpmsEccPoint::default()), ..sealed };
    assert_eq!(ecc_decrypt(&mut tpm, key, &off_curve, KDF2), Err(at(Rc::ECC_POINT, 1)));
}

#[test]
fn agreement_works_on_every_curve() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    for curve in [EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521, EccCurve::BnP256] {
        let key = tpm.child(parent, ecc(DECRYPT, curve, None), &[]);
        let made = tpm.send(&EcdhKeyGen {}, EcdhKeyGenHandles { key_handle: object(key) }).unwrap();
        let handles = EcdhZGenHandles { key_handle: object(key) };
        let recovered = tpm.send(&EcdhZGen { in_point: made.pub_point }, handles).unwrap();
        assert_eq!(recovered.out_point, made.z_point, "{curve:?}");
    }
}
