// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Findings as a person reads them.

use std::io::{self, Write};

use evtpm_appraise::{Explanation, Severity};

use crate::output::{Palette, Style, printable};

/// Tells each finding with what was expected, what came, and what could be done.
pub(crate) fn show(out: &mut impl Write, palette: Palette, findings: &[Explanation]) -> io::Result<()> {
    for finding in findings {
        let style = if finding.severity >= Severity::Stale { Style::Bad } else { Style::Faint };
        let severity = palette.paint(style, severity(finding.severity));
        writeln!(out, "  {severity} {}: {}", printable(&finding.code), printable(&finding.sentence))?;
        writeln!(out, "    expected    {}", printable(&finding.expected))?;
        writeln!(out, "    actual      {}", printable(&finding.actual))?;
        writeln!(out, "    suggestion  {}", printable(&finding.suggestion))?;
    }
    Ok(())
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "notice ",
        Severity::Warning => "warning",
        Severity::Stale => "stale  ",
        Severity::Missing => "missing",
        Severity::Failure => "failure",
    }
}
