// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lower-case hexadecimal.

/// Writes bytes as text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the text back; `None` if it is none.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_goes_both_ways() {
        assert_eq!(hex(&[0, 0xAB]), "00ab");
        assert_eq!(unhex("00ab"), Some(vec![0, 0xAB]));
        assert_eq!(unhex("0g"), None);
        assert_eq!(unhex("é"), None);
    }
}
