// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_SetAlgorithmSet` (Part 3, "TPM2_SetAlgorithmSet").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{SetAlgorithmSet, SetAlgorithmSetHandles};

impl Execute for SetAlgorithmSet {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: SetAlgorithmSetHandles) -> Result<(), Rc> {
        // "The algorithmSet setting is a vendor-dependent value": here a label that TPM_PT_ALGORITHM_SET repeats, as in the
        // reference. Which algorithms there are is the profile's business, and no number takes one away.
        tpm.state.algorithm_set = self.algorithm_set;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::started;
    use evtpm_tpm_wire::commands::GetCapability;
    use evtpm_tpm_wire::{TpmCap, TpmPt, TpmiRhPlatform, TpmsCapabilityData};

    #[test]
    fn the_number_is_a_property_of_the_tpm() {
        let mut tpm = started();
        let handles = SetAlgorithmSetHandles { auth_handle: TpmiRhPlatform::Platform };
        tpm.send(&SetAlgorithmSet { algorithm_set: 7 }, handles).unwrap();
        let property = TpmPt::ALGORITHM_SET.0;
        let command = GetCapability { capability: TpmCap::TpmProperties, property, property_count: 1 };
        let TpmsCapabilityData::TpmProperties(list) = tpm.send(&command, ()).unwrap().capability_data else { panic!() };
        assert_eq!((list[0].property, list[0].value), (TpmPt::ALGORITHM_SET, 7));
    }
}
