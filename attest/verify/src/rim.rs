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

/// Returns the indices whose measurement on the device is none of those that the manifest has.
pub fn deviations(references: &Verified<ReferenceMeasurements, Vendor>, device: &DeviceClaims) -> Vec<u8> {
    let differs = |(index, values): &&(u8, Vec<Vec<u8>>)| {
        let measured = device.measurements.iter().find(|(measured, _)| measured == index);
        !measured.is_some_and(|(_, value)| values.contains(value))
    };
    references.active.iter().filter(differs).map(|(index, _)| *index).collect()
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

    #[test]
    fn no_manifest_survives_a_flipped_bit() {
        for (name, bytes) in manifests().into_iter().filter(|(name, _)| !name.contains("incorrect_chain")) {
            let original = Manifest::parse(&bytes).unwrap();
            if check_signature(&original).is_err() {
                continue;
            }
            // What is signed: all before the certificates, whose Base64 has room for changes that change nothing.
            let end = bytes.windows(12).position(|window| window == b"<ds:X509Data").unwrap();
            let (mut refused, mut equal) = (0, 0);
            for n in 0..3000 {
                let bit = n * 7919 % (end * 8);
                let mut tampered = bytes.clone();
                tampered[bit / 8] ^= 1 << (bit % 8);
                match Manifest::parse(&tampered) {
                    // White space between attributes, and inside of Base64, is no part of the canonical form.
                    Ok(parsed) if parsed == original => equal += 1,
                    parsed => {
                        assert!(!parsed.is_ok_and(|parsed| check_signature(&parsed).is_ok()), "{name}: bit {bit}");
                        refused += 1;
                    }
                }
            }
            assert!(refused > 2900, "{name}: {refused} refused, {equal} the same");
        }
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
