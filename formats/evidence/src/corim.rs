// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reference values and trust anchors as CoRIM (draft-ietf-rats-corim): the subset of CoMID triples that name measured
//! components by digest or by value, and keys by environment; signed or bare.

mod cca;
mod parsec;

use alloc::string::ToString;
use alloc::vec::Vec;

use minicbor::Decoder;
use minicbor::data::Type;

use crate::Error;
use crate::cbor::{self, Key, Map, malformed};
use crate::cose::Sign1;

const WHAT: &str = "CoRIM";
/// `tagged-unsigned-corim-map`.
const TAG_UNSIGNED: u64 = 501;
/// `tagged-corim-type-choice`, an envelope of older drafts.
const TAG_CHOICE: u64 = 500;
/// `tagged-concise-mid-tag`.
const TAG_COMID: u64 = 506;
const TAG_UUID: u64 = 37;
const TAG_OID: u64 = 111;
const TAG_URI: u64 = 32;
/// `tagged-ueid-type`.
const TAG_UEID: u64 = 550;
/// `tagged-pkix-base64-key-type`.
const TAG_KEY: u64 = 554;
/// `tagged-bytes`.
const TAG_BYTES: u64 = 560;
/// `tagged-svn`.
const TAG_SVN: u64 = 552;
/// `tagged-min-svn`.
const TAG_MIN_SVN: u64 = 553;
/// The Intel profile's expressions over sets of digests, and the operator "is a member".
const TAG_DIGEST_SET: u64 = 60020;
const MEMBER: i64 = 6;
/// `tee.mrtee` of the Intel profile.
const MRTEE: i64 = -83;

/// A CoRIM, not verified.
#[derive(Clone, Debug)]
pub struct Corim<'a> {
    /// The envelope, if it is signed.
    pub envelope: Option<Sign1<'a>>,
    /// The name of the profile, if it is a URI.
    pub profile: Option<&'a str>,
    /// The object identifier of the profile, as it is encoded, if it is one.
    pub profile_oid: Option<&'a [u8]>,
    /// The CoMIDs.
    pub comids: Vec<Comid<'a>>,
}

/// A CoMID, as far as it is read.
#[derive(Clone, Debug)]
pub struct Comid<'a> {
    /// Reference values.
    pub references: Vec<Triple<'a, Measurement<'a>>>,
    /// Keys that attesters sign with.
    pub attest_keys: Vec<Triple<'a, Tagged<'a>>>,
}

/// An environment with what is said about it.
#[derive(Clone, Debug)]
pub struct Triple<'a, T> {
    /// The identifier of the class.
    pub class: Option<Tagged<'a>>,
    /// Who makes the class.
    pub vendor: Option<&'a str>,
    /// The name of the class among its vendor's.
    pub model: Option<&'a str>,
    /// The identifier of the instance.
    pub instance: Option<Tagged<'a>>,
    /// The measurements or the keys.
    pub values: Vec<T>,
    /// Whether more is said of the environment than is read here: a group, a layer, an index, or what later drafts add.
    pub says_more: bool,
}

