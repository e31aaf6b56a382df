// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The part of a certificate that a caller gives (Part 3, "TPM2_CertifyX509").
use evtpm_tpm_wire::{Rc, TpmaObject};

use super::der::{self, BIT_STRING, BOOLEAN, Element, OCTET_STRING, OID, SEQUENCE};

/// 2.5.29.15
const KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x0F];
/// "the TCG OID tcg-tpmaObject, 2.23.133.10.1.1.1"
const TPMA_OBJECT: &[u8] = &[0x67, 0x81, 0x05, 0x0A, 0x01, 0x01, 0x01];

/// A partial certificate: each element whole, as it goes into the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialCertificate<'a> {
    /// The signature algorithm, if the caller chose it.
    pub signature: Option<&'a [u8]>,
    /// The issuer.
    pub issuer: &'a [u8],
    /// The validity.
    pub validity: &'a [u8],
    /// The subject.
    pub subject: &'a [u8],
    /// The extensions, with their tag.
    pub extensions: &'a [u8],
    /// What the extensions say about the key.
    pub claims: KeyClaims,
}

/// What extensions say about the key that is certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyClaims {
    /// "The Extensions element is required to contain a Key Usage extension."
    pub key_usage: KeyUsage,
    /// "The Extensions element may contain a TPMA_OBJECT extension."
    pub object: Option<u32>,
}

impl<'a> PartialCertificate<'a> {
    /// Reads a partial certificate.
    ///
    /// # Errors
    /// `TPM_RC_SIZE` when it is not exactly one SEQUENCE, `TPM_RC_RESERVED_BITS` for a key usage that does not exist,
    /// `TPM_RC_VALUE` for everything else.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Rc> {
        let elements = der::only(bytes, SEQUENCE).ok_or(Rc::SIZE)?;
        let (sequences, count, extensions) = split(elements).ok_or(Rc::VALUE)?;
        let (signature, [issuer, validity, subject]) = match (count, sequences) {
            // "The TPM determines if the Signature Algorithm Identifier element is present by counting the elements."
            (3, [issuer, validity, subject, _]) => (None, [issuer, validity, subject]),
            (4, [signature, issuer, validity, subject]) => (Some(signature), [issuer, validity, subject]),
            _ => return Err(Rc::VALUE),
        };
        let claims = claims(extensions.contents)?;
        Ok(Self { signature, issuer, validity, subject, extensions: extensions.whole, claims })
    }
}

/// Up to four SEQUENCEs and how many they are, then the extensions, which end the certificate.
fn split(mut elements: &[u8]) -> Option<([&[u8]; 4], usize, Element<'_>)> {
    let mut sequences: [&[u8]; 4] = [&[]; 4];
    let mut count = 0usize;
    loop {
        let (element, rest) = der::split(elements)?;
        if element.tag == der::context(3) {
            return rest.is_empty().then_some((sequences, count, element));
        }
        if element.tag != SEQUENCE {
            return None;
        }
        *sequences.get_mut(count)? = element.whole;
        count = count.saturating_add(1);
        elements = rest;
    }
}

fn claims(extensions: &[u8]) -> Result<KeyClaims, Rc> {
    let mut extensions = der::only(extensions, SEQUENCE).ok_or(Rc::VALUE)?;
    let (mut key_usage, mut object) = (None, None);
    while !extensions.is_empty() {
        let (extension, rest) = der::split(extensions).ok_or(Rc::VALUE)?;
        let (oid, value) = extension_value(extension).ok_or(Rc::VALUE)?;
        let claim = match oid {
            KEY_USAGE => &mut key_usage,
            TPMA_OBJECT => &mut object,
            _ => {
                extensions = rest;
                continue;
            }
        };
        // "A certificate MUST NOT include more than one instance of a particular extension." (RFC 5280)
        if claim.replace(bit_string(value).ok_or(Rc::VALUE)?).is_some() {
            return Err(Rc::VALUE);
        }
        extensions = rest;
    }
    let (bits, _) = key_usage.ok_or(Rc::VALUE)?;
    let object = match object {
        None => None,
        // "an OCTET STRING encapsulating a 4-byte BIT STRING holding the big endian TPMA_OBJECT"
        Some((bits, 32)) => Some(bits),
        Some(_) => return Err(Rc::VALUE),
    };
    Ok(KeyClaims { key_usage: KeyUsage::from_bits(bits)?, object })
}

