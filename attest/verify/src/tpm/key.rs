// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestation and endorsement keys by their public areas (verification rule 3).

use core::fmt;

use evtpm_crypto::{Crypto, EccPoint, HashAlg, RustCrypto};
use evtpm_protocol::templates::EkTemplate;
use evtpm_protocol::{
    ProtocolError, crypto_hash, curve25519_key, ecc_point, mldsa_set, mlkem_set, object_name, wire_hash,
};
use evtpm_tpm_wire::{
    EccCurve, PublicBody, Rc, Supported, Tpm2bDigest, Tpm2bEccParameter, Tpm2bPublicKeyRsa, TpmaObject, TpmiMldsaParms,
    TpmiRsaKeyBits, TpmsEccParms, TpmsEccPoint, TpmsHashMldsaParms, TpmsMldsaParms, TpmsRsaParms, TpmtEccScheme,
    TpmtPublic, TpmtRsaScheme, from_bytes,
};

use crate::azure::Paravisor;
use crate::backend::{Backend, PureRust};
use crate::ek_certificate::{CertifiedEk, public_key};
use crate::evtpm::BoundEk;
use crate::tpm::signature::{Scheme, VerificationKey};
use crate::tpm::{Endorsement, Error};
use crate::x509::PublicKey;

/// restricted, sign, fixedTPM, fixedParent and sensitiveDataOrigin: what an attestation key must be.
const AK_ATTRIBUTES: u32 = 0x0005_0032;
/// userWithAuth, adminWithPolicy and noDA: what it may be or not.
const AK_FREE_ATTRIBUTES: u32 = 0x0000_04C0;
/// sign, fixedTPM, fixedParent and sensitiveDataOrigin: what a device's initial identity must be.
const DEVICE_IDENTITY_ATTRIBUTES: u32 = 0x0004_0032;
/// restricted, decrypt, fixedTPM, fixedParent, sensitiveDataOrigin and adminWithPolicy: the low range of EK templates.
const EK_ATTRIBUTES: u32 = 0x0003_00B2;
/// userWithAuth, which the high range of EK templates adds.
const EK_FREE_ATTRIBUTES: u32 = 0x0000_0040;

/// The rule that a key breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRule {
    /// The public area is no public area.
    Malformed(Rc),
    /// The attributes are not those of such a key.
    Attributes {
        /// Attributes that must be set, and no others but the free ones.
        expected: u32,
        /// Attributes that may be set.
        free: u32,
        /// The key's attributes.
        actual: u32,
    },
    /// The Name's hash is not on the allow-list.
    NameAlgorithm,
    /// A signing key has a symmetric cipher, or a storage key has none that is known.
    Symmetric,
    /// The key has no signing scheme of its own, or one that is not on the allow-list.
    Scheme,
    /// The scheme's hash is not on the allow-list.
    Hash,
    /// The key is of a kind that such a key cannot be.
    Kind,
    /// The public key has not as many bytes as its parameter set says.
    KeySize {
        /// The bytes that it has.
        bytes: usize,
    },
    /// The key signs message representatives that somebody else computed, so that its TPM cannot tell what it signs.
    ExternalMu,
    /// The RSA modulus is shorter than 2048 bits, or not as long as the key says.
    RsaSize {
        /// Bits of the modulus.
        bits: usize,
    },
    /// The public exponent is not 65537.
    RsaExponent {
        /// The exponent.
        exponent: u32,
    },
    /// The curve is none of P-256, P-384, P-521.
    Curve,
    /// The point is not on its curve.
    Point,
    /// The policy is none of the EK Credential Profile.
    Policy,
}

