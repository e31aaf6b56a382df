// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What IMA extends for an entry, per bank.

use crate::ima::Entry;
use crate::{Digest, Error, HashId, Hashes, PcrBank};

/// Which digest of an entry's template data a kernel extends into banks other than SHA-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemplateDigests {
    /// Each bank's own hash: Linux 5.8 and later, where the algorithm is available when IMA starts.
    OfBank,
    /// SHA-1 padded with zeros: kernels before 5.8, and later ones for a bank whose hash module is not loaded yet.
    PaddedSha1,
}

impl Entry<'_> {
    /// Returns what the kernel extended into one bank for this entry.
    pub fn extension<H: Hashes>(
        &self,
        algorithm: HashId,
        digests: TemplateDigests,
        hashes: &H,
    ) -> Result<Digest, Error> {
        let unsupported = Error::UnsupportedHash { algorithm };
        let Some(size) = algorithm.digest_size() else { return Err(unsupported) };
        if self.is_violation() {
            // Linux, "ima_queue.c": "invalidate pcr", every byte FFh
            return Digest::filled(0xFF, size).ok_or(unsupported);
        }
        match digests {
            TemplateDigests::OfBank => self.hash(algorithm, hashes),
            TemplateDigests::PaddedSha1 => self.hash(HashId::SHA1, hashes)?.padded_to(size).ok_or(unsupported),
        }
    }
}

/// Extends a bank by one entry.
pub fn extend<H: Hashes>(
    bank: &mut PcrBank,
    entry: &Entry<'_>,
    digests: TemplateDigests,
    hashes: &H,
) -> Result<(), Error> {
    let digest = entry.extension(bank.algorithm(), digests, hashes)?;
    bank.extend(entry.pcr, digest.as_bytes(), hashes)
}
