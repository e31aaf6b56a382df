// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Hash` (Part 3, "TPM2_Hash").

use crate::algorithm;
use crate::commands::Execute;
use crate::state::Safety;
use crate::{Platform, Tpm};
use evtpm_crypto::Crypto;
use evtpm_tpm_wire::commands::{Hash, HashResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, TPM_GENERATED, Tpm2bDigest};

impl Execute for Hash<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<HashResponse, Rc> {
        let alg = algorithm::hash(self.hash_alg).ok_or(Rc::HASH.at(Subject::Parameter(2)))?;
        let data = self.data.as_bytes();
        let digest = P::Crypto::hash(alg, &[data]);
        // "If the digest is not safe to sign": a message too short for TPM_GENERATED_VALUE cannot begin with it.
        let safety = if data.len() < size_of_val(&TPM_GENERATED) { Safety::Safe } else { Safety::of(data) };
        let validation = tpm.digest_ticket(self.hierarchy, self.hash_alg, digest.as_bytes(), safety);
        let out_hash = Tpm2bDigest::new(digest.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        Ok(HashResponse { out_hash, validation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::started;
    use evtpm_tpm_wire::{Bytes, HashAlg, TpmiRhHierarchy};

    #[test]
    fn a_message_too_short_to_pose_as_an_attestation_is_safe() {
        let mut tpm = started();
        for (data, safe) in [(&b""[..], true), (b"\xFFTC", true), (b"\xFFTCG", false), (b"\xFFTCH", true)] {
            let data = Bytes::new(data).unwrap();
            let hash = Hash { data, hash_alg: HashAlg::Sha256, hierarchy: TpmiRhHierarchy::Owner };
            let response = tpm.send(&hash, ()).unwrap();
            assert_eq!(response.validation.digest.is_empty(), !safe, "{data:?}");
        }
    }
}
