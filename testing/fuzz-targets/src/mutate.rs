// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Changes bytes at random, but in the same way each time: a seed number names the whole sequence of inputs.

/// Numbers that sit at the edges of lengths, counts and offsets.
const EDGES: [u32; 12] = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x1_0000, 0x7fff_ffff, 0xffff_ffff];
/// Inputs do not grow without end.
const LONGEST: usize = 1 << 17;

/// A source of changes (xorshift64*, which is no cryptography).
#[derive(Clone, Debug)]
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// Starts a sequence.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // A state of zero would stay zero.
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// Draws a number below `bound`, or zero.
    pub fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let high = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        (high as usize).checked_rem(bound).unwrap_or(0)
    }

    /// Changes one input a few times; `other` lends bytes to it.
    pub fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(6) {
            self.change_once(input, other);
            input.truncate(LONGEST);
        }
    }

    fn change_once(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len());
        match self.below(9) {
            0 => self.flip_bit(input, at),
            1 => self.set_byte(input, at),
            2 => self.set_number(input, at),
            3 => input.truncate(at),
            4 => self.remove(input, at),
            5 => self.repeat(input, at),
            6 => self.insert(input, at),
            7 => self.splice(input, at, other),
            _ => self.append(input),
        }
    }

    fn flip_bit(&mut self, input: &mut [u8], at: usize) {
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << self.below(8);
        }
    }

    fn set_byte(&mut self, input: &mut [u8], at: usize) {
        if let Some(byte) = input.get_mut(at) {
            *byte = self.below(256) as u8;
        }
    }

    /// Writes an edge, or one next to what stands there, in either byte order.
    fn set_number(&mut self, input: &mut [u8], at: usize) {
        let number =
            EDGES.get(self.below(EDGES.len())).copied().unwrap_or(0).wrapping_add(self.below(3) as u32).wrapping_sub(1);
        let bytes = if self.below(2) == 0 { number.to_be_bytes() } else { number.to_le_bytes() };
        let size = 2 << self.below(2);
        let bytes = if self.below(2) == 0 { bytes.get(..size) } else { bytes.get(4 - size..) };
        for (to, from) in input.iter_mut().skip(at).zip(bytes.unwrap_or_default()) {
            *to = *from;
        }
    }

    fn remove(&mut self, input: &mut Vec<u8>, at: usize) {
        let end = (at + 1 + self.below(32)).min(input.len());
        input.drain(at.min(end)..end);
    }

    fn repeat(&mut self, input: &mut Vec<u8>, at: usize) {
        let part = input.get(at..(at + 1 + self.below(64)).min(input.len())).unwrap_or_default().to_vec();
        input.splice(at..at, part);
    }

    fn insert(&mut self, input: &mut Vec<u8>, at: usize) {
        let bytes: Vec<u8> = (0..=self.below(16)).map(|_| self.below(256) as u8).collect();
        input.splice(at..at, bytes);
    }

    fn splice(&mut self, input: &mut Vec<u8>, at: usize, other: &[u8]) {
        let from = self.below(other.len());
        let part = other.get(from..(from + 1 + self.below(128)).min(other.len())).unwrap_or_default();
        let end = (at + part.len()).min(input.len());
        input.splice(at..end, part.iter().copied());
    }

    fn append(&mut self, input: &mut Vec<u8>) {
        let byte = self.below(256) as u8;
        let size = input.len() + 1 + self.below(64);
        input.resize(size, byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(seed: u64) -> Vec<Vec<u8>> {
        let mut mutator = Mutator::new(seed);
        let mut input = vec![7; 40];
        (0..200)
            .map(|_| {
                mutator.mutate(&mut input, &[1, 2, 3]);
                input.clone()
            })
            .collect()
    }

    #[test]
    fn a_seed_names_a_sequence() {
        assert_eq!(sequence(1), sequence(1));
        assert_ne!(sequence(1), sequence(2));
    }

    #[test]
    fn an_empty_input_can_grow_again() {
        let mut mutator = Mutator::new(3);
        let mut input = Vec::new();
        let grew = (0..100).any(|_| {
            mutator.mutate(&mut input, &[]);
            !input.is_empty()
        });
        assert!(grew);
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut mutator = Mutator::new(0);
        assert!((0..1000).all(|_| mutator.below(10) < 10));
        assert_eq!(mutator.below(0), 0);
    }
}
