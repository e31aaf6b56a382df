// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How results reach a person: colours on a terminal only, hexadecimal in lower case.

use std::io::IsTerminal;

/// Styles that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A heading.
    Strong,
    /// It holds.
    Good,
    /// It does not hold.
    Bad,
    /// Said beside the point.
    Faint,
}

/// Decides once whether standard output gets colours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Palette {
    colours: bool,
}

impl Palette {
    /// Colours on a terminal, unless `NO_COLOR` is set (no-color.org).
    pub(crate) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Palette { colours: std::io::stdout().is_terminal() && !unwanted }
    }

    /// Dresses a text.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Strong => "1",
            Style::Good => "32",
            Style::Bad => "31",
            Style::Faint => "2",
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes text of a peer safe to show: control characters could drive the reader's terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_are_no_escapes() {
        assert_eq!(Palette { colours: false }.paint(Style::Bad, "x"), "x");
        assert_eq!(Palette { colours: true }.paint(Style::Bad, "x"), "\x1b[31mx\x1b[0m");
    }

    #[test]
    fn an_escape_sequence_of_a_peer_is_defused() {
        assert_eq!(printable("a\x1b[2Jb"), "a\u{fffd}[2Jb");
    }
}
