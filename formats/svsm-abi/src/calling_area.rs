// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calling area: one page per virtual processor, shared by guest and SVSM (SVSM specification, "Calling Area").

use core::fmt;

evtpm_layout::layout! {
    /// The calling area.
    pub struct CallingArea, 0x1000 {
        /// SVSM_CALL_PENDING: set by the guest before it exits, cleared by the SVSM.
        0x000 call_pending: u8,
        /// SVSM_MEM_AVAILABLE: the SVSM has memory to give back.
        0x001 mem_available: u8,
        /// NO_EOI_REQUIRED, of the APIC protocol.
        0x002 no_eoi_required: u8,
        /// Reserved.
        0x003 reserved: [u8; 5],
        /// Free for arguments.
        0x008 buffer: [u8; 0xff8],
    }
}

impl fmt::Debug for CallingArea {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallingArea")
            .field("call_pending", &self.call_pending)
            .field("mem_available", &self.mem_available)
            .finish_non_exhaustive()
    }
}
