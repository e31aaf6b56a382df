// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signatures that OpenSSL made over a file, and portable ones by a key of our own.

use evtpm_crypto::{EccCurve, EccPrivate};
use evtpm_logs::ima::BinaryList;

use super::*;
use crate::tpm::testing::Counter;

const MODULE: &[u8] = b"a kernel module, without its signature";
const EC_PLAIN: &[u8] = include_bytes!("../../../../../testing/vectors/ima-modsig/ec-plain.p7s");
const EC_ATTRIBUTES: &[u8] = include_bytes!("../../../../../testing/vectors/ima-modsig/ec-attributes.p7s");
const RSA_PLAIN: &[u8] = include_bytes!("../../../../../testing/vectors/ima-modsig/rsa-plain.p7s");
const EC: &[u8] = include_bytes!("../../../../../testing/vectors/ima-modsig/ec.spki");
const RSA: &[u8] = include_bytes!("../../../../../testing/vectors/ima-modsig/rsa.spki");

fn sized(value: &[u8]) -> Vec<u8> {
    [&u32::try_from(value.len()).unwrap().to_le_bytes(), value].concat()
}

/// A list of one entry.
fn list(template: &[u8], fields: &[&[u8]]) -> Vec<u8> {
    let data: Vec<u8> = fields.iter().flat_map(|value| sized(value)).collect();
    [10_u32.to_le_bytes().as_slice(), &[1; 20], &sized(template), &sized(&data)].concat()
}

fn state(keyring: &Keyring, list: &[u8]) -> SignatureState {
    keyring.check(&BinaryList::new(list).next().unwrap().unwrap())
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    RustCrypto::hash(HashAlg::Sha256, &[bytes]).as_bytes().to_vec()
}

fn logged(digest: &[u8]) -> Vec<u8> {
    [b"sha256:\0", digest].concat()
}

fn module(message: &[u8], content: &[u8]) -> Vec<u8> {
    let whole = logged(&sha256(&[content, message].concat()));
    list(b"ima-modsig", &[&whole, b"/m.ko\0", b"", &logged(&sha256(content)), message])
}

fn keyring(keys: &[&[u8]]) -> (Keyring, Vec<u32>) {
    let mut keyring = Keyring::new();
    let ids = keys.iter().map(|key| keyring.add(key).unwrap()).collect();
    (keyring, ids)
}

#[test]
fn appended_signatures_by_the_keyrings_keys_are_valid_with_and_without_attributes() {
    let (keyring, ids) = keyring(&[EC, RSA]);
    for (message, key_id) in [(EC_PLAIN, ids[0]), (EC_ATTRIBUTES, ids[0]), (RSA_PLAIN, ids[1])] {
        assert_eq!(state(&keyring, &module(message, MODULE)), SignatureState::Valid { key_id });
    }
}

#[test]
fn an_appended_signature_of_another_file_or_by_another_key_is_not_valid() {
    let (both, ids) = keyring(&[EC, RSA]);
    let (ec, rsa) = (ids[0], keyring(&[RSA]).0);
    // OpenSSL names the signer by its key's identifier with -keyid, by its issuer without: then nothing is known of it.
    assert_eq!(state(&both, &module(EC_PLAIN, b"another module")), SignatureState::Invalid { key_id: ec });
    assert_eq!(state(&rsa, &module(EC_PLAIN, MODULE)), SignatureState::UnknownKey { key_id: ec });
    assert_eq!(state(&both, &module(EC_ATTRIBUTES, b"another module")), SignatureState::Unchecked);
    assert_eq!(state(&rsa, &module(EC_ATTRIBUTES, MODULE)), SignatureState::Unchecked);
    assert_eq!(state(&both, &module(b"PKCS7", MODULE)), SignatureState::Malformed);
    let whole = logged(&sha256(MODULE));
    let without_digest = list(b"ima-modsig", &[&whole, b"/m.ko\0", b"", b"", EC_PLAIN]);
    assert_eq!(state(&both, &without_digest), SignatureState::Malformed);
    assert_eq!(state(&both, &list(b"ima-modsig", &[&whole, b"/m\0", b"", b"", b""])), SignatureState::None);
}

