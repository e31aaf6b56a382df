// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Arm CCA attestation tokens (draft-ffm-rats-cca-token; *Realm Management Monitor*, "CCA attestation token"): a platform
//! token whose challenge is the hash of the key that signs the realm token.

use alloc::vec::Vec;

use minicbor::Decoder;
use minicbor::data::Type;

use crate::Error;
use crate::cbor::{self, Key, Map, malformed};
use crate::cose::Sign1;
use crate::software::SoftwareComponent;

const WHAT: &str = "CCA token";
/// The tags of a token: the draft's first one, and that of a CMW collection.
const TAGS: [u64; 2] = [399, 907];
const PLATFORM: Key<'_> = Key::Number(44234);
const REALM: Key<'_> = Key::Number(44241);

/// A token, not verified.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    /// What the platform says.
    pub platform: Platform<'a>,
    /// What the realm management monitor says.
    pub realm: Realm<'a>,
}

/// The platform's token.
#[derive(Clone, Debug)]
pub struct Platform<'a> {
    /// The envelope with the signature.
    pub envelope: Sign1<'a>,
    /// The name of the profile.
    pub profile: &'a str,
    /// The challenge, which is the hash of the realm's key.
    pub challenge: &'a [u8],
    /// The identifier of the implementation.
    pub implementation_id: &'a [u8],
    /// The identifier of the instance.
    pub instance_id: &'a [u8],
    /// The configuration.
    pub config: &'a [u8],
    /// The life cycle state.
    pub lifecycle: u16,
    /// The hash algorithm of the measurements.
    pub hash_algorithm: &'a str,
    /// The measured software components.
    pub software_components: Vec<SoftwareComponent<'a>>,
}

/// The realm's token.
#[derive(Clone, Debug)]
pub struct Realm<'a> {
    /// The envelope with the signature.
    pub envelope: Sign1<'a>,
    /// The name of the profile; tokens of the first draft have none.
    pub profile: Option<&'a str>,
    /// The challenge.
    pub challenge: &'a [u8],
    /// The personalisation value.
    pub personalization: &'a [u8],
    /// The initial measurement.
    pub initial_measurement: &'a [u8],
    /// The extensible measurements.
    pub extensible_measurements: Vec<&'a [u8]>,
    /// The hash algorithm of the measurements.
    pub hash_algorithm: &'a str,
    /// The key that signs this token, as the platform's challenge hashes it.
    pub public_key: &'a [u8],
    /// The algorithm of that hash.
    pub public_key_hash_algorithm: &'a str,
}

impl<'a> Token<'a> {
    /// Parses a token.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let tag = decoder.tag().map_err(malformed(WHAT))?.as_u64();
        if !TAGS.contains(&tag) {
            return Err(Error::Unknown { what: "tag of the CCA token", value: tag });
        }
        let map = Map::read(WHAT, &mut decoder)?;
        cbor::finish(WHAT, &decoder)?;
        let member = |field, key| map.raw(key).ok_or(Error::Missing { what: field }).and_then(token_bytes);
        Ok(Self {
            platform: Platform::parse(member("platform token", PLATFORM)?)?,
            realm: Realm::parse(member("realm token", REALM)?)?,
        })
    }
}

/// A member is the token, or a CMW record of a type and the token.
fn token_bytes(encoded: &[u8]) -> Result<&[u8], Error> {
    match Decoder::new(encoded).datatype().map_err(malformed(WHAT))? {
        Type::Array | Type::ArrayIndef => match cbor::array(WHAT, encoded)?.as_slice() {
            [_, token, ..] => cbor::byte_string(WHAT, token),
            _ => Err(Error::Missing { what: "token of a CMW record" }),
        },
        _ => cbor::byte_string(WHAT, encoded),
    }
}

impl<'a> Platform<'a> {
    /// Parses the platform's token alone.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let envelope = Sign1::parse(bytes)?;
        let map = Map::parse("platform claims", envelope.payload())?;
        let text = |field, key| map.required(field, map.text(Key::Number(key)));
        let bytes_of = |field, key| map.required(field, map.bytes(Key::Number(key)));
        let lifecycle = map.required("life cycle", map.number(Key::Number(2395)))?;
        let components = map.required("software components", map.array(Key::Number(2399)))?;
        let software_components = components.into_iter().map(SoftwareComponent::parse).collect::<Result<_, _>>()?;
        Ok(Self {
            profile: text("platform profile", 265)?,
            challenge: bytes_of("platform challenge", 10)?,
            implementation_id: bytes_of("implementation identifier", 2396)?,
            instance_id: bytes_of("instance identifier", 256)?,
            config: bytes_of("platform configuration", 2401)?,
            lifecycle: u16::try_from(lifecycle).map_err(|_| Error::Unknown { what: "life cycle", value: 0 })?,
            hash_algorithm: text("hash algorithm", 2402)?,
            software_components,
            envelope,
        })
    }
}

impl<'a> Realm<'a> {
    /// Parses the realm's token alone.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let envelope = Sign1::parse(bytes)?;
        let map = Map::parse("realm claims", envelope.payload())?;
        let text = |field, key| map.required(field, map.text(Key::Number(key)));
        let bytes_of = |field, key| map.required(field, map.bytes(Key::Number(key)));
        let extensible = map.required("extensible measurements", map.array(Key::Number(44239)))?;
        Ok(Self {
            profile: map.text(Key::Number(265))?,
            challenge: bytes_of("realm challenge", 10)?,
            personalization: bytes_of("personalisation value", 44235)?,
            initial_measurement: bytes_of("initial measurement", 44238)?,
            extensible_measurements: extensible
                .into_iter()
                .map(|member| cbor::byte_string("extensible measurement", member))
                .collect::<Result<_, _>>()?,
            hash_algorithm: text("hash algorithm", 44236)?,
            public_key: bytes_of("realm key", 44237)?,
            public_key_hash_algorithm: text("hash algorithm of the realm key", 44240)?,
            envelope,
        })
    }

    /// Returns the coordinates of the realm's key on P-384: the bare point, or a COSE_Key (RFC 9052, "COSE Keys").
    pub fn key(&self) -> Result<(&'a [u8], &'a [u8]), Error> {
        if let Some((x, y)) = self.public_key.strip_prefix(&[4]).and_then(|point| point.split_at_checked(48))
            && y.len() == 48
        {
            return Ok((x, y));
        }
        let key = Map::parse("realm key", self.public_key)?;
        let number = |field, label| key.required(field, key.number(Key::Number(label)));
        match (number("kty", 1)?, number("crv", -1)?) {
            // EC2 and P-384 of the COSE registries.
            (2, 2) => {}
            (_, curve) => return Err(Error::Unknown { what: "realm key's curve", value: curve.unsigned_abs() }),
        }
        let coordinate = |field, label| key.required(field, key.bytes(Key::Number(label)));
        Ok((coordinate("x", -2)?, coordinate("y", -3)?))
    }
}
