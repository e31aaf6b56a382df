// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Random choices that a number repeats (SplitMix64, which is no cryptography).

/// A sequence of choices.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Starts the sequence that two numbers name.
    #[must_use]
    pub fn new(seed: u64, step: u64) -> Self {
        let mut dice = Self(seed ^ step.wrapping_mul(0xd6e8_feb8_6659_fd93));
        dice.number();
        Self(dice.number() ^ step)
    }

    /// Draws 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Draws a number below `bound`, or zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let high = usize::try_from(self.number() >> 33).unwrap_or(0);
        high.checked_rem(bound).unwrap_or(0)
    }

    /// Is true so many times of a hundred.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Picks one, of a list that has one.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }

    /// Picks one of a list that is not empty.
    ///
    /// # Panics
    /// When it is empty.
    pub fn of<T: Copy, const N: usize>(&mut self, list: [T; N]) -> T {
        list[self.below(N)]
    }

    /// Draws so many bytes.
    pub fn bytes(&mut self, size: usize) -> Vec<u8> {
        (0..size).map(|_| self.number().to_le_bytes()[0]).collect()
    }

    /// Draws up to so many bytes, often none.
    pub fn some_bytes(&mut self, most: usize) -> Vec<u8> {
        let size = if self.percent(30) { 0 } else { self.below(most + 1) };
        self.bytes(size)
    }
}
