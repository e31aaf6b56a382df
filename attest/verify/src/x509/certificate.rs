// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One X.509 certificate: its received bytes, what they say, and the checks of RFC 5280, "Basic Path Validation".

use der::{
    Decode, Encode, Reader, SliceReader,
    asn1::{ObjectIdentifier, UintRef},
};
use evtpm_crypto::{EccCurve, EccPoint};
use x509_cert::{
    ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage},
    spki::SubjectPublicKeyInfoRef,
};

use super::{MAX_CERTIFICATES, MAX_DER_BYTES, pem, signature};
use crate::{Error, UnixTime};

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const SECP521R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// A certificate that was parsed, and nothing more: whether it is believed is for a chain to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    signed: Vec<u8>,
    parsed: x509_cert::Certificate,
    common_name: String,
}

/// The public keys that a certificate of this field carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA, modulus and exponent big-endian without leading zeros.
    Rsa {
        /// The modulus.
        modulus: Vec<u8>,
        /// The public exponent.
        exponent: Vec<u8>,
    },
    /// A point of a NIST curve; whether it is on the curve is checked when it is used.
    Ecc(EccPoint),
}

/// The extensions that may be critical. Another name of the subject restricts nothing; EK certificates, whose subject
/// is empty, have it critical (RFC 5280, 4.2.1.6).
const UNDERSTOOD: [ObjectIdentifier; 3] = [BASIC_CONSTRAINTS, KEY_USAGE, SUBJECT_ALT_NAME];

#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl PublicKey {
    /// Parses a DER `SubjectPublicKeyInfo`, or a PEM block "PUBLIC KEY" of one.
    pub fn from_spki(bytes: &[u8]) -> Result<Self, Error> {
        let unsupported = || Error::UnsupportedKey { of: "a public key".to_owned() };
        let decoded =
            if pem::is_pem(bytes) { pem::blocks(bytes, "PUBLIC KEY", 1)?.pop() } else { Some(bytes.to_vec()) };
        let der = decoded.ok_or_else(unsupported)?;
        let info = SubjectPublicKeyInfoRef::from_der(&der)
            .map_err(|error| Error::Malformed { what: "public key", detail: error.to_string() })?;
        let parameters = info.algorithm.parameters.and_then(|parameters| parameters.decode_as().ok());
        info.subject_public_key
            .as_bytes()
            .and_then(|bits| Self::read(info.algorithm.oid, parameters, bits))
            .ok_or_else(unsupported)
    }

    /// Reads the bits of a key of one of the kinds that are looked at.
    fn read(algorithm: ObjectIdentifier, parameters: Option<ObjectIdentifier>, bits: &[u8]) -> Option<Self> {
        if algorithm == RSA_ENCRYPTION {
            let key = RsaPublicKey::from_der(bits).ok()?;
            return Some(Self::Rsa {
                modulus: key.modulus.as_bytes().to_vec(),
                exponent: key.exponent.as_bytes().to_vec(),
            });
        }
        let curve = match parameters.filter(|_| algorithm == EC_PUBLIC_KEY)? {
            SECP256R1 => EccCurve::P256,
            SECP384R1 => EccCurve::P384,
            SECP521R1 => EccCurve::P521,
            _ => return None,
        };
        // SEC 1, 2.3.3: 04 ‖ X ‖ Y is the uncompressed point.
        let (x, y) = bits.strip_prefix(&[4])?.split_at_checked(curve.coordinate_size())?;
        EccPoint::new(curve, x, y).ok().filter(|_| x.len() == y.len()).map(Self::Ecc)
    }
}

