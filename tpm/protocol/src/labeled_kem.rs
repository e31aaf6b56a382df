// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The labeled KEMs of X25519 and ML-KEM (Part 1, "ECC Labeled KEM", "ML-KEM Labeled KEM").
use evtpm_crypto::{Crypto, HashAlg, Rng, kdfa, kdfe};
use evtpm_tpm_wire::{
    Marshal, Supported, Tpm2bEccParameter, Tpm2bEncryptedSecret, Tpm2bPublicKeyMlkem, TpmiMlkemParms, TpmsEccPoint,
    from_bytes,
};
use zeroize::Zeroizing;

use crate::secret::{Label, Seed};
use crate::{ProtocolError, curve25519_key, mlkem_set, session::bits_of};

/// The size of a point without y on the wire.
const POINT_SIZE: usize = 36;

/// Shares a seed with an X25519 key. "For an ECDH public key and shared secret, the representation described above MUST
/// also be used when input to the KDFe() function": little-endian.
pub(crate) fn share_x25519<C: Crypto>(
    hash: HashAlg,
    unique: &TpmsEccPoint,
    label: Label,
    rng: &mut dyn Rng,
) -> Result<(Seed, Tpm2bEncryptedSecret), ProtocolError> {
    let recipient = curve25519_key(unique)?;
    let mut ephemeral = Zeroizing::new([0; 32]);
    rng.fill(&mut *ephemeral)?;
    let public = C::x25519_public(&ephemeral)?;
    let shared = C::x25519(&ephemeral, &recipient)?;
    let seed = x25519_seed::<C>(hash, &*shared, label, &public, &recipient)?;
    let point = TpmsEccPoint { x: Tpm2bEccParameter::new(&public)?, y: Tpm2bEccParameter::EMPTY };
    let mut buffer = [0; POINT_SIZE];
    Ok((seed, Tpm2bEncryptedSecret::new(point.to_bytes(&mut buffer)?)?))
}

/// Recovers a seed that was shared with an X25519 key.
pub(crate) fn recover_x25519<C: Crypto>(
    hash: HashAlg,
    unique: &TpmsEccPoint,
    private: &[u8; 32],
    label: Label,
    encrypted: &[u8],
) -> Result<Seed, ProtocolError> {
    let point: TpmsEccPoint = from_bytes(encrypted, &Supported::ALL).map_err(ProtocolError::Malformed)?;
    let ephemeral = curve25519_key(&point)?;
    let shared = C::x25519(private, &ephemeral)?;
    x25519_seed::<C>(hash, &*shared, label, &ephemeral, &curve25519_key(unique)?)
}

fn x25519_seed<C: Crypto>(
    hash: HashAlg,
    shared: &[u8],
    label: Label,
    ephemeral: &[u8],
    recipient: &[u8],
) -> Result<Seed, ProtocolError> {
    let mut seed = Seed::zeros(hash.digest_size())?;
    let bits = bits_of(seed.len());
    kdfe::<C>(hash, shared, label.bytes(), ephemeral, recipient, bits, seed.as_mut_bytes())?;
    Ok(seed)
}

/// Shares a seed with an ML-KEM key.
pub(crate) fn share_mlkem<C: Crypto>(
    hash: HashAlg,
    parms: TpmiMlkemParms,
    unique: &Tpm2bPublicKeyMlkem,
    label: Label,
    rng: &mut dyn Rng,
) -> Result<(Seed, Tpm2bEncryptedSecret), ProtocolError> {
    let set = mlkem_set(parms);
    let mut ciphertext = Tpm2bEncryptedSecret::zeros(set.ciphertext_size())?;
    let shared = C::mlkem_encapsulate(set, unique.as_bytes(), rng, ciphertext.as_mut_bytes())?;
    Ok((mlkem_seed::<C>(hash, &*shared, label, ciphertext.as_bytes(), unique.as_bytes())?, ciphertext))
}

