// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Storage keys that a believed key certified: secrets may be wrapped for them (verification rule 16).

use evtpm_tpm_wire::{Rc, TpmtPublic, TpmuAttest};

use crate::UnixTime;
use crate::tpm::key::{KeyRule, check_attributes, check_storage_key, name, parse, unsized_area};
use crate::tpm::objects::check_name;
use crate::tpm::{Error, Freshness, Issued, QualifyingData, TrustedAk, attest};

/// restricted, decrypt, fixedTPM, fixedParent and sensitiveDataOrigin: what a storage key for secrets must be.
const STORAGE_ATTRIBUTES: u32 = 0x0003_0032;
/// userWithAuth, adminWithPolicy and noDA: what it may be or not.
const STORAGE_FREE_ATTRIBUTES: u32 = 0x0000_04C0;

/// What an attester sends for a storage key.
#[derive(Debug, Clone, Copy)]
pub struct CertifyEvidence<'a> {
    /// `TPMS_ATTEST` of `TPM2_Certify`, as it was signed.
    pub message: &'a [u8],
    /// `TPMT_SIGNATURE`.
    pub signature: &'a [u8],
    /// The storage key's `TPM2B_PUBLIC`.
    pub public: &'a [u8],
}

/// A storage key that lives in the TPM of a believed attestation key, and can never leave it.
///
/// Only [`TrustedAk::certify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageKey {
    public: TpmtPublic,
    name: Vec<u8>,
    freshness: Freshness,
}

impl StorageKey {
    /// Returns the public area.
    #[must_use]
    pub const fn public(&self) -> &TpmtPublic {
        &self.public
    }

    /// Returns the Name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns how fresh the certification is.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }
}

impl TrustedAk {
    /// Verifies that whoever answers `nonce` can sign with this key now: the key certified itself (`TPM2_Certify`).
    ///
    /// It says nothing of any register; a session may begin with it.
    pub fn possession(
        &self,
        message: &[u8],
        signature: &[u8],
        nonce: Issued<QualifyingData>,
        at: UnixTime,
    ) -> Result<Freshness, Error> {
        self.certifies_name(self.name(), message, signature, nonce, at)
    }

    /// Verifies that this key certified the object with this Name, in answer to `nonce`.
    pub(super) fn certifies_name(
        &self,
        name: &[u8],
        message: &[u8],
        signature: &[u8],
        nonce: Issued<QualifyingData>,
        at: UnixTime,
    ) -> Result<Freshness, Error> {
        let (attest, freshness) =
            attest::verify(self.checked_by(), message, signature, attest::ATTEST_CERTIFY, nonce, at)?;
        let TpmuAttest::Certify(info) = &attest.attested else {
            return Err(Error::Malformed { what: "TPMS_CERTIFY_INFO", code: Rc::SELECTOR });
        };
        check_name(info.name.as_bytes(), name)?;
        Ok(freshness)
    }

    /// Verifies that this key's TPM holds a storage key, in answer to `nonce`.
    pub fn certify(
        &self,
        evidence: CertifyEvidence<'_>,
        nonce: Issued<QualifyingData>,
        at: UnixTime,
    ) -> Result<StorageKey, Error> {
        let CertifyEvidence { message, signature, public } = evidence;
        let (attest, freshness) =
            attest::verify(self.checked_by(), message, signature, attest::ATTEST_CERTIFY, nonce, at)?;
        let TpmuAttest::Certify(info) = &attest.attested else {
            return Err(Error::Malformed { what: "TPMS_CERTIFY_INFO", code: Rc::SELECTOR });
        };

        let area = unsized_area(public).map_err(storage)?;
        let public = parse(area).map_err(storage)?;
        let name = name(&public, area).map_err(storage)?;
        check_name(info.name.as_bytes(), &name)?;
        check_attributes(&public, STORAGE_ATTRIBUTES, STORAGE_FREE_ATTRIBUTES).map_err(storage)?;
        check_storage_key(&public).map_err(storage)?;
        Ok(StorageKey { public, name, freshness })
    }
}

fn storage(rule: KeyRule) -> Error {
    Error::Key { whose: "storage key", rule }
}

#[cfg(test)]
mod tests {
    use evtpm_tpm_wire::PublicBody;

