// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A small Hygon of our own: four keys, and reports of both versions.

use evtpm_evidence::csv::Evidence;
use sm2::dsa::signature::Signer;

use super::*;

const ROOT_ID: [u8; 16] = [7; 16];
const MASK: [u8; 4] = [0x26, 0xd7, 0xc7, 0x5d];

/// A key with its name and its usage.
struct Key {
    secret: sm2::dsa::SigningKey,
    usage: (u32, KeyUsage),
    name: &'static str,
}

impl Key {
    fn new(seed: u8, usage: (u32, KeyUsage), name: &'static str) -> Self {
        let secret = sm2::SecretKey::from_slice(&[seed; 32]).unwrap();
        Self { secret: sm2::dsa::SigningKey::new(name, &secret).unwrap(), usage, name }
    }

    fn public(&self) -> SigningKey<'static> {
        use sm2::elliptic_curve::sec1::ToSec1Point;
        let point = self.secret.verifying_key().as_affine().to_sec1_point(false);
        let (x, y) = (point.x().unwrap(), point.y().unwrap());
        SigningKey { usage: self.usage.1, x: (*x).into(), y: (*y).into(), user_id: self.name }
    }

    /// Curve, point and name, as certificates have them.
    fn block(&self) -> Vec<u8> {
        let SigningKey { x, y, .. } = self.public();
        let name = [&(self.name.len() as u16).to_le_bytes(), self.name.as_bytes()].concat();
        [3_u32.to_le_bytes().to_vec(), number(x), number(y), padded(name, 256)].concat()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.secret.sign(message).to_bytes();
        let (r, s) = signature.split_at(32);
        [number(r.try_into().unwrap()), number(s.try_into().unwrap())].concat()
    }
}

fn number(mut value: [u8; 32]) -> Vec<u8> {
    value.reverse();
    padded(value.to_vec(), 72)
}

fn padded(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.resize(length, 0);
    bytes
}

pub(crate) struct Hygon {
    root: Key,
    pub(crate) signing: Vec<u8>,
    pub(crate) chip: Vec<u8>,
    pub(crate) platform: Vec<u8>,
    platform_key: Key,
}

impl Hygon {
    pub(crate) fn new() -> Self {
        let root = Key::new(1, (0, KeyUsage::Root), "HRK");
        let signing = Key::new(2, (0x13, KeyUsage::Signing), "HSK");
        let chip = Key::new(3, (0x1004, KeyUsage::Chip), "CEK");
        let platform = Key::new(4, (0x1002, KeyUsage::Platform), "PEK");
        let head = [1_u32.to_le_bytes().as_slice(), &[8; 16], &ROOT_ID, &signing.usage.0.to_le_bytes()].concat();
        let body = padded([padded(head, 0x40), signing.block()].concat(), 0x240);
        let signature = root.sign(&body);
        Self {
            signing: padded([body, signature].concat(), AuthorityCertificate::SIZE),
            chip: certificate(&chip, &signing),
            platform: certificate(&platform, &chip),
            platform_key: platform,
            root,
        }
    }

    pub(crate) fn verify(
        &self,
        version: Version,
        page: &[u8],
        data: &[u8; 64],
    ) -> Result<Verified<CsvClaims, Vendor>, Error> {
        let chain = Chain {
            signing: AuthorityCertificate::parse(&self.signing)?,
            chip: PlatformCertificate::parse(&self.chip)?,
            platform: PlatformCertificate::parse(&self.platform)?,
        };
        verify_below(&self.root.public(), &ROOT_ID, &Report::parse(version, page)?, &chain, data)
    }

    pub(crate) fn report(&self, version: Version, data: u8) -> Vec<u8> {
        let (signed, before, mask) = match version {
            Version::V1 => (0xB4, 0xC0, MASK),
            Version::V2 => (0x400, 0x400, [0; 4]),
        };
        let mut body = vec![0x11; signed];
        body[0x40..0x80].fill(data);
        body.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        let signature = self.platform_key.sign(&body);
        let mut page = padded(body, before);
        if version == Version::V1 {
            page[0xBC..0xC0].copy_from_slice(&mask);
        }
        [page, signature, self.platform.clone(), vec![0; 128]].concat()
    }
}

fn certificate(key: &Key, issuer: &Key) -> Vec<u8> {
    let numbers = [1_u32, 0x0301, key.usage.0, 4].map(u32::to_le_bytes).concat();
    let body = padded([numbers, key.block()].concat(), 0x414);
    let signature = issuer.sign(&body);
    let block = [issuer.usage.0.to_le_bytes(), 4_u32.to_le_bytes()].concat();
    padded([body, padded([block, signature].concat(), 0x208)].concat(), PlatformCertificate::SIZE)
}

#[test]
fn a_report_below_the_root_is_believed_in_both_versions() {
    let hygon = Hygon::new();
    for version in [Version::V1, Version::V2] {
        let page = hygon.report(version, 9);
        let verified = hygon.verify(version, &page, &[9; 64]).unwrap();
        assert_eq!((verified.measurement, verified.report_data), ([0x11; 32], [9; 64]));
        assert_eq!(verified.registers.is_some(), version == Version::V2);
        assert_eq!(verified.root(), &Vendor::Hygon);
    }
}

#[test]
fn another_mask_is_another_report_data() {
    let hygon = Hygon::new();
    let mut page = hygon.report(Version::V1, 9);
    page[0xBC] ^= 1;
    let report = Report::parse(Version::V1, &page).unwrap();
    let platform = PlatformCertificate::parse(&hygon.platform).unwrap();
    // The signature alone does not show it.
    check_signature(&report, &platform).unwrap();
    let verdict = hygon.verify(Version::V1, &page, &[9; 64]);
    assert!(matches!(verdict, Err(Error::Mismatch { what: Claim::ReportData, .. })), "{verdict:?}");
}

#[test]
fn a_chain_below_another_root_is_refused() {
    let hygon = Hygon::new();
    let chain = Chain {
        signing: AuthorityCertificate::parse(&hygon.signing).unwrap(),
        chip: PlatformCertificate::parse(&hygon.chip).unwrap(),
        platform: PlatformCertificate::parse(&hygon.platform).unwrap(),
    };
    let page = hygon.report(Version::V2, 9);
    let report = Report::parse(Version::V2, &page).unwrap();
    assert!(matches!(verify(&report, &chain, &[9; 64]), Err(Error::UntrustedRoot { .. })));
}

#[test]
fn the_worlds_report_is_signed_by_the_key_beside_it() {
    let Some(root) = crate::recorded::evidence() else { return };
    let json = std::fs::read(root.join("csv/trustee-csv/evidence.json")).unwrap();
    let evidence = Evidence::parse(&json).unwrap();
    let platform = PlatformCertificate::parse(&evidence.platform).unwrap();
    let report = evidence.report().unwrap();
    check_signature(&report, &platform).unwrap();
    assert_eq!(report.platform_certificate(), evidence.platform);
    assert_eq!(report.serial_number(), evidence.serial_number.as_bytes());
}