/// Recovers a seed that was shared with an ML-KEM key; from what nobody made, another seed comes out.
pub(crate) fn recover_mlkem<C: Crypto>(
    hash: HashAlg,
    parms: TpmiMlkemParms,
    unique: &Tpm2bPublicKeyMlkem,
    private: &[u8],
    label: Label,
    encrypted: &[u8],
) -> Result<Seed, ProtocolError> {
    if encrypted.len() != mlkem_set(parms).ciphertext_size() {
        return Err(ProtocolError::TooLong);
    }
    let shared = C::mlkem_decapsulate(mlkem_set(parms), private, encrypted)?;
    mlkem_seed::<C>(hash, &*shared, label, encrypted, unique.as_bytes())
}

/// "seed := KDFa(hashAlg, K, label, ciphertext, publicKey, bits)".
fn mlkem_seed<C: Crypto>(
    hash: HashAlg,
    shared: &[u8],
    label: Label,
    ciphertext: &[u8],
    public: &[u8],
) -> Result<Seed, ProtocolError> {
    let mut seed = Seed::zeros(hash.digest_size())?;
    let bits = bits_of(seed.len());
    kdfa::<C>(hash, shared, label.bytes(), ciphertext, public, bits, seed.as_mut_bytes())?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::{CryptoError, RustCrypto};
    use evtpm_tpm_wire::{EccCurve, PublicBody, TpmsEccParms, TpmtPublic, TpmtSymDefObject};

    use super::*;
    use crate::secret::{PrivateKey, recover, share};
    use crate::templates::{EkTemplate, pqc};
    use crate::testing::CountingRng;

    fn check(public: &TpmtPublic, private: impl Fn() -> PrivateKey<'static, RustCrypto>) -> Tpm2bEncryptedSecret {
        let (seed, encrypted) = share::<RustCrypto>(public, Label::Identity, &mut CountingRng::new(1)).unwrap();
        let open = |label, bytes: &[u8]| recover(public, private(), label, bytes, &mut CountingRng::new(2));
        assert_eq!(open(Label::Identity, encrypted.as_bytes()), Ok(seed.clone()));
        assert_ne!(open(Label::Secret, encrypted.as_bytes()), Ok(seed.clone()));
        assert!(open(Label::Identity, &encrypted.as_bytes()[1..]).is_err());
        encrypted
    }

    #[test]
    fn the_holder_of_an_mlkem_key_recovers_the_seed() {
        for (parms, size) in
            [(TpmiMlkemParms::MlKem512, 768), (TpmiMlkemParms::MlKem768, 1088), (TpmiMlkemParms::MlKem1024, 1568)]
        {
            let mut public = pqc::endorsement_key(parms);
            let PublicBody::Mlkem { unique, .. } = &mut public.body else { panic!("an ML-KEM key") };
            *unique = Tpm2bPublicKeyMlkem::zeros(mlkem_set(parms).public_size()).unwrap();
            RustCrypto::mlkem_public(mlkem_set(parms), &[7; 64], unique.as_mut_bytes()).unwrap();
            assert_eq!(check(&public, || PrivateKey::MlKem(&[7; 64])).len(), size);
        }
    }

    #[test]
    fn the_holder_of_an_x25519_key_recovers_the_seed() {
        let mut public = EkTemplate::L2.public();
        let x = Tpm2bEccParameter::new(&RustCrypto::x25519_public(&[7; 32]).unwrap()).unwrap();
        let symmetric = Some(TpmtSymDefObject::AES_128_CFB);
        public.body = PublicBody::Ecc {
            parms: TpmsEccParms { symmetric, scheme: None, curve_id: EccCurve::Curve25519, kdf: None },
            unique: TpmsEccPoint { x, y: Tpm2bEccParameter::EMPTY },
        };
        assert_eq!(check(&public, || PrivateKey::X25519(&[7; 32])).len(), POINT_SIZE);
    }

    #[test]
    fn a_point_of_small_order_shares_nothing() {
        let zero = TpmsEccPoint { x: Tpm2bEccParameter::zeros(32).unwrap(), y: Tpm2bEccParameter::EMPTY };
        let mut buffer = [0; POINT_SIZE];
        let encrypted = zero.to_bytes(&mut buffer).unwrap();
        let recovered = recover_x25519::<RustCrypto>(HashAlg::Sha256, &zero, &[7; 32], Label::Secret, encrypted);
        assert_eq!(recovered, Err(ProtocolError::Crypto(CryptoError::PointAtInfinity)));
    }
}
