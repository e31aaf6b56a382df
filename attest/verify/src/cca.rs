// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Arm CCA tokens: a platform's key vouches for the platform token, its challenge for the realm's key, and that key for the
//! realm token.

use evtpm_crypto::{Crypto, EccCurve, EccPoint, HashAlg, RustCrypto, constant_time_eq};
use evtpm_evidence::cca::{Platform, Realm, Token};

use crate::error::Hex;
use crate::software::Component;
use crate::x509::PublicKey;
use crate::{Claim, Error, Vendor, Verified, cose};

/// What a verified platform token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformClaims {
    /// The identifier of the implementation.
    pub implementation_id: Vec<u8>,
    /// The identifier of the instance, which names the key.
    pub instance_id: Vec<u8>,
    /// The life cycle state.
    pub lifecycle: u16,
    /// The configuration.
    pub config: Vec<u8>,
    /// The measured software components.
    pub components: Vec<Component>,
    /// The challenge, which is the hash of the realm's key.
    pub challenge: Vec<u8>,
}

/// What a verified realm token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmClaims {
    /// The challenge.
    pub challenge: Vec<u8>,
    /// The personalisation value.
    pub personalization: Vec<u8>,
    /// The initial measurement.
    pub initial_measurement: Vec<u8>,
    /// The extensible measurements.
    pub extensible_measurements: Vec<Vec<u8>>,
}

/// Verifies the platform's token with the key that its owner named for this instance.
pub fn verify_platform(
    token: &Token<'_>,
    key: &PublicKey,
    name: &str,
) -> Result<Verified<PlatformClaims, Vendor>, Error> {
    let Platform {
        envelope, implementation_id, instance_id, lifecycle, config, challenge, software_components, ..
    } = &token.platform;
    cose::check("platform token", envelope, key, name)?;
    let claims = PlatformClaims {
        implementation_id: implementation_id.to_vec(),
        instance_id: instance_id.to_vec(),
        lifecycle: *lifecycle,
        config: config.to_vec(),
        components: Component::all(software_components),
        challenge: challenge.to_vec(),
    };
    Ok(Verified::new(claims, Vendor::Named { name: name.to_owned() }))
}

/// Verifies the realm's token below a platform that was verified before.
pub fn verify_realm(
    token: &Token<'_>,
    platform: &Verified<PlatformClaims, Vendor>,
) -> Result<Verified<RealmClaims, Vendor>, Error> {
    compare_binding(&token.realm, &platform.challenge)?;
    check_realm_signature(token)?;
    let Realm { challenge, personalization, initial_measurement, extensible_measurements, .. } = &token.realm;
    let claims = RealmClaims {
        challenge: challenge.to_vec(),
        personalization: personalization.to_vec(),
        initial_measurement: initial_measurement.to_vec(),
        extensible_measurements: extensible_measurements.iter().map(|value| value.to_vec()).collect(),
    };
    Ok(Verified::new(claims, platform.root().clone()))
}

/// Checks that the key inside of the realm's token signed it; whose key it is, is left open.
pub fn check_realm_signature(token: &Token<'_>) -> Result<(), Error> {
    let (x, y) = token.realm.key()?;
    let point = EccPoint::new(EccCurve::P384, x, y)
        .map_err(|_| Error::UnsupportedKey { of: "the realm's attestation key".to_owned() })?;
    cose::check("realm token", &token.realm.envelope, &PublicKey::Ecc(point), "the realm's attestation key")
}

/// Checks that the platform's challenge is the hash of the realm's key.
pub fn check_binding(token: &Token<'_>) -> Result<(), Error> {
    compare_binding(&token.realm, token.platform.challenge)
}

fn compare_binding(realm: &Realm<'_>, challenge: &[u8]) -> Result<(), Error> {
    let hash = match realm.public_key_hash_algorithm {
        "sha-256" => HashAlg::Sha256,
        "sha-384" => HashAlg::Sha384,
        "sha-512" => HashAlg::Sha512,
        other => {
            let detail = format!("hash {other} of the realm's key");
            return Err(Error::UnsupportedSignature { of: "realm token".to_owned(), detail });
        }
    };
    let expected = RustCrypto::hash(hash, &[realm.public_key]);
    if constant_time_eq(expected.as_bytes(), challenge) {
        return Ok(());
    }
    Err(Error::mismatch(Claim::RealmKeyBinding, Hex(expected.as_bytes()), Hex(challenge)))
}
