// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an attester is known by: what launched it, not its endorsement key, which is new at each boot (rule 10).

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_verify::snp::{Signer, SnpClaims};
use serde::{Deserialize, Serialize};

use crate::policy::Bytes;

/// The identity of a launch, equal for every boot of one machine with one image and configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchIdentity {
    /// The launch digest.
    pub measurement: Bytes<48>,
    /// What the host gave at launch.
    pub host_data: Bytes<32>,
    /// The family id of the ID block.
    pub family_id: Bytes<16>,
    /// The image id of the ID block.
    pub image_id: Bytes<16>,
    /// The digest of the ID key, or zeros.
    pub id_key: Bytes<48>,
    /// The digest of the author key, or zeros.
    pub author_key: Bytes<48>,
    /// The chip; absent where a provider's key hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chip: Option<Bytes<64>>,
    /// The provider whose key signed, if it was a provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

impl LaunchIdentity {
    /// Takes the identity out of a verified report.
    pub fn of(claims: &SnpClaims) -> Self {
        let report = &claims.report;
        let (chip, provider) = match &claims.signer {
            Signer::Chip { id } => (Some(Bytes(*id)), None),
            Signer::Provider { csp_id } => {
                ((!report.chip_id_is_masked()).then(|| Bytes(*report.chip_id())), Some(csp_id.clone()))
            }
        };
        Self {
            measurement: Bytes(report.measurement().0),
            host_data: Bytes(*report.host_data()),
            family_id: Bytes(report.family_id()),
            image_id: Bytes(report.image_id()),
            id_key: Bytes(*report.id_key_digest()),
            author_key: Bytes(*report.author_key_digest()),
            chip,
            provider,
        }
    }

    /// Returns a short name of the identity.
    pub fn digest(&self) -> Bytes<32> {
        let chip = self.chip.map(|chip| chip.0);
        let fields: [&[u8]; 8] = [
            &self.measurement.0,
            &self.host_data.0,
            &self.family_id.0,
            &self.image_id.0,
            &self.id_key.0,
            &self.author_key.0,
            chip.as_ref().map_or(&[], |chip| chip.as_slice()),
            self.provider.as_ref().map_or(&[], |provider| provider.as_bytes()),
        ];
        identity_digest(b"evtpm launch identity v1\0", &fields)
    }
}

/// Returns a short name of what something is known by: SHA-256 over a label of its kind and the fields, each with its length.
pub fn identity_digest(label: &[u8], fields: &[&[u8]]) -> Bytes<32> {
    let mut message = label.to_vec();
    for field in fields {
        message.extend_from_slice(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        message.extend_from_slice(field);
    }
    let digest = RustCrypto::hash(HashAlg::Sha256, &[&message]);
    Bytes(digest.as_bytes().try_into().unwrap_or([0; 32]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CHIP, snp_claims};

    #[test]
    fn a_new_endorsement_key_is_no_new_identity() {
        let first = LaunchIdentity::of(&snp_claims(|_| {}));
        // REPORT_DATA binds the key, REPORT_ID is the launch's own; both differ from boot to boot.
        let next_boot = LaunchIdentity::of(&snp_claims(|report| report[0x50..0x90].fill(7)));
        let next_launch = LaunchIdentity::of(&snp_claims(|report| report[0x140..0x160].fill(7)));
        assert_eq!(first, next_boot);
        assert_eq!(first.digest(), next_launch.digest());
    }

    #[test]
    fn another_launch_is_another_identity() {
        let first = LaunchIdentity::of(&snp_claims(|_| {})).digest();
        for field in [0x10, 0x20, 0x90, 0xc0, 0xe0, 0x110] {
            assert_ne!(LaunchIdentity::of(&snp_claims(|report| report[field] ^= 1)).digest(), first, "{field:#x}");
        }
    }

    #[test]
    fn the_chip_is_part_of_the_identity_even_where_the_report_masks_it() {
        let masked = LaunchIdentity::of(&snp_claims(|report| report[0x1a0..0x1e0].fill(0)));
        assert_eq!(masked.chip, Some(Bytes(CHIP)));
    }
}
