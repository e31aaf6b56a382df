// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reference values as CoRIM (draft-ietf-rats-corim): what their author, whose key the verifier's owner named, says that good
//! components measure.
//!
//! Read are reference triples with digests, security versions, raw values, registers and the identifiers of signing keys; a value that
//! restricts something else is marked, and so is an environment of which more is said. A CoRIM that nobody signed is taken on its owner's word, and its root says so.

use core::fmt;

pub use evtpm_evidence::corim::Svn;
use evtpm_evidence::corim::{Corim, Measurement, MeasurementKey, Tagged, Triple};

use crate::error::Hex;
use crate::x509::PublicKey;
use crate::{Error, Vendor, Verified, cose};

/// What a CoRIM says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceValues {
    /// The profile, which gives the values their meaning.
    pub profile: Option<String>,
    /// The environments with their values.
    pub environments: Vec<Environment>,
}

/// What an environment measures, if it is good: all of this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The identifier of the class.
    pub class: Option<Vec<u8>>,
    /// Who makes the class, and its name.
    pub vendor: Option<String>,
    /// The name of the class among its vendor's.
    pub model: Option<String>,
    /// The identifier of the instance.
    pub instance: Option<Vec<u8>>,
    /// The values.
    pub references: Vec<Reference>,
    /// Whether its author says more of it than is read, so that it must not be taken for any other that has the rest.
    pub says_more: bool,
}

/// What one component of an environment measures, if it is good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// What is measured.
    pub component: Component,
    /// Digests with the numbers of their algorithms (the registry "Named Information Hash Algorithm").
    pub digests: Digests,
    /// The security version.
    pub svn: Option<Svn>,
    /// The value itself.
    pub raw_value: Option<Vec<u8>>,
    /// The value itself, if it is a number.
    pub raw_int: Option<i64>,
    /// Registers by their numbers, each with its digests.
    pub registers: Vec<(u64, Digests)>,
    /// The measurement of an enclave, a TD or a TDX module.
    pub tee: Digests,
    /// Identifiers of the keys that sign the component.
    pub signers: Vec<Vec<u8>>,
    /// Whether its author restricts what is not read, so that the rest must not be taken for all of it.
    pub says_more: bool,
    /// Whether all that is not read is a mask of the raw value, without which the value accepts less, and never more.
    pub is_masked: bool,
}

/// Digests with the numbers of their algorithms.
pub type Digests = Vec<(i64, Vec<u8>)>;

/// What is measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Component {
    /// The environment as a whole.
    #[default]
    Whole,
    /// What a text names.
    Named(String),
    /// What a number of the profile stands for.
    Numbered(i64),
    /// What a UUID or an object identifier stands for.
    Identified(Vec<u8>),
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("the whole environment"),
            Self::Named(text) => f.write_str(text),
            Self::Numbered(number) => write!(f, "measurement {number}"),
            Self::Identified(bytes) => write!(f, "measurement {}", Hex(bytes)),
        }
    }
}

/// Verifies a signed CoRIM with the key that its owner named.
pub fn verify(corim: &Corim<'_>, key: &PublicKey, name: &str) -> Result<Verified<ReferenceValues, Vendor>, Error> {
    let unsigned = || Error::Evidence(evtpm_evidence::Error::Missing { what: "signature of the CoRIM" });
    let envelope = corim.envelope.as_ref().ok_or_else(unsigned)?;
    cose::check("CoRIM", envelope, key, name)?;
    Ok(named(corim, name))
}

/// Takes a CoRIM on the operator's word, signed or not.
pub fn named(corim: &Corim<'_>, name: &str) -> Verified<ReferenceValues, Vendor> {
    let triples = corim.comids.iter().flat_map(|comid| &comid.references);
    let oid = corim.profile_oid.and_then(|oid| der::asn1::ObjectIdentifier::from_bytes(oid).ok());
    let profile = corim.profile.map(str::to_owned).or_else(|| oid.map(|oid| oid.to_string()));
    let values = ReferenceValues { profile, environments: triples.map(Environment::read).collect() };
    Verified::new(values, Vendor::Named { name: name.to_owned() })
}

impl Environment {
    fn read(triple: &Triple<'_, Measurement<'_>>) -> Self {
        Self {
            class: triple.class.and_then(identifier),
            vendor: triple.vendor.map(str::to_owned),
            model: triple.model.map(str::to_owned),
            instance: triple.instance.and_then(identifier),
            references: triple.values.iter().map(Reference::read).collect(),
            says_more: triple.says_more || [triple.class, triple.instance].into_iter().flatten().any(is_key),
        }
    }
}

impl Reference {
    fn read(measurement: &Measurement<'_>) -> Self {
        let has_keys = measurement.crypto_keys.iter().copied().any(is_key);
        Self {
            component: match measurement.key {
                None => Component::Whole,
                Some(MeasurementKey::Text(text)) => Component::Named(text.to_owned()),
                Some(MeasurementKey::Number(number)) => Component::Numbered(number),
                Some(MeasurementKey::Identifier(tagged)) => {
                    Component::Identified(identifier(tagged).unwrap_or_default())
                }
            },
            digests: owned(&measurement.digests),
            svn: measurement.svn,
            raw_value: measurement.raw_value.map(<[u8]>::to_vec),
            raw_int: measurement.raw_int,
            registers: measurement.registers.iter().map(|(number, digests)| (*number, owned(digests))).collect(),
            tee: owned(&measurement.tee),
            signers: measurement.crypto_keys.iter().copied().filter_map(identifier).collect(),
            says_more: measurement.says_more || has_keys,
            is_masked: measurement.is_masked && !has_keys,
        }
    }
}

