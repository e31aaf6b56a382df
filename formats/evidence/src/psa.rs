// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PSA attestation tokens (RFC 9783), and those of the profile PSA_IOT_PROFILE_1 before it, whose claims have negative keys.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::Error;
use crate::cbor::{Key, Map};
use crate::cose::Sign1;
use crate::software::SoftwareComponent;

const WHAT: &str = "PSA token";

/// The two generations of claim keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `tag:psacertified.org,2023:psa#tfm` and `http://arm.com/psa/2.0.0`.
    Registered,
    /// `PSA_IOT_PROFILE_1`.
    IotProfile1,
}

/// A token, not verified.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    /// The envelope with the signature.
    pub envelope: Sign1<'a>,
    /// Which keys the claims have.
    pub profile: Profile,
    /// The profile's name, where the token states it.
    pub profile_name: Option<&'a str>,
    /// The challenge.
    pub nonce: &'a [u8],
    /// The identifier of the instance.
    pub instance_id: &'a [u8],
    /// The identifier of the implementation.
    pub implementation_id: &'a [u8],
    /// The caller's partition; negative for callers that are not secure.
    pub client_id: i64,
    /// The life cycle state.
    pub lifecycle: u16,
    /// The measured software components.
    pub software_components: Vec<SoftwareComponent<'a>>,
}

/// The keys of the claims that are read: nonce, instance, implementation, client, life cycle, components, profile.
struct Keys {
    nonce: i64,
    instance: i64,
    implementation: i64,
    client: i64,
    lifecycle: i64,
    components: i64,
    profile: i64,
}

const REGISTERED: Keys = Keys {
    nonce: 10,
    instance: 256,
    implementation: 2396,
    client: 2394,
    lifecycle: 2395,
    components: 2399,
    profile: 265,
};

const IOT_PROFILE_1: Keys = Keys {
    nonce: -75008,
    instance: -75009,
    implementation: -75003,
    client: -75001,
    lifecycle: -75002,
    components: -75006,
    profile: -75000,
};

impl<'a> Token<'a> {
    /// Parses a token.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let envelope = Sign1::parse(bytes)?;
        let map = Map::parse(WHAT, envelope.payload())?;
        let registered = map.raw(Key::Number(REGISTERED.nonce)).is_some();
        let (profile, keys) =
            if registered { (Profile::Registered, REGISTERED) } else { (Profile::IotProfile1, IOT_PROFILE_1) };
        let bytes_of = |field, key| map.required(field, map.bytes(Key::Number(key)));
        let nonce = bytes_of("nonce", keys.nonce)?;
        if !matches!(nonce.len(), 32 | 48 | 64) {
            return Err(Error::Length { what: "nonce", expected: 32, actual: nonce.len() });
        }
        let lifecycle = map.required("life cycle", map.number(Key::Number(keys.lifecycle)))?;
        let components = map.array(Key::Number(keys.components))?.unwrap_or_default();
        Ok(Self {
            profile,
            profile_name: map.text(Key::Number(keys.profile))?,
            nonce,
            instance_id: bytes_of("instance identifier", keys.instance)?,
            implementation_id: bytes_of("implementation identifier", keys.implementation)?,
            client_id: map.required("client identifier", map.number(Key::Number(keys.client)))?,
            lifecycle: u16::try_from(lifecycle)
                .map_err(|_| Error::Malformed { what: "life cycle", detail: lifecycle.to_string() })?,
            software_components: components.into_iter().map(SoftwareComponent::parse).collect::<Result<_, _>>()?,
            envelope,
        })
    }
}
