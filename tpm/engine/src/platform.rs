// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a TPM needs from the machine it lives in: noise, time, arithmetic and the physical-presence line.

use evtpm_crypto::Crypto;
use evtpm_crypto::entropy::NoiseSource;

/// The ends of the engine: everything that is not a function of its state and the command.
pub trait Platform {
    /// The arithmetic that the engine uses.
    type Crypto: Crypto;
    /// The raw noise source under the health-tested generator.
    type Noise: NoiseSource;

    /// Borrows the noise source.
    fn noise(&mut self) -> &mut Self::Noise;

    /// Tells milliseconds since any fixed moment; going backwards is read as standing still.
    fn now_ms(&mut self) -> u64;

    /// Tells whether physical presence is asserted now.
    fn physical_presence(&self) -> bool;
}

/// The locality of a command (Part 2, `TPMA_LOCALITY`): 0 to 4, or an extended one from 32 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Locality(u8);

impl Locality {
    /// Locality 0, where the operating system's TPM driver sends.
    pub const ZERO: Self = Self(0);
    /// Locality 1, the operating system under a dynamic launch.
    pub const ONE: Self = Self(1);
    /// Locality 2, the dynamically launched environment.
    pub const TWO: Self = Self(2);
    /// Locality 3, auxiliary components.
    pub const THREE: Self = Self(3);
    /// Locality 4, the dynamic root of trust's hardware.
    pub const FOUR: Self = Self(4);

    /// Accepts 0 to 4 and 32 to 255; between them no locality exists.
    pub const fn new(value: u8) -> Option<Self> {
        if value <= 4 || value >= 32 { Some(Self(value)) } else { None }
    }

    /// Tells the number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Gives the `TPMA_LOCALITY` byte that names this locality: a bit for 0 to 4, the number itself when extended.
    pub const fn attribute(self) -> u8 {
        match self.0 {
            0 => 0x01,
            1 => 0x02,
            2 => 0x04,
            3 => 0x08,
            4 => 0x10,
            extended => extended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_locality_exists_between_5_and_31() {
        for value in 0..=255 {
            assert_eq!(Locality::new(value).is_some(), !(5..=31).contains(&value), "{value}");
        }
    }

    #[test]
    fn low_localities_are_bits_and_extended_ones_are_numbers() {
        let attribute = |value| Locality::new(value).unwrap().attribute();
        assert_eq!([0, 1, 2, 3, 4, 32, 255].map(attribute), [1, 2, 4, 8, 16, 32, 255]);
    }
}
