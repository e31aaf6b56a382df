// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The binary list (`binary_runtime_measurements`), as it comes from a little-endian machine.

use alloc::string::ToString;

use crate::bytes::Cursor;
use crate::ima::entry::Head;
use crate::ima::{Entry, Template};
use crate::{At, Error, PcrIndex, Text};

/// The largest template data of one entry accepted; a measured kexec image or policy is the largest in practice.
pub const MAX_TEMPLATE_DATA: usize = 16 << 20;

/// The longest template name or format string (`MAX_TEMPLATE_NAME_LEN`).
const MAX_TEMPLATE_NAME: usize = 255;

/// A binary list in memory.
///
/// ```
/// use evtpm_logs::ima::BinaryList;
///
/// let mut list = vec![10, 0, 0, 0];
/// list.extend([0xAB; 20]); // template hash
/// list.extend(*b"\x06\0\0\0ima-ng");
/// list.extend(*b"\x27\0\0\0\x1a\0\0\0sha1:\0");
/// list.extend([0x11; 20]);
/// list.extend(*b"\x05\0\0\0/bin\0");
///
/// let entry = BinaryList::new(&list).next().unwrap()?;
/// assert_eq!(entry.path(), b"/bin");
/// assert_eq!(entry.digest().unwrap().bytes, [0x11; 20]);
/// # Ok::<(), evtpm_logs::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BinaryList<'a> {
    rest: &'a [u8],
    at: At,
    hash_size: usize,
    failed: bool,
}

impl<'a> BinaryList<'a> {
    /// Reads a list whose template hashes are SHA-1, as `binary_runtime_measurements` has them.
    #[must_use]
    pub const fn new(list: &'a [u8]) -> Self {
        Self::with_hash_size(list, 20)
    }

    /// Reads a list with template hashes of another size: `binary_runtime_measurements_sha256` has 32 bytes.
    #[must_use]
    pub const fn with_hash_size(list: &'a [u8], hash_size: usize) -> Self {
        BinaryList { rest: list, at: At { record: 0, offset: 0 }, hash_size, failed: false }
    }

    /// Returns the offset of the first byte that has not been read as an entry.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at.offset
    }
}

impl<'a> Iterator for BinaryList<'a> {
    type Item = Result<Entry<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.failed {
            return None;
        }
        match next_entry(self.rest, self.at, self.hash_size) {
            Ok(Step { entry, rest, next }) => {
                (self.rest, self.at) = (rest, next);
                Some(Ok(entry))
            }
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

/// One entry and what follows it.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// The bytes behind it.
    pub rest: &'a [u8],
    /// Where they are in the list.
    pub next: At,
}

/// Reads the entry at the start of `bytes`, for callers that stream a list in pieces.
///
/// [`Error::Truncated`] then means that the piece ends inside the entry: read more and ask again.
pub fn next_entry(bytes: &[u8], at: At, hash_size: usize) -> Result<Step<'_>, Error> {
    let mut cursor = Cursor::new(bytes, at.record, at.offset);
    let number = cursor.u32("PCR index")?;
    let Some(pcr) = PcrIndex::new(number) else {
        return Err(Error::PcrOutOfRange { at, pcr: number });
    };
    let template_hash = cursor.take("template hash", hash_size)?;
    let name_at = cursor.at();
    let template_name = cursor.prefixed("template name", MAX_TEMPLATE_NAME)?;
    let Some(template) = Template::from_name(template_name) else {
        return Err(Error::UnknownTemplate { at: name_at, name: Text(template_name).to_string() });
    };

    let head = Head { at, pcr, template_name, template_hash, template };
    let entry = if template_name == b"ima" {
        // The kernel writes this template's digest without length and its name without NUL.
        let digest = cursor.take("digest", 20)?;
        let name = cursor.prefixed("event name", MAX_TEMPLATE_DATA)?;
        Entry::legacy(head, digest, name)?
    } else {
        let length = cursor.length("template data", MAX_TEMPLATE_DATA)?;
        let data_at = cursor.at();
        Entry::from_fields(head, cursor.take("template data", length)?, data_at)?
    };

    let next = At { record: at.record.saturating_add(1), offset: cursor.at().offset };
    Ok(Step { entry, rest: cursor.rest(), next })
}
