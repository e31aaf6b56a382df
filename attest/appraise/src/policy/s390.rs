// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an IBM Secure Execution guest has to be (IBM, *Introducing IBM Secure Execution for Linux*, "Attestation").

use serde::{Deserialize, Serialize};

use super::{AtLeastOne, Bytes, HexBytes};

/// The rules for a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S390Policy {
    /// The tags of the images' headers that are accepted; each stands for a whole image.
    pub image_tags: AtLeastOne<Bytes<16>>,
    /// What the guest may have put in; empty for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_data: Vec<HexBytes>,
    /// What the machine may have added, such as digests of host keys; empty for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_data: Vec<HexBytes>,
    /// Whether a measurement that answers no request of this verifier is accepted.
    #[serde(default)]
    pub allow_recorded: bool,
}
