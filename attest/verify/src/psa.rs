// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PSA attestation tokens, by a key that the verifier's owner named.

pub use evtpm_evidence::psa::Profile;
use evtpm_evidence::psa::Token;

use crate::software::Component;
use crate::x509::PublicKey;
use crate::{Error, Vendor, Verified, cose};

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PsaClaims {
    /// Which generation of claims the token has.
    pub profile: Profile,
    /// The challenge.
    pub nonce: Vec<u8>,
    /// The identifier of the instance, which names the key.
    pub instance_id: Vec<u8>,
    /// The identifier of the implementation.
    pub implementation_id: Vec<u8>,
    /// The caller's partition.
    pub client_id: i64,
    /// The life cycle state.
    pub lifecycle: u16,
    /// The measured software components.
    pub components: Vec<Component>,
}

/// Verifies a token with the key that its owner named for this instance.
pub fn verify(token: &Token<'_>, key: &PublicKey, name: &str) -> Result<Verified<PsaClaims, Vendor>, Error> {
    cose::check("PSA token", &token.envelope, key, name)?;
    let claims = PsaClaims {
        profile: token.profile,
        nonce: token.nonce.to_vec(),
        instance_id: token.instance_id.to_vec(),
        implementation_id: token.implementation_id.to_vec(),
        client_id: token.client_id,
        lifecycle: token.lifecycle,
        components: Component::all(&token.software_components),
    };
    Ok(Verified::new(claims, Vendor::Named { name: name.to_owned() }))
}
