// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The words between guest and hypervisor: exit codes, MSR protocol and guest request results (GHCB).

use crate::status::Status;

/// SW_EXITCODE of a page state change.
pub const EXIT_PAGE_STATE_CHANGE: u64 = 0x8000_0010;
/// SW_EXITCODE of an SNP guest request: EXITINFO1 is the request page, EXITINFO2 the response page.
pub const EXIT_GUEST_REQUEST: u64 = 0x8000_0011;
/// SW_EXITCODE of an SNP extended guest request: RAX is the certificate buffer, RBX its number of pages.
pub const EXIT_EXT_GUEST_REQUEST: u64 = 0x8000_0012;
/// SW_EXITCODE of an AP creation.
pub const EXIT_AP_CREATION: u64 = 0x8000_0013;
/// SW_EXITCODE of the hypervisor doorbell page.
pub const EXIT_HV_DOORBELL: u64 = 0x8000_0014;
/// SW_EXITCODE with which a VMPL asks the hypervisor to run another one.
pub const EXIT_RUN_VMPL: u64 = 0x8000_0018;

/// GHCBInfo of the MSR protocol's request to run a VMPL.
pub const MSR_RUN_VMPL_REQUEST: u16 = 0x016;
/// GHCBInfo of the answer to [`MSR_RUN_VMPL_REQUEST`].
pub const MSR_RUN_VMPL_RESPONSE: u16 = 0x017;

/// Returns the GHCB MSR value that asks the hypervisor to run `vmpl`.
#[must_use]
pub const fn run_vmpl_request(vmpl: u8) -> u64 {
    (vmpl as u64) << 32 | MSR_RUN_VMPL_REQUEST as u64
}

/// Says whether a GHCB MSR value answers [`run_vmpl_request`] without an error.
#[must_use]
pub const fn run_vmpl_succeeded(msr: u64) -> bool {
    msr & 0xfff == MSR_RUN_VMPL_RESPONSE as u64 && msr >> 32 == 0
}

/// What the hypervisor says about a guest request, in the upper half of EXITINFO2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VmmError {
    /// The certificate buffer is too small; RBX holds the number of pages needed.
    CertificateBufferTooSmall,
    /// The hypervisor limits the rate of requests; the identical request has to be sent again later.
    Busy,
    /// Any other value.
    Other(u32),
}

/// The result of a guest request: EXITINFO2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GuestRequestResult {
    /// The hypervisor's error, if any.
    pub vmm: Option<VmmError>,
    /// The firmware's status.
    pub firmware: Status,
}

impl GuestRequestResult {
    /// Takes EXITINFO2 apart.
    #[must_use]
    pub const fn from_exit_info_2(value: u64) -> Self {
        let [f0, f1, f2, f3, v0, v1, v2, v3] = value.to_le_bytes();
        let vmm = match u32::from_le_bytes([v0, v1, v2, v3]) {
            0 => None,
            1 => Some(VmmError::CertificateBufferTooSmall),
            2 => Some(VmmError::Busy),
            other => Some(VmmError::Other(other)),
        };
        Self { vmm, firmware: Status(u32::from_le_bytes([f0, f1, f2, f3])) }
    }

    /// Returns EXITINFO2.
    #[must_use]
    pub const fn to_exit_info_2(self) -> u64 {
        let vmm = match self.vmm {
            None => 0,
            Some(VmmError::CertificateBufferTooSmall) => 1,
            Some(VmmError::Busy) => 2,
            Some(VmmError::Other(other)) => other,
        };
        (vmm as u64) << 32 | self.firmware.0 as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_info_2_has_the_vmm_error_above_the_firmware_status() {
        let busy = GuestRequestResult { vmm: Some(VmmError::Busy), firmware: Status::SUCCESS };
        assert_eq!(busy.to_exit_info_2(), 0x2_0000_0000);
        for value in [0, 0x16, 0x1_0000_0000, 0x2_0000_0000, 0x77_0000_001d] {
            assert_eq!(GuestRequestResult::from_exit_info_2(value).to_exit_info_2(), value);
        }
    }

    #[test]
    fn a_vmpl_request_names_the_vmpl_in_bits_39_to_32() {
        assert_eq!(run_vmpl_request(0), 0x16);
        assert_eq!(run_vmpl_request(2), 0x2_0000_0016);
        assert!(run_vmpl_succeeded(0x17));
        assert!(!run_vmpl_succeeded(0x1_0000_0017));
        assert!(!run_vmpl_succeeded(0x16));
    }
}
