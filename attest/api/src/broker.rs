// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The key broker's half of the API: a storage key that outlives the machine's boots, wrapped for the TPM of this one.
//!
//! ```text
//! POST /v1/attesters/{id}/keys/{name}/challenges    –           → KeyChallenge   (a nonce for the certificate)
//! PUT  /v1/attesters/{id}/keys/{name}               KeyRequest  → ReleasedKey
//! GET  /v1/attesters/{id}/leases                    –           → [Lease]        (whether it may still use them)
//! ```
//!
//! An attester asks after it was attested on the same registration: whether its last verdict is good and fresh enough
//! is the broker's policy. It makes a storage root key of this boot and has its attestation key, which the broker
//! believes, certify it over the nonce (rule 16: otherwise the host could hand in a key of its own); or it has the
//! attestation key certify itself, and the boot's endorsement key takes the root key's place. The broker wraps the
//! named key for that key, as `TPM2_Duplicate` does without inner wrapper; the attester imports it. What the
//! machine seals below the named key can be opened at each boot, and the sealed bytes never change.
//!
//! Refusals are [`ApiError`](crate::ApiError)s: `unknown-attester`, `unknown-key`, `unknown-challenge`,
//! `evidence-refused` (the certificate), `not-trusted` (the verdict; an agent attests again and asks again).

use serde::{Deserialize, Serialize};

use crate::Bytes;

/// What is hashed before the nonce and the channel binding to make a certificate's qualifying data.
pub const KEY_LABEL: &[u8] = b"evtpm key v1\0";

/// Asks for a storage key's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChallenge {
    /// Names the challenge in the request.
    pub challenge: String,
    /// 32 fresh bytes.
    pub nonce: Bytes,
    /// Seconds until the nonce is worth nothing.
    pub expires_in: u64,
}

/// A storage key of this boot, certified; or the attestation key's certificate of itself, for the endorsement key that the boot
/// registered with.
///
/// The certificate's qualifying data is SHA-256([`KEY_LABEL`] ‖ nonce ‖ channel binding), the binding being the exporter
/// of the TLS connection that the request travels on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// The challenge that is answered.
    pub challenge: String,
    /// TPMS_ATTEST of `TPM2_Certify` by the attestation key.
    pub message: Bytes,
    /// TPMT_SIGNATURE.
    pub signature: Bytes,
    /// TPM2B_PUBLIC of the certified storage key: restricted, decrypt, fixedTPM, fixedParent; RSA or ECC. Without it, the attestation
    /// key certified itself, and the named key is wrapped for the endorsement key, which the broker knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_public: Option<Bytes>,
}

/// The named key, for the TPM that holds the storage or endorsement key and for no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedKey {
    /// TPM2B_PUBLIC of the named key: a storage key without fixedTPM and fixedParent, the same at each boot.
    pub public: Bytes,
    /// What `TPM2_Import` takes as `duplicate`, without a size before it.
    pub duplicate: Bytes,
    /// What it takes as `inSymSeed`, without a size before it.
    pub secret: Bytes,
    /// Names the lease in the broker's audit log; it ends when the machine fails ([`Lease`](crate::Lease)).
    pub lease: String,
}
