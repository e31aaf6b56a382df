// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secrets page that the firmware places into a guest at launch (SNP ABI, "Secrets Page").

use core::fmt;

use evtpm_layout::{U32, U64};

/// The size of a VM platform communication key.
pub const VMPCK_SIZE: usize = 32;

evtpm_layout::layout! {
    /// The part of the page that is the guest's to use, as Linux and the SVSM divide it.
    #[derive(Debug)]
    pub struct OsArea, 0x60 {
        /// The sequence number of the next message under VMPCK 0 to 3, less one.
        0x00 message_sequence: [U32; 4],
        /// The guest physical address of the AP jump table.
        0x10 ap_jump_table: U64,
        /// Free.
        0x18 reserved: [u8; 0x48],
    }
}

evtpm_layout::layout! {
    /// The secrets page.
    pub struct SecretsPage, 0x1000 {
        /// The version of the page, 3 where the SVSM fields are defined.
        0x000 version: U32,
        /// Bit 0: an initial migration image was measured.
        0x004 imi_enabled: U32,
        /// CPUID family, model and stepping, as CPUID Fn0000_0001_EAX.
        0x008 fms: U32,
        /// Reserved.
        0x00c reserved_00c: U32,
        /// Guest OS visible workarounds, from LAUNCH_START.
        0x010 gosvw: [u8; 16],
        /// The VM platform communication keys of VMPL 0 to 3.
        0x020 vmpck: [[u8; VMPCK_SIZE]; 4],
        /// Reserved for the guest.
        0x0a0 os_area: OsArea,
        /// One bit for each quadword of the VMSA that is stored tweaked.
        0x100 vmsa_tweak_bitmap: [u8; 64],
        /// The guest physical address of the SVSM.
        0x140 svsm_base: U64,
        /// The size of the SVSM, zero where there is none.
        0x148 svsm_size: U64,
        /// The guest physical address of the boot processor's calling area.
        0x150 svsm_caa: U64,
        /// The highest version of the SVSM core protocol.
        0x158 svsm_max_version: U32,
        /// The VMPL at which the guest runs.
        0x15c svsm_guest_vmpl: u8,
        /// Reserved.
        0x15d reserved_15d: [u8; 3],
        /// The factor between the TSC's frequency and the mean one, with Secure TSC.
        0x160 tsc_factor: U32,
        /// Reserved.
        0x164 reserved_164: [u8; 0xe9c],
    }
}

impl SecretsPage {
    /// Erases the keys of the levels more privileged than `vmpl`: the copy that firmware at `vmpl` may see.
    pub fn hide_keys_above(&mut self, vmpl: u8) {
        for key in self.vmpck.iter_mut().take(usize::from(vmpl)) {
            key.fill(0);
        }
    }

    /// Says whether an SVSM announces itself.
    #[must_use]
    pub fn has_svsm(&self) -> bool {
        self.svsm_size.get() != 0
    }
}

impl fmt::Debug for SecretsPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsPage")
            .field("version", &self.version.get())
            .field("svsm_base", &self.svsm_base.get())
            .field("svsm_size", &self.svsm_size.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn a_guest_at_vmpl_2_sees_only_the_keys_of_2_and_3() {
        let mut page = SecretsPage::zeroed();
        page.vmpck = [[1; 32], [2; 32], [3; 32], [4; 32]];
        page.hide_keys_above(2);
        assert_eq!(page.vmpck, [[0; 32], [0; 32], [3; 32], [4; 32]]);
    }

    #[test]
    fn debug_output_has_no_key() {
        let mut page = SecretsPage::zeroed();
        page.vmpck = [[0xab; 32]; 4];
        assert!(!format!("{page:?}").contains("171"));
    }
}
