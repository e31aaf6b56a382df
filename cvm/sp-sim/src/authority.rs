// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The certificates of the key distribution service: ARK → ASK → VCEK and ARK → ASVK → VLEK (VCEK specification).
//!
//! They are what the real service issues, quirk by quirk, except that every subject says SIMULATED.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use evtpm_crypto::{Crypto as _, HashAlg, RustCrypto};

use crate::der;
use crate::endorsement::EndorsementKey;
use crate::error::Error;
use crate::platform::Platform;
use crate::product::Product;
use crate::root_keys::{EXPONENT, RootKey, SALT_SIZE};
use crate::time::UnixTime;

/// The word before every common name.
const SIMULATED: &str = "SIMULATED";
/// The organisation in every name.
const ORGANIZATION: &str = "SIMULATED - not AMD";
/// 2020-10-22 17:23:05, when the oldest real root was made.
const AUTHORITIES_FROM: UnixTime = UnixTime(1_603_387_385);
/// The years that roots and intermediates live.
const AUTHORITY_YEARS: u64 = 25;
/// The years that a VCEK certificate lives.
const VCEK_YEARS: u64 = 7;
/// The years that a VLEK certificate lives.
const VLEK_YEARS: u64 = 1;

/// The certificates above an endorsement key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The root of a product.
    Ark,
    /// The intermediate that signs VCEKs.
    Ask,
    /// The intermediate that signs VLEKs.
    Asvk,
}

/// The certification authority of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority {
    product: Product,
}

impl Authority {
    /// Returns the authority of this product.
    #[must_use]
    pub const fn new(product: Product) -> Self {
        Self { product }
    }

    /// Returns the common name of a certificate, for instance `SIMULATED ARK-Milan`.
    #[must_use]
    pub fn common_name(&self, role: Role) -> String {
        let prefix = match role {
            Role::Ark => "ARK",
            Role::Ask => "SEV",
            Role::Asvk => "SEV-VLEK",
        };
        format!("{SIMULATED} {prefix}-{}", self.product.name())
    }

    /// Returns the serial number of a certificate.
    #[must_use]
    pub const fn serial_number(&self, role: Role) -> u32 {
        let ark = self.product.ark_serial();
        match (role, self.product) {
            (Role::Ark, _) => ark,
            // The first ASK of the real Genoa was revoked.
            (Role::Ask, Product::Genoa) => ark + 2,
            (Role::Ask, _) => ark + 1,
            (Role::Asvk, _) => ark + 0x101,
        }
    }

    /// Makes the certificate of a root or an intermediate, in DER; it is the same each time.
    ///
    /// # Errors
    /// The signature fails.
    pub fn certificate(&self, role: Role) -> Result<Vec<u8>, Error> {
        let key = RootKey::of(self.product, role);
        let public = rsa_public_key(key.modulus);
        let (key_usage, path_length) = match role {
            Role::Ark => (0x06, None),
            Role::Ask | Role::Asvk => (0x04, Some(0)),
        };
        let key_usage =
            extension(&KEY_USAGE, true, &der::primitive(der::BIT_STRING, &[unused_bits(key_usage), key_usage]));
        let constraints = extension(&BASIC_CONSTRAINTS, true, &basic_constraints(path_length));
        let subject_key = extension(&SUBJECT_KEY_ID, false, &der::primitive(der::OCTET_STRING, &key_id(&public)));
        let distribution = extension(&CRL_DISTRIBUTION, false, &self.crl_distribution(role));
        let extensions = match role {
            Role::Ark => vec![key_usage, subject_key, constraints, distribution],
            Role::Ask | Role::Asvk => {
                let authority_key = extension(&AUTHORITY_KEY_ID, false, &self.authority_key_id());
                vec![subject_key, authority_key, constraints, key_usage, distribution]
            }
        };
        Certificate {
            serial_number: self.serial_number(role),
            issuer: Role::Ark,
            subject: self.common_name(role),
            from: AUTHORITIES_FROM,
            until: AUTHORITIES_FROM.plus_years(AUTHORITY_YEARS),
            public_key: der::sequence(&[
                der::sequence(&[der::object_identifier(&RSA_ENCRYPTION), der::null()]),
                der::bit_string(&public),
            ]),
            extensions,
            spells_out_trailer: true,
        }
        .sign(self)
    }

