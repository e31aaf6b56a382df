// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Making the keys of an object, from a generator that may be deterministic (Part 1, "Object Creation").

use super::lattice;
use crate::algorithm;
use crate::state::Auth;
use crate::work::Work;
use evtpm_crypto::drbg::HmacDrbg;
use evtpm_crypto::{Crypto, CryptoError, EccPrivate, HashAlg, Rng};
use evtpm_protocol::rsa_exponent;
use evtpm_tpm_wire::{
    EccCurve, MAX_PUBLIC_HEAD, Overflow, PublicBody, Rc, Secret, SensitiveBody, Tpm2bDigest, Tpm2bEccParameter,
    Tpm2bEccPrivate, Tpm2bPrivateKeyRsa, Tpm2bPublicKeyRsa, Tpm2bSensitiveData, Tpm2bSymKey, TpmaObject, TpmsEccPoint,
    TpmtKeyedhashScheme, TpmtPublic, TpmtSensitive,
};
use zeroize::Zeroizing;

/// Separates what is derived from a primary seed for objects from everything else.
const PRIMARY_OBJECT: &[u8] = b"Primary Object Creation";

/// Why no key was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CreateError {
    /// The template or the caller's data is wrong.
    Refused(Rc),
    /// Arithmetic or the generator refused.
    Crypto(CryptoError),
}

impl From<Rc> for CreateError {
    fn from(rc: Rc) -> Self {
        Self::Refused(rc)
    }
}

impl From<CryptoError> for CreateError {
    fn from(error: CryptoError) -> Self {
        Self::Crypto(error)
    }
}

impl From<Overflow> for CreateError {
    fn from(Overflow: Overflow) -> Self {
        Self::Refused(Rc::SIZE)
    }
}

/// Makes the deterministic generator of a primary object: same seed, template and data, same key.
pub(crate) fn primary_generator<C: Crypto>(
    seed: &[u8],
    template: &TpmtPublic,
    data: &[u8],
) -> Result<HmacDrbg<C>, CreateError> {
    let mut buffer = [0; MAX_PUBLIC_HEAD];
    let [head, key] = template.parts(&mut buffer)?;
    let digest = C::hash(HashAlg::Sha256, &[PRIMARY_OBJECT, head, key]);
    Ok(HmacDrbg::new(seed, digest.as_bytes(), data))
}

/// Makes the sensitive area for a checked template, and completes the template's unique field. The seed value
/// of a primary object depends on `proof` too; the key does not.
#[inline(never)] // The stack of the arithmetic is deep enough without that of a command.
pub(crate) fn create<C: Crypto>(
    public: &mut TpmtPublic,
    auth: Auth,
    data: &Tpm2bSensitiveData,
    rng: &mut dyn Rng,
    proof: &[u8],
    work: &mut Work<C>,
) -> Result<TpmtSensitive, CreateError> {
    let name_alg = public.name_alg.ok_or(Rc::HASH)?;
    let alg = algorithm::hash(name_alg).ok_or(Rc::HASH)?;
    let auth_value = auth.without_trailing_zeros();
    // "the size of the authValue shall be no larger than the size of the digest produced by nameAlg"
    if auth_value.len() > alg.digest_size() {
        return Err(Rc::SIZE.into());
    }
    let attributes = public.object_attributes;
    let is_storage = attributes.contains(TpmaObject::RESTRICTED | TpmaObject::DECRYPT);
    // For a primary object there can be data beside a secret that the TPM makes: it went into the derivation.
    let data = Some(data).filter(|data| !data.is_empty() && !attributes.contains(TpmaObject::SENSITIVE_DATA_ORIGIN));
    let body = match &mut public.body {
        PublicBody::Rsa { parms, unique } => {
            let size = usize::from(parms.key_bits.0.div_ceil(8));
            let exponent = rsa_exponent(parms.exponent);
            *unique = Tpm2bPublicKeyRsa::zeros(size)?;
            let mut prime = Tpm2bPrivateKeyRsa::zeros(size.div_ceil(2))?;
            work.generate(exponent, rng, unique.as_mut_bytes(), prime.as_mut_bytes())?;
            SensitiveBody::Rsa(prime)
        }
        PublicBody::Ecc { parms, unique } if parms.curve_id == EccCurve::Curve25519 => {
            SensitiveBody::Ecc(curve25519::<C>(attributes.contains(TpmaObject::SIGN), unique, rng)?)
        }
        PublicBody::Mldsa { parms, unique } => {
            SensitiveBody::Mldsa(lattice::mldsa::<C>(parms.parameter_set, unique, rng)?)
        }
        PublicBody::HashMldsa { parms, unique } => {
            SensitiveBody::HashMldsa(lattice::mldsa::<C>(parms.parameter_set, unique, rng)?)
        }
        PublicBody::Mlkem { parms, unique } => {
            SensitiveBody::Mlkem(lattice::mlkem::<C>(parms.parameter_set, unique, rng)?)
        }
        PublicBody::Ecc { parms, unique } => SensitiveBody::Ecc(ecc::<C>(parms.curve_id, unique, rng)?),
        PublicBody::SymCipher { parms, .. } => SensitiveBody::SymCipher(symmetric_key(data, parms.key_size(), rng)?),
        PublicBody::KeyedHash { scheme, .. } => {
            let is_key = attributes.intersects(TpmaObject::SIGN | TpmaObject::DECRYPT);
            let alg = scheme.map_or(Some(alg), |scheme| algorithm::hash(scheme_hash(scheme))).ok_or(Rc::HASH)?;
            SensitiveBody::KeyedHash(keyed_hash_data(data, is_key, alg, rng)?)
        }
    };
    // "The seedValue is required for asymmetric storage keys, and for symmetric objects as obfuscation"
    let is_asymmetric = !matches!(body, SensitiveBody::SymCipher(_) | SensitiveBody::KeyedHash(_));
    let mut seed_value = Auth::EMPTY;
    if !is_asymmetric || is_storage {
        seed_value = Auth::zeros(alg.digest_size())?;
        rng.fill_with(proof, seed_value.as_mut_bytes()).map_err(CryptoError::Entropy)?;
    }
    let sensitive = TpmtSensitive { auth_value, seed_value, body };
    if let PublicBody::SymCipher { unique, .. } | PublicBody::KeyedHash { unique, .. } = &mut public.body {
        *unique = symmetric_unique::<C>(alg, &sensitive)?;
    }
    Ok(sensitive)
}

