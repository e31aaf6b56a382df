// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TCB versions (SNP ABI, "TCB_VERSION"): eight bytes whose meaning depends on the processor generation.

use core::fmt;

use evtpm_layout::U64;

/// A processor generation, as far as it decides formats: the TCB layout and the names of the certificate chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// Family 19h, models 00h to 0Fh.
    Milan,
    /// Family 19h, models 10h to 1Fh and A0h to AFh (Genoa, Bergamo, Siena).
    Genoa,
    /// Family 1Ah, models 00h to 11h.
    Turin,
    /// Family 1Ah, models 50h to 57h, 90h to 9Fh, A0h to AFh and C0h to C7h.
    Venice,
}

impl Generation {
    /// Returns the generation with this combined CPUID family and model, if it is one that supports SNP.
    #[must_use]
    pub const fn from_cpuid(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0f) => Some(Self::Milan),
            (0x19, 0x10..=0x1f | 0xa0..=0xaf) => Some(Self::Genoa),
            (0x1a, 0x00..=0x11) => Some(Self::Turin),
            (0x1a, 0x50..=0x57 | 0x90..=0xaf | 0xc0..=0xc7) => Some(Self::Venice),
            _ => None,
        }
    }

    /// Returns the product line's name as the key distribution service and the chain's common names spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
            Self::Venice => "Venice",
        }
    }

    /// Says whether the TCB version has the FMC component of family 1Ah.
    #[must_use]
    pub const fn has_fmc(self) -> bool {
        matches!(self, Self::Turin | Self::Venice)
    }

    /// Returns the number of CHIP_ID bytes that are in use, which is also the length of the certificate's hwID.
    #[must_use]
    pub const fn hardware_id_size(self) -> usize {
        if self.has_fmc() { 8 } else { 64 }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The eight bytes of a TCB version, still without a meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcbVersion(pub u64);

impl TcbVersion {
    /// Splits the version into its components, as `generation` lays them out.
    #[must_use]
    pub const fn decode(self, generation: Generation) -> Tcb {
        let bytes = self.0.to_le_bytes();
        if generation.has_fmc() {
            let [fmc, bootloader, tee, snp, _, _, _, microcode] = bytes;
            Tcb { fmc: Some(fmc), bootloader, tee, snp, microcode }
        } else {
            let [bootloader, tee, _, _, _, _, snp, microcode] = bytes;
            Tcb { fmc: None, bootloader, tee, snp, microcode }
        }
    }
}

impl From<U64> for TcbVersion {
    fn from(value: U64) -> Self {
        Self(value.get())
    }
}

impl fmt::Debug for TcbVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcbVersion({:#018x})", self.0)
    }
}

/// The security patch levels of a TCB version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tcb {
    /// The FMC firmware, from Turin on.
    pub fmc: Option<u8>,
    /// The secure processor's boot loader.
    pub bootloader: u8,
    /// The secure processor's operating system.
    pub tee: u8,
    /// The SNP firmware.
    pub snp: u8,
    /// The lowest microcode patch level of all cores.
    pub microcode: u8,
}

impl Tcb {
    /// Lays the components out in eight bytes, as a processor with (`fmc`) or without FMC does.
    #[must_use]
    pub const fn encode(self) -> TcbVersion {
        let bytes = match self.fmc {
            Some(fmc) => [fmc, self.bootloader, self.tee, self.snp, 0, 0, 0, self.microcode],
            None => [self.bootloader, self.tee, 0, 0, 0, 0, self.snp, self.microcode],
        };
        TcbVersion(u64::from_le_bytes(bytes))
    }

    /// Says whether every component is at least the floor's; an absent FMC counts as 0.
    #[must_use]
    pub fn is_at_least(self, floor: Self) -> bool {
        self.fmc.unwrap_or(0) >= floor.fmc.unwrap_or(0)
            && self.bootloader >= floor.bootloader
            && self.tee >= floor.tee
            && self.snp >= floor.snp
            && self.microcode >= floor.microcode
    }
}

impl fmt::Display for Tcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fmc) = self.fmc {
            write!(f, "FMC {fmc}, ")?;
        }
        write!(f, "boot loader {}, TEE {}, SNP {}, microcode {}", self.bootloader, self.tee, self.snp, self.microcode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_mean_other_levels_on_turin() {
        let version = TcbVersion(u64::from_le_bytes([1, 2, 3, 4, 0, 0, 5, 6]));
        assert_eq!(version.decode(Generation::Milan), Tcb { fmc: None, bootloader: 1, tee: 2, snp: 5, microcode: 6 });
        assert_eq!(
            version.decode(Generation::Turin),
            Tcb { fmc: Some(1), bootloader: 2, tee: 3, snp: 4, microcode: 6 }
        );
    }

    #[test]
    fn encoding_reverses_decoding() {
        for (bytes, generation) in
            [([1, 2, 0, 0, 0, 0, 5, 6], Generation::Genoa), ([1, 2, 3, 4, 0, 0, 0, 6], Generation::Venice)]
        {
            let version = TcbVersion(u64::from_le_bytes(bytes));
            assert_eq!(version.decode(generation).encode(), version);
        }
    }

    #[test]
    fn a_floor_is_compared_component_by_component() {
        let floor = Tcb { fmc: None, bootloader: 3, tee: 0, snp: 8, microcode: 115 };
        assert!(floor.is_at_least(floor));
        assert!(Tcb { microcode: 206, ..floor }.is_at_least(floor));
        assert!(!Tcb { bootloader: 2, microcode: 255, snp: 255, ..floor }.is_at_least(floor));
        assert!(!floor.is_at_least(Tcb { fmc: Some(1), ..floor }));
    }

    #[test]
    fn models_outside_of_the_table_have_no_generation() {
        assert_eq!(Generation::from_cpuid(0x19, 0x01), Some(Generation::Milan));
        assert_eq!(Generation::from_cpuid(0x19, 0xa0), Some(Generation::Genoa));
        assert_eq!(Generation::from_cpuid(0x1a, 0x02), Some(Generation::Turin));
        assert_eq!(Generation::from_cpuid(0x1a, 0x90), Some(Generation::Venice));
        assert_eq!(Generation::from_cpuid(0x19, 0x20), None);
        assert_eq!(Generation::from_cpuid(0x17, 0x31), None);
    }
}
