// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Digests over selected PCRs, as quotes, policies and creation data take them (Part 1, "Selecting Multiple PCR").

use crate::algorithm;
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, Digest, HashAlg, StreamingHash};
use evtpm_tpm_wire::{PcrSelect, TpmlPcrSelection};

impl<P: Platform> Tpm<P> {
    /// Drops from a selection the PCRs that do not exist, and hashes the values of the others in its order.
    pub(crate) fn pcr_digest(&self, selection: &TpmlPcrSelection, alg: HashAlg) -> (TpmlPcrSelection, Digest) {
        let mut selected = *selection;
        let mut hasher = <P::Crypto as Crypto>::Hasher::new(alg);
        for item in selected.as_mut_slice() {
            let bank = algorithm::hash(item.hash).and_then(|alg| self.state.pcrs.bank(alg));
            item.select = item.select.intersection(bank.map_or(PcrSelect::NONE, |bank| bank.allocated()));
            for value in item.select.iter().filter_map(|pcr| bank?.value(pcr)) {
                hasher.update(value.as_bytes());
            }
        }
        (selected, hasher.finish())
    }
}
