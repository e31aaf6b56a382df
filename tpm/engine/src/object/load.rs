// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether public and sensitive area belong together (Part 3, "TPM2_Load", "TPM2_LoadExternal", "TPM2_Import").

use super::create::symmetric_unique;
use super::creation_data::primary_qualified_name;
use super::lattice;
use crate::algorithm;
use crate::name;
use crate::state::{Hierarchy, Object};
use crate::{Platform, Tpm, ticket};
use evtpm_crypto::{Crypto, CryptoError, EccPoint, EccPrivate, MLDSA_SEED_SIZE, MLKEM_SEED_SIZE, RsaKey};
use evtpm_protocol::{curve25519_key, ecc_point, rsa_exponent};
use evtpm_tpm_wire::{
    EccCurve, Handle, Overflow, PublicBody, Rc, SensitiveBody, Subject, TpmaObject, TpmsEccParms, TpmsEccPoint,
    TpmtPublic, TpmtSensitive,
};

/// The parameters in which the two halves of an object came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blame {
    /// The sensitive area.
    pub(crate) sensitive: Subject,
    /// The public area.
    pub(crate) public: Subject,
}

impl Blame {
    /// As `TPM2_Load` and `TPM2_LoadExternal` have them.
    pub(crate) const LOAD: Self = Self { sensitive: Subject::Parameter(1), public: Subject::Parameter(2) };
    /// As `TPM2_Import` has them.
    pub(crate) const IMPORT: Self = Self { sensitive: Subject::Parameter(3), public: Subject::Parameter(2) };
}

impl Object {
    /// Makes an object that stands under a primary seed.
    pub(crate) fn primary_of<C: Crypto>(hierarchy: Hierarchy, public: TpmtPublic, sensitive: TpmtSensitive) -> Self {
        let name = name::of_object::<C>(&public);
        let handle = ticket::selector(hierarchy).handle();
        Self {
            qualified_name: primary_qualified_name::<C>(handle, public.name_alg, &name),
            st_clear: public.object_attributes.contains(TpmaObject::ST_CLEAR),
            hierarchy,
            public,
            sensitive: Some(sensitive),
            name,
            primary: true,
            external: false,
        }
    }

    /// Makes an object that stands under a parent.
    pub(crate) fn child_of<C: Crypto>(parent: &Self, public: TpmtPublic, sensitive: TpmtSensitive) -> Self {
        let name = name::of_object::<C>(&public);
        Self {
            qualified_name: name::qualified::<C>(&parent.qualified_name, public.name_alg, &name),
            // "stClear ... SET in the object or in an ancestor"
            st_clear: parent.st_clear || public.object_attributes.contains(TpmaObject::ST_CLEAR),
            hierarchy: parent.hierarchy,
            public,
            sensitive: Some(sensitive),
            name,
            primary: false,
            external: false,
        }
    }
}

impl<P: Platform> Tpm<P> {
    /// Finds a storage key whose private part is loaded; everything else is `TPM_RC_TYPE` of the handle with this number.
    pub(crate) fn storage_parent(&self, handle: Handle, number: u8) -> Result<&Object, Rc> {
        self.object(handle)
            .filter(|object| object.is_parent() && object.public.body.symmetric().is_some())
            .ok_or(Rc::TYPE.at(Subject::Handle(number)))
    }

    /// Finds an asymmetric storage key, to which a seed can be told: "Only the public area of newParentHandle is required to be
    /// loaded."
    pub(crate) fn asymmetric_parent(&self, handle: Handle, number: u8) -> Result<&Object, Rc> {
        let is_asymmetric = |body: &PublicBody| {
            matches!(body, PublicBody::Rsa { .. } | PublicBody::Ecc { .. } | PublicBody::Mlkem { .. })
        };
        self.object(handle)
            .filter(|object| {
                object.has(TpmaObject::RESTRICTED | TpmaObject::DECRYPT)
                    && object.public.body.symmetric().is_some()
                    && is_asymmetric(&object.public.body)
            })
            .ok_or(Rc::TYPE.at(Subject::Handle(number)))
    }

