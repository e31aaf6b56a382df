// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PP_Commands` (Part 3, "TPM2_PP_Commands").

use crate::commands::{Execute, spec};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PpCommands, PpCommandsHandles};
use evtpm_tpm_wire::{Cc, Flags, Rc, Spec};

impl Execute for PpCommands {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: PpCommandsHandles) -> Result<(), Rc> {
        // "If any other command is in either list, it is discarded."
        let can_be_gated = |code: &&Cc| spec::<P>(**code).is_some_and(|spec| spec.flags.contains(Flags::PP));

        // "If a command is in both lists, then it will no longer require Physical Presence"
        for (list, required) in [(&self.set_list, true), (&self.clear_list, false)] {
            list.iter().filter(can_be_gated).for_each(|code| tpm.state.pp_commands.assign(*code, required));
        }
        Ok(())
    }
}

impl<P: Platform> Tpm<P> {
    /// Tells whether the platform's authorization of a command needs physical presence too.
    pub(crate) fn needs_physical_presence(&self, spec: &Spec) -> bool {
        spec.flags.contains(Flags::PP_REQUIRED) || self.state.pp_commands.contains(spec.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::commands::{ClearControl, ClearControlHandles, GetCapability};
    use evtpm_tpm_wire::{Subject, TpmCap, TpmiRhClear, TpmiRhPlatform, TpmlCc, TpmsCapabilityData, YesNo};
    use std::vec::Vec;

    const PP: Rc = Rc::PP;

    fn choose(tpm: &mut TestTpm, set: &[Cc], clear: &[Cc]) -> Result<(), Rc> {
        let command =
            PpCommands { set_list: TpmlCc::from_slice(set).unwrap(), clear_list: TpmlCc::from_slice(clear).unwrap() };
        tpm.send(&command, PpCommandsHandles { auth: TpmiRhPlatform::Platform })
    }

    fn listed(tpm: &mut TestTpm, from: Cc) -> Vec<Cc> {
        let command = GetCapability { capability: TpmCap::PpCommands, property: from.0, property_count: 100 };
        let TpmsCapabilityData::PpCommands(list) = tpm.send(&command, ()).unwrap().capability_data else { panic!() };
        list.to_vec()
    }

    fn clear_control(tpm: &mut TestTpm, auth: TpmiRhClear) -> Result<(), Rc> {
        tpm.send(&ClearControl { disable: YesNo::Yes }, ClearControlHandles { auth })
    }

    #[test]
    fn the_list_is_changed_only_in_physical_presence() {
        let mut tpm = started();
        assert_eq!(choose(&mut tpm, &[Cc::CLEAR], &[]), Err(PP.at(Subject::Session(1))));
        tpm.platform_mut().present = true;
        assert_eq!(choose(&mut tpm, &[Cc::CLEAR], &[]), Ok(()));
    }

    #[test]
    fn a_command_on_the_list_needs_presence_when_the_platform_authorizes_it() {
        let mut tpm = started();
        tpm.platform_mut().present = true;
        choose(&mut tpm, &[Cc::CLEAR_CONTROL], &[]).unwrap();
        assert_eq!(clear_control(&mut tpm, TpmiRhClear::Platform), Ok(()));
        tpm.platform_mut().present = false;
        assert_eq!(clear_control(&mut tpm, TpmiRhClear::Platform), Err(PP.at(Subject::Session(1))));
        assert_eq!(clear_control(&mut tpm, TpmiRhClear::Lockout), Ok(()));
    }

    #[test]
    fn the_clear_list_comes_last_and_what_cannot_be_gated_is_discarded() {
        let mut tpm = started();
        tpm.platform_mut().present = true;
        let set = [Cc::CLEAR, Cc::CHANGE_EPS, Cc::PCR_READ, Cc::FIELD_UPGRADE_START, Cc(0x2000_0000)];
        choose(&mut tpm, &set, &[Cc::CLEAR, Cc::PP_COMMANDS]).unwrap();
        assert_eq!(listed(&mut tpm, Cc(0)), [Cc::CHANGE_EPS, Cc::PP_COMMANDS]);
        assert_eq!(listed(&mut tpm, Cc::CHANGE_PPS), [Cc::PP_COMMANDS]);
    }
}
