// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A synthetic chain and report whose every field a test can spoil before it is signed.

use evtpm_crypto::{
    Crypto, EccCurve, EccPrivate, EntropyError, HashAlg, Rng, RsaKey, RustCrypto, RustHasher, padding::pss,
};

use super::{Anchors, Collateral, SnpClaims, verify};
use crate::{Error, UnixTime, Verified};

/// A moment at which everything of the synthetic world is valid: 2026-01-01.
pub(crate) const NOW: UnixTime = UnixTime(1_767_225_600);

pub(crate) const ROOT_NAME: &str = "SIMULATED ARK-Milan";

/// RSA-2048 keys made with `openssl genrsa` for these tests: modulus and one prime.
const ROOT_KEY: [&str; 2] = [
    "abad93fd764475b0064e3d19a41928951e7420339d56abe08e57371316971734c12e652dc79fc135e670d74581013d3d8f3ffc2b3aa57f76a086d68bfaf6513e8c58988f0411f02975867d2f1f87e01c2d076e01c45beffcbd94e1437cc30efc13a9bb7a54190e10acc326bcda09d98373ef9d2f13de2ce905295ed38b72756a04568d06357da236a496b1aa6e0996e16cf9a7d23de8c01dd30c9ccf6e6e2138fa7f7607a6d6d38a5bf989919e45474d96028c6e7a920e779ecca57a7503ad424fbd09fd2cc60fa697a43c34de71557bc73bf31a3c481d0ee382c16d53075b5b36a4f21134210a41636d3f9f29e5fce268c2627244e6ad7a3f617274caf39849",
    "e1ee47d436c722059ae565aedac64507b8e1716d924faff9d3d3c44ab5da2c378a1b2aedc5d0be8186f28d50f1cef0facb8f4232b423f620599751e00dd3e74ef9751cccb571ad38ca59bdce93781e53efc8fbf0e48bd0164ebee8d5fd923d7d05713d17c92cfa49e6a33b850b12bbd39e3c275b7420053a9396ff33093e5205",
];
const INTERMEDIATE_KEY: [&str; 2] = [
    "c91392b076a046ab535e8a25823bc12df552a5c2bea1499538baec3218cf53916553d23a3a51e2096de78a13ae505aa9cc7543268c9aaa054138fbcbd2631a6edf78a05678a3c312cb8a1c78fd399cfb24c9b57667273afaa33301a6ed0fab00be7e233c22746d438cea429d234e558f15b15027f9d25ddd146de5ee8c324112e7dd8a4549c13e8eb7c8256501f089e3ddd8fda2059139898628035adc34382cb7be2c43136ccb4c1d00195fd7023734a5a795c2e97373c5e37f544155abcc9bdcc0c90a9ffa76b16de0ffc91b957789b65b5dcecb883744e645d2bef0b21d94dd82020e1b8056180646b85817553bbe2c19d597836fee570321613159e04b03",
    "f4563513d389fe88de62b6c643d223d41f610368dd9bace922bdb9243e314371f3adc2fd69a6a218f4d0d4e8dbb2463f61f93e357bbd11bd04e6f07192b803abea8912b51f28614487057ec3e0454bae09f887c9667d862ed1af6c043d9489fdd8e8e868987ab57777422b7c9c34811863300f56d69230a4ea69530ebf129241",
];

pub(crate) const CHIP_ID: [u8; 64] = [0xc4; 64];

/// DER building blocks.
pub(crate) mod asn1 {
    pub(crate) use evtpm_testing_support::tlv;

    pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
        tlv(0x30, &parts.concat())
    }

    pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
        let padded =
            if bytes.first().is_some_and(|first| *first >= 0x80) { [&[0], bytes].concat() } else { bytes.to_vec() };
        tlv(2, &padded)
    }

    pub(crate) fn oid(text: &str) -> Vec<u8> {
        tlv(6, der::asn1::ObjectIdentifier::new(text).unwrap().as_bytes())
    }

    pub(crate) fn name(common_name: &str) -> Vec<u8> {
        let attribute = sequence(&[oid("2.5.4.3"), tlv(0x0c, common_name.as_bytes())]);
        sequence(&[tlv(0x31, &attribute)])
    }

    pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
        tlv(3, &[&[0], content].concat())
    }
}
use asn1::{bits, integer, name, oid, sequence, tlv};

/// RSASSA-PSS parameters, each field of which a test may change.
#[derive(Clone)]
pub(crate) struct Pss {
    pub(crate) algorithm: &'static str,
    pub(crate) hash: &'static str,
    pub(crate) mask_hash: &'static str,
    pub(crate) salt: u8,
    pub(crate) trailer: Option<u8>,
}

impl Pss {
    pub(crate) const AMD: Self = Self {
        algorithm: "1.2.840.113549.1.1.10",
        hash: "2.16.840.1.101.3.4.2.2",
        mask_hash: "2.16.840.1.101.3.4.2.2",
        salt: 48,
        trailer: None,
    };

