// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ML-KEM over the ml-kem crate (FIPS 203).

use ml_kem::array::Array;
use ml_kem::kem::{Decapsulate as _, KeyExport as _};
use ml_kem::{B32, DecapsulationKey, EncapsulationKey, Seed};
use zeroize::{Zeroize, Zeroizing};

use crate::{CryptoError, MLKEM_SEED_SIZE, MlKemSet, Rng, SharedKey};

/// Evaluates an expression with the crate's type of a parameter set.
macro_rules! with_set {
    ($set:expr, $parameters:ident => $body:expr) => {
        match $set {
            MlKemSet::MlKem512 => {
                type $parameters = ml_kem::MlKem512;
                $body
            }
            MlKemSet::MlKem768 => {
                type $parameters = ml_kem::MlKem768;
                $body
            }
            MlKemSet::MlKem1024 => {
                type $parameters = ml_kem::MlKem1024;
                $body
            }
        }
    };
}

pub(super) fn public(set: MlKemSet, private: &[u8], public: &mut [u8]) -> Result<(), CryptoError> {
    let seed = seed(private)?;
    with_set!(set, P => {
        let key = DecapsulationKey::<P>::from_seed(*seed);
        fill(public, &key.encapsulation_key().to_bytes())
    })
}

pub(super) fn check(set: MlKemSet, public: &[u8]) -> Result<(), CryptoError> {
    let wrong_length = CryptoError::Length { expected: set.public_size(), actual: public.len() };
    with_set!(set, P => {
        let bytes = Array::try_from(public).map_err(|_| wrong_length)?;
        EncapsulationKey::<P>::new(&bytes).map(|_| ()).map_err(|_| CryptoError::LatticeKey)
    })
}

pub(super) fn encapsulate(
    set: MlKemSet,
    public: &[u8],
    rng: &mut dyn Rng,
    ciphertext: &mut [u8],
) -> Result<SharedKey, CryptoError> {
    let wrong_length = CryptoError::Length { expected: set.public_size(), actual: public.len() };
    let mut message = Zeroizing::new(B32::default());
    rng.fill(&mut message)?;
    with_set!(set, P => {
        let bytes = Array::try_from(public).map_err(|_| wrong_length)?;
        let key = EncapsulationKey::<P>::new(&bytes).map_err(|_| CryptoError::LatticeKey)?;
        let (encapsulated, shared) = key.encapsulate_deterministic(&message);
        fill(ciphertext, &encapsulated)?;
        Ok(wiped(shared))
    })
}

pub(super) fn decapsulate(set: MlKemSet, private: &[u8], ciphertext: &[u8]) -> Result<SharedKey, CryptoError> {
    let wrong_length = CryptoError::Length { expected: set.ciphertext_size(), actual: ciphertext.len() };
    let seed = seed(private)?;
    with_set!(set, P => {
        let encapsulated = Array::try_from(ciphertext).map_err(|_| wrong_length)?;
        Ok(wiped(DecapsulationKey::<P>::from_seed(*seed).decapsulate(&encapsulated)))
    })
}

fn seed(private: &[u8]) -> Result<Zeroizing<Seed>, CryptoError> {
    let wrong_length = CryptoError::Length { expected: MLKEM_SEED_SIZE, actual: private.len() };
    Seed::try_from(private).map(Zeroizing::new).map_err(|_| wrong_length)
}

fn wiped(mut shared: B32) -> SharedKey {
    let mut key = SharedKey::default();
    key.copy_from_slice(&shared);
    shared.zeroize();
    key
}

pub(super) fn fill(out: &mut [u8], bytes: &[u8]) -> Result<(), CryptoError> {
    if out.len() != bytes.len() {
        return Err(CryptoError::Length { expected: bytes.len(), actual: out.len() });
    }
    out.copy_from_slice(bytes);
    Ok(())
}
