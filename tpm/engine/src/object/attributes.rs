// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether the attributes, schemes and sizes of a public area fit together and fit the parent (Part 1, "Object Attributes";
//! Part 3, "TPM2_Create", "TPM2_Load").

use super::encapsulation::dhkem_of;
use crate::algorithm;
use crate::state::Object;
use evtpm_tpm_wire::{
    EccCurve, HashAlg, KdfAlg, PublicBody, Rc, SymMode, TpmaObject, TpmsEccParms, TpmtEccScheme, TpmtKdfScheme,
    TpmtKeyedhashScheme, TpmtPublic, TpmtRsaScheme, TpmtSymDefObject,
};

/// What an object is made or loaded under.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parent<'a> {
    /// A primary seed: "Primary Objects are considered to have a fixedTPM parent".
    Seed,
    /// A loaded storage key.
    Key(&'a Object),
    /// Nothing: an external object.
    None,
}

impl Parent<'_> {
    fn has(&self, attribute: TpmaObject) -> bool {
        match self {
            Self::Seed => attribute == TpmaObject::FIXED_TPM,
            Self::Key(object) => object.has(attribute),
            Self::None => false,
        }
    }
}

/// Checks a template of which an object shall be made; `data` is the number of octets that the caller provides.
pub(crate) fn check_template(parent: Parent<'_>, template: &TpmtPublic, data: usize) -> Result<(), Rc> {
    let origin = template.object_attributes.contains(TpmaObject::SENSITIVE_DATA_ORIGIN);
    // "sensitiveDataOrigin SET: the TPM provides the sensitive data", CLEAR: the caller does. As the reference: what is given
    // for a primary object is more input to its derivation, and may be there in either case.
    let is_given = data != 0;
    if !origin && !is_given || origin && is_given && !matches!(parent, Parent::Seed) {
        return Err(Rc::ATTRIBUTES);
    }
    let signs_or_decrypts = template.object_attributes.intersects(TpmaObject::SIGN | TpmaObject::DECRYPT);
    // As the reference: whoever gives a parent its key could read what the parent protects, so that no parent is both of the
    // caller's making and bound to this TPM or to its own parent.
    let is_restricted_here = template.object_attributes.contains(TpmaObject::RESTRICTED)
        && template.object_attributes.intersects(TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT);
    let origin_fits = match template.body {
        // "The inSensitive.sensitive.data.size parameter may not be zero for a data object"
        PublicBody::KeyedHash { .. } => (signs_or_decrypts || !origin) && (origin || !is_restricted_here),
        PublicBody::SymCipher { .. } => origin || !is_restricted_here,
        // "the sensitive portion of an asymmetric key ... cannot be provided"
        PublicBody::Rsa { .. }
        | PublicBody::Ecc { .. }
        | PublicBody::Mldsa { .. }
        | PublicBody::HashMldsa { .. }
        | PublicBody::Mlkem { .. } => origin,
    };
    if !origin_fits {
        return Err(Rc::ATTRIBUTES);
    }
    check_public(parent, template)
}

/// Checks a public area of an object that is made, loaded or imported.
pub(crate) fn check_public(parent: Parent<'_>, public: &TpmtPublic) -> Result<(), Rc> {
    let attributes = public.object_attributes;
    let has = |attribute| attributes.contains(attribute);
    let policy_size = public.auth_policy.len();
    if policy_size != 0 && public.name_alg.map(|alg| alg.digest_size()) != Some(policy_size) {
        return Err(Rc::SIZE);
    }
    if !fixed_attributes_fit(parent, attributes) {
        return Err(Rc::ATTRIBUTES);
    }
    // This TPM has no hierarchies limited to a firmware.
    if attributes.intersects(TpmaObject::FIRMWARE_LIMITED | TpmaObject::SVN_LIMITED) {
        return Err(Rc::ATTRIBUTES);
    }
    if has(TpmaObject::SIGN) == has(TpmaObject::DECRYPT) {
        // "restricted ... shall have exactly one of sign and decrypt"; only sealed data has neither
        let is_data = matches!(public.body, PublicBody::KeyedHash { .. });
        if has(TpmaObject::RESTRICTED) || !is_data && !has(TpmaObject::SIGN) {
            return Err(Rc::ATTRIBUTES);
        }
    }
    // Part 2, TPMA_OBJECT, x509sign: it says something of an asymmetric key that signs, and may be SET in no other.
    let is_symmetric = matches!(public.body, PublicBody::KeyedHash { .. } | PublicBody::SymCipher { .. });
    if has(TpmaObject::X509_SIGN) && (is_symmetric || !has(TpmaObject::SIGN)) {
        return Err(Rc::ATTRIBUTES);
    }
    // "which of TPMA_OBJECT.decrypt or TPMA_OBJECT.sign may be set": Part 2, "TPMU_PUBLIC_PARMS"
    let is_of_one_use = match public.body {
        PublicBody::Mldsa { .. } | PublicBody::HashMldsa { .. } => !has(TpmaObject::DECRYPT),
        PublicBody::Mlkem { .. } => !has(TpmaObject::SIGN),
        _ => true,
    };
    if !is_of_one_use {
        return Err(Rc::ATTRIBUTES);
    }
    check_scheme(public)?;
    check_protection(parent, public)
}