    /// Makes the certificate of a chip's VCEK for the platform's reported TCB.
    pub(crate) fn vcek_certificate(
        &self,
        platform: &Platform,
        vcek: &EndorsementKey,
        chip_id: &[u8; 64],
    ) -> Result<Vec<u8>, Error> {
        let hardware_id = &chip_id[..self.product.generation().hardware_id_size()];
        let mut extensions = self.tcb_extensions(platform, self.product.vcek_product_name());
        // The octets themselves, without a DER type of their own.
        extensions.push(extension(&[1, 3, 6, 1, 4, 1, 3704, 1, 4], false, hardware_id));
        Certificate {
            serial_number: 0,
            issuer: Role::Ask,
            subject: format!("{SIMULATED} SEV-VCEK"),
            from: platform.issued,
            until: platform.issued.plus_years(VCEK_YEARS),
            public_key: p384_public_key(&vcek.public()?),
            extensions,
            spells_out_trailer: self.product.vcek_spells_out_trailer(),
        }
        .sign(self)
    }

    /// Makes the certificate of a provider's VLEK for the platform's reported TCB.
    pub(crate) fn vlek_certificate(
        &self,
        platform: &Platform,
        vlek: &EndorsementKey,
        csp_id: &str,
    ) -> Result<Vec<u8>, Error> {
        let mut extensions = self.tcb_extensions(platform, self.product.name());
        let csp_id = der::primitive(der::IA5_STRING, csp_id.as_bytes());
        extensions.push(extension(&[1, 3, 6, 1, 4, 1, 3704, 1, 5], false, &csp_id));
        Certificate {
            serial_number: 0,
            issuer: Role::Asvk,
            subject: format!("{SIMULATED} SEV-VLEK"),
            from: platform.issued,
            until: platform.issued.plus_years(VLEK_YEARS),
            public_key: p384_public_key(&vlek.public()?),
            extensions,
            spells_out_trailer: false,
        }
        .sign(self)
    }

    /// Structure version, product name and security patch levels, in the order of the real certificates.
    fn tcb_extensions(&self, platform: &Platform, product_name: &str) -> Vec<Vec<u8>> {
        let tcb = platform.reported_tcb;
        let level = |number: u32, value: u8| {
            extension(&[1, 3, 6, 1, 4, 1, 3704, 1, 3, number], false, &der::unsigned(&[value]))
        };
        let mut extensions = vec![
            extension(&[1, 3, 6, 1, 4, 1, 3704, 1, 1], false, &der::unsigned(&[self.product.structure_version()])),
            extension(
                &[1, 3, 6, 1, 4, 1, 3704, 1, 2],
                false,
                &der::primitive(der::IA5_STRING, product_name.as_bytes()),
            ),
        ];
        let (bootloader, tee) = (level(1, tcb.bootloader), level(2, tcb.tee));
        let (snp, microcode) = (level(3, tcb.snp), level(8, tcb.microcode));
        match tcb.fmc {
            Some(fmc) => {
                extensions.extend([level(9, fmc), bootloader, tee, snp, level(5, 0), level(6, 0), level(7, 0)])
            }
            None => extensions.extend([bootloader, tee, level(4, 0), level(5, 0), level(6, 0), level(7, 0), snp]),
        }
        extensions.push(microcode);
        extensions
    }

    /// Returns the RDNs of a name: only the common name differs.
    pub(crate) fn name(common_name: &str) -> Vec<u8> {
        let attribute = |number: u32, tag: u8, value: &str| {
            let value = der::primitive(tag, value.as_bytes());
            der::set(&[der::sequence(&[der::object_identifier(&[2, 5, 4, number]), value])])
        };
        der::sequence(&[
            attribute(11, der::UTF8_STRING, "Engineering"),
            attribute(6, der::PRINTABLE_STRING, "US"),
            attribute(7, der::UTF8_STRING, "Santa Clara"),
            attribute(8, der::UTF8_STRING, "CA"),
            attribute(10, der::UTF8_STRING, ORGANIZATION),
            attribute(3, der::UTF8_STRING, common_name),
        ])
    }

    /// Signs what a certificate or a list says with the key of `role`.
    pub(crate) fn sign(&self, role: Role, algorithm: Vec<u8>, to_be_signed: Vec<u8>) -> Result<Vec<u8>, Error> {
        let signature = RootKey::of(self.product, role).sign(&to_be_signed)?;
        Ok(der::sequence(&[to_be_signed, algorithm, der::bit_string(&signature)]))
    }

    /// AuthorityKeyIdentifier of everything that the root signs.
    pub(crate) fn authority_key_id(&self) -> Vec<u8> {
        let ark = rsa_public_key(RootKey::of(self.product, Role::Ark).modulus);
        der::sequence(&[der::primitive(0x80, &key_id(&ark))])
    }

