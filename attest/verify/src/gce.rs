// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestation keys of Google Compute Engine's virtual TPMs, by the certificates that Google gives them (GCE, *Shielded VM*;
//! google/go-tpm-tools, "GCEInstanceInfo").
//!
//! A certificate is the provider's word that a key is of the TPM of this instance. No processor vouches for it: neither an SEV-SNP report
//! nor a TD's quote names a key of that TPM, so that what ties them together is one challenge that both answer.

use der::asn1::{AnyRef, Utf8StringRef};
use der::{Decode, SliceReader, Tagged};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};

use crate::error::Hex;
use crate::x509::{Certificate, Path, PublicKey};
use crate::{Error, UnixTime, Vendor, Verified};

/// Google's extension with the instance.
const INSTANCE: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.21");

/// What a verified certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedKey {
    /// The key.
    pub key: PublicKey,
    /// The instance, where the certificate names one.
    pub instance: Option<Instance>,
}

/// An instance of Google Compute Engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The zone.
    pub zone: String,
    /// The project's number.
    pub project_number: u64,
    /// The project's name.
    pub project_id: String,
    /// The instance's number.
    pub instance_id: u64,
    /// The instance's name.
    pub instance_name: String,
}

/// Verifies the certificate of a key, the first of `chain`, through the others up to one of the authorities that the caller named, as of
/// the moment `at`. The root is named by its subject and its SHA-256.
pub fn verify(
    chain: &[Certificate],
    authorities: &[Certificate],
    at: UnixTime,
) -> Result<Verified<CertifiedKey, Vendor>, Error> {
    const WHAT: &str = "certificate of the attestation key";
    let missing = || Error::MissingIssuer { of: WHAT.to_owned(), issuer: "a named authority".to_owned() };
    let (leaf, pool) = chain.split_first().ok_or_else(missing)?;
    let path = Path::find(leaf, pool, authorities)?;
    path.check_validity(at)?;
    let root = path.root().ok_or_else(missing)?;
    let digest = RustCrypto::hash(HashAlg::Sha256, &[root.der()]);
    let name = format!("{} (sha256:{})", root.common_name(), Hex(digest.as_bytes()));
    let instance = leaf.extension(INSTANCE).map(Instance::parse).transpose()?;
    Ok(Verified::new(CertifiedKey { key: leaf.public_key()?, instance }, Vendor::Named { name }))
}

