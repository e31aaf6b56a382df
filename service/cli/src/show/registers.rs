// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a log leads to: the registers of each bank that it extends.

use evtpm_logs::{Digest, HashId, PcrBank, PcrIndex};
use serde_json::{Map, Value, json};

/// The registers of one bank.
pub(super) struct Registers {
    pub(super) algorithm: HashId,
    pub(super) values: Vec<(PcrIndex, Digest)>,
}

impl Registers {
    /// Takes those that a replay extended.
    pub(super) fn of(bank: &PcrBank) -> Self {
        let values = bank.extended().iter().map(|pcr| (pcr, *bank.value(pcr))).collect();
        Self { algorithm: bank.algorithm(), values }
    }
}

/// `{"sha256": {"10": "…"}}`.
pub(super) fn to_json(banks: &[Registers]) -> Value {
    let values = |bank: &Registers| -> Map<String, Value> {
        bank.values.iter().map(|(pcr, value)| (pcr.to_string(), json!(value.to_string()))).collect()
    };
    Value::Object(banks.iter().map(|bank| (bank.algorithm.to_string(), Value::Object(values(bank)))).collect())
}