impl fmt::Display for KeyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyRule::Malformed(code) => write!(f, "malformed public area ({code:?})"),
            KeyRule::Attributes { expected, free, actual } => {
                write!(f, "attributes {actual:#010x} instead of {expected:#010x} (any of {free:#x} may be set)")
            }
            KeyRule::NameAlgorithm => f.write_str("the hash of its Name is not allowed"),
            KeyRule::Symmetric => f.write_str("its symmetric cipher is not that of such a key"),
            KeyRule::Scheme => f.write_str("it has no signing scheme of its own that is allowed"),
            KeyRule::Hash => f.write_str("the hash of its scheme is not allowed"),
            KeyRule::Kind => f.write_str("it is of a kind that such a key cannot be"),
            KeyRule::KeySize { bytes } => write!(f, "a public key of {bytes} bytes"),
            KeyRule::ExternalMu => f.write_str("it signs what others hashed"),
            KeyRule::RsaSize { bits } => write!(f, "a modulus of {bits} bits"),
            KeyRule::RsaExponent { exponent } => write!(f, "public exponent {exponent} instead of 65537"),
            KeyRule::Curve => f.write_str("its curve is not allowed"),
            KeyRule::Point => f.write_str("its point is not on its curve"),
            KeyRule::Policy => f.write_str("its policy is none of the EK Credential Profile"),
        }
    }
}

/// The public area of an attestation key that keeps rule 3: it signs what its TPM made, and nothing else.
///
/// That such a key lives in a TPM at all is only known of a [`TrustedAk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AkPublic {
    area: Vec<u8>,
    name: Vec<u8>,
    key: VerificationKey,
}

impl AkPublic {
    /// Checks a `TPM2B_PUBLIC`.
    pub fn from_tpm2b(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_tpmt(unsized_area(bytes).map_err(ak)?)
    }

    /// Says whether it is this key, as a certificate has it.
    #[must_use]
    pub fn is_key(&self, key: &PublicKey) -> bool {
        public_key(&self.key.public).as_ref() == Some(key)
    }

    /// Checks a `TPMT_PUBLIC`.
    pub fn from_tpmt(area: &[u8]) -> Result<Self, Error> {
        let public = parse(area).map_err(ak)?;
        check_attributes(&public, AK_ATTRIBUTES, AK_FREE_ATTRIBUTES).map_err(ak)?;
        let name = name(&public, area).map_err(ak)?;
        let scheme = match &public.body {
            PublicBody::Rsa { parms, unique } => rsa_signer(parms, unique.as_bytes()),
            PublicBody::Ecc { parms, unique } if parms.curve_id == EccCurve::Curve25519 => {
                ed25519_signer(parms, unique, public.name_alg)
            }
            PublicBody::Ecc { parms, unique } => ecc_signer(parms, unique),
            PublicBody::Mldsa { parms, unique } => mldsa_signer(*parms, unique.as_bytes(), public.name_alg),
            PublicBody::HashMldsa { parms, unique } => hash_mldsa_signer(*parms, unique.as_bytes()),
            _ => Err(KeyRule::Kind),
        };
        let key = VerificationKey { scheme: scheme.map_err(ak)?, public };
        Ok(AkPublic { area: area.to_vec(), name, key })
    }

    /// Returns the `TPMT_PUBLIC` as it was received.
    #[must_use]
    pub fn area(&self) -> &[u8] {
        &self.area
    }

    /// Returns the Name: the algorithm's number and the hash of the public area.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }
}

/// The public area of an endorsement key of the EK Credential Profile's templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EkPublic {
    public: TpmtPublic,
}

impl EkPublic {
    /// Checks a `TPMT_PUBLIC`.
    pub fn from_tpmt(area: &[u8]) -> Result<Self, Error> {
        let public = parse(area).map_err(ek)?;
        check_attributes(&public, EK_ATTRIBUTES, EK_FREE_ATTRIBUTES).map_err(ek)?;
        name(&public, area).map_err(ek)?;
        let profile = EkTemplate::ALL.iter().any(|template| is_of(&public, *template));
        if !profile {
            return Err(ek(KeyRule::Policy));
        }
        check_storage_key(&public).map_err(ek)?;
        Ok(EkPublic { public })
    }

    /// Returns the public area.
    #[must_use]
    pub const fn public(&self) -> &TpmtPublic {
        &self.public
    }
}