/// A value behind a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged<'a> {
    /// A UUID.
    Uuid(&'a [u8]),
    /// An object identifier, as it is encoded.
    Oid(&'a [u8]),
    /// A UEID (RFC 9711).
    Ueid(&'a [u8]),
    /// Any bytes.
    Bytes(&'a [u8]),
    /// A key as PEM.
    PkixKey(&'a str),
}

/// A measurement.
#[derive(Clone, Debug)]
pub struct Measurement<'a> {
    /// What was measured.
    pub key: Option<MeasurementKey<'a>>,
    /// Digests with the numbers of their algorithms (the registry "Named Information Hash Algorithm").
    pub digests: Vec<(i64, &'a [u8])>,
    /// The security version.
    pub svn: Option<Svn>,
    /// The raw value.
    pub raw_value: Option<&'a [u8]>,
    /// The raw value, if it is a number.
    pub raw_int: Option<i64>,
    /// Registers by their numbers, each with its digests.
    pub registers: Vec<(u64, Digests<'a>)>,
    /// The measurement of an enclave, a TD or a TDX module (`tee.mrtee` of the Intel profile).
    pub tee: Digests<'a>,
    /// The name.
    pub name: Option<&'a str>,
    /// Identifiers of the keys that signed it.
    pub crypto_keys: Vec<Tagged<'a>>,
    /// Whether it restricts what is not read here, so that these values say less than their author did.
    pub says_more: bool,
    /// Whether all that is not read is a mask of the raw value, without which the value accepts less, and never more.
    pub is_masked: bool,
}

/// Digests with the numbers of their algorithms.
pub type Digests<'a> = Vec<(i64, &'a [u8])>;

/// A security version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Svn {
    /// This one.
    Exact(u64),
    /// This one or a later one.
    Minimum(u64),
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasurementKey<'a> {
    /// A number.
    Number(i64),
    /// A text.
    Text(&'a str),
    /// A UUID or an object identifier.
    Identifier(Tagged<'a>),
}

impl<'a> Corim<'a> {
    /// Parses a CoRIM, signed or bare, and checks the rules of its profile if it is one that is known.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let inner = strip_tag(bytes, TAG_CHOICE)?;
        let envelope = match tag_of(inner)? {
            Some(TAG_UNSIGNED) => None,
            _ => Some(Sign1::parse(inner)?),
        };
        let body = envelope.as_ref().map_or(inner, Sign1::payload);
        let mut decoder = Decoder::new(body);
        let tag = decoder.tag().map_err(malformed(WHAT))?.as_u64();
        if tag != TAG_UNSIGNED {
            return Err(Error::Unknown { what: "tag of the CoRIM", value: tag });
        }
        let map = Map::read(WHAT, &mut decoder)?;
        cbor::finish(WHAT, &decoder)?;
        map.raw(Key::Number(0)).ok_or(Error::Missing { what: "identifier of the CoRIM" })?;
        let tags = map.required("tags of the CoRIM", map.array(Key::Number(1)))?;
        let comids: Vec<_> = tags.into_iter().map(Comid::parse).collect::<Result<_, _>>()?;
        if comids.is_empty() {
            return Err(Error::Missing { what: "tags of the CoRIM" });
        }
        let (profile, profile_oid) = profile(&map)?;
        let corim = Self { envelope, profile, profile_oid, comids };
        cca::check(&corim)?;
        parsec::check(&corim)?;
        Ok(corim)
    }
}

/// The tag in front of a value.
fn tag_of(bytes: &[u8]) -> Result<Option<u64>, Error> {
    let mut decoder = Decoder::new(bytes);
    if decoder.datatype().map_err(malformed(WHAT))? != Type::Tag {
        return Ok(None);
    }
    decoder.tag().map(|tag| Some(tag.as_u64())).map_err(malformed(WHAT))
}

/// Takes a tag off, if it is there.
fn strip_tag(bytes: &[u8], tag: u64) -> Result<&[u8], Error> {
    if tag_of(bytes)? != Some(tag) {
        return Ok(bytes);
    }
    let mut decoder = Decoder::new(bytes);
    decoder.tag().map_err(malformed(WHAT))?;
    Ok(bytes.get(decoder.position()..).unwrap_or_default())
}

/// A profile is a URI, with its tag or as a text, or an object identifier.
fn profile<'a>(map: &Map<'a>) -> Result<(Option<&'a str>, Option<&'a [u8]>), Error> {
    let Some(raw) = map.raw(Key::Number(3)) else { return Ok((None, None)) };
    if tag_of(raw)? == Some(TAG_OID) {
        return Ok((None, Some(cbor::byte_string("profile", strip_tag(raw, TAG_OID)?)?)));
    }
    let mut decoder = Decoder::new(strip_tag(raw, TAG_URI)?);
    decoder.str().map(|uri| (Some(uri), None)).map_err(malformed("profile"))
}

impl<'a> Comid<'a> {
    fn parse(encoded: &'a [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(encoded);
        let tag = decoder.tag().map_err(malformed("CoMID"))?.as_u64();
        if tag != TAG_COMID {
            return Err(Error::Unknown { what: "tag of the CoMID", value: tag });
        }
        let bytes = decoder.bytes().map_err(malformed("CoMID"))?;
        cbor::finish("CoMID", &decoder)?;
        let map = Map::parse("CoMID", bytes)?;
        map.raw(Key::Number(1)).ok_or(Error::Missing { what: "identity of the CoMID" })?;
        let triples = map.raw(Key::Number(4)).ok_or(Error::Missing { what: "triples" })?;
        let triples = Map::parse("triples", triples)?;
        let all = |key| triples.array(Key::Number(key)).map(Option::unwrap_or_default);
        Ok(Self {
            references: all(0)?
                .into_iter()
                .map(|raw| Triple::parse(raw, Measurement::parse))
                .collect::<Result<_, _>>()?,
            attest_keys: all(3)?.into_iter().map(|raw| Triple::parse(raw, Tagged::parse)).collect::<Result<_, _>>()?,
        })
    }
}

impl<'a, T> Triple<'a, T> {
    fn parse(encoded: &'a [u8], member: impl Fn(&'a [u8]) -> Result<T, Error>) -> Result<Self, Error> {
        let members = cbor::array("triple", encoded)?;
        let (Some(environment), Some(values)) = (members.first(), members.get(1)) else {
            return Err(Error::Missing { what: "environment of a triple" });
        };
        let environment = Map::parse("environment", environment)?;
        let class = environment.raw(Key::Number(0)).map(|raw| Map::parse("class", raw)).transpose()?;
        let class = class.unwrap_or_default();
        let says_more = !environment.keys().all(|key| matches!(key, Key::Number(0 | 1)))
            || !class.keys().all(|key| matches!(key, Key::Number(0..=2)))
            || members.len() > 2;
        let (vendor, model) = (class.text(Key::Number(1))?, class.text(Key::Number(2))?);
        let class = class.raw(Key::Number(0)).map(Tagged::parse).transpose()?;
        let instance = environment.raw(Key::Number(1)).map(Tagged::parse).transpose()?;
        if environment.keys().next().is_none() {
            return Err(Error::Missing { what: "environment of a triple" });
        }
        let values: Vec<T> = cbor::array("triple", values)?.into_iter().map(member).collect::<Result<_, _>>()?;
        if values.is_empty() {
            return Err(Error::Missing { what: "values of a triple" });
        }
        Ok(Self { class, vendor, model, instance, values, says_more })
    }
}

impl<'a> Tagged<'a> {
    fn parse(encoded: &'a [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(encoded);
        let tag = decoder.tag().map_err(malformed("identifier"))?.as_u64();
        if ![TAG_KEY, TAG_UUID, TAG_OID, TAG_UEID, TAG_BYTES].contains(&tag) {
            return Err(Error::Unknown { what: "tag of an identifier", value: tag });
        }
        let value = if tag == TAG_KEY {
            Self::PkixKey(decoder.str().map_err(malformed("key"))?)
        } else {
            let bytes = decoder.bytes().map_err(malformed("identifier"))?;
            match tag {
                TAG_UUID if bytes.len() == 16 => Self::Uuid(bytes),
                TAG_UUID => return Err(Error::Length { what: "UUID", expected: 16, actual: bytes.len() }),
                TAG_OID => Self::Oid(bytes),
                // RFC 9711, 4.2.1: a UEID has 7 to 33 bytes.
                TAG_UEID if (7..=33).contains(&bytes.len()) => Self::Ueid(bytes),
                TAG_UEID => return Err(Error::Length { what: "UEID", expected: 33, actual: bytes.len() }),
                _ => Self::Bytes(bytes),
            }
        };
        cbor::finish("identifier", &decoder)?;
        Ok(value)
    }
}

impl<'a> Measurement<'a> {
    fn parse(encoded: &'a [u8]) -> Result<Self, Error> {
        let map = Map::parse("measurement", encoded)?;
        let key = map.raw(Key::Number(0)).map(MeasurementKey::parse).transpose()?;
        let values = map.raw(Key::Number(1)).ok_or(Error::Missing { what: "value of a measurement" })?;
        let values = Map::parse("measurement values", values)?;
        let digests = values.array(Key::Number(2))?.unwrap_or_default();
        let raw_value = values.raw(Key::Number(4)).map(Tagged::parse).transpose()?;
        let raw_value = match raw_value {
            None => None,
            Some(Tagged::Bytes(bytes)) => Some(bytes),
            Some(other) => return Err(Error::Malformed { what: "raw value", detail: alloc::format!("{other:?}") }),
        };
        let crypto_keys = values.array(Key::Number(13))?.unwrap_or_default();
        // A version (0) and a name (11) are for people; everything else that is not read restricts.
        let is_read = |key: &Key<'_>| matches!(key, Key::Number(0 | 1 | 2 | 4 | 11 | 13 | 14 | 15 | MRTEE));
        let is_mask = |key: &Key<'_>| *key == Key::Number(5);
        let beside = map.keys().any(|key| !matches!(key, Key::Number(0 | 1)));
        let says_more = beside || !values.keys().all(|key| is_read(&key));
        let is_masked = says_more && !beside && values.keys().all(|key| is_read(&key) || is_mask(&key));
        Ok(Self {
            key,
            digests: digests.into_iter().map(digest).collect::<Result<_, _>>()?,
            svn: values.raw(Key::Number(1)).map(Svn::parse).transpose()?,
            raw_value,
            raw_int: values.number(Key::Number(15))?,
            registers: registers(values.raw(Key::Number(14)))?,
            tee: values.raw(Key::Number(MRTEE)).map(tee_digests).transpose()?.unwrap_or_default(),
            says_more,
            is_masked,
            name: values.text(Key::Number(11))?,
            crypto_keys: crypto_keys.into_iter().map(Tagged::parse).collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> MeasurementKey<'a> {
    fn parse(encoded: &'a [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(encoded);
        match decoder.datatype().map_err(malformed("measurement key"))? {
            Type::String => decoder.str().map(Self::Text).map_err(malformed("measurement key")),
            Type::Tag => match Tagged::parse(encoded)? {
                identifier @ (Tagged::Uuid(_) | Tagged::Oid(_)) => Ok(Self::Identifier(identifier)),
                other => Err(Error::Malformed { what: "measurement key", detail: alloc::format!("{other:?}") }),
            },
            _ => decoder.i64().map(Self::Number).map_err(malformed("measurement key")),
        }
    }
}

impl Svn {
    fn parse(encoded: &[u8]) -> Result<Self, Error> {
        let tag = tag_of(encoded)?;
        let inner = strip_tag(encoded, tag.unwrap_or(TAG_SVN))?;
        let mut decoder = Decoder::new(inner);
        let number = decoder.u64().map_err(malformed("security version"))?;
        cbor::finish("security version", &decoder)?;
        match tag {
            None | Some(TAG_SVN) => Ok(Self::Exact(number)),
            Some(TAG_MIN_SVN) => Ok(Self::Minimum(number)),
            Some(value) => Err(Error::Unknown { what: "tag of a security version", value }),
        }
    }
}

/// `integrity-registers`, whose names have to be numbers here.
fn registers(encoded: Option<&[u8]>) -> Result<Vec<(u64, Digests<'_>)>, Error> {
    const WHAT: &str = "integrity registers";
    let Some(map) = encoded.map(|encoded| Map::parse(WHAT, encoded)).transpose()? else { return Ok(Vec::new()) };
    let read = |key: Key<'_>| {
        let number = match key {
            Key::Number(number) => u64::try_from(number).ok(),
            Key::Text(_) => None,
        };
        let number = number.ok_or(Error::Missing { what: "number of an integrity register" })?;
        let digests = map.array(key)?.unwrap_or_default();
        Ok((number, digests.into_iter().map(digest).collect::<Result<_, _>>()?))
    };
    map.keys().map(read).collect()
}

/// `tee-digest-type`: one digest, several, or any of a set.
fn tee_digests(encoded: &[u8]) -> Result<Digests<'_>, Error> {
    const WHAT: &str = "measurement of a TEE";
    let mut set = encoded;
    if tag_of(encoded)? == Some(TAG_DIGEST_SET) {
        let expression = cbor::array(WHAT, strip_tag(encoded, TAG_DIGEST_SET)?)?;
        let [operator, members] = expression.as_slice() else { return Err(Error::Missing { what: WHAT }) };
        let operator = Decoder::new(operator).i64().map_err(malformed(WHAT))?;
        if operator != MEMBER {
            return Err(Error::Malformed { what: WHAT, detail: alloc::format!("operator {operator}") });
        }
        set = members;
    }
    let members = cbor::array(WHAT, set)?;
    let is_one = members.first().is_some_and(|first| Decoder::new(first).i64().is_ok());
    if is_one { Ok(alloc::vec![digest(set)?]) } else { members.into_iter().map(digest).collect() }
}

fn digest(encoded: &[u8]) -> Result<(i64, &[u8]), Error> {
    let members = cbor::array("digest", encoded)?;
    let [algorithm, value] = members.as_slice() else {
        return Err(Error::Malformed { what: "digest", detail: members.len().to_string() });
    };
    let algorithm = Decoder::new(algorithm).i64().map_err(malformed("digest algorithm"))?;
    let value = cbor::byte_string("digest", value)?;
    let expected = match algorithm {
        1 => 32,
        7 => 48,
        8 => 64,
        _ => value.len(),
    };
    if value.len() != expected {
        return Err(Error::Length { what: "digest", expected, actual: value.len() });
    }
    Ok((algorithm, value))
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use minicbor::Encoder;
    use minicbor::data::Tag;

    use super::*;

    type Values = Encoder<Vec<u8>>;

    /// A measurement with these values, of which there are `count`.
    fn measurement(count: u64, write: impl FnOnce(&mut Values)) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        encoder.map(2).unwrap().u8(0).unwrap().i64(641).unwrap().u8(1).unwrap().map(count).unwrap();
        write(&mut encoder);
        encoder.into_writer()
    }

    fn digest(encoder: &mut Values, algorithm: i64, value: &[u8]) {
        encoder.array(2).unwrap().i64(algorithm).unwrap().bytes(value).unwrap();
    }

    #[test]
    fn security_versions_are_exact_or_the_lowest() {
        let parse = |write: fn(&mut Values)| {
            let encoded = measurement(1, |encoder| {
                encoder.u8(1).unwrap();
                write(encoder);
            });
            Measurement::parse(&encoded).map(|measurement| measurement.svn)
        };
        let tagged = |encoder: &mut Values, tag| {
            encoder.tag(Tag::new(tag)).unwrap().u64(7).unwrap();
        };
        assert_eq!(parse(|encoder| drop(encoder.u64(u64::MAX))), Ok(Some(Svn::Exact(u64::MAX))));
        assert_eq!(parse(|encoder| drop(encoder.tag(Tag::new(552)).unwrap().u64(7))), Ok(Some(Svn::Exact(7))));
        assert_eq!(parse(|encoder| drop(encoder.tag(Tag::new(553)).unwrap().u64(7))), Ok(Some(Svn::Minimum(7))));
        assert!(parse(|encoder| drop(encoder.tag(Tag::new(554)).unwrap().u64(7))).is_err());
        assert!(parse(|encoder| drop(encoder.i8(-1))).is_err());
        let mut twice = Encoder::new(Vec::new());
        tagged(&mut twice, 552);
        assert!(Svn::parse(&[twice.into_writer(), vec![0]].concat()).is_err());
    }

    #[test]
    fn the_measurement_of_a_tee_is_one_digest_several_or_a_set() {
        let value = [0x11; 48];
        let one = measurement(1, |encoder| {
            encoder.i8(-83).unwrap();
            digest(encoder, 7, &value);
        });
        let several = measurement(1, |encoder| {
            encoder.i8(-83).unwrap().array(1).unwrap();
            digest(encoder, 7, &value);
        });
        let of_set = |operator: i64| {
            measurement(1, |encoder| {
                encoder.i8(-83).unwrap().tag(Tag::new(60020)).unwrap().array(2).unwrap().i64(operator).unwrap();
                encoder.array(1).unwrap();
                digest(encoder, 7, &value);
            })
        };
        for encoded in [&one, &several, &of_set(6)] {
            let measurement = Measurement::parse(encoded).unwrap();
            assert_eq!((measurement.tee, measurement.says_more), (vec![(7, value.as_slice())], false));
        }
        assert!(Measurement::parse(&of_set(7)).is_err(), "\"is no member\" accepts what it does not name");
    }

    #[test]
    fn registers_have_numbers() {
        let encoded = |name: fn(&mut Values)| {
            measurement(1, |encoder| {
                encoder.u8(14).unwrap().map(1).unwrap();
                name(encoder);
                encoder.array(1).unwrap();
                digest(encoder, 1, &[3; 32]);
            })
        };
        let numbered = encoded(|encoder| drop(encoder.u8(2)));
        assert_eq!(Measurement::parse(&numbered).unwrap().registers, [(2, vec![(1, [3; 32].as_slice())])]);
        for name in [|encoder: &mut Values| drop(encoder.str("pcr")), |encoder: &mut Values| drop(encoder.i8(-1))] {
            assert!(Measurement::parse(&encoded(name)).is_err());
        }
    }

    #[test]
    fn what_restricts_and_is_not_read_is_marked() {
        let masked = measurement(1, |encoder| drop(encoder.u8(5).unwrap().bytes(&[0xff])));
        assert!(Measurement::parse(&masked).unwrap().says_more);
        assert!(Measurement::parse(&masked).unwrap().is_masked);
        let flagged = measurement(2, |encoder| {
            encoder.u8(5).unwrap().bytes(&[0xff]).unwrap().u8(3).unwrap().map(0).unwrap();
        });
        let flagged = Measurement::parse(&flagged).unwrap();
        assert_eq!((flagged.says_more, flagged.is_masked), (true, false));
        let versioned = measurement(1, |encoder| drop(encoder.u8(0).unwrap().map(0)));
        assert!(!Measurement::parse(&versioned).unwrap().says_more);
        let mut authorized = Encoder::new(Vec::new());
        authorized.map(2).unwrap().u8(1).unwrap().map(0).unwrap().u8(2).unwrap().array(0).unwrap();
        assert!(Measurement::parse(&authorized.into_writer()).unwrap().says_more);
    }
    #[test]
    fn an_environment_of_which_more_is_said_is_marked() {
        let says_more = |environment: &[u8]| {
            let value = measurement(1, |encoder| drop(encoder.u8(0).unwrap().map(0)));
            let triple = [b"\x82".as_slice(), environment, b"\x81", &value].concat();
            Triple::parse(&triple, Measurement::parse).unwrap().says_more
        };
        assert!(!says_more(b"\xa1\x00\xa2\x00\xd9\x02\x30\x41c\x02\x61m"), "class and model");
        assert!(says_more(b"\xa2\x00\xa1\x00\xd9\x02\x30\x41c\x02\xd9\x02\x30\x41g"), "a group");
        assert!(says_more(b"\xa1\x00\xa2\x00\xd9\x02\x30\x41c\x03\x01"), "a layer");
        assert!(says_more(b"\xa1\x00\xa2\x00\xd9\x02\x30\x41c\x04\x01"), "an index");
    }
}
