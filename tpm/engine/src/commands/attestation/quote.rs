// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Quote` (Part 3, "TPM2_Quote").

use super::attest::Signer;
use crate::algorithm;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{Quote, QuoteHandles, QuoteResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, Tpm2bDigest, TpmsQuoteInfo, TpmuAttest};

impl Execute for Quote {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: QuoteHandles) -> Result<QuoteResponse, Rc> {
        let signer = Signer::find(tpm, (handles.sign_handle, 1), (self.in_scheme, 2))?;
        // "If the selected signing scheme or the scheme hash algorithm is TPM_ALG_NULL, then ... TPM_RC_SCHEME."
        let alg = signer.hash(tpm).and_then(algorithm::hash).ok_or(Rc::SCHEME.at(Subject::Parameter(2)))?;

        let (pcr_select, digest) = tpm.pcr_digest(&self.pcr_select, alg);
        let pcr_digest = Tpm2bDigest::new(digest.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        let info = TpmsQuoteInfo { pcr_select, pcr_digest };
        let (quoted, signature) = tpm.attest(&signer, &self.qualifying_data, TpmuAttest::Quote(info))?;

        Ok(QuoteResponse { quoted, signature })
    }
}