/// Why an attestation key is believed.
#[derive(Debug, Clone)]
pub enum AkOrigin {
    /// Its TPM opened a credential for it, or certified it with an imported key, made for an EK that a report binds.
    Activated(Box<BoundEk>),
    /// The same, for an EK that a vendor's certificate names.
    Certified(Box<CertifiedEk>),
    /// A paravisor's claims name it, and the hardware vouches for the claims.
    Claimed(Box<Paravisor>),
    /// The operator named it; no hardware was asked.
    Named,
}

/// An attestation key that is believed.
#[derive(Debug, Clone)]
pub struct TrustedAk {
    key: VerificationKey,
    name: Vec<u8>,
    origin: AkOrigin,
    backend: &'static dyn Backend,
}

impl TrustedAk {
    pub(super) fn activated(ak: AkPublic, ek: Endorsement) -> Self {
        TrustedAk { key: ak.key, name: ak.name, origin: ek.into_origin(), backend: &PureRust }
    }

    /// Takes a key on the operator's word: for recorded evidence, and for TPMs that are known by other means.
    #[must_use]
    pub fn named(ak: AkPublic) -> Self {
        TrustedAk { key: ak.key, name: ak.name, origin: AkOrigin::Named, backend: &PureRust }
    }

    /// Takes an RSA key without public area on the operator's word, with the scheme it signs by (`TPM_ALG_RSASSA` or
    /// `TPM_ALG_RSAPSS` and a hash); whether it is restricted to its TPM is not known.
    pub fn named_rsa(modulus: &[u8], pss: bool, hash: HashAlg) -> Result<Self, Error> {
        let wire = wire_hash(hash);
        let scheme = if pss { TpmtRsaScheme::Rsapss(wire) } else { TpmtRsaScheme::Rsassa(wire) };
        let bits = modulus.len().saturating_mul(8);
        let too_large = |_| ak(KeyRule::RsaSize { bits });
        let key_bits = TpmiRsaKeyBits(u16::try_from(bits).unwrap_or(u16::MAX));
        let parms = TpmsRsaParms { symmetric: None, scheme: Some(scheme), key_bits, exponent: 0 };
        let unique = Tpm2bPublicKeyRsa::new(modulus).map_err(too_large)?;
        let scheme = rsa_signer(&parms, modulus).map_err(ak)?;
        Self::without_area(PublicBody::Rsa { parms, unique }, scheme)
    }

    /// Takes a key without public area on the operator's word, with the scheme it signs by.
    pub fn named_key(key: &PublicKey, scheme: Scheme) -> Result<Self, Error> {
        match (key, scheme) {
            (PublicKey::Rsa { modulus, exponent }, Scheme::RsaSsa(hash) | Scheme::RsaPss(hash)) => {
                if exponent != &[1, 0, 1] {
                    let exponent = exponent.iter().fold(0_u32, |all, byte| all.wrapping_shl(8) | u32::from(*byte));
                    return Err(ak(KeyRule::RsaExponent { exponent }));
                }
                Self::named_rsa(modulus, matches!(scheme, Scheme::RsaPss(_)), hash)
            }
            (PublicKey::Ecc(point), Scheme::Ecdsa(hash)) => Self::named_ecc(point, hash),
            _ => Err(ak(KeyRule::Scheme)),
        }
    }

    /// Takes the key that a paravisor's claims name.
    pub(crate) fn claimed(key: &PublicKey, scheme: Scheme, paravisor: Paravisor) -> Result<Self, Error> {
        let named = Self::named_key(key, scheme)?;
        Ok(TrustedAk { origin: AkOrigin::Claimed(Box::new(paravisor)), ..named })
    }

