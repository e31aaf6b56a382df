// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `EFI_SIGNATURE_LIST`s: the content of PK, KEK, db and dbx (UEFI, "Signature Database").

use crate::bytes::Cursor;
use crate::tcg::Guid;

/// One signature: a certificate, or a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature<'a> {
    /// What it is.
    pub kind: Guid,
    /// Who put it there.
    pub owner: Guid,
    /// The certificate in DER, or the hash.
    pub data: &'a [u8],
}

impl Signature<'_> {
    /// `EFI_CERT_X509_GUID`.
    pub const X509: Guid = Guid::new(0xa5c059a1_94e4_4aa7_87b5_ab155c2bf072);
    /// `EFI_CERT_SHA256_GUID`.
    pub const SHA256: Guid = Guid::new(0xc1c41626_504c_4092_aca9_41f936934328);
}

/// Reads a database. `None` is handed out once, where it stops to be one, and then no more.
pub fn signatures(database: &[u8]) -> impl Iterator<Item = Option<Signature<'_>>> {
    let mut lists = Lists { rest: database, list: None };
    core::iter::from_fn(move || lists.next())
}

struct Lists<'a> {
    rest: &'a [u8],
    list: Option<List<'a>>,
}

/// The signatures of a list that were not read yet.
struct List<'a> {
    kind: Guid,
    size: usize,
    rest: &'a [u8],
}

impl<'a> Lists<'a> {
    fn next(&mut self) -> Option<Option<Signature<'a>>> {
        loop {
            if let Some(list) = &mut self.list {
                if let Some((signature, rest)) = list.rest.split_at_checked(list.size) {
                    list.rest = rest;
                    return Some(signature.split_first_chunk().map(|(owner, data)| Signature {
                        kind: list.kind,
                        owner: Guid(*owner),
                        data,
                    }));
                }
                self.list = None;
            }
            if self.rest.is_empty() {
                return None;
            }
            let Some((list, rest)) = List::read(self.rest) else {
                self.rest = &[];
                return Some(None);
            };
            (self.list, self.rest) = (Some(list), rest);
        }
    }
}

impl<'a> List<'a> {
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        const HEAD: usize = 28;
        let mut cursor = Cursor::new(bytes, 0, 0);
        let kind = Guid(cursor.array("SignatureType").ok()?);
        let whole = usize::try_from(cursor.u32("SignatureListSize").ok()?).ok()?;
        let header = usize::try_from(cursor.u32("SignatureHeaderSize").ok()?).ok()?;
        let size = usize::try_from(cursor.u32("SignatureSize").ok()?).ok()?;
        let body = cursor.take("SignatureList", whole.checked_sub(HEAD)?).ok()?;
        let signatures = body.get(header..)?;
        // An owner stands before each signature, and a list is filled by its signatures.
        let is_whole = size > 16 && signatures.len().is_multiple_of(size);
        is_whole.then_some((List { kind, size, rest: signatures }, cursor.rest()))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn list(kind: Guid, signatures: &[[u8; 48]]) -> Vec<u8> {
        let size = |size: usize| u32::try_from(size).unwrap().to_le_bytes();
        [&kind.0, size(28 + 48 * signatures.len()).as_slice(), &size(0), &size(48), &signatures.concat()].concat()
    }

    #[test]
    fn two_lists_are_read_one_after_the_other() {
        let database = [list(Signature::SHA256, &[[1; 48], [2; 48]]), list(Signature::X509, &[[3; 48]])].concat();
        let read: Vec<_> = signatures(&database).map(|signature| signature.unwrap().data[0]).collect();
        assert_eq!(read, [1, 2, 3]);
        assert_eq!(signatures(&database).last().unwrap().unwrap().kind, Signature::X509);
        assert_eq!(signatures(&[]).count(), 0, "an empty database is one");
    }

    #[test]
    fn what_is_no_list_ends_the_reading() {
        let mut database = list(Signature::SHA256, &[[1; 48]]);
        database.extend([0; 5]);
        let read: Vec<_> = signatures(&database).map(|signature| signature.is_some()).collect();
        assert_eq!(read, [true, false]);
        // A signature as long as its owner alone, a size of 0, a list that is longer than the bytes.
        for (place, value) in [(24, 16), (24, 0), (16, 77)] {
            let mut database = list(Signature::SHA256, &[[1; 48]]);
            database[place] = value;
            assert_eq!(signatures(&database).collect::<Vec<_>>(), [None], "{place} {value}");
        }
    }
}
