// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SHAKE256 over the permutation of the `keccak` crate (FIPS 202, clauses "Sponge Construction" and "KECCAK").
//!
//! The `shake` crate has no state that can be saved, and a TPM must be able to save the context of any sequence.
use keccak::Keccak;
use zeroize::Zeroize;

/// Bytes of the state that input is mixed into between two permutations.
const RATE: usize = 136;
/// Bytes of the state, and of the output that we take.
const WIDTH: usize = 200;
const OUTPUT: usize = 64;

/// A running computation of SHAKE256 that gives 64 bytes.
#[derive(Clone)]
pub(super) struct Shake256 {
    lanes: [u64; WIDTH / 8],
    /// Bytes taken in since the last permutation; always below [`RATE`].
    filled: u8,
}

impl Shake256 {
    pub(super) const fn new() -> Self {
        Self { lanes: [0; WIDTH / 8], filled: 0 }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        for byte in data {
            self.mix(usize::from(self.filled), *byte);
            self.filled = self.filled.wrapping_add(1);
            if usize::from(self.filled) >= RATE {
                self.permute();
            }
        }
    }

    /// "SHAKE256(M, d) = KECCAK[512] (M || 1111, d)": with the padding's first bit the byte 1F, its last bit the byte 80.
    pub(super) fn finish(mut self) -> [u8; OUTPUT] {
        self.mix(usize::from(self.filled), 0x1f);
        self.mix(RATE - 1, 0x80);
        self.permute();
        let mut output = [0; OUTPUT];
        for (to, lane) in output.chunks_exact_mut(8).zip(&self.lanes) {
            to.copy_from_slice(&lane.to_le_bytes());
        }
        output
    }

    pub(super) fn save(&self) -> [u8; WIDTH + 1] {
        let mut saved = [self.filled; WIDTH + 1];
        for (to, lane) in saved.chunks_exact_mut(8).zip(&self.lanes) {
            to.copy_from_slice(&lane.to_le_bytes());
        }
        saved
    }

    pub(super) fn restore(saved: &[u8; WIDTH + 1]) -> Option<Self> {
        let (filled, state) = saved.split_last()?;
        let mut shake = Self { filled: *filled, ..Self::new() };
        for (lane, bytes) in shake.lanes.iter_mut().zip(state.as_chunks().0) {
            *lane = u64::from_le_bytes(*bytes);
        }
        (usize::from(*filled) < RATE).then_some(shake)
    }

    fn mix(&mut self, position: usize, byte: u8) {
        if let Some(lane) = self.lanes.get_mut(position / 8) {
            let shift = u32::try_from(position % 8).unwrap_or(0).wrapping_mul(8);
            *lane ^= u64::from(byte).wrapping_shl(shift);
        }
    }

    fn permute(&mut self) {
        Keccak::new().with_f1600(|f1600| f1600(&mut self.lanes));
        self.filled = 0;
    }
}

impl Drop for Shake256 {
    fn drop(&mut self) {
        self.lanes.zeroize();
        self.filled.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shake::digest::{ExtendableOutput, Update, XofReader};

    fn reference(data: &[u8]) -> [u8; OUTPUT] {
        let mut hasher = shake::Shake256::default();
        hasher.update(data);
        let mut output = [0; OUTPUT];
        hasher.finalize_xof().read(&mut output);
        output
    }

    #[test]
    fn every_length_around_the_rate_agrees_with_the_shake_crate() {
        let data: std::vec::Vec<u8> = (0..=255).cycle().take(3 * RATE + 1).collect();
        for length in 0..data.len() {
            let mut shake = Shake256::new();
            let (first, second) = data[..length].split_at(length / 3);
            shake.update(first);
            let mut shake = Shake256::restore(&shake.save()).unwrap();
            shake.update(second);
            assert_eq!(shake.finish(), reference(&data[..length]), "{length}");
        }
    }

    #[test]
    fn a_state_that_is_filled_beyond_the_rate_is_none() {
        let mut saved = Shake256::new().save();
        saved[WIDTH] = 136;
        assert!(Shake256::restore(&saved).is_none());
    }
}
