// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_StirRandom` (Part 3, "TPM2_StirRandom").

use crate::commands::Execute;
use crate::failure::Failure;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::StirRandom;

impl Execute for StirRandom {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<(), Rc> {
        // The caller's data comes on top of fresh noise, never in its place.
        tpm.rng().stir(self.in_data.as_bytes()).map_err(|error| tpm.fail(Failure::Entropy(error)))
    }
}
