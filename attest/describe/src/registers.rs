// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a log leads to: the registers of each bank that it extends.

use evtpm_logs::{Digest, HashId, PcrBank, PcrIndex};
use serde_json::{Map, Value, json};

/// The registers of one bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The bank's algorithm.
    pub algorithm: HashId,
    /// The registers that were extended, with what they hold.
    pub values: Vec<(PcrIndex, Digest)>,
}

impl Registers {
    /// Takes those that a replay extended.
    pub fn of(bank: &PcrBank) -> Self {
        let values = bank.extended().iter().map(|pcr| (pcr, *bank.value(pcr))).collect();
        Self { algorithm: bank.algorithm(), values }
    }
}

/// Writes them as `{"sha256": {"10": "…"}}`.
pub fn registers_to_json(banks: &[Registers]) -> Value {
    let values = |bank: &Registers| -> Map<String, Value> {
        bank.values.iter().map(|(pcr, value)| (pcr.to_string(), json!(value.to_string()))).collect()
    };
    Value::Object(banks.iter().map(|bank| (bank.algorithm.to_string(), Value::Object(values(bank)))).collect())
}
