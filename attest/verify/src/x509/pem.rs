// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PEM text (RFC 7468): finds the blocks of one label, wherever they stand in a file.

use crate::Error;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// Says whether the bytes look like PEM rather than DER.
pub(crate) fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
}

/// Decodes every block with `label`, in order; other blocks and text around them are passed over.
pub(crate) fn blocks(bytes: &[u8], label: &str, limit: usize) -> Result<Vec<Vec<u8>>, Error> {
    let malformed = |detail: String| Error::Malformed { what: "PEM text", detail };
    let text = core::str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    let begin = format!("{BEGIN}{label}-----");
    let end = format!("{END}{label}-----");

    let mut decoded = Vec::new();
    let mut rest = text;
    while let Some((_, block)) = rest.split_once(&begin) {
        let Some((body, after)) = block.split_once(&end) else {
            return Err(malformed(format!("no line \"{end}\"")));
        };
        if decoded.len() == limit {
            return Err(malformed(format!("more than {limit} blocks")));
        }
        decoded.push(decode(&begin, body, &end).map_err(|error| malformed(error.to_string()))?);
        rest = after;
    }
    Ok(decoded)
}

/// Decodes one block; lines may have any width, as RFC 7468 asks of lax parsers.
fn decode(begin: &str, body: &str, end: &str) -> Result<Vec<u8>, der::pem::Error> {
    let base64: String = body.split_ascii_whitespace().collect();
    let lines = base64
        .as_bytes()
        .chunks(64)
        .map(core::str::from_utf8)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| der::pem::Error::CharacterEncoding)?;
    let canonical = format!("{begin}\n{}\n{end}\n", lines.join("\n"));
    der::pem::decode_vec(canonical.as_bytes()).map(|(_label, der)| der)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "some words\n-----BEGIN A-----\nAAEC\n-----END A-----\n\
                       -----BEGIN B-----\nAwQF\n-----END B-----\n-----BEGIN A-----\r\nBg\r\ncI\r\n-----END A-----";

    #[test]
    fn blocks_of_the_label_are_found_between_others() {
        assert_eq!(blocks(TWO.as_bytes(), "A", 8), Ok(vec![vec![0, 1, 2], vec![6, 7, 8]]));
    }

    #[test]
    fn an_unfinished_block_is_malformed() {
        let result = blocks(b"-----BEGIN A-----\nAAEC\n", "A", 8);
        assert!(matches!(result, Err(Error::Malformed { .. })), "{result:?}");
    }

    #[test]
    fn more_blocks_than_the_limit_are_refused() {
        let result = blocks(TWO.as_bytes(), "A", 1);
        assert!(matches!(result, Err(Error::Malformed { .. })), "{result:?}");
    }
}
