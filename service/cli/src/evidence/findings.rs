// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What was compared for one item, and how it came out.

use core::fmt::{Debug, Display};

/// The comparisons of one item.
#[derive(Debug, Default)]
pub(super) struct Findings {
    checked: Vec<String>,
    failures: Vec<String>,
    not_checkable: Vec<String>,
}

impl Findings {
    /// Compares a value with what the index expects.
    pub(super) fn equal<T: PartialEq + Debug + ?Sized>(&mut self, what: &str, expected: &T, actual: &T) {
        if expected == actual {
            self.pass(what);
        } else {
            self.fail(what, format!("expected {expected:?}, got {actual:?}"));
        }
    }

    /// Compares a value with what the index expects, if it expects anything.
    pub(super) fn equal_if<T: PartialEq + Debug>(&mut self, what: &str, expected: Option<&T>, actual: &T) {
        if let Some(expected) = expected {
            self.equal(what, expected, actual);
        }
    }

    /// Demands that something holds.
    pub(super) fn holds(&mut self, what: &str, holds: bool) {
        if holds { self.pass(what) } else { self.fail(what, "does not hold".to_owned()) }
    }

    /// Demands that something is accepted, and returns it.
    pub(super) fn accepted<T, E: Display>(&mut self, what: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => {
                self.pass(what);
                Some(value)
            }
            Err(error) => {
                self.fail(what, error.to_string());
                None
            }
        }
    }

    /// Demands that something is refused.
    pub(super) fn refused<T, E: Display>(&mut self, what: &str, result: Result<T, E>) {
        match result {
            Ok(_) => self.fail(what, "was accepted".to_owned()),
            Err(error) => self.pass(&format!("{what} (refused: {error})")),
        }
    }

    /// Demands what the index says of a signature: `valid` is accepted, anything else is refused.
    pub(super) fn verdict<T, E: Display>(&mut self, what: &str, expected: &str, result: Result<T, E>) -> Option<T> {
        if expected == "valid" || expected.starts_with("valid ") {
            return self.accepted(what, result);
        }
        self.refused(what, result);
        None
    }

    /// Records an expectation that was met.
    pub(super) fn pass(&mut self, what: &str) {
        self.checked.push(what.to_owned());
    }

    /// Records an expectation that was not met, or that nobody knows how to check.
    pub(super) fn fail(&mut self, what: &str, why: String) {
        self.failures.push(format!("{what}: {why}"));
    }

    /// Records something that the item's files do not allow anyone to check.
    pub(super) fn not_checkable(&mut self, what: &str) {
        self.not_checkable.push(what.to_owned());
    }

    /// Returns what was met, what was not, and what cannot be checked.
    pub(super) fn into_parts(self) -> (Vec<String>, Vec<String>, Vec<String>) {
        (self.checked, self.failures, self.not_checkable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_where_the_index_says_valid_is_a_failure() {
        let mut findings = Findings::default();
        findings.verdict("signature", "valid", Err::<(), _>("no"));
        findings.verdict("signature", "INVALID", Ok::<_, &str>(()));
        let (checked, failures, _) = findings.into_parts();
        assert!(checked.is_empty());
        assert_eq!(failures, ["signature: no", "signature: was accepted"]);
    }

    #[test]
    fn what_cannot_be_checked_is_no_success() {
        let mut findings = Findings::default();
        findings.not_checkable("revocation");
        assert_eq!(findings.into_parts(), (vec![], vec![], vec!["revocation".to_owned()]));
    }
}
