// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mask generation function MGF1 (RFC 8017, "MGF1").

use crate::{HashAlg, StreamingHash};

/// Combines the data by exclusive or with the mask that MGF1 makes of a seed; doing it twice undoes it.
pub fn mgf1_xor<H: StreamingHash>(alg: HashAlg, seed: &[u8], data: &mut [u8]) {
    let mut seeded = H::new(alg);
    seeded.update(seed);
    for (counter, chunk) in (0u32..).zip(data.chunks_mut(alg.digest_size().max(1))) {
        let mut hasher = seeded.clone();
        hasher.update(&counter.to_be_bytes());
        for (byte, mask) in chunk.iter_mut().zip(hasher.finish().as_bytes()) {
            *byte ^= mask;
        }
    }
}