    fn named_ecc(point: &EccPoint, hash: HashAlg) -> Result<Self, Error> {
        let curve_id = match point.curve() {
            evtpm_crypto::EccCurve::P256 => EccCurve::NistP256,
            evtpm_crypto::EccCurve::P384 => EccCurve::NistP384,
            evtpm_crypto::EccCurve::P521 => EccCurve::NistP521,
            evtpm_crypto::EccCurve::BnP256 => EccCurve::BnP256,
        };
        let scheme = Some(TpmtEccScheme::Ecdsa(wire_hash(hash)));
        let parms = TpmsEccParms { symmetric: None, scheme, curve_id, kdf: None };
        let coordinate = |bytes| Tpm2bEccParameter::new(bytes).map_err(|_| ak(KeyRule::Point));
        let unique = TpmsEccPoint { x: coordinate(point.x())?, y: coordinate(point.y())? };
        let scheme = ecc_signer(&parms, &unique).map_err(ak)?;
        Self::without_area(PublicBody::Ecc { parms, unique }, scheme)
    }

    fn without_area(body: PublicBody, scheme: Scheme) -> Result<Self, Error> {
        let public = TpmtPublic {
            name_alg: Some(evtpm_tpm_wire::HashAlg::Sha256),
            object_attributes: TpmaObject::NONE,
            auth_policy: Tpm2bDigest::EMPTY,
            body,
        };
        let name = object_name::<RustCrypto>(&public).map_err(|_| ak(KeyRule::NameAlgorithm))?;
        let key = VerificationKey { public, scheme };
        Ok(TrustedAk { key, name: name.as_bytes().to_vec(), origin: AkOrigin::Named, backend: &PureRust })
    }

    /// Has the signatures of this key checked by another backend than [`PureRust`].
    #[must_use]
    pub fn with_backend(self, backend: &'static dyn Backend) -> Self {
        TrustedAk { backend, ..self }
    }

    /// Tells whether both are one key with one scheme, whatever their public areas say besides.
    #[must_use]
    pub fn same_key(&self, other: &Self) -> bool {
        let same_number = match (&self.key.public.body, &other.key.public.body) {
            (PublicBody::Rsa { unique, .. }, PublicBody::Rsa { unique: other, .. }) => {
                unique.as_bytes() == other.as_bytes()
            }
            (PublicBody::Ecc { parms, unique }, PublicBody::Ecc { parms: others, unique: other }) => {
                parms.curve_id == others.curve_id
                    && unique.x.as_bytes() == other.x.as_bytes()
                    && unique.y.as_bytes() == other.y.as_bytes()
            }
            (PublicBody::Mldsa { parms, unique }, PublicBody::Mldsa { parms: others, unique: other }) => {
                parms.parameter_set == others.parameter_set && unique.as_bytes() == other.as_bytes()
            }
            (PublicBody::HashMldsa { parms, unique }, PublicBody::HashMldsa { parms: others, unique: other }) => {
                parms == others && unique.as_bytes() == other.as_bytes()
            }
            _ => false,
        };
        same_number && self.key.scheme == other.key.scheme
    }

    /// Returns why the key is believed.
    #[must_use]
    pub const fn origin(&self) -> &AkOrigin {
        &self.origin
    }

    /// Returns the endorsement key that this key was proven to live beside, where a report or a certificate vouches for one.
    #[must_use]
    pub fn endorsement_key(&self) -> Option<&EkPublic> {
        match &self.origin {
            AkOrigin::Activated(ek) => Some(ek.ek()),
            AkOrigin::Certified(ek) => Some(ek.ek()),
            AkOrigin::Claimed(_) | AkOrigin::Named => None,
        }
    }

    /// Returns the key's Name; for a key without public area, that of one without attributes.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns the key, and whose arithmetic checks its signatures.
    pub(super) fn checked_by(&self) -> (&VerificationKey, &'static dyn Backend) {
        (&self.key, self.backend)
    }

    pub(crate) const fn key(&self) -> &VerificationKey {
        &self.key
    }
}

/// Tells whether Name hash, range and policy are those of one template: policy A goes with the low range, B with the high.
fn is_of(public: &TpmtPublic, template: EkTemplate) -> bool {
    let low = public.object_attributes.0 & EK_FREE_ATTRIBUTES == 0;
    public.name_alg == Some(template.name_alg())
        && low == template.is_low()
        && public.auth_policy.as_bytes() == template.policy()
}