/// Takes identifier and value out of SEQUENCE { OID, BOOLEAN critical (optional), OCTET STRING }.
fn extension_value(extension: Element<'_>) -> Option<(&[u8], &[u8])> {
    let (oid, rest) = der::split(extension.contents)?;
    let (next, after) = der::split(rest)?;
    let value = if next.tag == BOOLEAN { after } else { rest };
    let value = der::only(value, OCTET_STRING)?;
    (extension.tag == SEQUENCE && oid.tag == OID).then_some((oid.contents, value))
}

/// Reads a BIT STRING of at most 32 bits, the first the most significant; tells how many there are.
fn bit_string(value: &[u8]) -> Option<(u32, usize)> {
    let (unused, octets) = der::only(value, BIT_STRING)?.split_first()?;
    if *unused > 7 || octets.len() > 4 || (octets.is_empty() && *unused != 0) {
        return None;
    }
    let mut bits = [0; 4];
    bits.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
    let bits = u32::from_be_bytes(bits);
    let count = octets.len().saturating_mul(8).saturating_sub(usize::from(*unused));
    // "Each unused bit in the final octet of the encoding of a bit string value shall be set to zero." (X.690)
    let used = u32::try_from(count).ok().map_or(0, |count| u32::MAX.checked_shr(count).map_or(u32::MAX, |rest| !rest));
    (bits & !used == 0).then_some((bits, count))
}

/// A key usage (`TPMA_X509_KEY_USAGE`): RFC 5280's bits, the first the most significant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(u32);

impl KeyUsage {
    const DIGITAL_SIGNATURE: u32 = 1 << 31;
    const NON_REPUDIATION: u32 = 1 << 30;
    const KEY_ENCIPHERMENT: u32 = 1 << 29;
    const DATA_ENCIPHERMENT: u32 = 1 << 28;
    const KEY_AGREEMENT: u32 = 1 << 27;
    const KEY_CERT_SIGN: u32 = 1 << 26;
    const CRL_SIGN: u32 = 1 << 25;
    const ENCIPHER_ONLY: u32 = 1 << 24;
    const DECIPHER_ONLY: u32 = 1 << 23;
    const RESERVED: u32 = (1 << 23) - 1;

    /// What each bit requires of the key (Part 2, "TPMA_X509_KEY_USAGE").
    const REQUIREMENTS: [(u32, TpmaObject); 4] = [
        (Self::DIGITAL_SIGNATURE | Self::KEY_CERT_SIGN | Self::CRL_SIGN, TpmaObject::SIGN),
        (
            Self::DATA_ENCIPHERMENT | Self::KEY_AGREEMENT | Self::ENCIPHER_ONLY | Self::DECIPHER_ONLY,
            TpmaObject::DECRYPT,
        ),
        (Self::KEY_ENCIPHERMENT, TpmaObject::with(TpmaObject::DECRYPT, TpmaObject::RESTRICTED)),
        (Self::NON_REPUDIATION, TpmaObject::FIXED_TPM),
    ];

    const fn from_bits(bits: u32) -> Result<Self, Rc> {
        if bits & Self::RESERVED == 0 { Ok(Self(bits)) } else { Err(Rc::RESERVED_BITS) }
    }

    /// Tells whether a key with these attributes can be used so.
    pub fn fits(self, attributes: TpmaObject) -> bool {
        Self::REQUIREMENTS.iter().all(|(usage, required)| self.0 & usage == 0 || attributes.contains(*required))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
        let (header, size) = der::header(tag, contents.len()).unwrap();
        [&header[..size], contents].concat()
    }

    fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
        let critical = if critical { element(BOOLEAN, &[0xFF]) } else { Vec::new() };
        element(SEQUENCE, &[element(OID, oid), critical, element(OCTET_STRING, value)].concat())
    }

    fn certificate(sequences: usize, extensions: &[u8]) -> Vec<u8> {
        let names = element(SEQUENCE, b"name").repeat(sequences);
        element(SEQUENCE, &[names, element(der::context(3), &element(SEQUENCE, extensions))].concat())
    }

    fn claims_of(extensions: &[Vec<u8>]) -> Result<KeyClaims, Rc> {
        PartialCertificate::parse(&certificate(3, &extensions.concat())).map(|partial| partial.claims)
    }

    const SIGNS: &[u8] = &[3, 2, 7, 0x80];

    #[test]
    fn the_algorithm_is_told_from_the_count() {
        let usage = extension(KEY_USAGE, true, SIGNS);
        let bytes = certificate(3, &usage);
        let partial = PartialCertificate::parse(&bytes).unwrap();
        assert_eq!((partial.signature, partial.issuer), (None, &element(SEQUENCE, b"name")[..]));
        assert!(PartialCertificate::parse(&certificate(4, &usage)).unwrap().signature.is_some());
        for count in [0, 1, 2, 5, 6] {
            assert_eq!(PartialCertificate::parse(&certificate(count, &usage)), Err(Rc::VALUE), "{count}");
        }
    }

    #[test]
    fn what_is_not_one_sequence_is_a_size_error() {
        let mut bytes = certificate(3, &extension(KEY_USAGE, true, SIGNS));
        assert_eq!(PartialCertificate::parse(&bytes[..bytes.len() - 1]), Err(Rc::SIZE));
        bytes.push(0);
        assert_eq!(PartialCertificate::parse(&bytes), Err(Rc::SIZE));
        assert_eq!(PartialCertificate::parse(&[]), Err(Rc::SIZE));
        bytes[0] = 0x31;
        assert_eq!(PartialCertificate::parse(&bytes), Err(Rc::SIZE));
    }

    #[test]
    fn each_key_usage_requires_its_attributes() {
        let usage = |bits: [u8; 2]| {
            let value = [&[3, 3, 7][..], &bits].concat();
            claims_of(&[extension(KEY_USAGE, false, &value)]).unwrap().key_usage
        };
        let parent = TpmaObject::DECRYPT | TpmaObject::RESTRICTED;
        for (bits, required) in [
            ([0x80, 0], TpmaObject::SIGN),
            ([0x40, 0], TpmaObject::FIXED_TPM),
            ([0x20, 0], parent),
            ([0x10, 0], TpmaObject::DECRYPT),
            ([0x08, 0], TpmaObject::DECRYPT),
            ([0x04, 0], TpmaObject::SIGN),
            ([0x02, 0], TpmaObject::SIGN),
            ([0x01, 0], TpmaObject::DECRYPT),
            ([0, 0x80], TpmaObject::DECRYPT),
        ] {
            let everything = parent | TpmaObject::SIGN | TpmaObject::FIXED_TPM;
            assert!(usage(bits).fits(required), "{bits:02x?}");
            assert!(!usage(bits).fits(everything.without(required)), "{bits:02x?}");
        }
        assert!(!usage([0x20, 0]).fits(TpmaObject::DECRYPT));
    }

    #[test]
    fn reserved_bits_and_unclean_bit_strings_are_refused() {
        let claims = |value: &[u8]| claims_of(&[extension(KEY_USAGE, true, value)]);
        assert_eq!(claims(&[3, 3, 6, 0x80, 0x40]), Err(Rc::RESERVED_BITS));
        for value in
            [&[3, 2, 7, 0x81][..], &[3, 2, 8, 0x80], &[3, 1, 1], &[3, 0], &[4, 2, 7, 0x80], &[3, 6, 0, 1, 2, 3, 4, 5]]
        {
            assert_eq!(claims(value), Err(Rc::VALUE), "{value:02x?}");
        }
    }

    #[test]
    fn the_attributes_are_four_octets_and_said_once() {
        let usage = extension(KEY_USAGE, true, SIGNS);
        let object = extension(TPMA_OBJECT, false, &[3, 5, 0, 0, 4, 4, 0x72]);
        let unknown = extension(&[0x55, 0x1D, 0x13], true, b"anything");
        let claims = claims_of(&[unknown.clone(), object.clone(), usage.clone()]).unwrap();
        assert_eq!(claims.object, Some(0x0004_0472));
        let short = extension(TPMA_OBJECT, false, &[3, 4, 0, 0, 4, 4]);
        for extensions in [
            &[object.clone(), object.clone(), usage.clone()][..],
            &[usage.clone(), usage.clone()],
            &[usage.clone(), short],
            &[object],
            &[unknown],
            &[],
        ] {
            assert_eq!(claims_of(extensions), Err(Rc::VALUE));
        }
    }

    #[test]
    fn no_shortened_or_changed_certificate_does_more_than_fail() {
        let usage = extension(KEY_USAGE, true, SIGNS);
        let object = extension(TPMA_OBJECT, false, &[3, 5, 0, 0, 4, 4, 0x72]);
        let bytes = certificate(4, &[usage, object].concat());
        for place in 0..bytes.len() {
            let _ = PartialCertificate::parse(&bytes[..place]);
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                let _ = PartialCertificate::parse(&changed);
            }
        }
    }
}
