// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Access to bytes at a secret place in constant time.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Walks over bytes and remembers where the first one is that ends a run.
pub(super) struct Search {
    looking: Choice,
    position: u64,
}

impl Search {
    pub(super) fn new() -> Self {
        Self { looking: Choice::from(1), position: 0 }
    }

    /// Takes note of the position if this is the first hit, and tells whether the search was still on.
    pub(super) fn visit(&mut self, position: u64, hit: Choice) -> Choice {
        let looking = self.looking;
        self.position.conditional_assign(&position, looking & hit);
        self.looking &= !hit;
        looking
    }

    /// Returns where the hit was, and whether there was one.
    pub(super) fn result(&self) -> (u64, Choice) {
        (self.position, !self.looking)
    }
}

/// Moves the bytes towards the front by a secret distance; zeros follow from behind.
pub(super) fn move_to_front(bytes: &mut [u8], distance: u64) {
    let rounds = usize::BITS.wrapping_sub(bytes.len().leading_zeros());
    for round in 0..rounds {
        let step = 1usize.wrapping_shl(round);
        let moves = (distance.wrapping_shr(round) & 1).ct_eq(&1);
        for index in 0..bytes.len() {
            let from = bytes.get(index.wrapping_add(step)).copied().unwrap_or(0);
            if let Some(byte) = bytes.get_mut(index) {
                byte.conditional_assign(&from, moves);
            }
        }
    }
}

/// Copies the start of a block out, and clears the rest of the output.
pub(super) fn copy_start(block: &[u8], out: &mut [u8]) {
    out.fill(0);
    for (out, byte) in out.iter_mut().zip(block) {
        *out = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_move_by_every_distance() {
        for distance in 0..=12u8 {
            let mut bytes: [u8; 12] = core::array::from_fn(|i| u8::try_from(i).unwrap() + 1);
            move_to_front(&mut bytes, u64::from(distance));
            let expected: [u8; 12] = core::array::from_fn(|i| {
                let from = u8::try_from(i).unwrap() + 1 + distance;
                if from <= 12 { from } else { 0 }
            });
            assert_eq!(bytes, expected, "{distance}");
        }
    }
}
