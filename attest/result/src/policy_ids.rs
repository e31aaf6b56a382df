// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ear_appraisal_policy_ids`: a list in the current draft, one text in those before. We judge by one policy.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What results of any draft have.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(String),
    Many(Vec<String>),
}

pub(crate) fn serialize<S: Serializer>(id: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    id.as_slice().serialize(serializer)
}

/// Of several policies, the first.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Ids::deserialize(deserializer)? {
        Ids::One(id) => Some(id),
        Ids::Many(ids) => ids.into_iter().next(),
    })
}
