// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ML-DSA over the ml-dsa crate (FIPS 204), which signs and verifies message representatives made above it.

use core::convert::Infallible;

use ml_dsa::{
    EncodedVerifyingKey, Keypair as _, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Seed, Signature, SigningKey,
    VerifyingKey,
};
use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use super::mlkem::fill;
use crate::{CryptoError, MLDSA_SEED_SIZE, MU_SIZE, MlDsaSet, Rng};

pub(super) fn public(set: MlDsaSet, private: &[u8], public: &mut [u8]) -> Result<(), CryptoError> {
    match set {
        MlDsaSet::MlDsa44 => public_of::<MlDsa44>(private, public),
        MlDsaSet::MlDsa65 => public_of::<MlDsa65>(private, public),
        MlDsaSet::MlDsa87 => public_of::<MlDsa87>(private, public),
    }
}

fn public_of<P: MlDsaParams>(private: &[u8], public: &mut [u8]) -> Result<(), CryptoError> {
    fill(public, &SigningKey::<P>::from_seed(&*seed(private)?).verifying_key().encode())
}

pub(super) fn sign(
    set: MlDsaSet,
    private: &[u8],
    mu: &[u8; MU_SIZE],
    rng: &mut dyn Rng,
    signature: &mut [u8],
) -> Result<(), CryptoError> {
    match set {
        MlDsaSet::MlDsa44 => sign_with::<MlDsa44>(private, mu, rng, signature),
        MlDsaSet::MlDsa65 => sign_with::<MlDsa65>(private, mu, rng, signature),
        MlDsaSet::MlDsa87 => sign_with::<MlDsa87>(private, mu, rng, signature),
    }
}

fn sign_with<P: MlDsaParams>(
    private: &[u8],
    mu: &[u8; MU_SIZE],
    rng: &mut dyn Rng,
    signature: &mut [u8],
) -> Result<(), CryptoError> {
    let mut random = Once(Zeroizing::new([0; 32]));
    rng.fill(random.0.as_mut_slice())?;
    let key = SigningKey::<P>::from_seed(&*seed(private)?);
    let signed = key.expanded_key().sign_mu_randomized(&(*mu).into(), &mut random);
    // The rejection sampling gives up after more rounds than chance ever needs.
    fill(signature, &signed.map_err(|_| CryptoError::SignatureInvalid)?.encode())
}

pub(super) fn verify(set: MlDsaSet, public: &[u8], mu: &[u8; MU_SIZE], signature: &[u8]) -> Result<(), CryptoError> {
    match set {
        MlDsaSet::MlDsa44 => verify_with::<MlDsa44>(public, mu, signature),
        MlDsaSet::MlDsa65 => verify_with::<MlDsa65>(public, mu, signature),
        MlDsaSet::MlDsa87 => verify_with::<MlDsa87>(public, mu, signature),
    }
    .map_err(|error| match error {
        CryptoError::Length { .. } => CryptoError::Length { expected: set.public_size(), actual: public.len() },
        other => other,
    })
}

fn verify_with<P: MlDsaParams>(public: &[u8], mu: &[u8; MU_SIZE], signature: &[u8]) -> Result<(), CryptoError> {
    let encoded = EncodedVerifyingKey::<P>::try_from(public)
        .map_err(|_| CryptoError::Length { expected: 0, actual: public.len() })?;
    let signature = Signature::<P>::try_from(signature).map_err(|_| CryptoError::SignatureInvalid)?;
    let is_valid = VerifyingKey::<P>::decode(&encoded).verify_mu(&(*mu).into(), &signature);
    if is_valid { Ok(()) } else { Err(CryptoError::SignatureInvalid) }
}

fn seed(private: &[u8]) -> Result<Zeroizing<Seed>, CryptoError> {
    let wrong_length = CryptoError::Length { expected: MLDSA_SEED_SIZE, actual: private.len() };
    Seed::try_from(private).map(Zeroizing::new).map_err(|_| wrong_length)
}

/// Hands out bytes that our generator gave, to a crate that asks for a generator of another kind and 32 bytes of it.
struct Once(Zeroizing<[u8; 32]>);

impl TryRng for Once {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.iter_mut().zip(self.0.iter()).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

impl TryCryptoRng for Once {}
