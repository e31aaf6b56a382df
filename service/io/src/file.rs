// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files that are written once: what is there already stays as it is, and a link that somebody laid there is not followed
//! (open(2): `O_EXCL`).

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a file that did not exist and that its owner alone may change.
///
/// # Errors
/// Names the file that was there, or could not be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, 0o644)
}

/// Writes a file that did not exist and that its owner alone may read.
///
/// # Errors
/// Names the file that was there, or could not be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, 0o600)
}

/// `mode` is what the umask is taken from.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_file_is_its_owners_and_is_not_written_twice() {
        let path = std::env::temp_dir().join(format!("evtpm-io-file-{}", std::process::id()));
        drop(std::fs::remove_file(&path));
        write_private(&path, b"first").unwrap();
        assert!(write_new(&path, b"second").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(&path).unwrap();
    }
}
