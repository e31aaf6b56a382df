// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A storage key that outlives its TPMs: made outside, kept by a key broker, and imported below the storage root key of
//! each boot (Part 1, "Duplication"; Part 3, "TPM2_Import").
//!
//! What is sealed below it needs it and no particular TPM, so the sealed blob stays the same over boots of an ephemeral
//! TPM, while the root key that the duplicate is wrapped for is another one each time.
use evtpm_crypto::rsa::RsaPrivate;
use evtpm_crypto::{Crypto, EccCurve as Curve, EccPrivate, Rng};
use evtpm_tpm_wire::{
    EccCurve, HashAlg, PublicBody, Reader, SensitiveBody, Supported, Tpm2b, Tpm2bAuth, Tpm2bDigest, Tpm2bEccParameter,
    Tpm2bEccPrivate, Tpm2bPrivateKeyRsa, Tpm2bPublicKeyRsa, TpmaObject, TpmiRsaKeyBits, TpmsEccParms, TpmsEccPoint,
    TpmsRsaParms, TpmtPublic, TpmtSensitive, TpmtSymDefObject, Writer,
};
use zeroize::Zeroizing;

use crate::ProtocolError;
use crate::duplication::{Duplicate, duplicate};

/// The nameAlg, whose digest is also the size of the seed.
const NAME_ALG: HashAlg = HashAlg::Sha256;
const SEED_SIZE: usize = 32;

/// What is kept of a key: TPM2B_PUBLIC ‖ TPM2B_SENSITIVE.
pub const INTERMEDIATE_KEY_SIZE: usize = 512;

const RSA_BITS: u16 = 2048;
const RSA_BYTES: usize = 256;
const RSA_EXPONENT: u32 = 65_537;

/// A storage key, P-256 or RSA-2048, with its private part.
#[derive(Debug)]
pub struct IntermediateKey {
    public: TpmtPublic,
    sensitive: TpmtSensitive,
}

impl IntermediateKey {
    /// Makes a P-256 key: restricted to decryption, free to be imported anywhere, used without an authValue.
    pub fn generate<C: Crypto>(rng: &mut dyn Rng) -> Result<Self, ProtocolError> {
        let private = EccPrivate::generate(Curve::P256, rng)?;
        let point = C::ecc_public(&private)?;
        let unique = TpmsEccPoint { x: Tpm2bEccParameter::new(point.x())?, y: Tpm2bEccParameter::new(point.y())? };
        let parms = TpmsEccParms {
            symmetric: Some(TpmtSymDefObject::AES_128_CFB),
            scheme: None,
            curve_id: EccCurve::NistP256,
            kdf: None,
        };
        let private = SensitiveBody::Ecc(Tpm2bEccPrivate::new(private.as_bytes())?);
        Self::of(PublicBody::Ecc { parms, unique }, private, rng)
    }

    /// Makes an RSA-2048 key, for TPMs that have no elliptic curves; otherwise as [`Self::generate`].
    pub fn generate_rsa(rng: &mut dyn Rng) -> Result<Self, ProtocolError> {
        let mut private = RsaPrivate::default();
        private.generate(usize::from(RSA_BITS), RSA_EXPONENT, rng)?;
        let mut modulus = [0; RSA_BYTES];
        private.write_modulus(&mut modulus)?;
        let mut prime = Zeroizing::new([0; RSA_BYTES / 2]);
        private.write_prime(&mut *prime)?;
        let parms = TpmsRsaParms {
            symmetric: Some(TpmtSymDefObject::AES_128_CFB),
            scheme: None,
            key_bits: TpmiRsaKeyBits(RSA_BITS),
            exponent: 0,
        };
        let unique = Tpm2bPublicKeyRsa::new(&modulus)?;
        let private = SensitiveBody::Rsa(Tpm2bPrivateKeyRsa::new(&*prime)?);
        Self::of(PublicBody::Rsa { parms, unique }, private, rng)
    }

    /// A key of these two halves, with a new seed for what it will protect.
    fn of(public: PublicBody, private: SensitiveBody, rng: &mut dyn Rng) -> Result<Self, ProtocolError> {
        let mut seed = Tpm2bAuth::zeros(SEED_SIZE)?;
        rng.fill(seed.as_mut_bytes())?;
        let sensitive = TpmtSensitive { auth_value: Tpm2bAuth::EMPTY, seed_value: seed, body: private };
        Ok(Self { public: area(public), sensitive })
    }

    /// Returns the public area.
    pub const fn public(&self) -> &TpmtPublic {
        &self.public
    }

