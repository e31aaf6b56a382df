// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files of a simulated machine: by number, as entries of IMA's list (binary, template ima-ng) and as a policy.

use anyhow::{Context, Result};
use evtpm_appraise::policy::{AtLeastOne, FileDigest, ImaPolicy};
use evtpm_logs::{Digest, HashId, Hashes as _};
use evtpm_verify::logs::CryptoHashes;

/// Names a file, and its digest.
///
/// # Errors
/// None in practice: SHA-256 is there.
pub fn file(number: u32) -> Result<(String, Vec<u8>)> {
    let path = format!("/usr/lib/x86_64-linux-gnu/libexample-{number:05}.so.1");
    let digest = hash(HashId::SHA256, &[path.as_bytes()])?.as_bytes().to_vec();
    Ok((path, digest))
}

/// Writes one entry of the list, for PCR 10.
///
/// # Errors
/// None in practice: SHA-1 is there.
pub fn entry(path: &[u8], digest: &[u8]) -> Result<Vec<u8>> {
    let digest = [b"sha256:\0".as_slice(), digest].concat();
    let name = [path, &[0]].concat();
    let data = [&length(&digest), digest.as_slice(), &length(&name), &name].concat();
    let template = hash(HashId::SHA1, &[&data])?;
    Ok([[10, 0, 0, 0].as_slice(), template.as_bytes(), b"\x06\0\0\0ima-ng", &length(&data), &data].concat())
}

/// Accepts so many files.
///
/// # Errors
/// None in practice.
pub fn ima_policy(files: u32) -> Result<ImaPolicy> {
    let mut policy = ImaPolicy::default();
    for number in 0..files {
        let (path, digest) = file(number)?;
        let digest = FileDigest::new(HashId::SHA256, &digest).context("a digest")?;
        policy.files.insert(path, AtLeastOne::new(digest));
    }
    Ok(policy)
}

fn hash(bank: HashId, parts: &[&[u8]]) -> Result<Digest> {
    CryptoHashes.hash(bank, parts).context("no such hash function")
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}
