// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an AWS Nitro enclave has to be (AWS, *Nitro Enclaves attestation process*, "Platform configuration registers").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AtLeastOne, Bytes, HexBytes, Index};

/// The rules for an enclave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NitroPolicy {
    /// The measurement of the image (PCR 0) that are accepted.
    pub measurements: AtLeastOne<Bytes<48>>,
    /// The values that other registers may have: 1 kernel and boot file system, 2 application, 3 role of the parent, 4 its
    /// instance, 8 the image's signer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pcrs: BTreeMap<Index, AtLeastOne<Bytes<48>>>,
    /// What the enclave may have put in; empty for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_data: Vec<HexBytes>,
    /// Whether an enclave in debug mode is accepted, whose measurements are zeros.
    #[serde(default)]
    pub allow_debug: bool,
    /// Whether a document that answers no challenge of this verifier is accepted.
    #[serde(default)]
    pub allow_recorded: bool,
}
