// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Startup` (Part 3, "TPM2_Startup").

use crate::commands::Execute;
use crate::failure::{Failure, Phase};
use crate::state::{NullSecrets, StartupLocality};
use crate::{Locality, Platform, Tpm};
use evtpm_tpm_wire::commands::Startup;
use evtpm_tpm_wire::{Rc, TpmSu};

impl Execute for Startup {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<(), Rc> {
        let start = match (tpm.locality, tpm.state.hcrtm_ran) {
            (Locality::ZERO | Locality::THREE, true) => StartupLocality::Hcrtm,
            (Locality::THREE, false) => StartupLocality::Three,
            (Locality::ZERO, false) => StartupLocality::Zero,
            // PC Client: "TPM2_Startup() shall only be accepted at locality 0 or 3"
            (_, _) => return Err(Rc::LOCALITY),
        };
        let after_state = tpm.state.orderly == Some(TpmSu::State);
        if self.startup_type == TpmSu::State {
            // "If a TPM receives Startup(STATE) and that was not preceded by Shutdown(STATE), the TPM shall return TPM_RC_VALUE"
            if !after_state {
                return Err(Rc::VALUE.at(evtpm_tpm_wire::Subject::Parameter(1)));
            }
            // "the H-CRTM startup method is the same for this TPM2_Startup() as for the previous TPM2_Startup()"
            if tpm.state.start != Some(start) {
                return Err(Rc::LOCALITY);
            }
        }

        let fresh = NullSecrets::fresh(&mut tpm.rng()).map_err(|error| tpm.fail(Failure::Entropy(error)))?;

        match self.startup_type {
            TpmSu::State => tpm.state.resume(tpm.clock.time()),
            TpmSu::Clear if after_state => tpm.state.restart(start),
            TpmSu::Clear => tpm.state.reset(start, fresh),
        }
        tpm.da.startup(&tpm.state.da_parameters);
        tpm.phase = Phase::Operational;
        Ok(())
    }
}