/// Makes a key on a prime curve.
#[inline(never)] // Its stack is not that of a search for primes.
fn ecc<C: Crypto>(
    curve: EccCurve,
    unique: &mut TpmsEccPoint,
    rng: &mut dyn Rng,
) -> Result<Tpm2bEccPrivate, CreateError> {
    let curve = algorithm::curve(curve).ok_or(Rc::CURVE)?;
    let private = EccPrivate::generate(curve, rng)?;
    let point = C::ecc_public(&private)?;
    *unique = TpmsEccPoint { x: Tpm2bEccParameter::new(point.x())?, y: Tpm2bEccParameter::new(point.y())? };
    Ok(Secret::new(private.as_bytes())?)
}

/// Makes a key on Curve25519, whose private half is any 32 bytes (RFC 7748, RFC 8032).
#[inline(never)] // As that of a prime curve.
fn curve25519<C: Crypto>(
    signs: bool,
    unique: &mut TpmsEccPoint,
    rng: &mut dyn Rng,
) -> Result<Tpm2bEccPrivate, CreateError> {
    let mut seed = Zeroizing::new([0; 32]);
    fill(rng, seed.as_mut_slice())?;
    let public = if signs { C::ed25519_public(&seed) } else { C::x25519_public(&seed) }?;
    *unique = TpmsEccPoint { x: Tpm2bEccParameter::new(&public)?, y: Tpm2bEccParameter::EMPTY };
    Ok(Tpm2bEccPrivate::new(seed.as_slice())?)
}

/// The unique field of a symmetric object: "unique := HnameAlg(seedValue || sensitive data)".
pub(crate) fn symmetric_unique<C: Crypto>(alg: HashAlg, sensitive: &TpmtSensitive) -> Result<Tpm2bDigest, Overflow> {
    Tpm2bDigest::new(C::hash(alg, &[sensitive.seed_value.as_bytes(), sensitive.body.as_bytes()]).as_bytes())
}

#[inline(never)] // What is no key pair is not on the stack of one.
fn symmetric_key(
    data: Option<&Tpm2bSensitiveData>,
    size: usize,
    rng: &mut dyn Rng,
) -> Result<Tpm2bSymKey, CreateError> {
    let Some(data) = data else {
        let mut key = Tpm2bSymKey::zeros(size)?;
        fill(rng, key.as_mut_bytes())?;
        return Ok(key);
    };
    // "the size of the provided key shall match the key size of the template"
    if data.len() == size { Ok(Tpm2bSymKey::new(data.as_bytes())?) } else { Err(Rc::KEY_SIZE.into()) }
}

const fn scheme_hash(scheme: TpmtKeyedhashScheme) -> evtpm_tpm_wire::HashAlg {
    match scheme {
        TpmtKeyedhashScheme::Hmac(hash) => hash,
        TpmtKeyedhashScheme::Xor(xor) => xor.hash_alg,
    }
}

/// `alg` is the hash of the key's scheme, or the nameAlg where that is left open.
#[inline(never)] // As `symmetric_key`.
fn keyed_hash_data(
    data: Option<&Tpm2bSensitiveData>,
    is_key: bool,
    alg: HashAlg,
    rng: &mut dyn Rng,
) -> Result<Tpm2bSensitiveData, CreateError> {
    if let Some(data) = data {
        // A key that the caller brings is no longer than a block of its hash (Part 3, Create, of TPM_RC_SIZE); that it has
        // at most 128 octets its type knows.
        let too_long = is_key && data.len() > alg.block_size();
        return if too_long { Err(Rc::SIZE.into()) } else { Ok(data.clone()) };
    }
    let mut key = Tpm2bSensitiveData::zeros(alg.digest_size())?;
    fill(rng, key.as_mut_bytes())?;
    Ok(key)
}

pub(super) fn fill(rng: &mut dyn Rng, out: &mut [u8]) -> Result<(), CreateError> {
    rng.fill(out).map_err(|error| CreateError::Crypto(CryptoError::Entropy(error)))
}
