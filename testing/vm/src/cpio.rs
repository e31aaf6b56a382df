// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Archives in the "newc" format, which Linux unpacks as its first file system (Documentation/driver-api/early-userspace/buffer-format).
//!
//! The writer gives the same bytes for the same calls: no time, no owner, numbers in order. So a measured archive has
//! one digest.

use std::fmt;
use std::io::{self, Read, Write};

const MAGIC: &[u8; 6] = b"070701";
const TRAILER: &str = "TRAILER!!!";
const REGULAR_FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
/// No file of a test machine is larger; a broken header must not make us reserve gigabytes.
const MAX_SIZE: u32 = 1 << 28;

/// Writes an archive.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    inode: u32,
}

impl<W: Write> Writer<W> {
    /// Starts an archive.
    pub fn new(to: W) -> Self {
        Self { to, inode: 0 }
    }

    /// Adds a folder; its parent must have been added.
    ///
    /// # Errors
    /// Those of the underlying writer.
    pub fn folder(&mut self, name: &str) -> io::Result<()> {
        self.entry(name, DIRECTORY | 0o755, (0, 0), &[])
    }

    /// Adds a file with its permissions.
    ///
    /// # Errors
    /// Those of the underlying writer, and `InvalidInput` for more than 4 GiB.
    pub fn file(&mut self, name: &str, permissions: u32, content: &[u8]) -> io::Result<()> {
        self.entry(name, REGULAR_FILE | permissions, (0, 0), content)
    }

    /// Adds a character device by its major and minor number.
    ///
    /// # Errors
    /// Those of the underlying writer.
    pub fn character_device(&mut self, name: &str, device: (u32, u32)) -> io::Result<()> {
        self.entry(name, CHARACTER_DEVICE | 0o600, device, &[])
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// Those of the underlying writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.entry(TRAILER, 0, (0, 0), &[])?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), content: &[u8]) -> io::Result<()> {
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, format!("{name}: too long"));
        let size = u32::try_from(content.len()).map_err(too_long)?;
        let name_size = u32::try_from(name.len() + 1).map_err(too_long)?;
        self.inode += 1;
        // c_ino, c_mode, c_uid, c_gid, c_nlink, c_mtime, c_filesize, c_maj, c_min, c_rmaj, c_rmin, c_namesize, c_chksum
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name_size, 0];
        let mut entry = Vec::from(MAGIC);
        for field in fields {
            write!(entry, "{field:08X}")?;
        }
        entry.extend_from_slice(name.as_bytes());
        entry.push(0);
        pad(&mut entry);
        entry.extend_from_slice(content);
        pad(&mut entry);
        self.to.write_all(&entry)
    }
}

/// Names and contents start at multiples of four bytes.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A file, folder or device of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path, without a slash in front.
    pub name: String,
    /// Type and permissions.
    pub mode: u32,
    /// The bytes of a file; nothing for others.
    pub content: Vec<u8>,
}

/// Why bytes are not an archive.
#[derive(Debug)]
pub enum Error {
    /// The bytes ended before the trailer: whoever wrote them was cut off.
    Truncated,
    /// A header does not start with the magic number.
    Magic([u8; 6]),
    /// A field of a header is not eight hexadecimal digits.
    Field([u8; 8]),
    /// A name or a content is larger than this reader takes.
    Size(u32),
    /// A name is not UTF-8 or not ended by one zero.
    Name,
    /// The source failed.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("archive ends before its trailer"),
            Self::Magic(found) => write!(f, "archive entry starts with {found:02x?} instead of {MAGIC:02x?}"),
            Self::Field(found) => write!(f, "archive header has {found:02x?} instead of eight hexadecimal digits"),
            Self::Size(size) => write!(f, "archive entry of {size} bytes, {MAX_SIZE} at most"),
            Self::Name => f.write_str("archive entry's name is not a zero-terminated UTF-8 string"),
            Self::Io(error) => write!(f, "archive: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Truncated } else { Self::Io(error) }
    }
}

/// Reads an archive up to its trailer.
///
/// # Errors
/// See [`Error`].
pub fn read(mut from: impl Read) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    loop {
        let mut header = [0; 110];
        from.read_exact(&mut header)?;
        let (magic, fields) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(Error::Magic(magic.try_into().unwrap_or_default()));
        }
        let (mode, size, name_size) = (field(fields, 1)?, field(fields, 6)?, field(fields, 11)?);
        let name = padded(&mut from, name_size, header.len())?;
        let name = name.strip_suffix(b"\0").ok_or(Error::Name)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| Error::Name)?;
        if name == TRAILER {
            return Ok(entries);
        }
        let content = padded(&mut from, size, 0)?;
        entries.push(Entry { name, mode, content });
    }
}

fn field(fields: &[u8], index: usize) -> Result<u32, Error> {
    let digits = fields.chunks_exact(8).nth(index).unwrap_or_default();
    let text = str::from_utf8(digits).ok().filter(|text| text.bytes().all(|digit| digit.is_ascii_hexdigit()));
    text.and_then(|text| u32::from_str_radix(text, 16).ok())
        .ok_or_else(|| Error::Field(digits.try_into().unwrap_or_default()))
}

/// Reads `size` bytes, and the padding that follows when `before` bytes stand in front of them.
fn padded(from: &mut impl Read, size: u32, before: usize) -> Result<Vec<u8>, Error> {
    if size > MAX_SIZE {
        return Err(Error::Size(size));
    }
    let mut bytes = vec![0; size as usize];
    from.read_exact(&mut bytes)?;
    let end = before + bytes.len();
    let mut padding = [0; 3];
    let padding = padding.get_mut(..end.next_multiple_of(4) - end).unwrap_or_default();
    from.read_exact(padding)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        writer.folder("etc").unwrap();
        writer.file("etc/name", 0o644, b"evtpm").unwrap();
        writer.character_device("console", (5, 1)).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let entry = |name: &str, mode, content: &[u8]| Entry { name: name.to_owned(), mode, content: content.to_vec() };
        let expected =
            [entry("etc", 0o040_755, b""), entry("etc/name", 0o100_644, b"evtpm"), entry("console", 0o020_600, b"")];
        assert_eq!(read(archive().as_slice()).unwrap(), expected);
    }

    #[test]
    fn headers_have_the_documented_form() {
        let mut writer = Writer::new(Vec::new());
        writer.character_device("console", (5, 1)).unwrap();
        let expected = "0707010000000100002180000000000000000000000001000000000000000000000000000000000000000500000001\
                        0000000800000000console\0\0\0";
        assert_eq!(String::from_utf8(writer.to).unwrap(), expected);
    }

    #[test]
    fn the_same_calls_give_the_same_bytes() {
        assert_eq!(archive(), archive());
    }

    #[test]
    fn every_cut_is_noticed() {
        let archive = archive();
        let end_of_trailer = archive.len();
        for length in 0..end_of_trailer {
            assert!(matches!(read(&archive[..length]), Err(Error::Truncated)), "{length}");
        }
    }

    #[test]
    fn broken_headers_are_refused() {
        let mut magic = archive();
        magic[5] = b'2';
        assert!(matches!(read(magic.as_slice()), Err(Error::Magic(_))));
        let mut digits = archive();
        digits[54] = b'+';
        assert!(matches!(read(digits.as_slice()), Err(Error::Field(_))));
        let mut size = archive();
        size[54] = b'F';
        assert!(matches!(read(size.as_slice()), Err(Error::Size(0xf000_0000))));
    }
}