/// "fixedTPM", "fixedParent" and "encryptedDuplication" as the parent allows them.
fn fixed_attributes_fit(parent: Parent<'_>, attributes: TpmaObject) -> bool {
    let has = |attribute| attributes.contains(attribute);
    let fixed_tpm = has(TpmaObject::FIXED_TPM);
    let encrypted = has(TpmaObject::ENCRYPTED_DUPLICATION);
    match parent {
        // An external object is no part of any hierarchy: "fixedTPM, fixedParent, and restricted shall be CLEAR" is checked
        // by TPM2_LoadExternal, where it applies.
        Parent::None => true,
        _ if parent.has(TpmaObject::FIXED_TPM) => {
            fixed_tpm == has(TpmaObject::FIXED_PARENT) && !(fixed_tpm && encrypted)
        }
        _ => !fixed_tpm && encrypted == parent.has(TpmaObject::ENCRYPTED_DUPLICATION),
    }
}

/// Checks that the scheme can be used by a key with these attributes.
pub(crate) fn check_scheme(public: &TpmtPublic) -> Result<(), Rc> {
    let has = |attribute| public.object_attributes.contains(attribute);
    let (sign, decrypt, restricted) = (has(TpmaObject::SIGN), has(TpmaObject::DECRYPT), has(TpmaObject::RESTRICTED));
    match &public.body {
        PublicBody::SymCipher { parms, .. } => {
            // A MAC is a signature.
            if decrypt && parms.mode == Some(SymMode::Cmac) { Err(Rc::SCHEME) } else { Ok(()) }
        }
        PublicBody::KeyedHash { scheme, .. } => {
            let fits = match scheme {
                None => sign == decrypt || sign && !restricted,
                Some(TpmtKeyedhashScheme::Hmac(_)) => sign && !decrypt,
                // "a derivation parent shall use KDF1_SP800_108"
                Some(TpmtKeyedhashScheme::Xor(xor)) => {
                    decrypt && !sign && (!restricted || xor.kdf == Some(KdfAlg::Kdf1Sp800_108))
                }
            };
            if fits { Ok(()) } else { Err(Rc::SCHEME) }
        }
        PublicBody::Rsa { parms, .. } => {
            let kind = parms.scheme.map(|scheme| match scheme {
                TpmtRsaScheme::Rsassa(_) | TpmtRsaScheme::Rsapss(_) => Use::Sign,
                TpmtRsaScheme::Rsaes | TpmtRsaScheme::Oaep(_) => Use::Decrypt,
            });
            check_asymmetric(kind, parms.symmetric, sign, decrypt, restricted)
        }
        PublicBody::Ecc { parms, .. } => {
            let kind = parms.scheme.map(|scheme| match scheme {
                TpmtEccScheme::Ecdh(_) | TpmtEccScheme::Ecmqv(_) => Use::Decrypt,
                _ => Use::Sign,
            });
            if !fits_curve(parms, restricted && decrypt) {
                return Err(Rc::SCHEME);
            }
            check_asymmetric(kind, parms.symmetric, sign, decrypt, restricted)?;
            check_kdf(parms, decrypt && !restricted)
        }
        // "An approved hash function": SHA-1 has no identifier that HashML-DSA could sign
        PublicBody::HashMldsa { parms, .. } if parms.hash_alg == HashAlg::Sha1 => Err(Rc::HASH),
        PublicBody::Mldsa { .. } | PublicBody::HashMldsa { .. } => Ok(()),
        PublicBody::Mlkem { parms, .. } => check_asymmetric(None, parms.symmetric, sign, decrypt, restricted),
    }
}

