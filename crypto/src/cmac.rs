// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CMAC over AES, in pieces (SP 800-38B, clause "MAC Generation").

use core::fmt;

use zeroize::Zeroizing;

use crate::{BLOCK_SIZE, CipherMode, Crypto, CryptoError, Direction};

/// Size of a MAC: of a whole block, nothing is cut off.
pub const CMAC_SIZE: usize = BLOCK_SIZE;

/// Size of a saved CMAC computation.
pub const CMAC_STATE_SIZE: usize = 2 + MAX_KEY + 2 * BLOCK_SIZE;

const MAX_KEY: usize = 32;
// Blocks go through the cipher so many at a time.
const BATCH: usize = 16 * BLOCK_SIZE;

type Block = [u8; BLOCK_SIZE];

/// A CMAC computation that takes its input in pieces; wiped on drop.
#[derive(Clone)]
pub struct Cmac {
    key: Zeroizing<[u8; MAX_KEY]>,
    key_size: u8,
    /// The ciphertext of the blocks so far.
    chain: Zeroizing<Block>,
    /// What came last is held back, because the last block of all is treated in its own way.
    last: Zeroizing<Block>,
    held: u8,
}

impl Cmac {
    /// Starts a computation with an AES key.
    ///
    /// # Errors
    /// [`CryptoError::KeySize`].
    pub fn new(key: &[u8]) -> Result<Self, CryptoError> {
        let (16 | 24 | 32, Ok(key_size)) = (key.len(), u8::try_from(key.len())) else {
            return Err(CryptoError::KeySize { actual: key.len() });
        };
        let mut own = Zeroizing::new([0; MAX_KEY]);
        own.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        let (chain, last) = (Zeroizing::new([0; BLOCK_SIZE]), Zeroizing::new([0; BLOCK_SIZE]));
        Ok(Self { key: own, key_size, chain, last, held: 0 })
    }

    /// Takes in more of the message.
    ///
    /// # Errors
    /// Only if the backend refuses a key whose size was checked.
    pub fn update<C: Crypto>(&mut self, mut data: &[u8]) -> Result<(), CryptoError> {
        while !data.is_empty() {
            if usize::from(self.held) == BLOCK_SIZE {
                let mut block = self.last.clone();
                self.absorb::<C>(&mut *block)?;
                self.held = 0;
                data = self.absorb_all_but_the_last::<C>(data)?;
            }
            let free = self.last.iter_mut().skip(usize::from(self.held));
            let taken = free.zip(data).map(|(to, from)| *to = *from).count();
            self.held = self.held.saturating_add(u8::try_from(taken).unwrap_or(0));
            data = data.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Runs the whole blocks that something follows through the cipher, and gives the rest back.
    fn absorb_all_but_the_last<'d, C: Crypto>(&mut self, data: &'d [u8]) -> Result<&'d [u8], CryptoError> {
        let (blocks, _) = data.as_chunks::<BLOCK_SIZE>();
        let followed =
            if blocks.as_flattened().len() == data.len() { blocks.len().saturating_sub(1) } else { blocks.len() };
        let (whole, rest) = data.split_at_checked(followed.saturating_mul(BLOCK_SIZE)).unwrap_or((&[], data));
        let mut batch = Zeroizing::new([0; BATCH]);
        for piece in whole.chunks(BATCH) {
            let (batch, _) = batch.split_at_mut_checked(piece.len()).unwrap_or_default();
            batch.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
            self.absorb::<C>(batch)?;
        }
        Ok(rest)
    }

    /// Chains whole blocks, which is what CBC does; they are overwritten.
    fn absorb<C: Crypto>(&mut self, blocks: &mut [u8]) -> Result<(), CryptoError> {
        let key = self.key.get(..usize::from(self.key_size)).unwrap_or_default();
        C::cipher(key, CipherMode::Cbc, Direction::Encrypt, &mut self.chain, blocks)
    }

    /// Ends the computation.
    ///
    /// # Errors
    /// Only if the backend refuses a key whose size was checked.
    pub fn finish<C: Crypto>(mut self) -> Result<[u8; CMAC_SIZE], CryptoError> {
        // "Let L = CIPH_K(0^b)", K1 and K2 are its doubles in GF(2^128)
        let mut subkey = Zeroizing::new([0; BLOCK_SIZE]);
        let key = self.key.get(..usize::from(self.key_size)).unwrap_or_default();
        C::cipher(key, CipherMode::Ecb, Direction::Encrypt, &mut [0; BLOCK_SIZE], &mut *subkey)?;
        double(&mut subkey);

        let mut last = self.last.clone();
        if usize::from(self.held) < BLOCK_SIZE {
            // "Mn = K2 xor (Mn* || 10^j)"
            last.iter_mut().skip(usize::from(self.held)).for_each(|byte| *byte = 0);
            last.iter_mut().skip(usize::from(self.held)).take(1).for_each(|byte| *byte = 0x80);
            double(&mut subkey);
        }
        last.iter_mut().zip(subkey.iter()).for_each(|(byte, key)| *byte ^= key);
        self.absorb::<C>(&mut *last)?;
        Ok(*self.chain)
    }

