// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PCR_SetAuthValue` (Part 3, "TPM2_PCR_SetAuthValue").

use crate::commands::Execute;
use crate::state::{Auth, rule};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PcrSetAuthValue, PcrSetAuthValueHandles};
use evtpm_tpm_wire::{Overflow, Rc};

impl Execute for PcrSetAuthValue {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PcrSetAuthValueHandles) -> Result<(), Rc> {
        // "If the TPM implementation does not allow an authorization for pcrNum, the TPM shall return TPM_RC_VALUE": the
        // reference blames neither handle nor parameter, since what is wrong is the pair
        if !rule(handles.pcr_handle).grouped {
            return Err(Rc::VALUE);
        }

        let auth = Auth::new(self.auth.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;

        tpm.state.pcrs.auth = auth.without_trailing_zeros();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Locality;
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::commands::{Clear, ClearHandles, PcrReset, PcrResetHandles, Shutdown, Startup};
    use evtpm_tpm_wire::{PcrIndex, Subject, Tpm2bDigest, TpmSu, TpmiRhClear};

    const GROUP: PcrSetAuthValueHandles = PcrSetAuthValueHandles { pcr_handle: PcrIndex::Pcr20 };

    fn set(tpm: &mut TestTpm, auth: &[u8]) {
        tpm.send(&PcrSetAuthValue { auth: Tpm2bDigest::new(auth).unwrap() }, GROUP).unwrap();
    }

    fn reset_with(tpm: &mut TestTpm, password: &[u8]) -> Result<(), Rc> {
        let handles = PcrResetHandles { pcr_handle: PcrIndex::Pcr22 };
        tpm.send_at(Locality::TWO, &PcrReset {}, handles, &[password])
    }

    #[test]
    fn one_auth_value_opens_the_whole_group_and_failures_are_not_counted() {
        let mut tpm = started();
        set(&mut tpm, b"os\0");
        assert_eq!(reset_with(&mut tpm, b""), Err(Rc::BAD_AUTH.at(Subject::Session(1))));
        assert_eq!(reset_with(&mut tpm, b"os"), Ok(()));
        assert_eq!(tpm.da.failed_tries(), 0);
    }

    #[test]
    fn the_auth_value_is_kept_over_a_resume_and_lost_by_startup_clear_and_clear() {
        let mut tpm = started();
        set(&mut tpm, b"os");
        tpm.send(&Shutdown { shutdown_type: TpmSu::State }, ()).unwrap();
        tpm.power_on();
        tpm.send(&Startup { startup_type: TpmSu::State }, ()).unwrap();
        assert_eq!(reset_with(&mut tpm, b"os"), Ok(()));
        tpm.power_on();
        tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
        assert_eq!(reset_with(&mut tpm, b""), Ok(()));
        set(&mut tpm, b"os");
        tpm.send(&Clear {}, ClearHandles { auth_handle: TpmiRhClear::Platform }).unwrap();
        assert_eq!(reset_with(&mut tpm, b""), Ok(()));
    }

    #[test]
    fn a_pcr_outside_the_group_has_no_auth_value() {
        let mut tpm = started();
        let handles = PcrSetAuthValueHandles { pcr_handle: PcrIndex::Pcr19 };
        assert_eq!(tpm.send(&PcrSetAuthValue { auth: Tpm2bDigest::EMPTY }, handles), Err(Rc::VALUE));
    }
}
