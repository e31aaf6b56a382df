// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A signing key in software that makes any quote a test wants, well signed, with one thing wrong.

use evtpm_crypto::{Crypto, EccCurve, EccPrivate, HashAlg, RustCrypto};
use evtpm_logs::{HashId, PcrBank, PcrSet};

use crate::recorded::NOW;
use crate::tpm::testing::Counter;
use crate::tpm::{AkPublic, Error, Issued, Quote, QuoteEvidence, Selection, TrustedAk};

/// An ECDSA key with the public area of an attestation key.
pub(crate) struct SoftAk {
    curve: EccCurve,
    hash: HashAlg,
    private: EccPrivate,
    pub(crate) area: Vec<u8>,
}

/// A quote in the making, every field free.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) magic: u32,
    pub(crate) kind: u16,
    pub(crate) extra_data: Vec<u8>,
    /// Algorithm and bit map of each bank.
    pub(crate) selection: Vec<(u16, [u8; 3])>,
    pub(crate) values: Vec<Vec<u8>>,
}

impl SoftAk {
    pub(crate) fn new() -> Self {
        Self::with(EccCurve::P256, HashAlg::Sha256, 0x0005_0072)
    }

    pub(crate) fn with(curve: EccCurve, hash: HashAlg, attributes: u32) -> Self {
        let private = EccPrivate::generate(curve, &mut Counter::new()).unwrap();
        let point = RustCrypto::ecc_public(&private).unwrap();
        let curve_id: u16 = match curve {
            EccCurve::P256 => 3,
            EccCurve::P384 => 4,
            EccCurve::P521 => 5,
            EccCurve::BnP256 => 0x10,
        };
        // TPMT_PUBLIC: type ECC, nameAlg SHA-256, attributes, no policy, no cipher, ECDSA, curve, no KDF, point
        let mut area = vec![0x00, 0x23, 0x00, 0x0B];
        area.extend(attributes.to_be_bytes());
        area.extend([0, 0, 0x00, 0x10, 0x00, 0x18]);
        area.extend(hash_id(hash).to_be_bytes());
        area.extend(curve_id.to_be_bytes());
        area.extend([0x00, 0x10]);
        for coordinate in [point.x(), point.y()] {
            area.extend(sized(coordinate));
        }
        SoftAk { curve, hash, private, area }
    }

    pub(crate) fn trusted(&self) -> TrustedAk {
        TrustedAk::named(AkPublic::from_tpmt(&self.area).unwrap())
    }

    /// Signs a message; `TPMT_SIGNATURE` of ECDSA.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let digest = RustCrypto::hash(self.hash, &[message]);
        let signature = RustCrypto::ecdsa_sign(&self.private, digest.as_bytes(), &mut Counter::new()).unwrap();
        assert_eq!(signature.curve(), self.curve);
        let mut bytes = vec![0x00, 0x18];
        bytes.extend(hash_id(self.hash).to_be_bytes());
        bytes.extend(sized(signature.r()));
        bytes.extend(sized(signature.s()));
        bytes
    }

    /// Verifies a draft against a nonce of its own extra data and the selection that `asked` names.
    pub(crate) fn quote(&self, draft: &Draft, asked: &Selection) -> Result<Quote, Error> {
        self.quote_with(&self.trusted(), draft, asked)
    }

    pub(crate) fn quote_with(&self, ak: &TrustedAk, draft: &Draft, asked: &Selection) -> Result<Quote, Error> {
        let message = draft.message(self.hash);
        let signature = self.sign(&message);
        let values: Vec<&[u8]> = draft.values.iter().map(Vec::as_slice).collect();
        let evidence = QuoteEvidence { message: &message, signature: &signature, values: &values };
        ak.verify(evidence, Issued::recorded(b"a nonce of a test"), asked, NOW)
    }
}

