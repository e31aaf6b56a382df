// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files and functions stay short enough to be read (ARCHITECTURE, "Targets").

use super::{Outcome, Repository, none_or_all};
use crate::source::{FunctionKind, Source};

const FILE_LINES: usize = 800;
const FUNCTION_LINES: usize = 100;
/// Getters and constructors would hide how long the rest is.
const TRIVIAL_LINES: usize = 2;

pub(super) fn check(repository: &Repository) -> Outcome {
    let findings: Vec<String> = repository.sources.iter().flat_map(too_long).collect();
    none_or_all(&findings, summary(&repository.sources))
}

fn too_long(source: &Source) -> Vec<String> {
    let path = source.path.display();
    let mut findings = Vec::new();
    if source.lines() > FILE_LINES {
        findings.push(format!("{path}: {} lines, {FILE_LINES} at most", source.lines()));
    }
    for function in &source.functions {
        if function.length > FUNCTION_LINES && !function.is_table {
            let (line, name, length) = (function.line, &function.name, function.length);
            findings.push(format!("{path}:{line}: `{name}` has {length} lines, {FUNCTION_LINES} at most"));
        }
    }
    findings
}

fn summary(sources: &[Source]) -> String {
    let mut files: Vec<usize> = sources.iter().map(Source::production_lines).filter(|lines| *lines > 0).collect();
    let functions = sources.iter().filter(|source| !source.is_test_file).flat_map(|source| &source.functions);
    let mut functions: Vec<usize> = functions
        .filter(|function| function.kind == FunctionKind::Production && function.length > TRIVIAL_LINES)
        .map(|function| function.length)
        .collect();
    let all: usize = sources.iter().map(Source::lines).sum();
    let production: usize = files.iter().sum();
    let ratio = (all - production) as f64 / production.max(1) as f64;
    format!(
        "{} files, production lines median {}, largest {}; functions median {}, p99 {}, longest {}; {ratio:.2} lines of test for each of production",
        sources.len(),
        percentile(&mut files, 50),
        percentile(&mut files, 100),
        percentile(&mut functions, 50),
        percentile(&mut functions, 99),
        percentile(&mut functions, 100),
    )
}

/// The smallest value that `percent` of all values do not exceed, or 0 when there is none.
fn percentile(values: &mut [usize], percent: usize) -> usize {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn source(text: String) -> Source {
        Source::new(PathBuf::from("crate/src/long.rs"), text).unwrap()
    }

    #[test]
    fn file_of_801_lines_is_too_long() {
        assert!(too_long(&source("\n".repeat(800))).is_empty());
        assert_eq!(too_long(&source("\n".repeat(801))), ["crate/src/long.rs: 801 lines, 800 at most"]);
    }

    #[test]
    fn function_of_101_lines_is_too_long() {
        let body = |lines: usize| format!("fn f() {{\n{}}}\n", "g();\n".repeat(lines));
        assert!(too_long(&source(body(100))).is_empty());
        assert_eq!(too_long(&source(body(101))), ["crate/src/long.rs:1: `f` has 101 lines, 100 at most"]);
    }

    #[test]
    fn percentiles_of_few_values() {
        assert_eq!(percentile(&mut [3, 1, 2], 50), 2);
        assert_eq!(percentile(&mut [3, 1, 2], 99), 3);
        assert_eq!(percentile(&mut [], 50), 0);
    }
}
