// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line: flags are taken by name, and what nobody took is an error.

use std::collections::VecDeque;
use std::str::FromStr;

use anyhow::{Context as _, bail};

/// The words after `cargo xtask`, each taken at most once.
#[derive(Debug)]
pub(crate) struct Arguments {
    words: VecDeque<String>,
    /// What stands after `--`, for the program that a chore starts.
    passed_on: Vec<String>,
}

impl Arguments {
    /// Reads this process's command line.
    pub(crate) fn from_environment() -> Self {
        Self::new(std::env::args().skip(1))
    }

    fn new(words: impl IntoIterator<Item = String>) -> Self {
        let mut words: VecDeque<String> = words.into_iter().collect();
        let passed_on = match words.iter().position(|word| word == "--") {
            Some(separator) => words.split_off(separator).into_iter().skip(1).collect(),
            None => Vec::new(),
        };
        Self { words, passed_on }
    }

    /// Takes the first word.
    pub(crate) fn next_word(&mut self) -> Option<String> {
        self.words.pop_front()
    }

    /// Takes a flag without value, and says whether it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() != before
    }

    /// Takes every value of a flag that may be repeated.
    pub(crate) fn values(&mut self, name: &str) -> anyhow::Result<Vec<String>> {
        let mut values = Vec::new();
        while let Some(at) = self.words.iter().position(|word| word == name) {
            self.words.remove(at);
            values.push(self.words.remove(at).with_context(|| format!("{name} needs a value"))?);
        }
        Ok(values)
    }

    /// Takes the value of a flag.
    pub(crate) fn value<T>(&mut self, name: &str) -> anyhow::Result<Option<T>>
    where
        T: FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let mut values = self.values(name)?;
        if values.len() > 1 {
            bail!("{name} may stand only once");
        }
        values.pop().map(|value| value.parse().with_context(|| format!("{name} {value}"))).transpose()
    }

    /// Refuses words that no one took, and gives what stood after `--`.
    pub(crate) fn finish(self) -> anyhow::Result<Vec<String>> {
        match self.words.front() {
            Some(word) => bail!("unexpected argument {word:?}"),
            None => Ok(self.passed_on),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Arguments {
        Arguments::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn repeated_values_come_in_order() {
        let mut arguments = arguments("--only sizes --list --only layers");
        assert_eq!(arguments.values("--only").unwrap(), ["sizes", "layers"]);
        assert!(arguments.flag("--list"));
        assert_eq!(arguments.finish().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_flag_without_its_value_is_an_error() {
        assert!(arguments("--only").values("--only").is_err());
    }

    #[test]
    fn a_value_of_the_wrong_type_is_an_error() {
        assert!(arguments("--seconds soon").value::<u64>("--seconds").is_err());
    }

    #[test]
    fn a_word_that_no_one_took_is_an_error() {
        assert_eq!(arguments("--onyl sizes").finish().unwrap_err().to_string(), "unexpected argument \"--onyl\"");
    }

    #[test]
    fn words_after_two_dashes_are_passed_on() {
        let mut arguments = arguments("--list -- --list filter");
        assert!(arguments.flag("--list"));
        assert_eq!(arguments.finish().unwrap(), ["--list", "filter"]);
    }
}