fn owned(digests: &[(i64, &[u8])]) -> Digests {
    digests.iter().map(|(algorithm, value)| (*algorithm, value.to_vec())).collect()
}

/// Says whether an identifier is a whole key, which is not read.
const fn is_key(tagged: Tagged<'_>) -> bool {
    matches!(tagged, Tagged::PkixKey(_))
}

fn identifier(tagged: Tagged<'_>) -> Option<Vec<u8>> {
    match tagged {
        Tagged::Uuid(bytes) | Tagged::Oid(bytes) | Tagged::Ueid(bytes) | Tagged::Bytes(bytes) => Some(bytes.to_vec()),
        Tagged::PkixKey(_) => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use evtpm_crypto::{Crypto, EccCurve, EccPrivate, EntropyError, HashAlg, Rng, RustCrypto};

    use super::*;

    struct Fixed;

    impl Rng for Fixed {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
            out.fill(0x5a);
            Ok(())
        }
    }

    /// A bare CoRIM: one CoMID with one triple, whose class is four bytes and whose component "x" has one SHA-256 digest.
    fn bare() -> Vec<u8> {
        let triple = [
            b"\x82\xa1\x00\xa1\x00\xd9\x02\x30\x44clas\x81\xa2\x00\x61x\x01\xa1\x02\x81\x82\x01\x58\x20".as_slice(),
            &[7; 32],
        ];
        let comid = [b"\xa2\x01\xa0\x04\xa1\x00\x81".as_slice(), &triple.concat()].concat();
        let length = u8::try_from(comid.len()).unwrap();
        [b"\xd9\x01\xf5\xa2\x00\x61i\x01\x81\xd9\x01\xfa\x58".as_slice(), &[length], &comid].concat()
    }

    pub(crate) fn signed(private: &EccPrivate) -> Vec<u8> {
        let payload = bare();
        let length = u8::try_from(payload.len()).unwrap();
        let unsigned = [b"\xd2\x84\x43\xa1\x01\x26\xa0\x58".as_slice(), &[length], &payload, b"\x58\x40"].concat();
        let parsed = [unsigned.as_slice(), &[0; 64]].concat();
        let message = Corim::parse(&parsed).unwrap().envelope.unwrap().signed();
        let digest = RustCrypto::hash(HashAlg::Sha256, &[&message]);
        let signature = RustCrypto::ecdsa_sign(private, digest.as_bytes(), &mut Fixed).unwrap();
        [unsigned.as_slice(), signature.r(), signature.s()].concat()
    }

    pub(crate) fn keys() -> (EccPrivate, PublicKey) {
        let private = EccPrivate::new(EccCurve::P256, &[9; 32]).unwrap();
        let public = PublicKey::Ecc(RustCrypto::ecc_public(&private).unwrap());
        (private, public)
    }

    #[test]
    fn a_signed_corim_is_believed_by_its_authors_key() {
        let (private, public) = keys();
        let bytes = signed(&private);
        let corim = Corim::parse(&bytes).unwrap();
        let values = verify(&corim, &public, "author.pem").unwrap();
        let reference = Reference {
            component: Component::Named("x".into()),
            digests: vec![(1, vec![7; 32])],
            ..Reference::default()
        };
        let class = Some(b"clas".to_vec());
        let expected = Environment { class, references: vec![reference], ..Environment::default() };
        assert_eq!(values.environments, [expected]);
        assert_eq!(values.root(), &Vendor::Named { name: "author.pem".into() });
    }

    #[test]
    fn no_changed_byte_of_what_is_signed_is_believed() {
        let (private, public) = keys();
        let good = signed(&private);
        let mut refused = 0;
        for position in 0..good.len() {
            let mut changed = good.clone();
            changed[position] ^= 1;
            let Ok(corim) = Corim::parse(&changed) else { continue };
            // The outer tag and lengths only frame the message; what they frame is still the same.
            assert!(verify(&corim, &public, "author.pem").is_err(), "byte {position}");
            refused += 1;
        }
        assert!(refused > 64, "{refused}");
    }

    #[test]
    fn an_instance_and_a_signer_that_are_whole_keys_are_marked() {
        let triple = |instance, crypto_keys| Triple {
            class: Some(Tagged::Bytes(b"clas")),
            vendor: None,
            model: None,
            instance,
            values: vec![Measurement {
                key: None,
                digests: Vec::new(),
                svn: None,
                raw_value: None,
                raw_int: None,
                registers: Vec::new(),
                tee: Vec::new(),
                name: None,
                crypto_keys,
                says_more: false,
                is_masked: false,
            }],
            says_more: false,
        };
        let marks = |instance, signer: Tagged<'static>| {
            let environment = Environment::read(&triple(instance, vec![signer]));
            (environment.says_more, environment.references[0].says_more)
        };
        assert_eq!(marks(Some(Tagged::Bytes(b"one")), Tagged::Bytes(b"key")), (false, false));
        assert_eq!(marks(Some(Tagged::PkixKey("PEM")), Tagged::PkixKey("PEM")), (true, true));
    }

    #[test]
    fn an_unsigned_corim_is_not_verified_but_may_be_taken_on_a_word() {
        let bytes = bare();
        let corim = Corim::parse(&bytes).unwrap();
        assert!(matches!(verify(&corim, &keys().1, "author.pem"), Err(Error::Evidence(_))));
        assert_eq!(named(&corim, "on a word").environments.len(), 1);
    }
}
