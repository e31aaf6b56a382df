// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What stands around every answer of a Keylime service: `{"code", "status", "results"}`.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<T> {
    /// The HTTP status again.
    pub code: u16,
    /// `Success`, or what went wrong.
    pub status: String,
    /// What was asked for; `{}` where there is nothing to say.
    pub results: T,
}

impl<T> Envelope<T> {
    /// Wraps results.
    pub fn success(results: T) -> Self {
        Envelope { code: 200, status: "Success".to_owned(), results }
    }
}

impl Envelope<Nothing> {
    /// Wraps a refusal.
    pub fn error(code: u16, status: impl Into<String>) -> Self {
        Envelope { code, status: status.into(), results: Nothing }
    }
}

/// No results: `{}` on the wire. Read from anything, since `null` and `{}` are both in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nothing;

impl Serialize for Nothing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        serializer.serialize_map(Some(0))?.end()
    }
}

impl<'de> Deserialize<'de> for Nothing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_empty_results() {
        let text = serde_json::to_string(&Envelope::error(404, "agent not found")).unwrap();
        assert_eq!(text, r#"{"code":404,"status":"agent not found","results":{}}"#);
    }

    #[test]
    fn null_is_nothing_too() {
        let text = r#"{"code":200,"status":"Success","results":null}"#;
        assert_eq!(serde_json::from_str::<Envelope<Nothing>>(text).unwrap(), Envelope::success(Nothing));
    }
}
