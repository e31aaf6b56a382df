// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_EC_Ephemeral` (Part 3, "TPM2_EC_Ephemeral").

use crate::commands::Execute;
use crate::commands::asymmetric::wire_point;
use crate::{Platform, Tpm, algorithm};
use evtpm_crypto::Crypto;
use evtpm_tpm_wire::commands::{EcEphemeral, EcEphemeralResponse};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for EcEphemeral {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<EcEphemeralResponse, Rc> {
        let curve = algorithm::curve(self.curve_id).ok_or(Rc::CURVE.at(Subject::Parameter(1)))?;

        // "assign an ephemeral key r and compute a public point Q := [r]G"
        let made = tpm
            .state
            .committed::<P::Crypto>(curve, None, tpm.state.commits.next())
            .and_then(|r| P::Crypto::ecc_public(&r));
        let q = wire_point(&made.map_err(|error| tpm.refuse(error, Rc::NO_RESULT))?)?;

        Ok(EcEphemeralResponse { q, counter: tpm.state.commits.begin() })
    }
}
