// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ID block and its authentication, given to SNP_LAUNCH_FINISH (SNP ABI, "ID Block Structure", "ID Authentication Information Structure").

use core::fmt;

use crate::launch::LaunchDigest;
use crate::policy::GuestPolicy;
use crate::signature::{ECDSA_P384_SHA384, EcdsaPublicKey, EcdsaSignature};
use evtpm_layout::{U32, U64};

/// The only version of the ID block.
pub const VERSION: u32 = 1;

evtpm_layout::layout! {
    /// What the guest owner expects and states about the guest.
    #[derive(Copy, Debug)]
    pub struct IdBlock, 0x60 {
        /// LD, the expected launch digest.
        0x00 launch_digest: [u8; 48],
        /// FAMILY_ID.
        0x30 family_id: [u8; 16],
        /// IMAGE_ID.
        0x40 image_id: [u8; 16],
        /// VERSION.
        0x50 version: U32,
        /// GUEST_SVN.
        0x54 guest_svn: U32,
        /// POLICY.
        0x58 policy: U64,
    }
}

impl IdBlock {
    /// Returns a block that expects this digest and policy; ids are zero, the security version is 0.
    #[must_use]
    pub fn new(launch_digest: LaunchDigest, policy: GuestPolicy) -> Self {
        Self {
            launch_digest: launch_digest.0,
            family_id: [0; 16],
            image_id: [0; 16],
            version: U32::new(VERSION),
            guest_svn: U32::new(0),
            policy: U64::new(policy.0),
        }
    }
}

evtpm_layout::layout! {
    /// Signatures and keys that authenticate an ID block.
    pub struct IdAuth, 0x1000 {
        /// ID_KEY_ALGO.
        0x000 id_key_algorithm: U32,
        /// AUTH_KEY_ALGO.
        0x004 author_key_algorithm: U32,
        /// Reserved.
        0x008 reserved_008: [u8; 0x38],
        /// ID_BLOCK_SIG, over the ID block.
        0x040 id_block_signature: EcdsaSignature,
        /// ID_KEY.
        0x240 id_key: EcdsaPublicKey,
        /// Reserved.
        0x644 reserved_644: [u8; 0x3c],
        /// ID_KEY_SIG, by the author key over the ID key's 404h bytes.
        0x680 id_key_signature: EcdsaSignature,
        /// AUTHOR_KEY.
        0x880 author_key: EcdsaPublicKey,
        /// Reserved.
        0xc84 reserved_c84: [u8; 0x37c],
    }
}

impl IdAuth {
    /// Returns the structure of an ID key without an author key.
    #[must_use]
    pub fn new(id_key: EcdsaPublicKey, id_block_signature: EcdsaSignature) -> Self {
        let algorithm = U32::new(ECDSA_P384_SHA384);
        Self { id_key_algorithm: algorithm, id_block_signature, id_key, ..Self::zeroed() }
    }

    /// Adds an author key and its signature over the ID key.
    #[must_use]
    pub fn with_author(self, author_key: EcdsaPublicKey, id_key_signature: EcdsaSignature) -> Self {
        let algorithm = U32::new(ECDSA_P384_SHA384);
        Self { author_key_algorithm: algorithm, author_key, id_key_signature, ..self }
    }
}

impl fmt::Debug for IdAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdAuth")
            .field("id_key_algorithm", &self.id_key_algorithm.get())
            .field("author_key_algorithm", &self.author_key_algorithm.get())
            .field("id_key", &self.id_key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_block_states_version_1() {
        let block = IdBlock::new(LaunchDigest([7; 48]), GuestPolicy(0x30000));
        assert_eq!(block.as_bytes()[..48], [7; 48]);
        assert_eq!(block.as_bytes()[0x50..], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn keys_lie_where_the_table_says() {
        let key = EcdsaPublicKey::from_be(&[1; 48], &[2; 48]);
        let author = EcdsaPublicKey::from_be(&[3; 48], &[4; 48]);
        let signature = EcdsaSignature::from_be(&[5; 48], &[6; 48]);
        let auth = IdAuth::new(key, signature).with_author(author, signature);
        let bytes = auth.as_bytes();
        assert_eq!((bytes[0], bytes[4], bytes[0x40], bytes[0x240], bytes[0x244]), (1, 1, 5, 2, 1));
        assert_eq!((bytes[0x680], bytes[0x880], bytes[0x884]), (5, 2, 3));
    }
}