/// "If the key is not a Storage Key, and curveID is either TPM_ECC_CURVE_25519 or TPM_ECC_CURVE_448, then this field shall
/// not be TPM_ALG_NULL"; and of these curves alone EdDSA is a scheme.
fn fits_curve(parms: &TpmsEccParms, is_storage: bool) -> bool {
    let is_edwards = matches!(parms.scheme, Some(TpmtEccScheme::Eddsa | TpmtEccScheme::HashEddsa));
    if parms.curve_id != EccCurve::Curve25519 {
        return !is_edwards;
    }
    match parms.scheme {
        None => is_storage,
        Some(TpmtEccScheme::Ecdh(_)) => true,
        Some(_) => is_edwards,
    }
}

/// "if the key is an unrestricted decryption TPM_ALG_ECDH key, an optional key derivation scheme. Shall be NULL in all
/// other cases (TPM_RC_KDF)". The encapsulation is one of RFC 9180, whose curves come with a hash each.
fn check_kdf(parms: &TpmsEccParms, may_encapsulate: bool) -> Result<(), Rc> {
    let is_ecdh = matches!(parms.scheme, Some(TpmtEccScheme::Ecdh(_)));
    if parms.kdf.is_none() || may_encapsulate && is_ecdh && has_known_kdf(parms) { Ok(()) } else { Err(Rc::KDF) }
}

/// Tells whether the key derivation is none, or the one that comes with the curve.
pub(crate) fn has_known_kdf(parms: &TpmsEccParms) -> bool {
    let hash = dhkem_of(parms.curve_id).map(|kem| algorithm::wire_hash(kem.hash()));
    match parms.kdf {
        None => true,
        Some(TpmtKdfScheme::Hkdf(own)) => Some(own) == hash,
        Some(_) => false,
    }
}

#[derive(PartialEq)]
enum Use {
    Sign,
    Decrypt,
}

fn check_asymmetric(
    scheme: Option<Use>,
    symmetric: Option<TpmtSymDefObject>,
    sign: bool,
    decrypt: bool,
    restricted: bool,
) -> Result<(), Rc> {
    let fits = match scheme {
        // "a restricted signing key shall have a scheme"
        None => !(sign && !decrypt && restricted),
        Some(Use::Sign) => sign && !decrypt,
        // A parent decrypts in its own way.
        Some(Use::Decrypt) => decrypt && !sign && !restricted,
    };
    if !fits {
        return Err(Rc::SCHEME);
    }
    // "if the key is not a restricted decryption key, this field shall be set to TPM_ALG_NULL"
    if symmetric.is_some() && !(restricted && decrypt) { Err(Rc::SYMMETRIC) } else { Ok(()) }
}

/// What a storage key must have to protect children, and to go wherever its parent is duplicated to.
pub(crate) fn check_protection(parent: Parent<'_>, public: &TpmtPublic) -> Result<(), Rc> {
    let attributes = public.object_attributes;
    let is_storage = attributes.contains(TpmaObject::RESTRICTED | TpmaObject::DECRYPT)
        && !matches!(public.body, PublicBody::KeyedHash { .. });
    if !is_storage {
        return Ok(());
    }
    let symmetric = public.body.symmetric().ok_or(Rc::SYMMETRIC)?;
    // "When used in the parameter area of a parent object, this shall be TPM_ALG_CFB": and every parent encrypts with CFB.
    // tpm2-tools writes TPM_ALG_NULL where its user names no mode, which every TPM takes for that.
    if !matches!(symmetric.mode, None | Some(SymMode::Cfb)) {
        return Err(Rc::MODE);
    }
    // "If the object being created is a Storage Key and fixedParent is SET in the attributes of inPublic, then the symmetric
    // algorithms and parameters of inPublic are required to match those of the parent."
    if let (Parent::Key(parent), true) = (parent, attributes.contains(TpmaObject::FIXED_PARENT)) {
        if parent.public.name_alg != public.name_alg {
            return Err(Rc::HASH);
        }
        if parent.public.body.symmetric() != Some(symmetric) {
            return Err(Rc::SYMMETRIC);
        }
    }
    Ok(())
}
