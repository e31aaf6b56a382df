// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Linux kernel's measurement list, entry by entry; lists may be long, and nothing is collected.

use evtpm_logs::ima::{AsciiList, BinaryList, Entry};
use evtpm_logs::{Error, Hex, Text};
use evtpm_verify::logs::CryptoHashes;
use serde_json::{Value, json};

/// Calls `each` with every entry of a list, binary or as text.
pub fn each_entry<E: From<Error>>(bytes: &[u8], mut each: impl FnMut(&Entry<'_>) -> Result<(), E>) -> Result<(), E> {
    if AsciiList::recognizes(bytes) {
        for record in AsciiList::new(bytes) {
            each(&record?.entry()?)?;
        }
        return Ok(());
    }
    for entry in BinaryList::new(bytes) {
        each(&entry?)?;
    }
    Ok(())
}

/// What the list itself says about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The template hash is that of the entry.
    Consistent,
    /// The file changed while it was measured; nothing is known of it.
    Violation,
    /// The template hash is not that of the entry.
    WrongHash,
}

impl Mark {
    /// Looks at an entry.
    pub fn of(entry: &Entry<'_>) -> Self {
        match entry.check_template_hash(&CryptoHashes) {
            Ok(()) if entry.is_violation() => Self::Violation,
            Err(Error::TemplateHash { .. }) => Self::WrongHash,
            _ => Self::Consistent,
        }
    }

    /// Names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consistent => "consistent",
            Self::Violation => "violation",
            Self::WrongHash => "wrong template hash",
        }
    }
}

/// Returns the file's digest as policies write it.
pub fn file_digest(entry: &Entry<'_>) -> Option<String> {
    entry.digest().map(|digest| format!("{}:{}", digest.algorithm, Hex(digest.bytes)))
}

/// Returns the identifier of the key that the entry's signature names.
pub fn signer(entry: &Entry<'_>) -> Option<String> {
    entry.signature().map(|signature| match signature {
        Ok(signature) => format!("{:08x}", signature.key_id),
        Err(_) => "malformed".to_owned(),
    })
}

/// Writes an entry as one object.
pub fn entry_to_json(entry: &Entry<'_>) -> Value {
    json!({
        "number": entry.at.record,
        "pcr": entry.pcr.value(),
        "template": Text(entry.template_name).to_string(),
        "template_hash": Hex(entry.template_hash).to_string(),
        "state": Mark::of(entry).name(),
        "digest": file_digest(entry),
        "path": Text(entry.path()).to_string(),
        "signed_by": signer(entry),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] =
        b"10 0000000000000000000000000000000000000000 ima-ng sha1:0000000000000000000000000000000000000000 /log\n\
        10 1111111111111111111111111111111111111111 ima-ng sha1:2222222222222222222222222222222222222222 /bin/sh\n";

    fn marks(bytes: &[u8]) -> Vec<&'static str> {
        let mut marks = Vec::new();
        each_entry(bytes, |entry| {
            marks.push(Mark::of(entry).name());
            Ok::<(), Error>(())
        })
        .unwrap();
        marks
    }

    #[test]
    fn a_violation_and_a_wrong_hash_are_told_apart_in_text_and_in_binary() {
        assert_eq!(marks(TEXT), ["violation", "wrong template hash"]);
        assert_eq!(marks(&AsciiList::to_binary(TEXT).unwrap()), ["violation", "wrong template hash"]);
    }
}
