// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The processors that can be simulated, and what their certificates and reports have of their own.

use evtpm_snp::{FirmwareVersion, Generation, ReportVersion, Tcb};

/// A processor line with its own certificate chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// EPYC 7003.
    Milan,
    /// EPYC 9004 and 8004.
    Genoa,
    /// EPYC 9005.
    Turin,
}

impl Product {
    /// All products.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// Returns the generation, which decides the TCB layout.
    #[must_use]
    pub const fn generation(self) -> Generation {
        match self {
            Self::Milan => Generation::Milan,
            Self::Genoa => Generation::Genoa,
            Self::Turin => Generation::Turin,
        }
    }

    /// Returns the name in the common names of the chain.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.generation().name()
    }

    /// Returns the product of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.name() == name)
    }

    /// Returns CPUID family, model and stepping.
    #[must_use]
    pub const fn cpuid(self) -> (u8, u8, u8) {
        match self {
            Self::Milan => (0x19, 0x01, 0x01),
            Self::Genoa => (0x19, 0x11, 0x01),
            Self::Turin => (0x1a, 0x02, 0x01),
        }
    }

    /// Returns the product name in a VCEK certificate: Milan's alone has a stepping.
    pub(crate) const fn vcek_product_name(self) -> &'static str {
        match self {
            Self::Milan => "Milan-B0",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// Returns the version of the extensions' structure.
    pub(crate) const fn structure_version(self) -> u8 {
        match self {
            Self::Milan | Self::Genoa => 0,
            Self::Turin => 1,
        }
    }

    /// Says whether VCEK certificates spell out the trailer field of RSASSA-PSS, which has that value by default: older
    /// ones do.
    pub(crate) const fn vcek_spells_out_trailer(self) -> bool {
        matches!(self, Self::Milan)
    }

    /// Returns the serial number of the root; its intermediates count on from it.
    pub(crate) const fn ark_serial(self) -> u32 {
        match self {
            Self::Milan => 0x1_0000,
            Self::Genoa => 0x2_0000,
            Self::Turin => 0x3_0000,
        }
    }

    /// Returns the versions of the reports that firmware of this product has made.
    #[must_use]
    pub const fn report_versions(self) -> &'static [ReportVersion] {
        match self {
            Self::Milan => &[ReportVersion::V2, ReportVersion::V3, ReportVersion::V4],
            Self::Genoa => &[ReportVersion::V2, ReportVersion::V3, ReportVersion::V5],
            Self::Turin => &[ReportVersion::V5],
        }
    }

    /// Returns a TCB that such processors run.
    #[must_use]
    pub const fn recent_tcb(self) -> Tcb {
        match self {
            Self::Milan => Tcb { fmc: None, bootloader: 4, tee: 0, snp: 24, microcode: 219 },
            Self::Genoa => Tcb { fmc: None, bootloader: 10, tee: 0, snp: 25, microcode: 84 },
            Self::Turin => Tcb { fmc: Some(1), bootloader: 1, tee: 1, snp: 4, microcode: 81 },
        }
    }

    /// Returns a firmware version that such processors run.
    #[must_use]
    pub const fn recent_firmware(self) -> FirmwareVersion {
        match self {
            Self::Milan => FirmwareVersion { major: 1, minor: 55, build: 29 },
            Self::Genoa => FirmwareVersion { major: 1, minor: 55, build: 43 },
            Self::Turin => FirmwareVersion { major: 1, minor: 55, build: 65 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_has_the_generation_that_its_cpuid_says() {
        for product in Product::ALL {
            let (family, model, _) = product.cpuid();
            assert_eq!(Generation::from_cpuid(family, model), Some(product.generation()));
            assert_eq!(Product::from_name(product.name()), Some(product));
            assert_eq!(product.recent_tcb().fmc.is_some(), product.generation().has_fmc());
        }
    }
}
