// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys of ML-KEM and ML-DSA, whose private halves are seeds (Part 1, "ML-KEM Key Representation and Generation", "ML-DSA
//! Key Representation and Generation").

use super::create::{CreateError, fill};
use evtpm_crypto::{Crypto, CryptoError, Rng};
use evtpm_protocol::{mldsa_set, mlkem_set};
use evtpm_tpm_wire::{
    Large, Overflow, PublicBody, Rc, SensitiveBody, Tpm2bPrivateKeyMldsa, Tpm2bPrivateKeyMlkem, Tpm2bPublicKeyMldsa,
    Tpm2bPublicKeyMlkem, TpmiMldsaParms, TpmiMlkemParms,
};

/// Samples a seed and computes its public key: "sampling the seed from the entropy source".
pub(super) fn mldsa<C: Crypto>(
    parms: TpmiMldsaParms,
    unique: &mut Tpm2bPublicKeyMldsa,
    rng: &mut dyn Rng,
) -> Result<Tpm2bPrivateKeyMldsa, CreateError> {
    let mut seed = Tpm2bPrivateKeyMldsa::zeros(Tpm2bPrivateKeyMldsa::CAPACITY)?;
    fill(rng, seed.as_mut_bytes())?;
    *unique = zeros(mldsa_set(parms).public_size())?;
    C::mldsa_public(mldsa_set(parms), seed.as_bytes(), unique.as_mut_bytes())?;
    Ok(seed)
}

/// Samples a seed `d || z` and computes its public key.
pub(super) fn mlkem<C: Crypto>(
    parms: TpmiMlkemParms,
    unique: &mut Tpm2bPublicKeyMlkem,
    rng: &mut dyn Rng,
) -> Result<Tpm2bPrivateKeyMlkem, CreateError> {
    let mut seed = Tpm2bPrivateKeyMlkem::zeros(Tpm2bPrivateKeyMlkem::CAPACITY)?;
    fill(rng, seed.as_mut_bytes())?;
    *unique = zeros(mlkem_set(parms).public_size())?;
    C::mlkem_public(mlkem_set(parms), seed.as_bytes(), unique.as_mut_bytes())?;
    Ok(seed)
}

/// Checks a public key by itself: its size and, of ML-KEM, what FIPS 203 checks of an encapsulation key.
pub(super) fn check_unique<C: Crypto>(body: &PublicBody) -> Result<(), Rc> {
    match body {
        PublicBody::Mldsa { unique, .. } | PublicBody::HashMldsa { unique, .. }
            if unique.len() == mldsa_public_size(body) =>
        {
            Ok(())
        }
        PublicBody::Mlkem { parms, unique } => {
            C::mlkem_check(mlkem_set(parms.parameter_set), unique.as_bytes()).map_err(|_| Rc::KEY)
        }
        _ => Err(Rc::KEY),
    }
}

const fn mldsa_public_size(body: &PublicBody) -> usize {
    match body {
        PublicBody::Mldsa { parms, .. } => mldsa_set(parms.parameter_set).public_size(),
        PublicBody::HashMldsa { parms, .. } => mldsa_set(parms.parameter_set).public_size(),
        _ => 0,
    }
}

/// Computes the public key of a seed and compares; `None` for what is no pair of these types.
pub(super) fn is_bound<C: Crypto>(public: &PublicBody, sensitive: &SensitiveBody) -> Option<Result<bool, CryptoError>> {
    Some(match (public, sensitive) {
        (PublicBody::Mldsa { parms, unique }, SensitiveBody::Mldsa(seed)) => {
            mldsa_is_bound::<C>(parms.parameter_set, unique, seed)
        }
        (PublicBody::HashMldsa { parms, unique }, SensitiveBody::HashMldsa(seed)) => {
            mldsa_is_bound::<C>(parms.parameter_set, unique, seed)
        }
        (PublicBody::Mlkem { parms, unique }, SensitiveBody::Mlkem(seed)) => {
            let set = mlkem_set(parms.parameter_set);
            compare(unique, set.public_size(), |public| C::mlkem_public(set, seed.as_bytes(), public))
        }
        _ => return None,
    })
}

fn mldsa_is_bound<C: Crypto>(
    parms: TpmiMldsaParms,
    unique: &Tpm2bPublicKeyMldsa,
    seed: &Tpm2bPrivateKeyMldsa,
) -> Result<bool, CryptoError> {
    let set = mldsa_set(parms);
    compare(unique, set.public_size(), |public| C::mldsa_public(set, seed.as_bytes(), public))
}

fn compare<const MAX: usize>(
    unique: &Large<MAX>,
    size: usize,
    compute: impl FnOnce(&mut [u8]) -> Result<(), CryptoError>,
) -> Result<bool, CryptoError> {
    let too_long = CryptoError::OutputTooLong { actual: size };
    let mut public = Large::<MAX>::zeros(size).map_err(|Overflow| too_long)?;
    compute(public.as_mut_bytes())?;
    Ok(public == *unique)
}

fn zeros<const MAX: usize>(size: usize) -> Result<Large<MAX>, Rc> {
    Large::zeros(size).map_err(|Overflow| Rc::MEMORY)
}