impl Draft {
    /// Quotes registers of a bank that some logs lead to.
    pub(crate) fn of(banks: &[(&PcrBank, PcrSet)]) -> (Self, Selection) {
        let mut asked = Selection::new();
        let mut draft = Draft {
            magic: 0xFF54_4347,
            kind: 0x8018,
            extra_data: b"a nonce of a test".to_vec(),
            selection: Vec::new(),
            values: Vec::new(),
        };
        for (bank, pcrs) in banks {
            asked = asked.with(bank.algorithm(), *pcrs).unwrap();
            let [low, middle, high, _] = pcrs.mask().to_le_bytes();
            draft.selection.push((bank.algorithm().0, [low, middle, high]));
            draft.values.extend(pcrs.iter().map(|pcr| bank.value(pcr).as_bytes().to_vec()));
        }
        (draft, asked)
    }

    /// Quotes fresh SHA-256 PCR 0 to 2.
    pub(crate) fn fresh() -> (Self, Selection) {
        let bank = PcrBank::at_startup(HashId::SHA256).unwrap();
        Self::of(&[(&bank, PcrSet::from_mask(7).unwrap())])
    }

    /// Writes `TPMS_ATTEST`.
    pub(crate) fn message(&self, hash: HashAlg) -> Vec<u8> {
        let parts: Vec<&[u8]> = self.values.iter().map(Vec::as_slice).collect();
        let digest = RustCrypto::hash(hash, &parts);
        let mut message = self.magic.to_be_bytes().to_vec();
        message.extend(self.kind.to_be_bytes());
        message.extend(sized(&[0; 34]));
        message.extend(sized(&self.extra_data));
        message.extend(5_000_u64.to_be_bytes());
        message.extend([0, 0, 0, 7, 0, 0, 0, 3, 1]);
        message.extend(1_u64.to_be_bytes());
        message.extend(u32::try_from(self.selection.len()).unwrap().to_be_bytes());
        for (bank, bits) in &self.selection {
            message.extend(bank.to_be_bytes());
            message.push(3);
            message.extend(bits);
        }
        message.extend(sized(digest.as_bytes()));
        message
    }
}

/// Makes the `TPM2B_PUBLIC` of a P-256 storage key.
pub(crate) fn storage_key(attributes: u32) -> Vec<u8> {
    let private = EccPrivate::new(EccCurve::P256, &[9; 32]).unwrap();
    let point = RustCrypto::ecc_public(&private).unwrap();
    // TPMT_PUBLIC: type ECC, nameAlg SHA-256, attributes, no policy, AES-128-CFB, no scheme, P-256, no KDF, point
    let mut area = vec![0x00, 0x23, 0x00, 0x0B];
    area.extend(attributes.to_be_bytes());
    area.extend([0, 0, 0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10, 0x00, 0x03, 0x00, 0x10]);
    area.extend(sized(point.x()));
    area.extend(sized(point.y()));
    sized(&area)
}

/// Writes the `TPMS_ATTEST` of a certification of `public`, with a type of choice.
pub(crate) fn certify_message(kind: u16, public: &[u8], extra_data: &[u8]) -> Vec<u8> {
    let name = [&[0x00, 0x0B], RustCrypto::hash(HashAlg::Sha256, &[&public[2..]]).as_bytes()].concat();
    let mut message = 0xFF54_4347_u32.to_be_bytes().to_vec();
    message.extend(kind.to_be_bytes());
    message.extend(sized(&[0; 34]));
    message.extend(sized(extra_data));
    message.extend([0; 25]);
    message.extend(sized(&name));
    message.extend(sized(&[0; 34]));
    message
}

/// Verifies a quote of registers that some logs lead to, by a key of this module.
pub(crate) fn quote_of(banks: &[(&PcrBank, PcrSet)]) -> Quote {
    let (draft, asked) = Draft::of(banks);
    SoftAk::new().quote(&draft, &asked).unwrap()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn hash_id(hash: HashAlg) -> u16 {
    match hash {
        HashAlg::Sha1 => 4,
        HashAlg::Sha256 => 11,
        HashAlg::Sha384 => 12,
        HashAlg::Sha512 => 13,
        _ => unreachable!("tests sign with SHA-1 and SHA-2"),
    }
}
