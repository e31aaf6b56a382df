// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files that are read whole, unless they are larger than what they should hold can be.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Reads a file of `limit` bytes at most.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    read_from(file, path, limit)
}

/// Reads what is not opened by its name; `path` is how it is called.
pub(crate) fn read_from(source: impl Read, path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    ensure!(bytes.len() as u64 <= limit, "{}: larger than {limit} bytes", path.display());
    Ok(bytes)
}

/// Takes the size off a structure of a TPM (TPM2B), where a file has one; no such structure is as long as its first two bytes say.
pub(crate) fn without_size(bytes: &[u8]) -> &[u8] {
    match bytes.split_first_chunk::<2>() {
        Some((size, rest)) if usize::from(u16::from_be_bytes(*size)) == rest.len() => rest,
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_as_large_as_its_limit_and_not_larger() {
        let name = Path::new("evidence");
        assert_eq!(read_from([7; 4].as_slice(), name, 4).unwrap(), [7; 4]);
        let error = read_from([7; 5].as_slice(), name, 4).unwrap_err().to_string();
        assert_eq!(error, "evidence: larger than 4 bytes");
    }
}
