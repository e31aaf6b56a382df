// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Real hash functions and the evidence folder, for this crate's tests.

use std::path::PathBuf;
use std::vec::Vec;

use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use crate::{Digest, HashId, Hashes};

pub(crate) struct RealHashes;

impl Hashes for RealHashes {
    fn hash(&self, algorithm: HashId, parts: &[&[u8]]) -> Option<Digest> {
        fn run<D: sha2::Digest>(parts: &[&[u8]]) -> Vec<u8> {
            let mut hasher = D::new();
            parts.iter().for_each(|part| hasher.update(part));
            hasher.finalize().to_vec()
        }
        Digest::new(&match algorithm {
            HashId::SHA1 => run::<Sha1>(parts),
            HashId::SHA256 => run::<Sha256>(parts),
            HashId::SHA384 => run::<Sha384>(parts),
            HashId::SHA512 => run::<Sha512>(parts),
            _ => return None,
        })
    }
}

/// Returns the evidence folder, or says why the test is skipped.
pub(crate) fn evidence() -> Option<PathBuf> {
    let root = std::env::var_os("EVTPM_EVIDENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    std::println!("skipped: no evidence folder (EVTPM_EVIDENCE)");
    None
}
