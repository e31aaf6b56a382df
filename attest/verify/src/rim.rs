// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reference integrity manifests of NVIDIA, up to NVIDIA's pinned root of reference measurements; and a device against them.
//!
//! Whether the signer's certificate is on hold is for NVIDIA's OCSP service to say: revocation stays unchecked.

use evtpm_crypto::{Crypto, EccCurve, HashAlg, RustCrypto};
use evtpm_evidence::rim::{Golden, Hash, Manifest};
use evtpm_roots::NVIDIA_RIM;

use crate::nvidia::DeviceClaims;
use crate::x509::{Certificate, PublicKey};
use crate::{Error, UnixTime, Vendor, Verified, vendor};

const WHAT: &str = "reference integrity manifest";

/// What a verified manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceMeasurements {
    /// The product.
    pub product: String,
    /// The version of what is measured.
    pub version: String,
    /// What is measured.
    pub edition: String,
    /// The values of the measurements that are to be compared, by their indices.
    pub active: Vec<(u8, Vec<Vec<u8>>)>,
}

/// Verifies a manifest as of the moment `at`.
pub fn verify(manifest: &Manifest, at: UnixTime) -> Result<Verified<ReferenceMeasurements, Vendor>, Error> {
    let certificates = check_signature(manifest)?;
    check_chain(&certificates, at)?;
    let active = manifest.measurements.iter().filter(|golden| golden.is_active);
    let claims = ReferenceMeasurements {
        product: manifest.name.clone(),
        version: manifest.version.clone(),
        edition: manifest.edition.clone(),
        active: active.map(|Golden { index, values, .. }| (*index, values.clone())).collect(),
    };
    Ok(Verified::new(claims, Vendor::NvidiaRim))
}

/// Checks the digest of the document and the signature over it by the first of the certificates, which are returned.
pub fn check_signature(manifest: &Manifest) -> Result<Vec<Certificate>, Error> {
    let signature = &manifest.signature;
    let certificates =
        signature.certificates.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
    let signer = certificates.first();
    let bad = |by: &str| Error::BadSignature { of: WHAT.to_owned(), by: by.to_owned() };
    let digest = RustCrypto::hash(algorithm(signature.digest_hash), &[&signature.document]);
    if digest.as_bytes() != signature.digest {
        return Err(bad("anybody: it was changed"));
    }
    let signer = signer.ok_or_else(|| bad("a certificate"))?;
    let key = signer.public_key()?;
    let is_p384 = matches!(&key, PublicKey::Ecc(point) if point.curve() == EccCurve::P384);
    let is_whole = signature.value.len() == 96;
    let (r, s) = signature.value.split_at(signature.value.len().min(48));
    if is_p384 && is_whole && key.verifies_raw(algorithm(signature.hash), &signature.signed, r, s) {
        return Ok(certificates);
    }
    Err(bad(signer.common_name()))
}

/// Verifies the chain of a manifest, the signer's certificate first, up to NVIDIA's root.
pub fn check_chain(certificates: &[Certificate], at: UnixTime) -> Result<(), Error> {
    let missing = || Error::MissingIssuer { of: WHAT.to_owned(), issuer: NVIDIA_RIM.name.to_owned() };
    let (signer, pool) = certificates.split_first().ok_or_else(missing)?;
    let root = vendor::root(&NVIDIA_RIM)?;
    vendor::path(signer, pool, &root, at).map(|_| ())
}

const fn algorithm(hash: Hash) -> HashAlg {
    match hash {
        Hash::Sha256 => HashAlg::Sha256,
        Hash::Sha384 => HashAlg::Sha384,
        Hash::Sha512 => HashAlg::Sha512,
    }
}

/// A device's measurements against the manifests that are about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Whether the manifest of its driver was there.
    pub driver: bool,
    /// Whether the manifest of its VBIOS was there.
    pub vbios: bool,
    /// The indices of the measurements that were compared.
    pub compared: Vec<u8>,
    /// Those that are none of what their manifest has.
    pub deviations: Vec<Deviation>,
}

/// A measurement that a manifest contradicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The index.
    pub index: u8,
    /// What the manifest is of: `driver 550.90.07`.
    pub of: String,
    /// The values that the manifest has.
    pub expected: Vec<Vec<u8>>,
    /// What was measured; `None` if nothing was.
    pub actual: Option<Vec<u8>>,
}

impl Comparison {
    /// Says whether there was a manifest for all that the device reports; a switch has no driver of its own.
    pub fn is_complete(&self, device: &DeviceClaims) -> bool {
        self.vbios && (self.driver || device.driver_version.is_none())
    }
}

/// Compares a device's measurements with those of the manifests that are about its product and the versions that it reports, index
/// by index; the others are passed over. All values that a manifest marks active are compared.
pub fn compare(
    device: Verified<DeviceClaims, Vendor>,
    manifests: &[Verified<ReferenceMeasurements, Vendor>],
) -> Result<Verified<DeviceClaims, Vendor>, Error> {
    let (mut claims, root) = device.into_parts();
    let mut comparison = Comparison::default();
    for manifest in manifests {
        let Some(of) = part_of(&claims, manifest, &mut comparison) else { continue };
        for (index, expected) in &manifest.active {
            if comparison.compared.contains(index) {
                let detail = format!("measurement {index} stands in the manifest of {of} and in another");
                return Err(Error::Malformed { what: WHAT, detail });
            }
            comparison.compared.push(*index);
            let measured = claims.measurements.iter().find(|(measured, _)| measured == index);
            let actual = measured.map(|(_, value)| value.clone());
            if !actual.as_ref().is_some_and(|actual| expected.contains(actual)) {
                let deviation = Deviation { index: *index, of: of.clone(), expected: expected.clone(), actual };
                comparison.deviations.push(deviation);
            }
        }
    }
    comparison.compared.sort_unstable();
    claims.comparison = Some(comparison);
    Ok(Verified::new(claims, root))
}