#[test]
fn no_flipped_bit_of_what_is_signed_in_an_appended_signature_is_valid() {
    let (keyring, _) = keyring(&[EC, RSA]);
    // The OID of the first signed attribute; without attributes only the signature at the end is by the signer.
    let attributes = EC_ATTRIBUTES.windows(9).position(|window| window == b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03");
    for (message, start) in [(EC_PLAIN, 178 - 71), (EC_ATTRIBUTES, attributes.unwrap()), (RSA_PLAIN, 420 - 256)] {
        for bit in (start * 8..message.len() * 8).step_by(if message == RSA_PLAIN { 5 } else { 1 }) {
            let mut changed = message.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let state = state(&keyring, &module(&changed, MODULE));
            assert!(!matches!(state, SignatureState::Valid { .. }), "bit {bit} of {}", message.len());
        }
    }
}

/// A signer of files with their attributes.
struct Owner {
    private: EccPrivate,
    keyring: Keyring,
    key_id: u32,
}

impl Owner {
    fn new() -> Self {
        let private = EccPrivate::new(EccCurve::P256, &[9; 32]).unwrap();
        let point = RustCrypto::ecc_public(&private).unwrap();
        // SubjectPublicKeyInfo of a point of P-256.
        let head = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
        let spki = [head.as_slice(), &[4], point.x(), point.y()].concat();
        let (keyring, ids) = keyring(&[&spki]);
        Self { private, keyring, key_id: ids[0] }
    }

    fn sign(&self, kind: u8, digest: &[u8]) -> Vec<u8> {
        let signature = RustCrypto::ecdsa_sign(&self.private, digest, &mut Counter::new()).unwrap();
        let number = |value: &[u8]| {
            let value: Vec<u8> = [&[0], value].concat();
            let value = if value[1] < 0x80 { &value[1..] } else { &value[..] };
            [&[2, value.len() as u8], value].concat()
        };
        let numbers = [number(signature.r()), number(signature.s())].concat();
        let der = [&[0x30, numbers.len() as u8], numbers.as_slice()].concat();
        let head = [&[kind, 2, 4], self.key_id.to_be_bytes().as_slice(), &(der.len() as u16).to_be_bytes()].concat();
        [head, der].concat()
    }
}

/// An entry of `evm-sig`: what it says beside content and path.
#[derive(Clone)]
struct Portable {
    content: Vec<u8>,
    names: Vec<u8>,
    values: Vec<Vec<u8>>,
    owner: u32,
    mode: u16,
}

impl Portable {
    fn new() -> Self {
        let content = sha256(b"a program");
        let ima = [&[4, 4], content.as_slice()].concat();
        let values = vec![b"system_u:object_r:bin_t:s0\0".to_vec(), ima];
        Self { content, names: b"security.selinux|security.ima\0".to_vec(), values, owner: 0, mode: 0o100_755 }
    }

    fn digest(&self) -> Vec<u8> {
        let misc = [&[0; 12], self.owner.to_le_bytes().as_slice(), &[0; 4], &self.mode.to_le_bytes(), &[0; 2]].concat();
        sha256(&[self.values.concat(), misc].concat())
    }

    fn entry(&self, signature: &[u8]) -> Vec<u8> {
        let lengths: Vec<u8> = self.values.iter().flat_map(|value| (value.len() as u32).to_le_bytes()).collect();
        let (content, values) = (logged(&self.content), self.values.concat());
        let (owner, mode) = (self.owner.to_le_bytes(), self.mode.to_le_bytes());
        let fields: [&[u8]; 9] =
            [&content, b"/bin/x\0", signature, &self.names, &lengths, &values, &owner, &[0; 4], &mode];
        list(b"evm-sig", &fields)
    }
}

#[test]
fn a_portable_signature_covers_attributes_owner_and_mode() {
    let (owner, file) = (Owner::new(), Portable::new());
    let signature = owner.sign(5, &file.digest());
    let check = |file: &Portable| state(&owner.keyring, &file.entry(&signature));
    let (valid, invalid) =
        (SignatureState::Valid { key_id: owner.key_id }, SignatureState::Invalid { key_id: owner.key_id });
    assert_eq!(check(&file), valid);
    assert_eq!(check(&Portable { owner: 1000, ..file.clone() }), invalid);
    assert_eq!(check(&Portable { mode: 0o104_755, ..file.clone() }), invalid);
    let mut labelled = file.clone();
    labelled.values[0][0] ^= 1;
    assert_eq!(check(&labelled), invalid);
    assert_eq!(state(&Keyring::new(), &file.entry(&signature)), SignatureState::UnknownKey { key_id: owner.key_id });
}

#[test]
fn a_portable_signature_says_nothing_about_content_that_its_attribute_does_not_name() {
    let (owner, file) = (Owner::new(), Portable::new());
    let signature = owner.sign(5, &file.digest());
    let changed = Portable { content: sha256(b"another program"), ..file.clone() };
    assert_eq!(state(&owner.keyring, &changed.entry(&signature)), SignatureState::Invalid { key_id: owner.key_id });
    // Without security.ima, or as an HMAC of the machine, it is not for us to check.
    let bare = Portable { names: b"security.selinux|security.SMACK64\0".to_vec(), ..file.clone() };
    assert_eq!(state(&owner.keyring, &bare.entry(&owner.sign(5, &bare.digest()))), SignatureState::Unchecked);
    assert_eq!(state(&owner.keyring, &file.entry(&[2; 21])), SignatureState::Malformed);
    assert_eq!(state(&owner.keyring, &file.entry(&owner.sign(3, &file.digest()))), SignatureState::Unchecked);
}

#[test]
fn a_portable_signature_may_cover_a_signature_of_the_content() {
    let owner = Owner::new();
    let mut file = Portable::new();
    file.values[1] = owner.sign(3, &file.content);
    let signature = owner.sign(5, &file.digest());
    assert_eq!(state(&owner.keyring, &file.entry(&signature)), SignatureState::Valid { key_id: owner.key_id });
    let other = Portable { content: sha256(b"another program"), ..file };
    assert_eq!(state(&owner.keyring, &other.entry(&signature)), SignatureState::Invalid { key_id: owner.key_id });
}

#[test]
fn fields_that_do_not_fit_together_are_not_checked() {
    let (owner, file) = (Owner::new(), Portable::new());
    let signature = owner.sign(5, &file.digest());
    for names in [b"security.ima\0".to_vec(), b"a|b|security.ima\0".to_vec(), b"security.selinux|security.ima".to_vec()]
    {
        let file = Portable { names, ..file.clone() };
        assert_eq!(state(&owner.keyring, &file.entry(&signature)), SignatureState::Unchecked);
    }
}