fn ak(rule: KeyRule) -> Error {
    Error::Key { whose: "AK", rule }
}

fn ek(rule: KeyRule) -> Error {
    Error::Key { whose: "EK", rule }
}

pub(super) fn unsized_area(tpm2b: &[u8]) -> Result<&[u8], KeyRule> {
    match tpm2b.split_first_chunk::<2>() {
        Some((size, area)) if usize::from(u16::from_be_bytes(*size)) == area.len() => Ok(area),
        _ => Err(KeyRule::Malformed(Rc::SIZE)),
    }
}

pub(super) fn parse(area: &[u8]) -> Result<TpmtPublic, KeyRule> {
    from_bytes(area, &Supported::ALL).map_err(KeyRule::Malformed)
}

pub(super) fn check_attributes(public: &TpmtPublic, expected: u32, free: u32) -> Result<(), KeyRule> {
    let TpmaObject(actual) = public.object_attributes;
    if actual & !free == expected { Ok(()) } else { Err(KeyRule::Attributes { expected, free, actual }) }
}

/// Computes the Name over the bytes that were received, never over a re-encoding.
pub(super) fn name(public: &TpmtPublic, area: &[u8]) -> Result<Vec<u8>, KeyRule> {
    let wire = public.name_alg.ok_or(KeyRule::NameAlgorithm)?;
    let hash = allowed(wire).ok_or(KeyRule::NameAlgorithm)?;
    let digest = RustCrypto::hash(hash, &[area]);
    Ok([&wire.id().0.to_be_bytes(), digest.as_bytes()].concat())
}

/// The allow-list of hashes: SHA-1 is not collision resistant.
fn allowed(hash: evtpm_tpm_wire::HashAlg) -> Option<HashAlg> {
    crypto_hash(hash).ok().filter(|hash| *hash != HashAlg::Sha1)
}

/// Checks that a key can protect others, and that its public part is sound.
pub(super) fn check_storage_key(public: &TpmtPublic) -> Result<(), KeyRule> {
    match &public.body {
        PublicBody::Rsa { parms, unique } if parms.symmetric.is_some() && parms.scheme.is_none() => {
            rsa_size(parms, unique.as_bytes())
        }
        PublicBody::Ecc { parms, unique } if parms.symmetric.is_some() && parms.scheme.is_none() => {
            check_point(parms, unique)
        }
        PublicBody::Mlkem { parms, unique } if parms.symmetric.is_some() => {
            let bytes = unique.as_bytes().len();
            let is_whole = bytes == mlkem_set(parms.parameter_set).public_size();
            if is_whole { Ok(()) } else { Err(KeyRule::KeySize { bytes }) }
        }
        PublicBody::Rsa { .. } | PublicBody::Ecc { .. } | PublicBody::Mlkem { .. } => Err(KeyRule::Symmetric),
        _ => Err(KeyRule::Kind),
    }
}

/// Checks a key that signs what it is given, as a device's initial identity (IDevID) does: it cannot leave its TPM, and its
/// public part is sound.
pub(super) fn check_device_identity(public: &TpmtPublic) -> Result<(), KeyRule> {
    check_attributes(public, DEVICE_IDENTITY_ATTRIBUTES, AK_FREE_ATTRIBUTES)?;
    match &public.body {
        PublicBody::Rsa { parms, unique } if parms.symmetric.is_none() => rsa_size(parms, unique.as_bytes()),
        PublicBody::Ecc { parms, unique } if parms.symmetric.is_none() => check_point(parms, unique),
        PublicBody::Rsa { .. } | PublicBody::Ecc { .. } => Err(KeyRule::Symmetric),
        _ => Err(KeyRule::Kind),
    }
}