    fn encode(&self) -> Vec<u8> {
        let hash = |text| sequence(&[oid(text), vec![5, 0]]);
        let mut fields = vec![
            tlv(0xa0, &hash(self.hash)),
            tlv(0xa1, &sequence(&[oid("1.2.840.113549.1.1.8"), hash(self.mask_hash)])),
            tlv(0xa2, &integer(&[self.salt])),
        ];
        fields.extend(self.trailer.map(|trailer| tlv(0xa3, &integer(&[trailer]))));
        sequence(&[oid(self.algorithm), sequence(&fields)])
    }
}

/// The part of a certificate that tests change.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) serial: Vec<u8>,
    pub(crate) not_before: &'static str,
    pub(crate) not_after: &'static str,
    pub(crate) extensions: Vec<(String, bool, Vec<u8>)>,
    pub(crate) pss: Pss,
    pub(crate) public_key: Vec<u8>,
}

impl Template {
    fn authority(subject: &str, issuer: &str, serial: u8, key: &[&str; 2], path_length: u8) -> Self {
        let constraints = sequence(&[vec![1, 1, 0xff], integer(&[path_length])]);
        Self {
            subject: subject.into(),
            issuer: issuer.into(),
            serial: vec![serial],
            not_before: "200101000000Z",
            not_after: "450101000000Z",
            extensions: vec![
                ("2.5.29.19".into(), true, constraints),
                ("2.5.29.15".into(), true, vec![3, 2, 1, 0x06]), // keyCertSign and cRLSign
            ],
            pss: Pss { trailer: Some(1), ..Pss::AMD },
            public_key: rsa_public_key(key),
        }
    }

    pub(crate) fn set_extension(&mut self, oid: &str, value: Vec<u8>) {
        self.drop_extension(oid);
        self.extensions.push((oid.into(), false, value));
    }

    pub(crate) fn drop_extension(&mut self, oid: &str) {
        self.extensions.retain(|(present, ..)| present != oid);
    }

    fn sign(&self, key: &[&str; 2]) -> Vec<u8> {
        let extensions: Vec<Vec<u8>> = self
            .extensions
            .iter()
            .map(|(id, critical, value)| {
                let flag = if *critical { vec![1, 1, 0xff] } else { vec![] };
                sequence(&[oid(id), flag, tlv(4, value)])
            })
            .collect();
        let signed = sequence(&[
            tlv(0xa0, &integer(&[2])),
            integer(&self.serial),
            self.pss.encode(),
            name(&self.issuer),
            sequence(&[tlv(0x17, self.not_before.as_bytes()), tlv(0x17, self.not_after.as_bytes())]),
            name(&self.subject),
            self.public_key.clone(),
            tlv(0xa3, &sequence(&extensions)),
        ]);
        let signature = pss_sign(key, &signed);
        sequence(&[signed, self.pss.encode(), bits(&signature)])
    }
}

/// A chain and a report; change what you like, then ask for the verdict.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) ark: Template,
    pub(crate) ask: Template,
    pub(crate) vek: Template,
    pub(crate) report: Vec<u8>,
    pub(crate) revoked: Option<Vec<u8>>,
    pub(crate) crl_next_update: &'static str,
    pub(crate) at: UnixTime,
}

impl World {
    pub(crate) fn new() -> Self {
        let private = vek_key();
        let point = RustCrypto::ecc_public(&private).unwrap();
        let vek_key = sequence(&[
            sequence(&[oid("1.2.840.10045.2.1"), oid("1.3.132.0.34")]),
            bits(&[&[4], point.x(), point.y()].concat()),
        ]);
        let level = |level: u8| integer(&[level]);
        let base = "1.3.6.1.4.1.3704.1";
        let vek = Template {
            subject: "SIMULATED SEV-VCEK".into(),
            issuer: "SIMULATED SEV-Milan".into(),
            serial: vec![0],
            not_before: "250101000000Z",
            not_after: "320101000000Z",
            extensions: vec![
                (format!("{base}.1"), false, integer(&[0])),
                (format!("{base}.2"), false, tlv(0x16, b"Milan-B0")),
                (format!("{base}.3.1"), false, level(4)),
                (format!("{base}.3.2"), false, level(0)),
                (format!("{base}.3.3"), false, level(24)),
                (format!("{base}.3.8"), false, level(219)),
                (format!("{base}.4"), false, CHIP_ID.to_vec()),
            ],
            pss: Pss::AMD,
            public_key: vek_key,
        };
        Self {
            ark: Template::authority(ROOT_NAME, ROOT_NAME, 1, &ROOT_KEY, 1),
            ask: Template::authority("SIMULATED SEV-Milan", ROOT_NAME, 2, &INTERMEDIATE_KEY, 0),
            vek,
            report: report(),
            revoked: None,
            crl_next_update: "270101000000Z",
            at: NOW,
        }
    }