    /// "the public and sensitive portions are properly linked, cryptographically"; a public area alone must be usable.
    pub(crate) fn check_keys(
        &mut self,
        public: &TpmtPublic,
        sensitive: Option<&TpmtSensitive>,
        blame: Blame,
    ) -> Result<(), Rc> {
        check_halves::<P::Crypto>(public, sensitive, blame)?;
        let Some(sensitive) = sensitive else { return Ok(()) };
        match is_bound::<P::Crypto>(public, sensitive, self.work.memory()?) {
            Ok(true) => Ok(()),
            // It is neither parameter alone that is wrong; every TPM in the field names none.
            Ok(false) => Err(Rc::BINDING),
            Err(error) => Err(self.refuse(error, Rc::BINDING)),
        }
    }
}

/// Checks each half by itself.
///
/// Whether they are halves of one key need not be computed again when the parent's integrity value has covered both and
/// the parent is fixedTPM: nobody but this TPM has its seed, and it has checked them when it made or imported the object.
pub(crate) fn check_halves<C: Crypto>(
    public: &TpmtPublic,
    sensitive: Option<&TpmtSensitive>,
    blame: Blame,
) -> Result<(), Rc> {
    let sizes = sensitive.map_or(Ok(()), |sensitive| check_sizes(public, sensitive));
    // As the reference: a sensitive area of another type is refused before the unique field, all else behind it.
    if sizes != Err(Rc::TYPE) {
        check_unique::<C>(public, sensitive.is_none()).map_err(|rc| rc.at(blame.public))?;
    }
    sizes.map_err(|rc| rc.at(blame.sensitive))
}

/// Checks what the unique field must satisfy by itself, so that no later command stumbles over it; `alone` is a public area
/// that nothing else tells about.
fn check_unique<C: Crypto>(public: &TpmtPublic, alone: bool) -> Result<(), Rc> {
    match &public.body {
        PublicBody::Rsa { parms, unique } => {
            let modulus = unique.as_bytes();
            let is_full = modulus.len() == usize::from(parms.key_bits.0.div_ceil(8))
                && modulus.first().is_some_and(|first| first & 0x80 != 0);
            if !is_full {
                return Err(Rc::KEY);
            }
            let exponent = rsa_exponent(parms.exponent);
            if exponent < 3 || exponent & 1 == 0 {
                return Err(Rc::VALUE);
            }
            if modulus.last().is_some_and(|last| last & 1 != 0) { Ok(()) } else { Err(Rc::KEY) }
        }
        // Each 32 bytes are a public key of X25519; not each are a point that Ed25519 could verify with.
        PublicBody::Ecc { parms, unique } if parms.curve_id == EccCurve::Curve25519 => {
            let key = curve25519_key(unique).map_err(|_| Rc::ECC_POINT)?;
            let signs = public.object_attributes.contains(TpmaObject::SIGN);
            if !signs || C::ed25519_on_curve(&key) { Ok(()) } else { Err(Rc::ECC_POINT) }
        }
        PublicBody::Mldsa { .. } | PublicBody::HashMldsa { .. } | PublicBody::Mlkem { .. } => {
            lattice::check_unique::<C>(&public.body)
        }
        // "the TPM will verify that the public key is on the curve of the key before the public area is used"
        PublicBody::Ecc { parms, unique } => {
            // As the reference: coordinates as long as those of the curve.
            let size = algorithm::curve(parms.curve_id).map(|curve| curve.coordinate_size());
            if alone && [unique.x.len(), unique.y.len()].iter().any(|len| Some(*len) != size) {
                return Err(Rc::KEY);
            }
            let point = point(parms, unique).ok_or(Rc::ECC_POINT)?;
            if C::ecc_on_curve(&point) { Ok(()) } else { Err(Rc::ECC_POINT) }
        }
        PublicBody::KeyedHash { unique, .. } | PublicBody::SymCipher { unique, .. } => {
            let size = public.name_alg.map(|alg| alg.digest_size());
            if size.is_some_and(|size| size != unique.len()) { Err(Rc::KEY) } else { Ok(()) }
        }
    }
}