fn rsa_signer(parms: &TpmsRsaParms, modulus: &[u8]) -> Result<Scheme, KeyRule> {
    let (scheme, hash): (fn(HashAlg) -> Scheme, _) = match parms.scheme {
        Some(TpmtRsaScheme::Rsassa(hash)) => (Scheme::RsaSsa, hash),
        Some(TpmtRsaScheme::Rsapss(hash)) => (Scheme::RsaPss, hash),
        _ => return Err(KeyRule::Scheme),
    };
    if parms.symmetric.is_some() {
        return Err(KeyRule::Symmetric);
    }
    rsa_size(parms, modulus)?;
    allowed(hash).map(scheme).ok_or(KeyRule::Hash)
}

fn rsa_size(parms: &TpmsRsaParms, modulus: &[u8]) -> Result<(), KeyRule> {
    let bits = modulus.len().saturating_mul(8);
    let leading = modulus.first().is_some_and(|byte| byte & 0x80 != 0);
    if bits < 2048 || bits != usize::from(parms.key_bits.0) || !leading {
        return Err(KeyRule::RsaSize { bits });
    }
    // Part 2, "TPMS_RSA_PARMS": "When zero, indicates that the exponent is the default of 2^16 + 1"
    match parms.exponent {
        0 | 65537 => Ok(()),
        exponent => Err(KeyRule::RsaExponent { exponent }),
    }
}

fn ecc_signer(parms: &TpmsEccParms, unique: &TpmsEccPoint) -> Result<Scheme, KeyRule> {
    let Some(TpmtEccScheme::Ecdsa(hash)) = parms.scheme else { return Err(KeyRule::Scheme) };
    if parms.symmetric.is_some() {
        return Err(KeyRule::Symmetric);
    }
    if parms.kdf.is_some() {
        return Err(KeyRule::Scheme);
    }
    check_point(parms, unique)?;
    allowed(hash).map(Scheme::Ecdsa).ok_or(KeyRule::Hash)
}

/// Ed25519 has no hash of its own: attestations are made with that of the Name.
fn ed25519_signer(
    parms: &TpmsEccParms,
    unique: &TpmsEccPoint,
    name_alg: Option<evtpm_tpm_wire::HashAlg>,
) -> Result<Scheme, KeyRule> {
    let scheme = match parms.scheme {
        Some(TpmtEccScheme::Eddsa) => Scheme::EdDsa,
        Some(TpmtEccScheme::HashEddsa) => Scheme::HashEdDsa,
        _ => return Err(KeyRule::Scheme),
    };
    if parms.symmetric.is_some() {
        return Err(KeyRule::Symmetric);
    }
    curve25519_key(unique).map_err(|_| KeyRule::Point)?;
    name_alg.and_then(allowed).map(scheme).ok_or(KeyRule::NameAlgorithm)
}

fn mldsa_signer(
    parms: TpmsMldsaParms,
    unique: &[u8],
    name_alg: Option<evtpm_tpm_wire::HashAlg>,
) -> Result<Scheme, KeyRule> {
    if parms.allow_external_mu.is_yes() {
        return Err(KeyRule::ExternalMu);
    }
    mldsa_size(parms.parameter_set, unique)?;
    name_alg.and_then(allowed).map(Scheme::MlDsa).ok_or(KeyRule::NameAlgorithm)
}

fn hash_mldsa_signer(parms: TpmsHashMldsaParms, unique: &[u8]) -> Result<Scheme, KeyRule> {
    mldsa_size(parms.parameter_set, unique)?;
    allowed(parms.hash_alg).map(Scheme::HashMlDsa).ok_or(KeyRule::Hash)
}

fn mldsa_size(set: TpmiMldsaParms, unique: &[u8]) -> Result<(), KeyRule> {
    let bytes = unique.len();
    if bytes == mldsa_set(set).public_size() { Ok(()) } else { Err(KeyRule::KeySize { bytes }) }
}

fn check_point(parms: &TpmsEccParms, unique: &TpmsEccPoint) -> Result<(), KeyRule> {
    let point = ecc_point(parms.curve_id, unique).map_err(|error| match error {
        ProtocolError::Curve(_) => KeyRule::Curve,
        _ => KeyRule::Point,
    })?;
    if RustCrypto::ecc_on_curve(&point) { Ok(()) } else { Err(KeyRule::Point) }
}
