// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sharing a seed with the holder of an asymmetric key (Part 1, "Labeled Key Encapsulation Mechanism (KEM)", "RSA Labeled
//! KEM", "ECC Labeled KEM", "ML-KEM Labeled KEM").
use evtpm_crypto::padding::oaep;
use evtpm_crypto::{Crypto, EccPrivate, Rng, RsaKey, kdfe};
use evtpm_tpm_wire::{
    EccCurve, MAX_RSA_KEY, Marshal, PublicBody, Secret, Supported, Tpm2bEccParameter, Tpm2bEncryptedSecret,
    TpmsEccPoint, TpmsRsaParms, TpmtPublic, TpmtRsaScheme, from_bytes,
};
use zeroize::Zeroizing;

use crate::labeled_kem::{recover_mlkem, recover_x25519, share_mlkem, share_x25519};
use crate::{ProtocolError, crypto_curve, crypto_hash, ecc_point, rsa_exponent, session::bits_of};

/// What a seed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A credential (`TPM2_MakeCredential`).
    Identity,
    /// A duplicate (`TPM2_Duplicate`).
    Duplicate,
    /// The salt of a session (`TPM2_StartAuthSession`).
    Secret,
}

impl Label {
    /// Returns the label with its terminating zero, which is hashed with it.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Identity => b"IDENTITY\0",
            Self::Duplicate => b"DUPLICATE\0",
            Self::Secret => b"SECRET\0",
        }
    }
}

/// A seed: as long as the digest of the recipient's nameAlg, or shorter where its scheme has a hash function with a shorter one.
pub type Seed = Secret<64>;

/// Makes a seed that only the holder of the recipient's private key can recover, and the bytes to recover it from.
pub fn share<C: Crypto>(
    recipient: &TpmtPublic,
    label: Label,
    rng: &mut dyn Rng,
) -> Result<(Seed, Tpm2bEncryptedSecret), ProtocolError> {
    let hash = hash_of(recipient)?;
    // "the decrypted salt value is larger than the size of the digest produced by the nameAlg of tpmKey" is TPM_RC_VALUE, and so
    // it is to the reference implementation with the hash function that it decrypts with.
    let name_alg = crypto_hash(recipient.name_alg.ok_or(ProtocolError::NoNameAlg)?)?;
    let mut seed = Seed::zeros(hash.digest_size().min(name_alg.digest_size()))?;
    match &recipient.body {
        PublicBody::Rsa { parms, unique } => {
            rng.fill(seed.as_mut_bytes())?;
            let mut encrypted = Tpm2bEncryptedSecret::zeros(unique.len())?;
            let block = encrypted.as_mut_bytes();
            oaep::encode::<C::Hasher>(hash, label.bytes(), seed.as_bytes(), rng, block)?;
            C::rsa_public(unique.as_bytes(), rsa_exponent(parms.exponent), block)?;
            Ok((seed, encrypted))
        }
        PublicBody::Mlkem { parms, unique } => share_mlkem::<C>(hash, parms.parameter_set, unique, label, rng),
        PublicBody::Ecc { parms, unique } if parms.curve_id == EccCurve::Curve25519 => {
            share_x25519::<C>(hash, unique, label, rng)
        }
        PublicBody::Ecc { parms, unique } => {
            let ephemeral = EccPrivate::generate(crypto_curve(parms.curve_id)?, rng)?;
            let public = C::ecc_public(&ephemeral)?;
            let recipient = ecc_point(parms.curve_id, unique)?;
            let shared = Zeroizing::new(C::ecc_multiply(&ephemeral, &recipient)?);
            let bits = bits_of(seed.len());
            kdfe::<C>(hash, shared.x(), label.bytes(), public.x(), recipient.x(), bits, seed.as_mut_bytes())?;
            let point = TpmsEccPoint { x: Tpm2bEccParameter::new(public.x())?, y: Tpm2bEccParameter::new(public.y())? };
            let mut buffer = [0; 136];
            Ok((seed, Tpm2bEncryptedSecret::new(point.to_bytes(&mut buffer)?)?))
        }
        body => Err(ProtocolError::KeyType(body.kind())),
    }
}

/// The hash function of a key's seeds: that of its nameAlg, unless an RSA key has a scheme with another. Of the scheme Part 1 and
/// Part 3 say that it is OAEP or none; the reference implementation takes its hash function too.
fn hash_of(recipient: &TpmtPublic) -> Result<evtpm_crypto::HashAlg, ProtocolError> {
    let scheme = match &recipient.body {
        PublicBody::Rsa { parms: TpmsRsaParms { scheme: Some(TpmtRsaScheme::Oaep(hash)), .. }, .. } => Some(*hash),
        _ => None,
    };
    crypto_hash(scheme.or(recipient.name_alg).ok_or(ProtocolError::NoNameAlg)?)
}

