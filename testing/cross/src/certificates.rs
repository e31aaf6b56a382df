// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificates that a TPM completes and signs (TPM2_CertifyX509), put together by the caller and shown to OpenSSL.

use std::path::PathBuf;
use std::process::Command;

use evtpm_client::{Auth, Client, Object};
use evtpm_engine::{Profile, Tpm};
use evtpm_protocol::templates::storage_root_key;
use evtpm_testing_support::{Direct, Noise, TestPlatform, tlv};
use evtpm_tpm_wire::commands::{CertifyX509, CertifyX509Handles};
use evtpm_tpm_wire::{
    EccCurve, HashAlg, PublicBody, Supported, Tpm2bData, Tpm2bDigest, Tpm2bMaxBuffer, Tpm2bPublicKeyRsa, TpmSu,
    TpmaObject, TpmiDhObject, TpmiRhHierarchy, TpmiRsaKeyBits, TpmsEccParms, TpmsEccPoint, TpmsRsaParms,
    TpmsSignatureEcc, TpmtPublic, TpmtSigScheme, TpmtSignature,
};

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (start, size) = match bytes[1] {
        0x81 => (3, usize::from(bytes[2])),
        0x82 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
        size => (2, usize::from(size)),
    };
    bytes.split_at(start + size)
}

fn contents(bytes: &[u8]) -> &[u8] {
    let start = match bytes[1] {
        0x81 => 3,
        0x82 => 4,
        _ => 2,
    };
    &bytes[start..]
}

/// Issuer or subject: one common name.
fn name(common: &str) -> Vec<u8> {
    let attribute = [tlv(6, &[0x55, 4, 3]), tlv(0x0C, common.as_bytes())].concat();
    tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)))
}

fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[tlv(6, oid), tlv(1, &[0xFF]), tlv(4, value)].concat())
}

/// The parts that a caller gives: names, validity, extensions.
fn given(issuer: &str, subject: &str, is_ca: bool) -> [Vec<u8>; 4] {
    let validity = tlv(0x30, &[tlv(0x17, b"200101000000Z"), tlv(0x17, b"490101000000Z")].concat());
    // digitalSignature and keyCertSign; basicConstraints
    let usage = extension(&[0x55, 0x1D, 0x0F], &tlv(3, &[2, 0x84]));
    let constraints = extension(&[0x55, 0x1D, 0x13], &tlv(0x30, if is_ca { &[1, 1, 0xFF] } else { &[] }));
    let extensions = tlv(0xA3, &tlv(0x30, &[usage, constraints].concat()));
    [name(issuer), validity, name(subject), extensions]
}

fn handle(object: &Object) -> TpmiDhObject {
    TpmiDhObject::new(object.handle, &Supported::ALL).unwrap()
}

/// Has a key certified, and puts the certificate together.
fn certify(
    tpm: &mut Client<Direct, Noise>,
    (subject, subject_name): (&Object, &str),
    (signer, signer_name): (&Object, &str),
    scheme: TpmtSigScheme,
) -> Vec<u8> {
    let [issuer, validity, name, extensions] = given(signer_name, subject_name, subject_name == signer_name);
    let partial = tlv(0x30, &[&issuer[..], &validity, &name, &extensions].concat());
    let command = CertifyX509 {
        reserved: Tpm2bData::EMPTY,
        in_scheme: Some(scheme),
        partial_certificate: Tpm2bMaxBuffer::new(&partial).unwrap(),
    };
    let handles = CertifyX509Handles { object_handle: handle(subject), sign_handle: handle(signer) };
    let made = tpm.run(handles, &command, &mut [Auth::EMPTY, Auth::EMPTY]).unwrap();

    let (version, rest) = split(contents(made.added_to_certificate.as_bytes()));
    let (serial, rest) = split(rest);
    let (algorithm, key) = split(rest);
    let tbs = tlv(0x30, &[version, serial, algorithm, &issuer, &validity, &name, key, &extensions].concat());
    let signature = match made.signature {
        TpmtSignature::Rsassa(rsa) | TpmtSignature::Rsapss(rsa) => rsa.sig.as_bytes().to_vec(),
        TpmtSignature::Ecdsa(TpmsSignatureEcc { signature_r, signature_s, .. }) => {
            tlv(0x30, &[integer(signature_r.as_bytes()), integer(signature_s.as_bytes())].concat())
        }
        other => panic!("{other:?}"),
    };
    let signature = tlv(3, &[&[0][..], &signature].concat());
    tlv(0x30, &[&tbs, algorithm, &signature].concat())
}

fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    let sign: &[u8] = if digits[0] & 0x80 == 0 { &[] } else { &[0] };
    tlv(2, &[sign, digits].concat())
}

const ATTRIBUTES: TpmaObject = TpmaObject::FIXED_TPM
    .with(TpmaObject::FIXED_PARENT)
    .with(TpmaObject::SENSITIVE_DATA_ORIGIN)
    .with(TpmaObject::USER_WITH_AUTH)
    .with(TpmaObject::NO_DA)
    .with(TpmaObject::SIGN);

fn public(body: PublicBody) -> TpmtPublic {
    let name_alg = Some(HashAlg::Sha256);
    TpmtPublic { name_alg, object_attributes: ATTRIBUTES, auth_policy: Tpm2bDigest::EMPTY, body }
}

fn rsa(bits: u16) -> TpmtPublic {
    let parms = TpmsRsaParms { symmetric: None, scheme: None, key_bits: TpmiRsaKeyBits(bits), exponent: 0 };
    public(PublicBody::Rsa { parms, unique: Tpm2bPublicKeyRsa::EMPTY })
}

fn ecc(curve_id: EccCurve) -> TpmtPublic {
    let parms = TpmsEccParms { symmetric: None, scheme: None, curve_id, kdf: None };
    public(PublicBody::Ecc { parms, unique: TpmsEccPoint::default() })
}

/// Runs OpenSSL in a folder with the two certificates, and returns what it says.
fn openssl(folder: &PathBuf, arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn openssl_accepts_a_root_and_what_it_certified() {
    if !Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: openssl is not installed");
        return;
    }
    let folder = std::env::temp_dir().join(format!("evtpm-x509-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(509)), Profile::pc_client()).unwrap();
    let mut tpm = Client::new(Direct(tpm), Noise::Good(1));
    tpm.startup(TpmSu::Clear).unwrap();
    let parent = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key()).unwrap();
    let key = |template: &TpmtPublic| {
        let (private, public) = tpm.create(&parent, &[], template).unwrap();
        tpm.load(&parent, &[], &private, &public).unwrap()
    };
    let keys = [rsa(2048), ecc(EccCurve::NistP256), ecc(EccCurve::NistP384), ecc(EccCurve::NistP521)];
    let [rsa_2048, p256, p384, p521] = keys.each_ref().map(key);
    let cases = [
        (&rsa_2048, TpmtSigScheme::Rsassa(HashAlg::Sha256), &p256),
        (&rsa_2048, TpmtSigScheme::Rsapss(HashAlg::Sha384), &p521),
        (&p256, TpmtSigScheme::Ecdsa(HashAlg::Sha256), &rsa_2048),
        (&p384, TpmtSigScheme::Ecdsa(HashAlg::Sha384), &p256),
        (&p521, TpmtSigScheme::Ecdsa(HashAlg::Sha512), &p384),
    ];
    for (root, scheme, leaf) in cases {
        let certificates = [("root", root), ("leaf", leaf)];
        for (name, subject) in certificates {
            let certificate = certify(&mut tpm, (subject, name), (root, "root"), scheme);
            std::fs::write(folder.join(format!("{name}.der")), certificate).unwrap();
            let (der, pem) = (format!("{name}.der"), format!("{name}.pem"));
            let said = openssl(&folder, &["x509", "-inform", "der", "-in", &der, "-out", &pem]);
            assert_eq!(said, "", "{scheme:?}");
        }
        for pem in ["root.pem", "leaf.pem"] {
            let said = openssl(&folder, &["verify", "-check_ss_sig", "-CAfile", "root.pem", pem]);
            assert_eq!(said, format!("{pem}: OK\n"), "{scheme:?}");
        }
        // A certificate with another bit in it is not accepted: the test can fail.
        let mut changed = std::fs::read(folder.join("leaf.der")).unwrap();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(folder.join("changed.der"), changed).unwrap();
        let said = openssl(&folder, &["verify", "-CAfile", "root.pem", "changed.der"]);
        assert!(!said.ends_with("OK\n"), "{said}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
