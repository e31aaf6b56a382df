// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Capability Commands".
use crate::{TpmCap, TpmsCapabilityData, TpmtPublicParms, YesNo, command};

command! {
    GET_CAPABILITY [];
    /// Returns what the TPM can do and what it holds (`TPM2_GetCapability`).
    command GetCapability {
        capability: TpmCap,
        property: u32,
        property_count: u32,
    }
    response GetCapabilityResponse {
        more_data: YesNo,
        capability_data: TpmsCapabilityData,
    }
}

command! {
    TEST_PARMS [];
    /// Checks whether a combination of algorithm parameters is supported (`TPM2_TestParms`).
    command TestParms {
        parameters: TpmtPublicParms,
    }
}
