// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reference values as CoRIM (draft-ietf-rats-corim): what their author, whose key the verifier's owner named, says that good
//! components measure.
//!
//! Read are reference triples with digests, raw values and the identifiers of signing keys. A CoRIM that nobody signed is taken on
//! its owner's word, and its root says so.

use evtpm_evidence::corim::{Corim, Measurement, MeasurementKey, Tagged, Triple};

use crate::x509::PublicKey;
use crate::{Error, Vendor, Verified, cose};

/// What a CoRIM says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceValues {
    /// The profile, which gives the values their meaning.
    pub profile: Option<String>,
    /// The values.
    pub references: Vec<Reference>,
}

/// What one component of an environment measures, if it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The identifier of the environment's class.
    pub class: Option<Vec<u8>>,
    /// What is measured, where a text says so.
    pub component: Option<String>,
    /// Digests with the numbers of their algorithms (the registry "Named Information Hash Algorithm").
    pub digests: Vec<(i64, Vec<u8>)>,
    /// The value itself.
    pub raw_value: Option<Vec<u8>>,
    /// Identifiers of the keys that sign the component.
    pub signers: Vec<Vec<u8>>,
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
    let references = triples.flat_map(|triple| triple.values.iter().map(|value| Reference::read(triple, value)));
    let oid = corim.profile_oid.and_then(|oid| der::asn1::ObjectIdentifier::from_bytes(oid).ok());
    let profile = corim.profile.map(str::to_owned).or_else(|| oid.map(|oid| oid.to_string()));
    let values = ReferenceValues { profile, references: references.collect() };
    Verified::new(values, Vendor::Named { name: name.to_owned() })
}

impl Reference {
    fn read(triple: &Triple<'_, Measurement<'_>>, measurement: &Measurement<'_>) -> Self {
        Self {
            class: triple.class.and_then(identifier),
            component: match measurement.key {
                Some(MeasurementKey::Text(text)) => Some(text.to_owned()),
                _ => None,
            },
            digests: measurement.digests.iter().map(|(algorithm, value)| (*algorithm, value.to_vec())).collect(),
            raw_value: measurement.raw_value.map(<[u8]>::to_vec),
            signers: measurement.crypto_keys.iter().copied().filter_map(identifier).collect(),
        }
    }
}

fn identifier(tagged: Tagged<'_>) -> Option<Vec<u8>> {
    match tagged {
        Tagged::Uuid(bytes) | Tagged::Oid(bytes) | Tagged::Ueid(bytes) | Tagged::Bytes(bytes) => Some(bytes.to_vec()),
        Tagged::PkixKey(_) => None,
    }
}

#[cfg(test)]
mod tests {
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

    fn signed(private: &EccPrivate) -> Vec<u8> {
        let payload = bare();
        let length = u8::try_from(payload.len()).unwrap();
        let unsigned = [b"\xd2\x84\x43\xa1\x01\x26\xa0\x58".as_slice(), &[length], &payload, b"\x58\x40"].concat();
        let parsed = [unsigned.as_slice(), &[0; 64]].concat();
        let message = Corim::parse(&parsed).unwrap().envelope.unwrap().signed();
        let digest = RustCrypto::hash(HashAlg::Sha256, &[&message]);
        let signature = RustCrypto::ecdsa_sign(private, digest.as_bytes(), &mut Fixed).unwrap();
        [unsigned.as_slice(), signature.r(), signature.s()].concat()
    }

    fn keys() -> (EccPrivate, PublicKey) {
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
        let expected = Reference {
            class: Some(b"clas".to_vec()),
            component: Some("x".into()),
            digests: vec![(1, vec![7; 32])],
            raw_value: None,
            signers: Vec::new(),
        };
        assert_eq!(values.references, [expected]);
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
    fn an_unsigned_corim_is_not_verified_but_may_be_taken_on_a_word() {
        let bytes = bare();
        let corim = Corim::parse(&bytes).unwrap();
        assert!(matches!(verify(&corim, &keys().1, "author.pem"), Err(Error::Evidence(_))));
        assert_eq!(named(&corim, "on a word").references.len(), 1);
    }
}
