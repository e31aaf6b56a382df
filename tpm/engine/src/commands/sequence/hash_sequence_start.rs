// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_HashSequenceStart` (Part 3, "TPM2_HashSequenceStart").

use crate::algorithm;
use crate::commands::Execute;
use crate::memory::OutOfMemory;
use crate::state::{BankHashers, Loaded, Running, Safety, Sequence, SequenceKind};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, StreamingHash};
use evtpm_tpm_wire::commands::{HashSequenceStart, HashSequenceStartResponse};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for HashSequenceStart {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<HashSequenceStartResponse, Rc> {
        tpm.state.objects.room()?;
        let kind = match self.hash_alg {
            Some(hash_alg) => {
                let alg = algorithm::hash(hash_alg).ok_or(Rc::HASH.at(Subject::Parameter(2)))?;
                let hasher = Running(<P::Crypto as Crypto>::Hasher::new(alg));
                SequenceKind::Hash { hasher, safety: Safety::Undecided }
            }
            // "an Event (hashAlg = TPM_ALG_NULL) contains a hash context for each of the PCR banks implemented on the TPM"
            None => {
                let banks = tpm.state.pcrs.banks().map(|bank| bank.alg);
                let hashers = BankHashers::start(tpm.profile.banks.len(), banks);
                SequenceKind::Event(hashers.map_err(|OutOfMemory| Rc::MEMORY)?)
            }
        };
        let sequence = Sequence { auth: self.auth.without_trailing_zeros(), kind };

        let sequence_handle = tpm.state.objects.load(Loaded::Sequence(sequence))?;
        Ok(HashSequenceStartResponse { sequence_handle })
    }
}
