// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Fields with their names, as lines for a person or as one JSON object.

use std::io::Write;

use anyhow::Result;
use serde_json::{Map, Value};

use super::print_json;
use crate::output::{Palette, Style};

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) value: Value,
    note: String,
}

impl Field {
    pub(super) fn new(name: &'static str, value: impl Into<Value>) -> Self {
        Field { name, value: value.into(), note: String::new() }
    }

    /// Adds what a person may want to know about the value.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// Prints the fields: an object without the notes, or a line for each.
pub(super) fn print(title: &str, fields: Vec<Field>, json: bool) -> Result<()> {
    if json {
        let object: Map<String, Value> = fields.into_iter().map(|field| (field.name.to_owned(), field.value)).collect();
        return print_json(&Value::Object(object));
    }
    let palette = Palette::of_stdout();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", palette.paint(Style::Strong, title))?;
    for field in fields {
        let value = field.value.as_str().map_or_else(|| field.value.to_string(), str::to_owned);
        let note = if field.note.is_empty() { String::new() } else { format!("  ({})", field.note) };
        writeln!(out, "{:<18} {value}{}", field.name, palette.paint(Style::Faint, &note))?;
    }
    Ok(())
}
