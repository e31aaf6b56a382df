// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The configuration file: options of the command line by their names, in TOML. What the command line says counts more.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use toml::Value;

/// Reads the file that `--config FILE` names, if any, and returns the command line without it and with the file's options.
///
/// ```toml
/// verifier = "https://verifier.example:8443"
/// ca = "/etc/evtpm/ca.pem"
/// machine = "vm-7"
/// json = true
///
/// [unlock]            # the options of a command stand in a table of its name
/// device = "/dev/sda2"
/// ```
///
/// # Errors
/// Names the file that cannot be read, or the option that is no text, number, truth value or list of these.
pub fn command_line(arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let Some(file) = take_config(&mut arguments)? else { return Ok(arguments) };
    let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", Path::new(&file).display()))?;
    add(&mut arguments, &text).with_context(|| format!("in {}", Path::new(&file).display()))?;
    Ok(arguments)
}

/// Takes `--config FILE` or `--config=FILE` out.
fn take_config(arguments: &mut Vec<OsString>) -> Result<Option<OsString>> {
    let Some(place) = arguments.iter().position(|argument| names(argument, "--config")) else { return Ok(None) };
    let argument = arguments.remove(place);
    if let Some(file) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
        return Ok(Some(file.into()));
    }
    anyhow::ensure!(place < arguments.len(), "--config needs a file");
    Ok(Some(arguments.remove(place)))
}

/// Whether an argument is this option, with or without a value behind `=`.
fn names(argument: &OsString, option: &str) -> bool {
    argument
        .to_str()
        .and_then(|text| text.strip_prefix(option))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

fn add(arguments: &mut Vec<OsString>, text: &str) -> Result<()> {
    let file: toml::Table = text.parse()?;
    let mut options = &file;
    // The first word is the program; a command stands before its options.
    if let Some(command) = arguments.get(1).and_then(|word| word.to_str()).filter(|word| !word.starts_with('-')) {
        let Some(Value::Table(table)) = file.get(command) else { return Ok(()) };
        options = table;
    }
    let mut added = Vec::new();
    for (name, value) in options.iter().filter(|(_, value)| !value.is_table()) {
        let option = format!("--{name}");
        if !arguments.iter().any(|argument| names(argument, &option)) {
            push(&mut added, &option, value).with_context(|| format!("option {name}"))?;
        }
    }
    arguments.extend(added);
    Ok(())
}

fn push(added: &mut Vec<OsString>, option: &str, value: &Value) -> Result<()> {
    match value {
        Value::Boolean(true) => added.push(option.into()),
        Value::Boolean(false) => {}
        Value::String(text) => added.push(format!("{option}={text}").into()),
        Value::Integer(number) => added.push(format!("{option}={number}").into()),
        Value::Array(values) => values.iter().try_for_each(|value| push(added, option, value))?,
        other => bail!("a {} is not what an option can be", other.type_str()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(arguments: &[&str], text: &str) -> Vec<String> {
        let mut arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
        add(&mut arguments, text).unwrap();
        arguments.into_iter().map(|argument| argument.into_string().unwrap()).collect()
    }

    #[test]
    fn options_of_the_file_are_options() {
        let text = "machine = \"vm-7\"\ninterval = 5\njson = true\nonce = false\nca = [\"a\", \"b\"]\n";
        let mut line = with(&["evtpm-agent"], text);
        line.sort();
        assert_eq!(line, ["--ca=a", "--ca=b", "--interval=5", "--json", "--machine=vm-7", "evtpm-agent"]);
    }

    #[test]
    fn the_command_line_counts_more() {
        let text = "machine = \"vm-7\"\n";
        assert_eq!(with(&["evtpm-agent", "--machine", "vm-8"], text), ["evtpm-agent", "--machine", "vm-8"]);
        assert_eq!(with(&["evtpm-agent", "--machine=vm-8"], text), ["evtpm-agent", "--machine=vm-8"]);
    }

    #[test]
    fn a_command_has_a_table_of_its_own() {
        let text = "machine = \"vm-7\"\n[pull]\nuuid = \"a\"\n";
        assert_eq!(with(&["evtpm-agent", "pull"], text), ["evtpm-agent", "pull", "--uuid=a"]);
        assert_eq!(with(&["evtpm-agent"], text), ["evtpm-agent", "--machine=vm-7"]);
    }

    #[test]
    fn the_file_is_taken_out_of_the_command_line() {
        for line in [&["evtpm-agent", "--config", "f", "--once"][..], &["evtpm-agent", "--config=f", "--once"]] {
            let mut arguments: Vec<OsString> = line.iter().map(Into::into).collect();
            assert_eq!(take_config(&mut arguments).unwrap(), Some("f".into()));
            assert_eq!(arguments, ["evtpm-agent", "--once"]);
        }
        assert!(take_config(&mut vec!["evtpm-agent".into(), "--config".into()]).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = command_line(["evtpm-agent", "--config", "/nowhere.toml"].map(Into::into)).unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere.toml"));
    }

    #[test]
    fn an_option_of_another_kind_is_named() {
        let error = add(&mut vec!["evtpm-agent".into()], "interval = 1.5\n").unwrap_err();
        assert!(format!("{error:#}").contains("interval"), "{error:#}");
    }
}