    fn crl_distribution(&self, role: Role) -> Vec<u8> {
        let key = if role == Role::Asvk { "vlek" } else { "vcek" };
        let url = format!("https://kds.simulated.invalid/{key}/v1/{}/crl", self.product.name());
        let full_name = der::constructed(0xa0, &[der::constructed(0xa0, &[der::primitive(0x86, url.as_bytes())])]);
        der::sequence(&[der::sequence(&[full_name])])
    }
}

/// What a certificate says, before it is signed.
struct Certificate {
    serial_number: u32,
    issuer: Role,
    subject: String,
    from: UnixTime,
    until: UnixTime,
    public_key: Vec<u8>,
    extensions: Vec<Vec<u8>>,
    spells_out_trailer: bool,
}

impl Certificate {
    fn sign(self, authority: &Authority) -> Result<Vec<u8>, Error> {
        let algorithm = pss_algorithm(self.spells_out_trailer);
        let to_be_signed = der::sequence(&[
            der::explicit(0, der::number(2)),
            der::number(self.serial_number),
            algorithm.clone(),
            Authority::name(&authority.common_name(self.issuer)),
            der::sequence(&[self.from.to_der(), self.until.to_der()]),
            Authority::name(&self.subject),
            self.public_key,
            der::explicit(3, der::sequence(&self.extensions)),
        ]);
        authority.sign(self.issuer, algorithm, to_be_signed)
    }
}

const RSA_ENCRYPTION: [u32; 7] = [1, 2, 840, 113_549, 1, 1, 1];
const RSASSA_PSS: [u32; 7] = [1, 2, 840, 113_549, 1, 1, 10];
const MGF1: [u32; 7] = [1, 2, 840, 113_549, 1, 1, 8];
const SHA384: [u32; 9] = [2, 16, 840, 1, 101, 3, 4, 2, 2];
const EC_PUBLIC_KEY: [u32; 6] = [1, 2, 840, 10_045, 2, 1];
const SECP384R1: [u32; 5] = [1, 3, 132, 0, 34];
const SUBJECT_KEY_ID: [u32; 4] = [2, 5, 29, 14];
const KEY_USAGE: [u32; 4] = [2, 5, 29, 15];
const BASIC_CONSTRAINTS: [u32; 4] = [2, 5, 29, 19];
const CRL_DISTRIBUTION: [u32; 4] = [2, 5, 29, 31];
pub(crate) const AUTHORITY_KEY_ID: [u32; 4] = [2, 5, 29, 35];

/// The AlgorithmIdentifier of RSASSA-PSS with SHA-384 and 48 bytes of salt; the trailer field has its default value,
/// which DER forbids to encode and older certificates encode nevertheless.
pub(crate) fn pss_algorithm(spells_out_trailer: bool) -> Vec<u8> {
    let sha384 = der::sequence(&[der::object_identifier(&SHA384), der::null()]);
    let mgf1 = der::sequence(&[der::object_identifier(&MGF1), sha384.clone()]);
    let mut parameters =
        vec![der::explicit(0, sha384), der::explicit(1, mgf1), der::explicit(2, der::unsigned(&[SALT_SIZE]))];
    if spells_out_trailer {
        parameters.push(der::explicit(3, der::number(1)));
    }
    der::sequence(&[der::object_identifier(&RSASSA_PSS), der::sequence(&parameters)])
}

pub(crate) fn extension(id: &[u32], critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::object_identifier(id)];
    if critical {
        parts.push(der::primitive(der::BOOLEAN, &[0xff]));
    }
    parts.push(der::primitive(der::OCTET_STRING, value));
    der::sequence(&parts)
}

fn basic_constraints(path_length: Option<u8>) -> Vec<u8> {
    let mut parts = vec![der::primitive(der::BOOLEAN, &[0xff])];
    parts.extend(path_length.map(|length| der::unsigned(&[length])));
    der::sequence(&parts)
}

/// A BIT STRING begins with the number of bits that its last byte does not use; DER drops the trailing zeros.
fn unused_bits(key_usage: u8) -> u8 {
    key_usage.trailing_zeros() as u8
}

fn rsa_public_key(modulus: &[u8]) -> Vec<u8> {
    der::sequence(&[der::unsigned(modulus), der::number(EXPONENT)])
}

fn p384_public_key(point: &[u8]) -> Vec<u8> {
    let algorithm = [der::object_identifier(&EC_PUBLIC_KEY), der::object_identifier(&SECP384R1)];
    der::sequence(&[der::sequence(&algorithm), der::bit_string(point)])
}

/// "The keyIdentifier is composed of the 160-bit SHA-1 hash of the value of the BIT STRING subjectPublicKey" (RFC 5280).
fn key_id(public_key: &[u8]) -> Vec<u8> {
    RustCrypto::hash(HashAlg::Sha1, &[public_key]).as_bytes().to_vec()
}
