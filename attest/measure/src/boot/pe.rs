// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Authenticode digest of a PE image, which firmware extends into PCR 4 (Microsoft, *Windows Authenticode Portable
//! Executable Signature Format*, "Calculating the PE Image Hash").

use evtpm_crypto::{Crypto, Digest, HashAlg, RustCrypto};

use crate::Error;
use crate::bytes::{array, u16_at, u32_at};

const WHAT: &str = "PE header";
/// The largest number of sections that is looked at; the format allows 96.
const MAX_SECTIONS: u16 = 96;

/// Hashes an image without its checksum, its certificates and the entry that tells where they are.
pub fn authenticode(image: &[u8], hash: HashAlg) -> Result<Digest, Error> {
    let parts = parts(image)?;
    Ok(RustCrypto::hash(hash, &parts))
}

/// The pieces of the image that are hashed, in the order in which they are.
fn parts(image: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let header = Header::read(image)?;
    let mut parts = vec![
        piece(image, 0, header.checksum)?,
        piece(image, add(header.checksum, 4)?, header.certificates)?,
        piece(image, add(header.certificates, 8)?, header.size)?,
    ];
    let mut hashed = header.size;
    for (start, length) in header.sections(image)? {
        parts.push(piece(image, start, add(start, length)?)?);
        hashed = add(hashed, length)?;
    }
    // What lies behind the last section is hashed too, up to the certificates at the end.
    let certificates = usize_at(image, add(header.certificates, 4)?)?;
    let end = image.len().checked_sub(certificates).ok_or(Error::Truncated { what: "certificates" })?;
    if end > hashed {
        parts.push(piece(image, hashed, end)?);
    }
    Ok(parts)
}

/// Offsets into an image.
struct Header {
    checksum: usize,
    /// The entry of the certificates in the data directories.
    certificates: usize,
    /// `SizeOfHeaders`.
    size: usize,
    section_table: usize,
    section_count: u16,
}

impl Header {
    fn read(image: &[u8]) -> Result<Self, Error> {
        let pe = usize_at(image, 0x3c)?;
        if array(image, 0, WHAT)? != *b"MZ" || array(image, pe, WHAT)? != *b"PE\0\0" {
            return Err(Error::Missing { what: WHAT });
        }
        let optional = add(pe, 24)?;
        let directories = match u16_at(image, optional, WHAT)? {
            0x10b => 96,
            0x20b => 112,
            magic => return Err(Error::Invalid { what: WHAT, detail: format!("optional header {magic:#x}") }),
        };
        let count = u32_at(image, add(optional, directories)?.saturating_sub(4), WHAT)?;
        if count < 5 {
            return Err(Error::Missing { what: "data directory of certificates" });
        }
        let section_count = u16_at(image, add(pe, 6)?, WHAT)?;
        if section_count > MAX_SECTIONS {
            return Err(Error::Invalid { what: WHAT, detail: format!("{section_count} sections") });
        }
        Ok(Self {
            checksum: add(optional, 64)?,
            certificates: add(add(optional, directories)?, 4 * 8)?,
            size: usize_at(image, add(optional, 60)?)?,
            section_table: add(optional, usize::from(u16_at(image, add(pe, 20)?, WHAT)?))?,
            section_count,
        })
    }

    /// Offset and length of each section that has bytes in the file, in the file's order.
    fn sections(&self, image: &[u8]) -> Result<Vec<(usize, usize)>, Error> {
        let mut sections = Vec::new();
        let mut entry = self.section_table;
        for _ in 0..self.section_count {
            let (length, start) = (usize_at(image, add(entry, 16)?)?, usize_at(image, add(entry, 20)?)?);
            if length > 0 {
                sections.push((start, length));
            }
            entry = add(entry, 40)?;
        }
        sections.sort_unstable();
        Ok(sections)
    }
}

fn piece(image: &[u8], from: usize, to: usize) -> Result<&[u8], Error> {
    image.get(from..to).ok_or(Error::Truncated { what: "sections" })
}

fn add(one: usize, other: usize) -> Result<usize, Error> {
    one.checked_add(other).ok_or(Error::Truncated { what: WHAT })
}

fn usize_at(image: &[u8], offset: usize) -> Result<usize, Error> {
    usize::try_from(u32_at(image, offset, WHAT)?).map_err(|_| Error::Truncated { what: WHAT })
}
