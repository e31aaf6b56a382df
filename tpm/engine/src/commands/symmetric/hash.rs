// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Hash` (Part 3, "TPM2_Hash").

use crate::algorithm;
use crate::commands::Execute;
use crate::state::Safety;
use crate::{Platform, Tpm};
use evtpm_crypto::Crypto;
use evtpm_tpm_wire::commands::{Hash, HashResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, Tpm2bDigest};

impl Execute for Hash<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<HashResponse, Rc> {
        let alg = algorithm::hash(self.hash_alg).ok_or(Rc::HASH.at(Subject::Parameter(2)))?;
        let data = self.data.as_bytes();
        let digest = P::Crypto::hash(alg, &[data]);
        let validation = tpm.digest_ticket(self.hierarchy, digest.as_bytes(), Safety::of(data));
        let out_hash = Tpm2bDigest::new(digest.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        Ok(HashResponse { out_hash, validation })
    }
}