    /// Writes the state, which is as secret as the key.
    #[must_use]
    pub fn save(&self) -> Zeroizing<[u8; CMAC_STATE_SIZE]> {
        let mut saved = Zeroizing::new([0; CMAC_STATE_SIZE]);
        let parts = [&[self.key_size][..], &*self.key, &*self.chain, &*self.last, &[self.held]];
        saved.iter_mut().zip(parts.into_iter().flatten()).for_each(|(to, from)| *to = *from);
        saved
    }

    /// Goes on from a saved state; `None` if the bytes are no state.
    #[must_use]
    pub fn restore(saved: &[u8]) -> Option<Self> {
        let (&[key_size], rest) = saved.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk::<MAX_KEY>()?;
        let (chain, rest) = rest.split_first_chunk()?;
        let (last, rest) = rest.split_first_chunk()?;
        let &[held] = rest else { return None };
        if usize::from(held) > BLOCK_SIZE {
            return None;
        }
        let mut mac = Self::new(key.get(..usize::from(key_size))?).ok()?;
        (mac.chain, mac.last, mac.held) = (Zeroizing::new(*chain), Zeroizing::new(*last), held);
        Some(mac)
    }
}

/// Doubles in GF(2^128): "if MSB1(L) = 0, then K1 = L << 1; else K1 = (L << 1) xor Rb", without a branch.
fn double(block: &mut Block) {
    let number = u128::from_be_bytes(*block);
    *block = ((number << 1) ^ (0x87 & (number >> 127).wrapping_neg())).to_be_bytes();
}

impl fmt::Debug for Cmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cmac").field("key_size", &self.key_size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RustCrypto;
    use hex_literal::hex;

    const MESSAGE: [u8; 64] = hex!(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    );

    fn cmac(key: &[u8], pieces: &[&[u8]]) -> [u8; 16] {
        let mut mac = Cmac::new(key).unwrap();
        pieces.iter().for_each(|piece| mac.update::<RustCrypto>(piece).unwrap());
        mac.finish::<RustCrypto>().unwrap()
    }

    #[test]
    fn the_examples_of_sp_800_38b_come_out() {
        let (key_128, key_192, key_256) = (
            hex!("2b7e151628aed2a6abf7158809cf4f3c"),
            hex!("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
            hex!("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        );
        let answers = [
            (
                &key_128[..],
                [
                    (0, hex!("bb1d6929e95937287fa37d129b756746")),
                    (16, hex!("070a16b46b4d4144f79bdd9dd04a287c")),
                    (40, hex!("dfa66747de9ae63030ca32611497c827")),
                    (64, hex!("51f0bebf7e3b9d92fc49741779363cfe")),
                ],
            ),
            (
                &key_192,
                [
                    (0, hex!("d17ddf46adaacde531cac483de7a9367")),
                    (16, hex!("9e99a7bf31e710900662f65e617c5184")),
                    (40, hex!("8a1de5be2eb31aad089a82e6ee908b0e")),
                    (64, hex!("a1d5df0eed790f794d77589659f39a11")),
                ],
            ),
            (
                &key_256,
                [
                    (0, hex!("028962f61b7bf89efc6b551f4667d983")),
                    (16, hex!("28a7023f452e8f82bd4bf28d8c37c35c")),
                    (40, hex!("aaf3d8f1de5640c232f5b169b9c911e6")),
                    (64, hex!("e1992190549f6ed5696a2c056c315410")),
                ],
            ),
        ];
        for (key, answers) in answers {
            for (size, answer) in answers {
                assert_eq!(cmac(key, &[&MESSAGE[..size]]), answer, "{} bytes, {size}", key.len());
            }
        }
    }

    #[test]
    fn pieces_of_every_size_and_a_saved_state_change_nothing() {
        let (key, long) = ([7; 32], [0x5a; 1000]);
        for size in [0, 1, 16, 17, 32, 271, 272, 273, 512, 999, 1000] {
            let whole = cmac(&key, &[&long[..size]]);
            for cut in [0, 1, 15, 16, 17, 33, 256, 272] {
                let (front, back) = long[..size].split_at(cut.min(size));
                assert_eq!(cmac(&key, &[front, back]), whole);
                let mut mac = Cmac::new(&key).unwrap();
                mac.update::<RustCrypto>(front).unwrap();
                let mut mac = Cmac::restore(&*mac.save()).unwrap();
                mac.update::<RustCrypto>(back).unwrap();
                assert_eq!(mac.finish::<RustCrypto>().unwrap(), whole);
            }
        }
    }

    #[test]
    fn a_state_that_none_could_be_is_refused() {
        let saved = Cmac::new(&[0; 16]).unwrap().save();
        assert!(Cmac::restore(&saved[1..]).is_none());
        for (place, value) in [(0, 15), (0, 255), (CMAC_STATE_SIZE - 1, 17)] {
            let mut bad = saved.clone();
            bad[place] = value;
            assert!(Cmac::restore(&*bad).is_none());
        }
        assert_eq!(Cmac::new(&[0; 15]).err(), Some(CryptoError::KeySize { actual: 15 }));
    }
}
