// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What was compared for one item, and how it came out.

use core::fmt::{Debug, Display};

/// The comparisons of one item.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What was met.
    pub(super) checked: Vec<String>,
    /// What was not met, and how it came out.
    pub(super) failures: Vec<String>,
    /// What the item's files do not allow anyone to check.
    pub(super) not_checkable: Vec<String>,
    /// What the index expects, and nothing here knows how to check.
    pub(super) not_checked: Vec<String>,
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

    /// Demands that something can be read, unless the index says that it is not valid: then it may be refused right here.
    pub(super) fn read<T, E: Display>(&mut self, what: &str, expected: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Err(error) if !is_valid(expected) => {
                self.pass(&format!("{what} (refused: {error})"));
                None
            }
            result => self.accepted(what, result),
        }
    }

    /// Demands what the index says of a signature: `valid` is accepted, anything else is refused.
    pub(super) fn verdict<T, E: Display>(&mut self, what: &str, expected: &str, result: Result<T, E>) -> Option<T> {
        if is_valid(expected) {
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

    /// Records an expectation that nothing here knows how to check.
    pub(super) fn not_checked(&mut self, what: &str) {
        self.not_checked.push(what.to_owned());
    }
}

fn is_valid(expected: &str) -> bool {
    expected == "valid" || expected.starts_with("valid ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_where_the_index_says_valid_is_a_failure() {
        let mut findings = Findings::default();
        findings.verdict("signature", "valid", Err::<(), _>("no"));
        findings.verdict("signature", "INVALID", Ok::<_, &str>(()));
        assert!(findings.checked.is_empty());
        assert_eq!(findings.failures, ["signature: no", "signature: was accepted"]);
    }

    #[test]
    fn what_cannot_be_checked_is_no_success() {
        let mut findings = Findings::default();
        findings.not_checkable("revocation");
        findings.not_checked("mood");
        assert!(findings.checked.is_empty() && findings.failures.is_empty());
        assert_eq!(
            (findings.not_checkable, findings.not_checked),
            (vec!["revocation".to_owned()], vec!["mood".to_owned()])
        );
    }

    #[test]
    fn what_is_not_valid_may_be_refused_when_it_is_read() {
        let mut findings = Findings::default();
        assert_eq!(findings.read("token", "INVALID", Err::<(), _>("cut")), None);
        assert!(findings.failures.is_empty() && findings.checked.len() == 1);
        findings.read("token", "valid", Err::<(), _>("cut"));
        assert_eq!(findings.failures, ["token: cut"]);
    }
}