    pub(crate) fn ark_der(&self) -> Vec<u8> {
        self.ark.sign(&ROOT_KEY)
    }

    /// Signs what is there and verifies it.
    pub(crate) fn verify(&self) -> Result<Verified<SnpClaims>, Error> {
        let mut world = self.clone();
        world.sign_report();
        world.verify_as_is()
    }

    /// Verifies without signing the report again.
    pub(crate) fn verify_as_is(&self) -> Result<Verified<SnpClaims>, Error> {
        let anchors = Anchors::none().and_simulated(ROOT_NAME, &self.ark_der()).unwrap();
        verify(&self.report, &self.collateral()?, &anchors, self.at)
    }

    pub(crate) fn collateral(&self) -> Result<Collateral, Error> {
        let mut collateral = Collateral::new();
        collateral.add_certificates(&self.ask.sign(&ROOT_KEY))?;
        collateral.add_certificates(&self.vek.sign(&INTERMEDIATE_KEY))?;
        if let Some(serial) = &self.revoked {
            collateral.add_revocation_lists(&self.revocation_list(serial, &ROOT_KEY))?;
        }
        Ok(collateral)
    }

    /// A revocation list of the root that names one serial number.
    pub(crate) fn revocation_list(&self, serial: &[u8], key: &[&str; 2]) -> Vec<u8> {
        let time = |text: &str| tlv(0x17, text.as_bytes());
        let signed = sequence(&[
            integer(&[1]),
            Pss::AMD.encode(),
            name(ROOT_NAME),
            time("250101000000Z"),
            time(self.crl_next_update),
            sequence(&[sequence(&[integer(serial), time("250101000000Z")])]),
        ]);
        let signature = pss_sign(key, &signed);
        sequence(&[signed, Pss::AMD.encode(), bits(&signature)])
    }

    /// A revocation list that claims to be the root's but is signed by the intermediate's key.
    pub(crate) fn forged_revocation_list(&self) -> Vec<u8> {
        self.revocation_list(&[9], &INTERMEDIATE_KEY)
    }

    pub(crate) fn sign_report(&mut self) {
        let digest = RustCrypto::hash(HashAlg::Sha384, &[&self.report[..0x2a0]]);
        let signature = RustCrypto::ecdsa_sign(&vek_key(), digest.as_bytes(), &mut Constant).unwrap();
        let little_endian = |number: &[u8]| number.iter().rev().copied().collect::<Vec<u8>>();
        self.report[0x2a0..0x2a0 + 48].copy_from_slice(&little_endian(signature.r()));
        self.report[0x2e8..0x2e8 + 48].copy_from_slice(&little_endian(signature.s()));
    }
}

fn report() -> Vec<u8> {
    let tcb = [4, 0, 0, 0, 0, 0, 24, 219];
    let mut report = vec![0; 0x4a0];
    report[0] = 3;
    report[0x008..0x010].copy_from_slice(&0x30000u64.to_le_bytes());
    report[0x034] = 1;
    for offset in [0x038, 0x180, 0x1e0, 0x1f0] {
        report[offset..offset + 8].copy_from_slice(&tcb);
    }
    report[0x090..0x0c0].fill(0x3e);
    report[0x188..0x18b].copy_from_slice(&[0x19, 0x01, 0x01]);
    report[0x1a0..0x1e0].copy_from_slice(&CHIP_ID);
    report
}

fn vek_key() -> EccPrivate {
    EccPrivate::new(EccCurve::P384, &[0x5a; 48]).unwrap()
}

fn rsa_public_key(key: &[&str; 2]) -> Vec<u8> {
    let numbers = sequence(&[integer(&hex::decode(key[0]).unwrap()), integer(&[1, 0, 1])]);
    sequence(&[sequence(&[oid("1.2.840.113549.1.1.1"), vec![5, 0]]), bits(&numbers)])
}

/// Signs with RSASSA-PSS, SHA-384 and a salt of 48 bytes, whatever the certificate says.
fn pss_sign(key: &[&str; 2], message: &[u8]) -> Vec<u8> {
    let modulus = hex::decode(key[0]).unwrap();
    let private = RsaKey { modulus: &modulus, exponent: 0x1_0001, prime: &hex::decode(key[1]).unwrap() };
    let digest = RustCrypto::hash(HashAlg::Sha384, &[message]);
    let mut block = vec![0; modulus.len()];
    pss::encode::<RustHasher>(HashAlg::Sha384, digest.as_bytes(), 48, 2048, &mut Constant, &mut block).unwrap();
    RustCrypto::rsa_private(private, &mut block, &mut Constant, &mut Default::default()).unwrap();
    block
}

/// Entropy without any: the signatures of the tests may well be the same every time.
struct Constant;

impl Rng for Constant {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(0x5a);
        Ok(())
    }
}
