// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each file starts with its licence and one sentence about itself, and owes nothing without saying to whom.

use super::{Outcome, Repository, none_or_all};

const LICENCE: &str = "// SPDX-License-Identifier: Apache-2.0 OR MIT";
/// Spelled so that this file does not find itself.
const DEBTS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

pub(super) fn check(repository: &Repository) -> Outcome {
    let mut findings = Vec::new();
    for source in &repository.sources {
        let path = source.path.display();
        if let Some(fault) = header_fault(&source.text) {
            findings.push(format!("{path}: {fault}"));
        }
        for (index, line) in source.text.lines().enumerate() {
            if let Some(debt) = debt_without_creditor(line) {
                findings.push(format!("{path}:{}: {debt} without the number of an issue or decision", index + 1));
            }
        }
    }
    none_or_all(&findings, format!("{} files", repository.sources.len()))
}

fn header_fault(text: &str) -> Option<&'static str> {
    let mut lines = text.lines();
    if lines.next() != Some(LICENCE) {
        return Some("line 1 is not the SPDX line");
    }
    if !lines.next().is_some_and(|line| line.starts_with("//! ")) {
        return Some("line 2 is not a `//!` sentence");
    }
    None
}

/// The marker of unfinished work in a comment that points nowhere (`#12` and `decision 0003` point somewhere).
fn debt_without_creditor(line: &str) -> Option<&'static str> {
    let comment = line.split_once("//")?.1;
    let debt =
        DEBTS.into_iter().find(|debt| comment.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == *debt))?;
    let points_to = |mark: &str| {
        comment.split(mark).skip(1).any(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()))
    };
    if points_to("#") || points_to("decision") { None } else { Some(debt) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_comes_first_and_the_sentence_second() {
        assert_eq!(header_fault(&format!("{LICENCE}\n//! Says it.\n")), None);
        assert_eq!(header_fault("//! Says it.\n"), Some("line 1 is not the SPDX line"));
        assert_eq!(header_fault(&format!("{LICENCE}\n\n//! Says it.\n")), Some("line 2 is not a `//!` sentence"));
    }

    #[test]
    fn a_debt_needs_a_number() {
        let marker = DEBTS[0];
        assert_eq!(debt_without_creditor(&format!("let a = 1; // {marker}: later")), Some(marker));
        assert_eq!(debt_without_creditor(&format!("// {marker}(#12): later")), None);
        assert_eq!(debt_without_creditor(&format!("// {marker}: decision 0003 says when")), None);
        assert_eq!(debt_without_creditor(&format!("let {marker} = 1;")), None);
    }
}