impl Instance {
    /// Parses the content of Google's extension,
    /// `SEQUENCE { zone, projectNumber, projectId, instanceId, instanceName, … }`; what follows the name is not looked at.
    pub fn parse(content: &[u8]) -> Result<Self, Error> {
        let malformed =
            |error: der::Error| Error::Malformed { what: "instance of a certificate", detail: error.to_string() };
        let whole = AnyRef::from_der(content).map_err(malformed)?;
        whole.tag().assert_eq(der::Tag::Sequence).map_err(malformed)?;
        let mut fields = SliceReader::new(whole.value()).map_err(malformed)?;
        let text = |fields: &mut SliceReader<'_>| {
            Utf8StringRef::decode(fields).map(|text| text.as_str().to_owned()).map_err(malformed)
        };
        Ok(Self {
            zone: text(&mut fields)?,
            project_number: u64::decode(&mut fields).map_err(malformed)?,
            project_id: text(&mut fields)?,
            instance_id: u64::decode(&mut fields).map_err(malformed)?,
            instance_name: text(&mut fields)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates(name: &str) -> Option<Vec<Certificate>> {
        let path = crate::recorded::evidence()?.join("tpm-ek-ca/gce-ek-ak-2022").join(name);
        Some(Certificate::all_from(&std::fs::read(path).unwrap()).unwrap())
    }

    /// 2023-01-01.
    const AT: UnixTime = UnixTime(1_672_531_200);

    fn chain(leaf: &str) -> Option<(Vec<Certificate>, Vec<Certificate>)> {
        let intermediate = certificates("gcp_ek_ak_ca_intermediate_v3.crt")?;
        Some(([certificates(leaf)?, intermediate].concat(), certificates("gcp_ek_ak_ca_root.crt")?))
    }

    #[test]
    fn googles_certificate_says_whose_key_it_is() {
        for leaf in ["pca_tpm_rsa_sign_cert.pem", "pca_tpm_ecc_sign_cert.pem"] {
            let Some((chain, roots)) = chain(leaf) else { return };
            let verified = verify(&chain, &roots, AT).unwrap();
            let instance = verified.instance.clone().unwrap();
            assert_eq!((instance.zone.as_str(), instance.instance_name.as_str()), ("us-central1-a", "cs-debug-pca"));
            assert_eq!(instance.project_id, "google.com:wuale-gcp-testing");
            assert_eq!(instance.instance_id.to_string(), chain[0].common_name());
            assert!(verified.root().to_string().contains("EK/AK CA Root (sha256:"), "{}", verified.root());
        }
    }

    #[test]
    fn a_certificate_is_of_the_key_that_quoted_and_of_no_other() {
        let Some(folder) = crate::recorded::evidence() else { return };
        let item = folder.join("tpm-quote/gce-cos85-nonce9009");
        let recorded: serde_json::Value =
            serde_json::from_slice(&std::fs::read(item.join("quotes.json")).unwrap()).unwrap();
        let area = hex::decode(recorded["ak_tpmt_public"].as_str().unwrap()).unwrap();
        let key = crate::tpm::AkPublic::from_tpmt(&area).unwrap();
        let own = Certificate::from_der(&std::fs::read(item.join("ak-cert.der")).unwrap()).unwrap();
        assert!(key.is_key(&own.public_key().unwrap()));
        let instance = Instance::parse(own.extension(INSTANCE).unwrap()).unwrap();
        assert_eq!(
            (instance.instance_name.as_str(), instance.project_id.as_str()),
            ("cos-test", "google.com:wuale-gcp-testing")
        );
        let Some((chain, _)) = chain("pca_tpm_rsa_sign_cert.pem") else { return };
        assert!(!key.is_key(&chain[0].public_key().unwrap()));
    }

    fn is_unlinked(verdict: Result<Verified<CertifiedKey, Vendor>, Error>) -> bool {
        matches!(verdict, Err(Error::MissingIssuer { .. } | Error::UntrustedRoot { .. }))
    }

    #[test]
    fn another_authority_another_time_and_a_missing_link_are_refused() {
        let Some((chain, roots)) = chain("pca_tpm_rsa_sign_cert.pem") else { return };
        assert!(is_unlinked(verify(&chain, &[], AT)));
        assert!(is_unlinked(verify(&chain[..1], &roots, AT)));
        assert!(matches!(verify(&chain, &roots, UnixTime(0)), Err(Error::NotYetValid { .. })));
        assert!(is_unlinked(verify(&[], &roots, AT)));
    }

    #[test]
    fn no_certificate_survives_a_flipped_bit() {
        let Some((chain, roots)) = chain("pca_tpm_ecc_sign_cert.pem") else { return };
        let der = chain[0].der();
        let mut refused = 0;
        for bit in (0..der.len() * 8).step_by(7) {
            let mut changed = der.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(leaf) = Certificate::from_der(&changed) else { continue };
            assert!(verify(&[leaf, chain[1].clone()], &roots, AT).is_err(), "bit {bit}");
            refused += 1;
        }
        assert!(refused > 500, "{refused}");
    }

    #[test]
    fn an_instance_that_ends_early_is_refused() {
        let whole = b"\x30\x10\x0c\x01z\x02\x01\x05\x0c\x01p\x02\x01\x07\x0c\x01n\xa0";
        assert!(Instance::parse(whole).is_ok());
        for length in 0..whole.len() {
            assert!(Instance::parse(&whole[..length]).is_err(), "{length}");
        }
    }
}