    /// Wraps the key for a storage key, RSA or ECC, which alone can import it.
    ///
    /// Whoever calls this knows that the storage key lives in a TPM that deserves the key.
    pub fn duplicate_for<C: Crypto>(
        &self,
        recipient: &TpmtPublic,
        rng: &mut dyn Rng,
    ) -> Result<Duplicate, ProtocolError> {
        duplicate::<C>(&self.public, &self.sensitive, recipient, rng)
    }

    /// Writes the key into `buffer`, to be kept in secret, and returns how many bytes it takes.
    pub fn write(&self, buffer: &mut [u8; INTERMEDIATE_KEY_SIZE]) -> Result<usize, ProtocolError> {
        let mut writer = Writer::new(buffer);
        writer.sized(&self.public)?;
        writer.sized(&self.sensitive)?;
        Ok(writer.written())
    }

    /// Reads a key that [`Self::write`] wrote.
    pub fn read(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(bytes, &Supported::ALL);
        let public: Tpm2b<TpmtPublic> = reader.read().map_err(ProtocolError::Malformed)?;
        let sensitive: Tpm2b<TpmtSensitive> = reader.read().map_err(ProtocolError::Malformed)?;
        reader.finish().map_err(ProtocolError::Malformed)?;
        Ok(Self { public: public.0, sensitive: sensitive.0 })
    }
}

const fn area(body: PublicBody) -> TpmtPublic {
    TpmtPublic {
        name_alg: Some(NAME_ALG),
        object_attributes: TpmaObject::USER_WITH_AUTH
            .with(TpmaObject::NO_DA)
            .with(TpmaObject::RESTRICTED)
            .with(TpmaObject::DECRYPT),
        auth_policy: Tpm2bDigest::EMPTY,
        body,
    }
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::RustCrypto;

    use super::*;
    use crate::duplication::open_outer;
    use crate::object_name;
    use crate::secret::{Label, PrivateKey, recover};
    use crate::testing::{CountingRng, ecc_key};
    use crate::wrap::Wrapper;

    #[test]
    fn a_kept_key_is_the_same_key() {
        let elliptic = IntermediateKey::generate::<RustCrypto>(&mut CountingRng::new(1)).unwrap();
        let rsa = IntermediateKey::generate_rsa(&mut CountingRng::new(1)).unwrap();
        for key in [elliptic, rsa] {
            let mut buffer = [0; INTERMEDIATE_KEY_SIZE];
            let size = key.write(&mut buffer).unwrap();
            let read = IntermediateKey::read(&buffer[..size]).unwrap();
            assert_eq!((read.public, read.sensitive), (key.public, key.sensitive));
            assert!(IntermediateKey::read(&buffer[..size - 1]).is_err());
            assert!(IntermediateKey::read(&buffer[..=size]).is_err());
        }
    }

    #[test]
    fn the_recipient_alone_recovers_the_sensitive_area() {
        let key = IntermediateKey::generate::<RustCrypto>(&mut CountingRng::new(1)).unwrap();
        let (recipient, private) = ecc_key();
        let wrapped = key.duplicate_for::<RustCrypto>(&recipient, &mut CountingRng::new(2)).unwrap();
        let open = |secret: &[u8]| {
            let private = PrivateKey::<RustCrypto>::Ecc(&private);
            let seed = recover(&recipient, private, Label::Duplicate, secret, &mut CountingRng::new(3))?;
            let name = object_name::<RustCrypto>(key.public())?;
            let cipher = TpmtSymDefObject::AES_128_CFB;
            let wrapper = Wrapper { hash: NAME_ALG, cipher, seed: seed.as_bytes(), name: name.as_bytes() };
            open_outer::<RustCrypto>(&wrapper, wrapped.duplicate.as_bytes())
        };
        let mut expected = [0; INTERMEDIATE_KEY_SIZE];
        let mut writer = Writer::new(&mut expected);
        writer.sized(&key.sensitive).unwrap();
        assert_eq!(open(wrapped.secret.as_bytes()).unwrap().as_bytes(), writer.as_written());

        let other = key.duplicate_for::<RustCrypto>(&recipient, &mut CountingRng::new(4)).unwrap();
        assert_eq!(open(other.secret.as_bytes()), Err(ProtocolError::Integrity));
    }

    #[test]
    fn a_signing_key_is_no_recipient() {
        let key = IntermediateKey::generate::<RustCrypto>(&mut CountingRng::new(1)).unwrap();
        let refused = key.duplicate_for::<RustCrypto>(&crate::templates::attestation_key(), &mut CountingRng::new(2));
        assert_eq!(refused, Err(ProtocolError::NotAStorageKey));
    }
}
