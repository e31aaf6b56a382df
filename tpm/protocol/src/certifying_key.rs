// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An HMAC key that a verifier makes and one TPM imports below its endorsement key, to certify its other keys with (TCG "EK-Based Key
//! Attestation with TPM Firmware Version"; Part 1, "Duplication"; Part 3, "TPM2_Import", "TPM2_Certify").
//!
//! The TPM alone can open the duplicate, so that an HMAC with the key over a certificate is the word of the TPM with that endorsement key.
//! The key is restricted: its TPM makes no HMAC of what anybody else wrote, and whatever it signs as an attestation, it says itself. It
//! has no policy, so that its TPM duplicates it to nobody.
use evtpm_crypto::{Crypto, CryptoError, HashAlg as Hash, Rng, constant_time_eq};
use evtpm_tpm_wire::{
    HashAlg, PublicBody, Secret, SensitiveBody, Tpm2bAuth, Tpm2bDigest, Tpm2bSensitiveData, TpmaObject,
    TpmtKeyedhashScheme, TpmtPublic, TpmtSensitive, TpmtSignature,
};

use crate::ProtocolError;
use crate::duplication::{Duplicate, duplicate};

/// The size of the HMAC key: that of a SHA-256 digest.
pub const KEY_SIZE: usize = 32;

/// The HMAC key, of [`KEY_SIZE`] bytes: whoever knows it can certify whatever they like.
pub type HmacKey = Secret<KEY_SIZE>;

/// The key as an object, ready to be wrapped.
#[derive(Debug)]
pub struct CertifyingKey {
    public: TpmtPublic,
    sensitive: TpmtSensitive,
}

impl CertifyingKey {
    /// Makes an object of an HMAC key that nobody else knows.
    pub fn new<C: Crypto>(key: &HmacKey, rng: &mut dyn Rng) -> Result<Self, ProtocolError> {
        let mut obfuscation = Tpm2bAuth::zeros(KEY_SIZE)?;
        rng.fill(obfuscation.as_mut_bytes())?;
        // Part 1, "Public Area Creation": unique is H_nameAlg(seedValue || sensitive)
        let unique = C::hash(Hash::Sha256, &[obfuscation.as_bytes(), key.as_bytes()]);
        let body = SensitiveBody::KeyedHash(Tpm2bSensitiveData::new(key.as_bytes())?);
        let scheme = Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256));
        let public = TpmtPublic {
            name_alg: Some(HashAlg::Sha256),
            object_attributes: TpmaObject::USER_WITH_AUTH
                .with(TpmaObject::NO_DA)
                .with(TpmaObject::RESTRICTED)
                .with(TpmaObject::SIGN),
            auth_policy: Tpm2bDigest::EMPTY,
            body: PublicBody::KeyedHash { scheme, unique: Tpm2bDigest::new(unique.as_bytes())? },
        };
        Ok(Self { public, sensitive: TpmtSensitive { auth_value: Tpm2bAuth::EMPTY, seed_value: obfuscation, body } })
    }

    /// Returns the public area.
    pub const fn public(&self) -> &TpmtPublic {
        &self.public
    }

    /// Wraps the key for an endorsement key, whose TPM alone can import it.
    pub fn duplicate_for<C: Crypto>(&self, ek: &TpmtPublic, rng: &mut dyn Rng) -> Result<Duplicate, ProtocolError> {
        duplicate::<C>(&self.public, &self.sensitive, ek, rng)
    }
}

/// Checks that a holder of the HMAC key signed a message.
pub fn verify<C: Crypto>(key: &HmacKey, message: &[u8], signature: &TpmtSignature) -> Result<(), ProtocolError> {
    let TpmtSignature::Hmac(hmac) = signature else { return Err(ProtocolError::SignatureKind) };
    if hmac.hash_alg() != HashAlg::Sha256 {
        return Err(ProtocolError::SignatureKind);
    }
    // A signing command computes the HMAC of the message's digest, as all schemes sign one.
    let digest = C::hash(Hash::Sha256, &[message]);
    let expected = C::hmac(Hash::Sha256, key.as_bytes(), &[digest.as_bytes()]);
    if constant_time_eq(expected.as_bytes(), hmac.digest()) {
        Ok(())
    } else {
        Err(CryptoError::SignatureInvalid.into())
    }
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::RustCrypto;
    use evtpm_tpm_wire::TpmtHa;

    use super::*;

    fn key(fill: u8) -> HmacKey {
        HmacKey::new(&[fill; KEY_SIZE]).unwrap()
    }

    fn hmac(alg: HashAlg, digest: &[u8]) -> TpmtSignature {
        TpmtSignature::Hmac(TpmtHa::new(alg, digest).unwrap())
    }

    #[test]
    fn an_hmac_over_the_digest_of_the_message_is_a_signature_and_nothing_else_is() {
        let digest = RustCrypto::hash(Hash::Sha256, &[b"message"]);
        let mac = RustCrypto::hmac(Hash::Sha256, &[7; 32], &[digest.as_bytes()]);
        let good = hmac(HashAlg::Sha256, mac.as_bytes());
        let invalid = Err(ProtocolError::Crypto(CryptoError::SignatureInvalid));
        assert_eq!(verify::<RustCrypto>(&key(7), b"message", &good), Ok(()));
        assert_eq!(verify::<RustCrypto>(&key(8), b"message", &good), invalid);
        assert_eq!(verify::<RustCrypto>(&key(7), b"another", &good), invalid);
        let direct = RustCrypto::hmac(Hash::Sha256, &[7; 32], &[b"message"]);
        let direct = hmac(HashAlg::Sha256, direct.as_bytes());
        assert_eq!(verify::<RustCrypto>(&key(7), b"message", &direct), invalid);
        let other_hash = hmac(HashAlg::Sha1, &mac.as_bytes()[..20]);
        let refused = verify::<RustCrypto>(&key(7), b"message", &other_hash);
        assert_eq!(refused, Err(ProtocolError::SignatureKind));
    }

    #[test]
    fn the_object_signs_attestations_alone_and_never_leaves_its_tpm() {
        use crate::testing::CountingRng;
        let object = CertifyingKey::new::<RustCrypto>(&key(7), &mut CountingRng::new(1)).unwrap();
        let attributes = object.public().object_attributes;
        assert!(attributes.contains(TpmaObject::RESTRICTED | TpmaObject::SIGN));
        assert!(!attributes.intersects(TpmaObject::DECRYPT | TpmaObject::ADMIN_WITH_POLICY));
        assert!(object.public().auth_policy.is_empty());
    }
}
