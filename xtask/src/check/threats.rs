// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each row of docs/THREATS.md and docs/VULNERABILITIES.md names code that exists and a test that exists, or says that it
//! is for later and why.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Outcome, Repository, none_or_all};
use crate::source::FunctionKind;

const FILES: &[&str] = &["docs/THREATS.md", "docs/VULNERABILITIES.md"];

/// One row of a table that has the columns `Code` and `Test`.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    line: usize,
    code: &'a str,
    test: &'a str,
}

pub(super) fn check(repository: &Repository) -> Outcome {
    let tests: BTreeSet<&str> = repository
        .sources
        .iter()
        .flat_map(|source| &source.functions)
        .filter(|function| function.kind == FunctionKind::Test)
        .map(|function| function.name.as_str())
        .collect();
    let exists = |path: &str| repository.workspace.root().join(path).exists();
    let (mut findings, mut count, mut later) = (Vec::new(), 0, 0);
    for file in FILES {
        let text = std::fs::read_to_string(repository.workspace.path(file)).context(*file)?;
        let rows = rows(&text).context(*file)?;
        if rows.is_empty() {
            bail!("{file} has no row");
        }
        findings.extend(
            rows.iter().filter_map(|row| Some(format!("{file}:{}: {}", row.line, fault(row, &exists, &tests)?))),
        );
        later += rows.iter().filter(|row| is_for_later(row.test)).count();
        count += rows.len();
    }
    none_or_all(&findings, format!("{count} rows, of which {later} are for later"))
}

/// The rows of every table whose header has the columns `Code` and `Test`.
fn rows(text: &str) -> anyhow::Result<Vec<Row<'_>>> {
    let mut rows = Vec::new();
    let mut columns: Option<(usize, usize)> = None;
    let mut in_table = false;
    for (index, line) in text.lines().enumerate() {
        let Some(cells) = cells(line) else {
            (columns, in_table) = (None, false);
            continue;
        };
        if !in_table {
            in_table = true;
            let column = |name: &str| cells.iter().position(|cell| *cell == name);
            columns = column("Code").zip(column("Test"));
            continue;
        }
        let is_ruler = cells.iter().all(|cell| cell.chars().all(|c| matches!(c, '-' | ':')));
        if let (Some((code, test)), false) = (columns, is_ruler) {
            let cell = |column: usize| cells.get(column).with_context(|| format!("line {}: too few cells", index + 1));
            rows.push(Row { line: index + 1, code: cell(code)?, test: cell(test)? });
        }
    }
    Ok(rows)
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inside.split('|').map(str::trim).collect())
}

/// What is wrong with a row, if something is.
fn fault(row: &Row<'_>, exists: &dyn Fn(&str) -> bool, tests: &BTreeSet<&str>) -> Option<String> {
    if is_for_later(row.code) && !is_for_later(row.test) {
        return Some("a test without code".to_owned());
    }
    let (paths, names) = (quoted(row.code), quoted(row.test));
    if !is_for_later(row.code) {
        if paths.is_empty() {
            return Some("names no code (or `later: why`)".to_owned());
        }
        if let Some(missing) = paths.iter().find(|path| !exists(path)) {
            return Some(format!("{missing} does not exist"));
        }
    }
    if !is_for_later(row.test) {
        if names.is_empty() {
            return Some("names no test (or `later: why`)".to_owned());
        }
        if let Some(missing) = names.iter().find(|name| !is_test(name, exists, tests)) {
            return Some(format!("no test is called {missing}"));
        }
    }
    None
}

/// A test is a function's name, perhaps with its module before it, or an executable test file.
fn is_test(name: &str, exists: &dyn Fn(&str) -> bool, tests: &BTreeSet<&str>) -> bool {
    let function = name.rsplit("::").next().unwrap_or(name);
    tests.contains(function) || (Path::new(name).extension().is_some() && exists(name))
}

/// `later: why` — with a reason.
fn is_for_later(cell: &str) -> bool {
    cell.strip_prefix("later:").is_some_and(|reason| !reason.trim().is_empty())
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "text\n\n| # | Threat | Code | Test |\n|---|:--|---|---|\n| 1 | fake vTPM | `a.rs` | `fake_is_refused` |\n| 2 | relay | later: needs channels | later: too |\n\n| other | table |\n|---|---|\n| 1 | 2 |\n";

    fn fault_of(code: &str, test: &str) -> Option<String> {
        let tests = BTreeSet::from(["fake_is_refused"]);
        fault(&Row { line: 1, code, test }, &|path| path == "a.rs" || path == "vm.sh", &tests)
    }

    #[test]
    fn only_tables_with_code_and_test_have_rows() {
        let rows = rows(TABLE).unwrap();
        let expected = [
            Row { line: 5, code: "`a.rs`", test: "`fake_is_refused`" },
            Row { line: 6, code: "later: needs channels", test: "later: too" },
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn row_with_existing_code_and_test_passes() {
        assert_eq!(fault_of("`a.rs`", "`fake_is_refused`, `crate::module::fake_is_refused`"), None);
        assert_eq!(fault_of("`a.rs`", "`vm.sh`"), None);
    }

    #[test]
    fn row_without_code_or_test_fails() {
        assert_eq!(fault_of("", "`fake_is_refused`").unwrap(), "names no code (or `later: why`)");
        assert_eq!(fault_of("`a.rs`", "yes").unwrap(), "names no test (or `later: why`)");
    }

    #[test]
    fn row_whose_code_or_test_is_gone_fails() {
        assert_eq!(fault_of("`b.rs`", "`fake_is_refused`").unwrap(), "b.rs does not exist");
        assert_eq!(fault_of("`a.rs`", "`was_renamed`").unwrap(), "no test is called was_renamed");
    }

    #[test]
    fn later_needs_a_reason() {
        assert_eq!(fault_of("later: issue on channels", "later: with it"), None);
        assert_eq!(fault_of("`a.rs`", "later: with the machine"), None);
        assert!(fault_of("later:", "later:").is_some());
        assert!(fault_of("later: issue on channels", "`fake_is_refused`").is_some());
    }
}
