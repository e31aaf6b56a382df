// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Bytes of a log as text that is safe to print: nothing in it can move a terminal's cursor.

use alloc::vec::Vec;
use core::fmt::{self, Write};

/// Shows bytes as UTF-8 with control characters and invalid bytes escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            let valid = chunk.valid();
            // Nearly all text of a log is plain, and written at once.
            if valid.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                f.write_str(valid)?;
            } else {
                valid.chars().try_for_each(|c| printable(f, c))?;
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

/// A UTF-16LE string, without its terminating NUL; shown with control characters escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utf16<'a>(&'a [u8]);

impl<'a> Utf16<'a> {
    /// Takes bytes of UTF-16LE text, with or without a final NUL; `None` for an odd number of bytes or a NUL inside.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.strip_suffix(&[0, 0]).filter(|rest| rest.len().is_multiple_of(2)).unwrap_or(bytes);
        let text = Utf16(bytes);
        (bytes.len().is_multiple_of(2) && text.units().all(|unit| unit != 0)).then_some(text)
    }

    /// Returns the UTF-16 code units.
    pub fn units(&self) -> impl Iterator<Item = u16> + 'a {
        self.0.chunks_exact(2).map(|pair| match pair {
            [low, high] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        })
    }

    /// Returns the characters; an unpaired surrogate becomes U+FFFD.
    pub fn chars(&self) -> impl Iterator<Item = char> + 'a {
        char::decode_utf16(self.units()).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Returns the little-endian bytes without a terminating NUL.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl PartialEq<str> for Utf16<'_> {
    fn eq(&self, other: &str) -> bool {
        self.units().eq(other.encode_utf16())
    }
}

impl fmt::Display for Utf16<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|c| printable(f, c))
    }
}

/// Shows bytes in lower-case hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn printable(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    // U+202A..U+202E and U+2066..U+2069 reorder text on a screen; they are not control characters for Unicode.
    let reorders = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || reorders { write!(f, "{}", c.escape_default()) } else { f.write_char(c) }
}

/// Reads pairs of hexadecimal digits.
pub(crate) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn an_escape_sequence_in_a_file_name_is_not_sent_to_the_terminal() {
        assert_eq!(Text(b"/tmp/\x1b[2Jx\n\xff").to_string(), "/tmp/\\u{1b}[2Jx\\n\\xff");
        assert_eq!(Text("a\u{202E}b".as_bytes()).to_string(), "a\\u{202e}b");
        assert_eq!(Text("naïve".as_bytes()).to_string(), "naïve");
    }

    #[test]
    fn utf16_ends_at_its_nul_and_has_none_inside() {
        assert!(Utf16::new(b"P\0K\0\0\0").unwrap() == *"PK");
        assert!(Utf16::new(b"P\0K\0").unwrap() == *"PK");
        assert_eq!(Utf16::new(b"P\0\0\0K\0"), None);
        assert_eq!(Utf16::new(b"P\0K"), None);
        assert_eq!(Utf16::new(b"\x00\xd8").unwrap().to_string(), "\u{fffd}");
    }
}