/// The private key that recovers a seed.
#[derive(Debug)]
pub enum PrivateKey<'a, C: Crypto> {
    /// An RSA key, and the memory in which it is used.
    Rsa(RsaKey<'a>, &'a mut C::RsaMemory),
    /// An ECC key.
    Ecc(&'a EccPrivate),
    /// An X25519 key.
    X25519(&'a [u8; 32]),
    /// The seed of an ML-KEM key.
    MlKem(&'a [u8]),
}

/// Recovers a seed that was shared with a key.
pub fn recover<C: Crypto>(
    recipient: &TpmtPublic,
    private: PrivateKey<'_, C>,
    label: Label,
    encrypted: &[u8],
    rng: &mut dyn Rng,
) -> Result<Seed, ProtocolError> {
    let hash = hash_of(recipient)?;
    match (&recipient.body, private) {
        (PublicBody::Rsa { unique, .. }, PrivateKey::Rsa(key, memory)) => {
            let mut block = Zeroizing::new([0; MAX_RSA_KEY]);
            let mut message = Zeroizing::new([0; MAX_RSA_KEY]);
            let block = block.get_mut(..unique.len()).ok_or(ProtocolError::TooLong)?;
            if encrypted.len() != block.len() {
                return Err(ProtocolError::TooLong);
            }
            block.iter_mut().zip(encrypted).for_each(|(to, from)| *to = *from);
            C::rsa_private(key, block, rng, memory)?;
            let size = oaep::decode::<C::Hasher>(hash, label.bytes(), block, &mut *message)?;
            // A seed longer than a digest is no seed that Part 1 knows of.
            let seed = message.get(..size).filter(|seed| seed.len() <= hash.digest_size());
            Ok(Seed::new(seed.ok_or(ProtocolError::TooLong)?)?)
        }
        (PublicBody::Ecc { parms, unique }, PrivateKey::Ecc(key)) => {
            let point: TpmsEccPoint = from_bytes(encrypted, &Supported::ALL).map_err(ProtocolError::Malformed)?;
            let ephemeral = ecc_point(parms.curve_id, &point)?;
            let shared = Zeroizing::new(C::ecc_multiply(key, &ephemeral)?);
            let recipient = ecc_point(parms.curve_id, unique)?;
            let mut seed = Seed::zeros(hash.digest_size())?;
            let bits = bits_of(seed.len());
            // The ephemeral coordinate as it was sent: tpm2-tools leaves its leading zeros out, in what it sends and in what
            // it hashes, and the reference TPM hashes what it received.
            let sent = point.x.as_bytes();
            kdfe::<C>(hash, shared.x(), label.bytes(), sent, recipient.x(), bits, seed.as_mut_bytes())?;
            Ok(seed)
        }
        (PublicBody::Ecc { unique, .. }, PrivateKey::X25519(key)) => {
            recover_x25519::<C>(hash, unique, key, label, encrypted)
        }
        (PublicBody::Mlkem { parms, unique }, PrivateKey::MlKem(seed)) => {
            recover_mlkem::<C>(hash, parms.parameter_set, unique, seed, label, encrypted)
        }
        (body, _) => Err(ProtocolError::KeyType(body.kind())),
    }
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::{CryptoError, RustCrypto, RustHasher};
    use evtpm_tpm_wire::HashAlg;

    use super::*;
    use crate::testing::{CountingRng, ecc_key, private, rsa_key};

    #[test]
    fn the_holder_of_an_ecc_key_recovers_the_seed() {
        let (public, private) = ecc_key();
        let mut rng = CountingRng::new(1);
        let (seed, encrypted) = share::<RustCrypto>(&public, Label::Identity, &mut rng).unwrap();
        let recover = |label, bytes: &[u8]| {
            recover::<RustCrypto>(&public, PrivateKey::Ecc(&private), label, bytes, &mut CountingRng::new(2))
        };
        assert_eq!(recover(Label::Identity, encrypted.as_bytes()), Ok(seed.clone()));
        assert_ne!(recover(Label::Duplicate, encrypted.as_bytes()), Ok(seed));
        let mut off_curve = encrypted;
        off_curve.as_mut_bytes()[20] ^= 1;
        let error = recover(Label::Identity, off_curve.as_bytes()).unwrap_err();
        assert_eq!(error, ProtocolError::Crypto(CryptoError::PointNotOnCurve));
        assert_eq!(error.rc(), evtpm_tpm_wire::Rc::ECC_POINT);
    }

    #[test]
    fn a_coordinate_sent_without_its_leading_zero_is_hashed_as_it_was_sent() {
        let (public, private) = ecc_key();
        let mut rng = CountingRng::new(3);
        let (ephemeral, point) = loop {
            let key = EccPrivate::generate(evtpm_crypto::EccCurve::P256, &mut rng).unwrap();
            let point = RustCrypto::ecc_public(&key).unwrap();
            if point.x()[0] == 0 {
                break (key, point);
            }
        };
        let PublicBody::Ecc { parms, unique } = &public.body else { panic!("an ECC key") };
        let recipient = ecc_point(parms.curve_id, unique).unwrap();
        let shared = RustCrypto::ecc_multiply(&ephemeral, &recipient).unwrap();
        for sent in [point.x(), &point.x()[1..]] {
            let mut expected = Seed::zeros(32).unwrap();
            let (label, alg) = (Label::Identity.bytes(), evtpm_crypto::HashAlg::Sha256);
            kdfe::<RustCrypto>(alg, shared.x(), label, sent, recipient.x(), 256, expected.as_mut_bytes()).unwrap();
            let encrypted = TpmsEccPoint {
                x: Tpm2bEccParameter::new(sent).unwrap(),
                y: Tpm2bEccParameter::new(point.y()).unwrap(),
            };
            let mut buffer = [0; 136];
            let bytes = encrypted.to_bytes(&mut buffer).unwrap();
            let key = PrivateKey::Ecc(&private);
            let seed = recover::<RustCrypto>(&public, key, Label::Identity, bytes, &mut CountingRng::new(2));
            assert_eq!(seed, Ok(expected));
        }
    }

    #[test]
    fn the_holder_of_an_rsa_key_recovers_the_seed() {
        let (public, prime) = rsa_key();
        let mut rng = CountingRng::new(1);
        let (seed, encrypted) = share::<RustCrypto>(&public, Label::Identity, &mut rng).unwrap();
        let recover = |label, bytes: &[u8]| {
            let mut memory = Default::default();
            let key = PrivateKey::Rsa(private(&public, &prime), &mut memory);
            recover::<RustCrypto>(&public, key, label, bytes, &mut CountingRng::new(2))
        };
        assert_eq!(recover(Label::Identity, encrypted.as_bytes()), Ok(seed));
        let padding = Err(ProtocolError::Crypto(CryptoError::Padding));
        assert_eq!(recover(Label::Secret, encrypted.as_bytes()), padding);
        assert_eq!(recover(Label::Identity, &encrypted.as_bytes()[1..]), Err(ProtocolError::TooLong));
    }

    #[test]
    fn the_scheme_of_an_rsa_key_decides_the_hash_function() {
        let (mut public, prime) = rsa_key();
        let PublicBody::Rsa { parms, unique } = &mut public.body else { panic!("an RSA key") };
        parms.scheme = Some(TpmtRsaScheme::Oaep(HashAlg::Sha1));
        let modulus = *unique;
        let mut rng = CountingRng::new(1);
        let (seed, encrypted) = share::<RustCrypto>(&public, Label::Secret, &mut rng).unwrap();
        assert_eq!(seed.len(), 20);
        let mut recover = |bytes: &[u8]| {
            let mut memory = Default::default();
            let key = PrivateKey::Rsa(private(&public, &prime), &mut memory);
            recover::<RustCrypto>(&public, key, Label::Secret, bytes, &mut rng)
        };
        assert_eq!(recover(encrypted.as_bytes()), Ok(seed));
        let mut seal = |hash, seed: &[u8]| {
            let mut block = [0; 128];
            let label = Label::Secret.bytes();
            oaep::encode::<RustHasher>(hash, label, seed, &mut CountingRng::new(3), &mut block).unwrap();
            RustCrypto::rsa_public(modulus.as_bytes(), 65_537, &mut block).unwrap();
            recover(&block)
        };
        let sha1 = evtpm_crypto::HashAlg::Sha1;
        assert_eq!(seal(sha1, &[7; 20]), Ok(Seed::new(&[7; 20]).unwrap()));
        assert_eq!(seal(sha1, &[7; 21]), Err(ProtocolError::TooLong));
        let padding = Err(ProtocolError::Crypto(CryptoError::Padding));
        assert_eq!(seal(evtpm_crypto::HashAlg::Sha256, &[7; 20]), padding);
    }
}
