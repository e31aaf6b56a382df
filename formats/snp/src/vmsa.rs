// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The saved state of a virtual processor (APM, appendix B, "VMSA Layout, State Save Area for SEV-ES").

use core::fmt;

use evtpm_layout::{U16, U32, U64};

evtpm_layout::layout! {
    /// A segment or descriptor table register.
    #[derive(Copy, Debug)]
    pub struct Segment, 0x10 {
        /// The selector.
        0x0 selector: U16,
        /// The attributes.
        0x2 attributes: U16,
        /// The limit.
        0x4 limit: U32,
        /// The base.
        0x8 base: U64,
    }
}

impl Segment {
    /// Returns a register with these parts and a limit of FFFFh, as after a reset.
    #[must_use]
    pub fn at_reset(selector: u16, attributes: u16, base: u64) -> Self {
        Self {
            selector: U16::new(selector),
            attributes: U16::new(attributes),
            limit: U32::new(0xffff),
            base: U64::new(base),
        }
    }
}

evtpm_layout::layout! {
    /// A VMSA page; general purpose registers, control registers and floating point state by name.
    pub struct Vmsa, 0x1000 {
        /// ES.
        0x000 es: Segment,
        /// CS.
        0x010 cs: Segment,
        /// SS.
        0x020 ss: Segment,
        /// DS.
        0x030 ds: Segment,
        /// FS.
        0x040 fs: Segment,
        /// GS.
        0x050 gs: Segment,
        /// GDTR.
        0x060 gdtr: Segment,
        /// LDTR.
        0x070 ldtr: Segment,
        /// IDTR.
        0x080 idtr: Segment,
        /// TR.
        0x090 tr: Segment,
        /// PL0_SSP to PL3_SSP and U_CET.
        0x0a0 shadow_stacks: [U64; 5],
        /// Reserved.
        0x0c8 reserved_0c8: [u8; 2],
        /// The virtual machine privilege level.
        0x0ca vmpl: u8,
        /// The privilege level.
        0x0cb cpl: u8,
        /// Reserved.
        0x0cc reserved_0cc: [u8; 4],
        /// EFER.
        0x0d0 efer: U64,
        /// Reserved.
        0x0d8 reserved_0d8: [u8; 104],
        /// XSS.
        0x140 xss: U64,
        /// CR4.
        0x148 cr4: U64,
        /// CR3.
        0x150 cr3: U64,
        /// CR0.
        0x158 cr0: U64,
        /// DR7.
        0x160 dr7: U64,
        /// DR6.
        0x168 dr6: U64,
        /// RFLAGS.
        0x170 rflags: U64,
        /// RIP.
        0x178 rip: U64,
        /// DR0 to DR3 and their address masks.
        0x180 debug_registers: [U64; 8],
        /// Reserved.
        0x1c0 reserved_1c0: [u8; 24],
        /// RSP.
        0x1d8 rsp: U64,
        /// S_CET, SSP, ISST_ADDR.
        0x1e0 supervisor_cet: [U64; 3],
        /// RAX.
        0x1f8 rax: U64,
        /// STAR, LSTAR, CSTAR, SFMASK, KERNEL_GS_BASE, SYSENTER_CS, SYSENTER_ESP, SYSENTER_EIP.
        0x200 system_call: [U64; 8],
        /// CR2.
        0x240 cr2: U64,
        /// Reserved.
        0x248 reserved_248: [u8; 32],
        /// The guest's PAT.
        0x268 g_pat: U64,
        /// DBGCTL, BR_FROM, BR_TO, LASTEXCPFROM, LASTEXCPTO.
        0x270 last_branch: [U64; 5],
        /// Reserved.
        0x298 reserved_298: [u8; 80],
        /// PKRU.
        0x2e8 pkru: U32,
        /// TSC_AUX.
        0x2ec tsc_aux: U32,
        /// Guest TSC scale and offset, register protection nonce.
        0x2f0 reserved_2f0: [u8; 24],
        /// RCX.
        0x308 rcx: U64,
        /// RDX.
        0x310 rdx: U64,
        /// RBX.
        0x318 rbx: U64,
        /// Reserved.
        0x320 reserved_320: U64,
        /// RBP.
        0x328 rbp: U64,
        /// RSI.
        0x330 rsi: U64,
        /// RDI.
        0x338 rdi: U64,
        /// R8.
        0x340 r8: U64,
        /// R9.
        0x348 r9: U64,
        /// R10 to R15.
        0x350 r10_to_r15: [U64; 6],
        /// Reserved.
        0x380 reserved_380: [u8; 16],
        /// GUEST_EXITINFO1.
        0x390 guest_exit_info_1: U64,
        /// GUEST_EXITINFO2.
        0x398 guest_exit_info_2: U64,
        /// GUEST_EXITINTINFO.
        0x3a0 guest_exit_int_info: U64,
        /// GUEST_NRIP.
        0x3a8 guest_nrip: U64,
        /// SEV_FEATURES.
        0x3b0 sev_features: U64,
        /// VINTR_CTRL.
        0x3b8 vintr_ctrl: U64,
        /// GUEST_EXITCODE.
        0x3c0 guest_exit_code: U64,
        /// VIRTUAL_TOM.
        0x3c8 virtual_tom: U64,
        /// TLB_ID and PCPU_ID.
        0x3d0 tlb_and_pcpu_id: [U64; 2],
        /// EVENTINJ.
        0x3e0 event_injection: U64,
        /// XCR0.
        0x3e8 xcr0: U64,
        /// Reserved.
        0x3f0 reserved_3f0: [u8; 16],
        /// X87_DP.
        0x400 x87_dp: U64,
        /// MXCSR.
        0x408 mxcsr: U32,
        /// X87_FTW.
        0x40c x87_ftw: U16,
        /// X87_FSW.
        0x40e x87_fsw: U16,
        /// X87_FCW.
        0x410 x87_fcw: U16,
        /// X87_FOP.
        0x412 x87_fop: U16,
        /// X87_DS and X87_CS.
        0x414 x87_segments: [U16; 2],
        /// X87_RIP.
        0x418 x87_rip: U64,
        /// The x87, XMM and YMM registers.
        0x420 fpreg: [u8; 592],
        /// Reserved.
        0x670 reserved_670: [u8; 2448],
    }
}