/// "the size of the key in the sensitive area shall be consistent with the key size indicated in the public area"
fn check_sizes(public: &TpmtPublic, sensitive: &TpmtSensitive) -> Result<(), Rc> {
    let fits = match (&public.body, &sensitive.body) {
        (PublicBody::Rsa { unique, .. }, SensitiveBody::Rsa(prime)) => {
            prime.len() == unique.len().div_ceil(2) && prime.as_bytes().first().is_some_and(|first| first & 0x80 != 0)
        }
        (PublicBody::Ecc { parms, .. }, SensitiveBody::Ecc(private)) if parms.curve_id == EccCurve::Curve25519 => {
            private.len() == 32
        }
        (PublicBody::Mldsa { .. }, SensitiveBody::Mldsa(seed))
        | (PublicBody::HashMldsa { .. }, SensitiveBody::HashMldsa(seed)) => seed.len() == MLDSA_SEED_SIZE,
        (PublicBody::Mlkem { .. }, SensitiveBody::Mlkem(seed)) => seed.len() == MLKEM_SEED_SIZE,
        (PublicBody::Ecc { parms, .. }, SensitiveBody::Ecc(private)) => {
            algorithm::curve(parms.curve_id).is_some_and(|curve| {
                private.len() == curve.coordinate_size() && EccPrivate::new(curve, private.as_bytes()).is_ok()
            })
        }
        (PublicBody::SymCipher { parms, .. }, SensitiveBody::SymCipher(key)) => key.len() == parms.key_size(),
        (PublicBody::KeyedHash { .. }, SensitiveBody::KeyedHash(_)) => true,
        _ => return Err(Rc::TYPE),
    };
    if !fits {
        return Err(Rc::KEY_SIZE);
    }
    let Some(digest_size) = public.name_alg.map(|alg| alg.digest_size()) else { return Ok(()) };
    let seed_size = sensitive.seed_value.len();
    // A storage key whose seed is less than half a digest would protect its children less than its algorithms promise.
    let is_storage = public.object_attributes.contains(TpmaObject::RESTRICTED | TpmaObject::DECRYPT)
        && public.body.symmetric().is_some();
    let too_little = is_storage && seed_size.saturating_mul(2) < digest_size;
    if too_little || seed_size > digest_size || sensitive.auth_value.len() > digest_size {
        return Err(Rc::SIZE);
    }
    Ok(())
}

/// Computes the public half from the sensitive one and compares.
fn is_bound<C: Crypto>(
    public: &TpmtPublic,
    sensitive: &TpmtSensitive,
    memory: &mut C::RsaMemory,
) -> Result<bool, CryptoError> {
    match (&public.body, &sensitive.body) {
        // "the remainder when dividing the public modulus by the private primes is zero": loading checks it
        (PublicBody::Rsa { parms, unique }, SensitiveBody::Rsa(prime)) => {
            let exponent = rsa_exponent(parms.exponent);
            let key = RsaKey { modulus: unique.as_bytes(), exponent, prime: prime.as_bytes() };
            C::rsa_check(key, memory).map(|()| true)
        }
        (PublicBody::Ecc { parms, unique }, SensitiveBody::Ecc(private)) if parms.curve_id == EccCurve::Curve25519 => {
            let Ok(seed) = private.as_bytes().try_into() else { return Ok(false) };
            let signs = public.object_attributes.contains(TpmaObject::SIGN);
            let actual = if signs { C::ed25519_public(seed) } else { C::x25519_public(seed) };
            Ok(actual.is_ok_and(|actual| actual == unique.x.as_bytes()))
        }
        (PublicBody::Ecc { parms, unique }, SensitiveBody::Ecc(private)) => {
            let Some(expected) = point(parms, unique) else { return Ok(false) };
            let actual = C::ecc_public(&EccPrivate::new(expected.curve(), private.as_bytes())?)?;
            Ok((actual.x(), actual.y()) == (expected.x(), expected.y()))
        }
        (PublicBody::KeyedHash { unique, .. } | PublicBody::SymCipher { unique, .. }, _) => {
            // Without nameAlg there is nothing to compute the unique field with.
            let Some(alg) = public.name_alg.and_then(algorithm::hash) else { return Ok(true) };
            Ok(match symmetric_unique::<C>(alg, sensitive) {
                Ok(expected) => expected == *unique,
                Err(Overflow) => false,
            })
        }
        (public, sensitive) => lattice::is_bound::<C>(public, sensitive).unwrap_or(Ok(false)),
    }
}

fn point(parms: &TpmsEccParms, unique: &TpmsEccPoint) -> Option<EccPoint> {
    ecc_point(parms.curve_id, unique).ok()
}
