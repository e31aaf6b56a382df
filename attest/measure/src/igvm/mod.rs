// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The launch of an IGVM file: its directives in order, as a loader hands them to the secure processor.
//!
//! Documents: `igvm_defs` 0.5 (the format), QEMU's `backends/igvm.c` (the loader), COCONUT-SVSM's `igvmmeasure`.
//!
//! The file is read here and not by the crate `igvm`, which panics on malformed files and parses processor states before
//! it writes them again; it is the second opinion of the tests.

mod file;

#[cfg(test)]
mod tests;

use evtpm_snp::{LaunchDigest, PAGE_SIZE, PageType, launch::VMSA_GPA};

pub use file::{Directive, File, PageData, Platform, checksum};

use crate::{Error, Launch, SevLaunch, bytes::u64_at};

/// Where the state of a processor has CR0.
const VMSA_CR0: usize = 0x158;

/// How a loader treats what the format leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loader {
    /// Pages without data are handed over as zero pages, and not as normal pages full of zeros.
    pub native_zero: bool,
    /// The file is refused if KVM would launch it as something else: it measures one state, last, at its own address.
    pub kvm: bool,
}

/// Returns the pages of a launch with SEV-SNP.
pub fn launch(file: &File<'_>, loader: Loader) -> Result<Launch, Error> {
    let mask = file.mask(Platform::SevSnp)?;
    let mut launch = Launch::new();
    let mut states = States::new(loader);
    for directive in file.directives().filter(|directive| directive.is_for(mask)) {
        match directive {
            Directive::Page(page) => {
                states.check_order()?;
                add_page(&mut launch, file, page, loader)?;
            }
            // "imported as a set of unmeasured pages"
            Directive::ParameterInsert { gpa, area, .. } => {
                states.check_order()?;
                let pages = file.parameter_area(*area)?.div_ceil(PAGE_SIZE as u64);
                launch.add_zeros(PageType::Unmeasured, *gpa, pages)?;
            }
            Directive::State { gpa, file_offset, .. } => {
                let state = file.page(*file_offset)?;
                states.add(*gpa, state)?;
                launch.add_page(PageType::Vmsa, *gpa, state)?;
            }
            Directive::IdBlock { .. } | Directive::Unmeasured => {}
        }
    }
    Ok(launch)
}

fn add_page(launch: &mut Launch, file: &File<'_>, page: &PageData, loader: Loader) -> Result<(), Error> {
    // A shared page is host visible from the start; no loader hands it to the secure processor.
    if page.is_shared() {
        return Ok(());
    }
    let data = file.page_data(page)?;
    let (gpa, pages) = (page.gpa, page.pages());
    match (page.page_type()?, data) {
        (PageType::Normal, Some(data)) => launch.add_bytes(PageType::Normal, gpa, data),
        (PageType::Normal, None) if loader.native_zero => launch.add_zeros(PageType::Zero, gpa, pages),
        (page_type, _) => launch.add_zeros(page_type, gpa, pages),
    }
}

/// Returns the pieces of a launch with SEV or SEV-ES, as QEMU makes it.
///
/// Only normal pages and, with SEV-ES, processor states are handed over; pages without data are hashed as zeros.
pub fn sev_launch(file: &File<'_>, platform: Platform, loader: Loader) -> Result<SevLaunch, Error> {
    let mask = file.mask(platform)?;
    let mut launch = SevLaunch::new();
    let mut states = States::new(loader);
    for directive in file.directives().filter(|directive| directive.is_for(mask)) {
        match directive {
            Directive::Page(page) if !page.is_shared() => {
                states.check_order()?;
                let data = file.page_data(page)?;
                match (page.page_type()?, data) {
                    (PageType::Normal, Some(data)) => launch.add_data(page.gpa, data)?,
                    (PageType::Normal, None) => {
                        launch.add_zeros(page.gpa, page.pages().saturating_mul(PAGE_SIZE as u64))?;
                    }
                    (PageType::Unmeasured, _) => {}
                    (other, _) => {
                        let detail = format!("a page of type {other:?} needs SEV-SNP");
                        return Err(Error::Invalid { what: "IGVM page", detail });
                    }
                }
            }
            Directive::State { gpa, file_offset, .. } if platform == Platform::SevEs => {
                let state = file.page(*file_offset)?;
                states.add(*gpa, state)?;
                launch.add_state(state)?;
            }
            _ => {}
        }
    }
    Ok(launch)
}

/// Returns the digest that an ID block in the file expects, where there is one.
pub fn expected_digest(file: &File<'_>) -> Result<Option<LaunchDigest>, Error> {
    let mask = file.mask(Platform::SevSnp)?;
    Ok(file.directives().find_map(|directive| match directive {
        Directive::IdBlock { digest, .. } if directive.is_for(mask) => Some(*digest),
        _ => None,
    }))
}

/// What KVM demands of processor states.
struct States {
    loader: Loader,
    seen: bool,
}

impl States {
    fn new(loader: Loader) -> Self {
        Self { loader, seen: false }
    }

    fn add(&mut self, gpa: u64, state: &[u8; PAGE_SIZE]) -> Result<(), Error> {
        let refused = |detail: String| Err(Error::Invalid { what: "processor state for KVM", detail });
        if self.loader.kvm {
            let cr0 = u64_at(state, VMSA_CR0, "CR0")?;
            if self.seen {
                return refused("there is more than one".into());
            }
            if gpa != VMSA_GPA {
                return refused(format!("it is at {gpa:#x}, and KVM measures it at {VMSA_GPA:#x}"));
            }
            if !matches!(cr0, 0x30 | 0x31) {
                return refused(format!("CR0 is {cr0:#x}, and KVM makes it 0x30 or 0x31"));
            }
        }
        self.seen = true;
        Ok(())
    }

    /// KVM measures the state when the launch ends, wherever the file has it.
    fn check_order(&self) -> Result<(), Error> {
        if self.loader.kvm && self.seen {
            let detail = "pages follow it, and KVM measures it last".into();
            return Err(Error::Invalid { what: "processor state for KVM", detail });
        }
        Ok(())
    }
}