/// Names what of the device a manifest is of, and notes it; a manifest says no more than a product and a version.
fn part_of(device: &DeviceClaims, manifest: &ReferenceMeasurements, comparison: &mut Comparison) -> Option<String> {
    let is_its_product = device.device.split_ascii_whitespace().next().is_some_and(|name| name == manifest.product);
    let is_version = |reported: Option<&str>| reported.is_some_and(|text| text.eq_ignore_ascii_case(&manifest.version));
    if !is_its_product {
        None
    } else if is_version(device.driver_version.as_deref()) {
        comparison.driver = true;
        Some(format!("driver {}", manifest.version))
    } else if is_version(device.vbios().as_deref()) {
        comparison.vbios = true;
        Some(format!("VBIOS {}", manifest.version))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifests() -> Vec<(String, Vec<u8>)> {
        let Some(root) = crate::recorded::evidence() else { return Vec::new() };
        let files = std::fs::read_dir(root.join("nvidia-rim/gh100")).unwrap().map(|file| file.unwrap().path());
        files.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
    }

    fn begin(certificates: &[Certificate]) -> UnixTime {
        UnixTime(certificates.iter().map(|one| one.validity().0.0).max().unwrap() + 24 * 60 * 60)
    }

    #[test]
    fn nvidias_manifests_are_believed_and_the_changed_ones_are_not() {
        let mut believed = 0;
        for (name, bytes) in manifests() {
            let manifest = Manifest::parse(&bytes).unwrap();
            let verdict = check_signature(&manifest).and_then(|certificates| verify(&manifest, begin(&certificates)));
            let is_bad = name.contains("incorrect") || name.contains("mismatch");
            assert_eq!(verdict.is_ok(), !is_bad, "{name}: {verdict:?}");
            believed += usize::from(!is_bad);
        }
        assert!(believed == 0 || believed == 2, "{believed}");
    }

    fn device() -> Verified<DeviceClaims, Vendor> {
        let claims = DeviceClaims {
            device: "GH100 A01 GSP FMC LF".into(),
            serial: vec![1],
            nonce: [0; 32],
            measurements: (0..4).map(|index| (index, vec![index; 48])).collect(),
            driver_version: Some("550.90.07".into()),
            vbios_version: Some(vec![0, 0x9f, 0, 0x96, 1, 0, 0, 0]),
            revocation: crate::x509::Revocation::Unchecked,
            comparison: None,
        };
        Verified::new(claims, Vendor::Nvidia)
    }

    fn manifest(product: &str, version: &str, active: &[(u8, u8)]) -> Verified<ReferenceMeasurements, Vendor> {
        let values = |value: &u8| vec![vec![0xee; 48], vec![*value; 48]];
        let claims = ReferenceMeasurements {
            product: product.into(),
            version: version.into(),
            edition: "GPU".into(),
            active: active.iter().map(|(index, value)| (*index, values(value))).collect(),
        };
        Verified::new(claims, Vendor::NvidiaRim)
    }

    fn compared(manifests: &[Verified<ReferenceMeasurements, Vendor>]) -> Comparison {
        compare(device(), manifests).unwrap().comparison.clone().unwrap()
    }

    #[test]
    fn a_device_is_compared_with_the_manifests_of_what_it_reports() {
        let driver = manifest("GH100", "550.90.07", &[(3, 3), (1, 1)]);
        let vbios = manifest("GH100", "96.00.9f.00.01", &[(0, 0)]);
        let both = compared(&[driver.clone(), vbios.clone()]);
        assert_eq!(both, Comparison { driver: true, vbios: true, compared: vec![0, 1, 3], deviations: Vec::new() });
        assert!(both.is_complete(&device()) && !compared(&[driver]).is_complete(&device()));
        let others = [manifest("GB100", "550.90.07", &[(1, 9)]), manifest("GH100", "550.90.08", &[(1, 9)])];
        assert_eq!(compared(&others), Comparison::default());
    }

    #[test]
    fn a_measurement_that_differs_or_is_not_there_is_named() {
        let found = compared(&[manifest("GH100", "550.90.07", &[(1, 2), (2, 2), (9, 9)])]).deviations;
        let named: Vec<_> = found.iter().map(|one| (one.index, one.of.as_str(), one.actual.is_some())).collect();
        assert_eq!(named, [(1, "driver 550.90.07", true), (9, "driver 550.90.07", false)]);
    }

    #[test]
    fn two_manifests_of_one_measurement_are_refused() {
        let driver = manifest("GH100", "550.90.07", &[(1, 1)]);
        let vbios = manifest("GH100", "96.00.9F.00.01", &[(1, 1)]);
        assert!(matches!(compare(device(), &[driver, vbios]), Err(Error::Malformed { .. })));
    }

    #[test]
    fn a_signer_whose_time_is_over_is_refused() {
        for (name, bytes) in manifests().into_iter().filter(|(name, _)| name.ends_with("swidtag")) {
            let manifest = Manifest::parse(&bytes).unwrap();
            // 2026-01-01: the signer's certificate ended on 2025-06-22.
            let verdict = verify(&manifest, UnixTime(1_767_225_600));
            assert!(matches!(verdict, Err(Error::Expired { .. })), "{name}: {verdict:?}");
        }
    }
}