impl Certificate {
    /// Parses one DER certificate; bytes after it, and an extension that occurs twice, are refused.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let malformed = |detail: String| Error::Malformed { what: "certificate", detail };
        if der.len() > MAX_DER_BYTES {
            return Err(malformed(format!("{} bytes", der.len())));
        }
        let parsed = x509_cert::Certificate::from_der(der).map_err(|error| malformed(error.to_string()))?;
        let signed = signed_part(der).map_err(|error| malformed(error.to_string()))?;
        let common_name = common_name(parsed.tbs_certificate().subject());
        let certificate = Self { der: der.to_vec(), signed, parsed, common_name };
        certificate.refuse_repeated_extensions()?;
        Ok(certificate)
    }

    /// Parses one DER certificate, or every certificate of a PEM file.
    pub fn all_from(bytes: &[u8]) -> Result<Vec<Self>, Error> {
        if !pem::is_pem(bytes) {
            return Ok(vec![Self::from_der(bytes)?]);
        }
        pem::blocks(bytes, "CERTIFICATE", MAX_CERTIFICATES)?.iter().map(|der| Self::from_der(der)).collect()
    }

    /// Tells whether the attributes of subject and issuer are in the order that DER asks for: those of some TPM vendors
    /// are not.
    ///
    /// Signatures are checked over the received bytes either way.
    pub fn has_ordered_names(&self) -> bool {
        let certificate = self.parsed.tbs_certificate();
        [certificate.issuer(), certificate.subject()].iter().all(|name| {
            // The parsed name is in order; as it was received it has to stand in the bytes.
            name.to_der().is_ok_and(|ordered| self.der.windows(ordered.len()).any(|window| window == ordered))
        })
    }

    /// Returns the bytes as received.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the subject's common name.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// Returns the issuer's common name, for messages.
    pub fn issuer_common_name(&self) -> String {
        common_name(self.parsed.tbs_certificate().issuer())
    }

    /// Returns the serial number's content octets.
    pub fn serial(&self) -> &[u8] {
        self.parsed.tbs_certificate().serial_number().as_bytes()
    }

    /// Returns the first and the last second of the validity period.
    pub fn validity(&self) -> (UnixTime, UnixTime) {
        let validity = self.parsed.tbs_certificate().validity();
        (
            UnixTime(validity.not_before.to_unix_duration().as_secs()),
            UnixTime(validity.not_after.to_unix_duration().as_secs()),
        )
    }

    /// Says whether this certificate names `issuer` as its issuer.
    pub fn names_issuer(&self, issuer: &Self) -> bool {
        self.parsed.tbs_certificate().issuer() == issuer.subject()
    }

    /// Says whether subject and issuer are one name.
    pub fn is_self_issued(&self) -> bool {
        self.names_issuer(self)
    }

    /// Decodes the subject's public key.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        let info = self.parsed.tbs_certificate().subject_public_key_info();
        let parameters = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.decode_as().ok());
        info.subject_public_key
            .as_bytes()
            .and_then(|bits| PublicKey::read(info.algorithm.oid, parameters, bits))
            .ok_or_else(|| Error::UnsupportedKey { of: self.common_name.clone() })
    }

    /// Returns the content of the extension `oid`.
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        self.extensions().find(|extension| extension.extn_id == oid).map(|extension| extension.extn_value.as_bytes())
    }

    /// Decodes what the key may be used for, where the certificate says.
    pub(crate) fn key_usage(&self) -> Result<Option<KeyUsage>, Error> {
        self.decode_extension(KEY_USAGE)
    }

    /// Decodes the purposes that the key may be used for, where the certificate says.
    pub(crate) fn extended_key_usage(&self) -> Result<Option<Vec<ObjectIdentifier>>, Error> {
        Ok(self.decode_extension::<ExtendedKeyUsage>(EXTENDED_KEY_USAGE)?.map(|usages| usages.0))
    }

    /// Checks that `issuer` signed the received bytes and is named as the issuer.
    pub fn check_signed_by(&self, issuer: &Self) -> Result<(), Error> {
        if !self.names_issuer(issuer) {
            return Err(Error::MissingIssuer { of: self.common_name.clone(), issuer: self.issuer_common_name() });
        }
        // RFC 5280, 4.1.1.2: "This field MUST contain the same algorithm identifier as the signature field".
        if self.parsed.signature_algorithm() != self.parsed.tbs_certificate().signature() {
            return Err(Error::UnsupportedSignature {
                of: self.common_name.clone(),
                detail: "inner and outer algorithm differ".into(),
            });
        }
        signature::check(
            &self.common_name,
            self.parsed.signature_algorithm(),
            &self.signed,
            self.parsed.signature(),
            issuer,
        )
    }

    /// Checks that `at` lies in the validity period.
    pub fn check_validity(&self, at: UnixTime) -> Result<(), Error> {
        let (from, until) = self.validity();
        if at < from {
            return Err(Error::NotYetValid { of: self.common_name.clone(), from, at });
        }
        if at > until {
            return Err(Error::Expired { of: self.common_name.clone(), until, at });
        }
        Ok(())
    }

    /// Checks that this certificate may issue others, with `below` more authorities under it.
    pub fn check_is_authority(&self, below: u8) -> Result<(), Error> {
        let refuse = |detail: &str| Error::NotAnAuthority { of: self.common_name.clone(), detail: detail.to_owned() };
        self.refuse_unknown_critical_extensions()?;
        let constraints = self
            .decode_extension::<BasicConstraints>(BASIC_CONSTRAINTS)?
            .ok_or_else(|| refuse("no basic constraints"))?;
        if !constraints.ca {
            return Err(refuse("basic constraints say it is no CA"));
        }
        if constraints.path_len_constraint.is_some_and(|limit| limit < below) {
            return Err(refuse("its path length constraint is too small"));
        }
        // RFC 5280, 6.1.4 (n): "If a key usage extension is present, verify that the keyCertSign bit is set."
        match self.key_usage()? {
            Some(usage) if !usage.key_cert_sign() => Err(refuse("its key may not sign certificates")),
            _ => Ok(()),
        }
    }

    /// Checks that this certificate is one of an end entity.
    pub fn check_is_end_entity(&self) -> Result<(), Error> {
        self.refuse_unknown_critical_extensions()?;
        match self.decode_extension::<BasicConstraints>(BASIC_CONSTRAINTS)? {
            Some(BasicConstraints { ca: true, .. }) => Err(Error::AuthorityAsLeaf { of: self.common_name.clone() }),
            _ => Ok(()),
        }
    }

    /// Checks that the key may sign revocation lists, as far as the certificate says.
    pub(super) fn check_may_sign_crl(&self) -> Result<(), Error> {
        match self.key_usage()? {
            Some(usage) if !usage.crl_sign() => Err(Error::NotAnAuthority {
                of: self.common_name.clone(),
                detail: "its key may not sign revocation lists".into(),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn subject(&self) -> &x509_cert::name::Name {
        self.parsed.tbs_certificate().subject()
    }

    fn extensions(&self) -> impl Iterator<Item = &x509_cert::ext::Extension> {
        self.parsed.tbs_certificate().extensions().into_iter().flatten()
    }

    fn decode_extension<'a, T: Decode<'a>>(&'a self, oid: ObjectIdentifier) -> Result<Option<T>, Error> {
        self.extension(oid)
            .map(|bytes| {
                T::from_der(bytes).map_err(|_| Error::Malformed {
                    what: "certificate extension",
                    detail: format!("{oid} of {}", self.common_name),
                })
            })
            .transpose()
    }

    /// RFC 5280, 4.2: "A certificate MUST NOT include more than one instance of a particular extension."
    fn refuse_repeated_extensions(&self) -> Result<(), Error> {
        let mut seen: Vec<ObjectIdentifier> = self.extensions().map(|extension| extension.extn_id).collect();
        seen.sort_unstable();
        match seen.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some(*one),
            _ => None,
        }) {
            Some(oid) => Err(Error::Malformed { what: "certificate", detail: format!("extension {oid} occurs twice") }),
            None => Ok(()),
        }
    }

    /// RFC 5280, 4.2: "MUST reject the certificate if it encounters a critical extension it does not recognize".
    fn refuse_unknown_critical_extensions(&self) -> Result<(), Error> {
        match self.extensions().find(|extension| extension.critical && !UNDERSTOOD.contains(&extension.extn_id)) {
            Some(extension) => Err(Error::UnknownCriticalExtension {
                of: self.common_name.clone(),
                oid: extension.extn_id.to_string(),
            }),
            None => Ok(()),
        }
    }
}

fn common_name(name: &x509_cert::name::Name) -> String {
    name.common_name().ok().flatten().map_or_else(|| "(no common name)".to_owned(), |name| name.value().into_owned())
}

/// Cuts the TBSCertificate or TBSCertList out of the received bytes.
pub(super) fn signed_part(der: &[u8]) -> der::Result<Vec<u8>> {
    let mut outer = SliceReader::new(der)?;
    outer.sequence(|inner| {
        let signed = inner.tlv_bytes()?.to_vec();
        let rest = inner.remaining_len();
        inner.read_slice(rest)?;
        Ok(signed)
    })
}
