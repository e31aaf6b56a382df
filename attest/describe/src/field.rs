// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One field with its name.

use serde_json::Value;

/// One field of a structure.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in the document that defines it, in snake case.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// What a person may want to know about the value; empty for nothing.
    pub note: String,
}

impl Field {
    /// Makes a field without a note.
    pub fn new(name: &'static str, value: impl Into<Value>) -> Self {
        Self { name, value: value.into(), note: String::new() }
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Returns the value as text.
    pub fn text(&self) -> String {
        self.value.as_str().map_or_else(|| self.value.to_string(), str::to_owned)
    }
}