    use super::*;
    use crate::recorded::NOW;
    use crate::tpm::soft_tpm::{SoftAk, certify_message, storage_key};

    fn certify(message: &[u8], public: &[u8], nonce: &[u8]) -> Result<StorageKey, Error> {
        let ak = SoftAk::new();
        let signature = ak.sign(message);
        let evidence = CertifyEvidence { message, signature: &signature, public };
        ak.trusted().certify(evidence, Issued::recorded(nonce), NOW)
    }

    #[test]
    fn a_certified_storage_key_is_good_for_secrets() {
        let public = storage_key(0x0003_0472);
        let key = certify(&certify_message(0x8017, &public, b"nonce of a test."), &public, b"nonce of a test.");
        assert!(matches!(key.unwrap().public().body, PublicBody::Ecc { .. }));
    }

    #[test]
    fn a_key_that_certified_itself_is_possessed_and_one_that_certified_another_is_not() {
        let ak = SoftAk::new();
        let size = u16::try_from(ak.area.len()).unwrap().to_be_bytes();
        let own = [size.as_slice(), &ak.area].concat();
        let prove = |message: &[u8], nonce: &[u8]| {
            ak.trusted().possession(message, &ak.sign(message), Issued::recorded(nonce), NOW)
        };
        let message = certify_message(0x8017, &own, b"nonce of a test.");
        assert_eq!(prove(&message, b"nonce of a test."), Ok(Freshness::Recorded));
        assert_eq!(prove(&message, b"nonce of another"), Err(Error::Nonce));
        let other = certify_message(0x8017, &storage_key(0x0003_0472), b"nonce of a test.");
        assert!(matches!(prove(&other, b"nonce of a test."), Err(Error::CertifiedName { .. })));
        let quote = certify_message(0x8018, &own, b"nonce of a test.");
        assert!(matches!(prove(&quote, b"nonce of a test."), Err(Error::AttestationType { .. })));
    }

    #[test]
    fn a_key_other_than_the_certified_one_is_the_hosts_own() {
        let public = storage_key(0x0003_0472);
        let message = certify_message(0x8017, &public, b"nonce of a test.");
        let other = storage_key(0x0003_0432);
        assert!(matches!(certify(&message, &other, b"nonce of a test."), Err(Error::CertifiedName { .. })));
    }

    #[test]
    fn a_key_that_can_leave_its_tpm_or_decrypts_anything_is_refused() {
        // fixedTPM, fixedParent, sensitiveDataOrigin, restricted and decrypt clear in turn; sign set
        for attributes in [0x0003_0470, 0x0003_0462, 0x0003_0452, 0x0002_0472, 0x0001_0472, 0x0007_0472] {
            let public = storage_key(attributes);
            let message = certify_message(0x8017, &public, b"nonce of a test.");
            assert_eq!(
                certify(&message, &public, b"nonce of a test."),
                Err(Error::Key {
                    whose: "storage key",
                    rule: KeyRule::Attributes { expected: 0x0003_0032, free: 0x4C0, actual: attributes }
                })
            );
        }
    }

    #[test]
    fn an_old_certification_and_a_quote_are_refused() {
        let public = storage_key(0x0003_0472);
        let message = certify_message(0x8017, &public, b"nonce of a test.");
        assert_eq!(certify(&message, &public, b"nonce of another"), Err(Error::Nonce));
        let quote = certify_message(0x8018, &public, b"nonce of a test.");
        assert_eq!(
            certify(&quote, &public, b"nonce of a test."),
            Err(Error::AttestationType { expected: 0x8017, actual: 0x8018 })
        );
    }

    #[test]
    fn a_certification_by_another_key_is_refused() {
        let public = storage_key(0x0003_0472);
        let message = certify_message(0x8017, &public, b"nonce of a test.");
        let mut signature = SoftAk::new().sign(&message);
        *signature.last_mut().unwrap() ^= 1;
        let evidence = CertifyEvidence { message: &message, signature: &signature, public: &public };
        let verdict = SoftAk::new().trusted().certify(evidence, Issued::recorded(b"nonce of a test."), NOW);
        assert!(matches!(verdict, Err(Error::Signature(_))));
    }
}