/// GUEST_EXITCODE of a VMGEXIT.
pub const EXIT_VMGEXIT: u64 = 0x403;
/// SEV_FEATURES: SNP is active.
pub const SEV_FEATURE_SNP_ACTIVE: u64 = 1 << 0;
/// The address at which the boot processor starts.
pub const BSP_RESET_EIP: u32 = 0xffff_fff0;

impl Vmsa {
    /// Returns the state that QEMU gives a processor at reset: `eip` is [`BSP_RESET_EIP`] for the boot processor and the
    /// address from OVMF's SEV-ES reset block for the others; `signature` is CPUID Fn0000_0001_EAX.
    #[must_use]
    pub fn qemu_reset(eip: u32, signature: u32, sev_features: u64) -> Self {
        let data = Segment::at_reset(0, 0x93, 0);
        let table = Segment::at_reset(0, 0, 0);
        Self {
            es: data,
            cs: Segment::at_reset(0xf000, 0x9b, u64::from(eip & 0xffff_0000)),
            ss: data,
            ds: data,
            fs: data,
            gs: data,
            gdtr: table,
            ldtr: Segment::at_reset(0, 0x82, 0),
            idtr: table,
            tr: Segment::at_reset(0, 0x8b, 0),
            efer: U64::new(0x1000),
            cr4: U64::new(0x40),
            cr0: U64::new(0x10),
            dr7: U64::new(0x400),
            dr6: U64::new(0xffff_0ff0),
            rflags: U64::new(0x2),
            rip: U64::new(u64::from(eip & 0xffff)),
            g_pat: U64::new(0x0007_0406_0007_0406),
            rdx: U64::new(u64::from(signature)),
            sev_features: U64::new(sev_features),
            xcr0: U64::new(1),
            mxcsr: U32::new(0x1f80),
            x87_fcw: U16::new(0x37f),
            ..Self::zeroed()
        }
    }

    /// Returns the state that QEMU gives the boot processor at reset.
    #[must_use]
    pub fn qemu_bsp(signature: u32, sev_features: u64) -> Self {
        Self::qemu_reset(BSP_RESET_EIP, signature, sev_features)
    }
}

impl fmt::Debug for Vmsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vmsa")
            .field("vmpl", &self.vmpl)
            .field("cs", &self.cs.base.get())
            .field("rip", &self.rip.get())
            .field("sev_features", &self.sev_features.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sev::measurement::vcpu_types::CpuType;
    use sev::measurement::vmsa::{GuestFeatures, VMMType, VMSA};

    #[test]
    fn reset_states_are_those_of_the_sev_crate() {
        for (cpu, signature) in [(CpuType::EpycMilan, 0x00a0_0f11), (CpuType::EpycTurin, 0x00b0_0f00)] {
            for features in [1, 0x21] {
                let theirs = VMSA::new(0x0080_b004, cpu, VMMType::QEMU, None, GuestFeatures(features));
                let pages = theirs.pages(2).unwrap();
                assert_eq!(pages[0], Vmsa::qemu_bsp(signature, features).as_bytes());
                assert_eq!(pages[1], Vmsa::qemu_reset(0x0080_b004, signature, features).as_bytes());
            }
        }
    }
}
