// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Fields with their names, as lines for a person or as one JSON object.

use std::io::Write;

use anyhow::Result;
use evtpm_describe::Field;
use serde_json::{Map, Value};

use super::print_json;
use crate::output::{Palette, Style};

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
        let value = field.text();
        let note = if field.note.is_empty() { String::new() } else { format!("  ({})", field.note) };
        writeln!(out, "{:<18} {value}{}", field.name, palette.paint(Style::Faint, &note))?;
    }
    Ok(())
}
