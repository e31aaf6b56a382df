// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The launch of an SVSM image and an OVMF firmware by QEMU: the SVSM lies below the firmware, and its metadata counts.
//!
//! So the first QEMU of COCONUT-SVSM launched it; since then an IGVM file says what is launched (see [`igvm`](crate::igvm)).

use evtpm_snp::{
    PageType, U16, U32, U64,
    vmsa::{SEV_FEATURE_SNP_ACTIVE, Segment, Vmsa},
};

use crate::{
    Error, Launch,
    ovmf::{self, Firmware, Machine, Vmm},
};

/// Returns the pages of the launch of an SVSM with its guest's firmware.
///
/// `variables` is the size of the variable store, which lies between the two.
pub fn launch(svsm: &[u8], firmware: &[u8], variables: u64, processors: u32, signature: u32) -> Result<Launch, Error> {
    ovmf::check_processors(processors)?;
    let flash = ovmf::flash(firmware)?;
    let length = u64::try_from(svsm.len()).unwrap_or(u64::MAX);
    let gpa = flash
        .checked_sub(variables)
        .and_then(|end| end.checked_sub(length))
        .ok_or(Error::TooLarge { pages: length, limit: flash })?;
    let mut launch = Launch::new();
    launch.add_bytes(PageType::Normal, flash, firmware)?;
    launch.add_bytes(PageType::Normal, gpa, svsm)?;
    let features = SEV_FEATURE_SNP_ACTIVE;
    let machine =
        Machine { vmm: Vmm::Qemu { cpu_signature: signature }, processors, sev_features: features, kernel: None };
    ovmf::add_sections(&mut launch, &Firmware::parse(svsm)?, &machine)?;
    let entry = gpa.saturating_add(u64::from(ovmf::svsm_entry(svsm)?));
    let state = state(entry, signature, features);
    for _ in 0..processors {
        launch.add_vmsa(&state)?;
    }
    Ok(launch)
}

/// The state in which every processor enters the SVSM: 32-bit protected mode with flat segments.
fn state(entry: u64, signature: u32, features: u64) -> Vmsa {
    let flat =
        |selector, attributes| Segment { limit: U32::new(u32::MAX), ..Segment::at_reset(selector, attributes, 0) };
    let data = flat(0x10, 0xc93);
    let mut state = Vmsa::qemu_reset(0, signature, features);
    state.cs = flat(0x08, 0xc9b);
    state.es = data;
    state.ss = data;
    state.ds = data;
    state.fs = data;
    state.cr0 = U64::new(0x11);
    state.rip = U64::new(entry);
    // The published digests, taken from launches, are of states without an x87 control word.
    state.x87_fcw = U16::new(0);
    state
}
