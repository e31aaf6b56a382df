// SPDX-License-Identifier: Apache-2.0 OR MIT
//! AES in the five modes of SP 800-38A, in place, with the IV that continues the computation.
//!
//! What `iv` holds afterwards is part of the contract: TPM2_EncryptDecrypt returns it as "chaining value to use for IV
//! in next round", and two other TPMs returned the first IV instead (CVE-2021-3446, CVE-2026-21444).

use aes::cipher::consts::U16;
use aes::cipher::{
    BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncBackend, BlockCipherEncClosure,
    BlockCipherEncrypt, BlockSizeUser, KeyInit,
};
use aes::{Aes128, Aes192, Aes256, Block};

use crate::{BLOCK_SIZE, CipherMode, CryptoError, Direction};

type Iv = [u8; BLOCK_SIZE];

pub(super) fn run(
    key: &[u8],
    mode: CipherMode,
    direction: Direction,
    iv: &mut Iv,
    data: &mut [u8],
) -> Result<(), CryptoError> {
    if matches!(mode, CipherMode::Cbc | CipherMode::Ecb) && !data.len().is_multiple_of(BLOCK_SIZE) {
        return Err(CryptoError::PartialBlock { actual: data.len() });
    }

    let wrong_size = |_| CryptoError::KeySize { actual: key.len() };
    match key.len() {
        16 => run_with(&Aes128::new_from_slice(key).map_err(wrong_size)?, mode, direction, iv, data),
        24 => run_with(&Aes192::new_from_slice(key).map_err(wrong_size)?, mode, direction, iv, data),
        32 => run_with(&Aes256::new_from_slice(key).map_err(wrong_size)?, mode, direction, iv, data),
        actual => return Err(CryptoError::KeySize { actual }),
    }
    Ok(())
}

fn run_with<C>(cipher: &C, mode: CipherMode, direction: Direction, iv: &mut Iv, data: &mut [u8])
where
    C: BlockCipherEncrypt<BlockSize = U16> + BlockCipherDecrypt<BlockSize = U16>,
{
    match (mode, direction) {
        (CipherMode::Cbc | CipherMode::Ecb, Direction::Decrypt) => {
            cipher.decrypt_with_backend(Backward { mode, iv, data });
        }
        _ => cipher.encrypt_with_backend(Forward { mode, direction, iv, data }),
    }
}

// All that needs the block cipher in its forward direction, which is even the decryption of three modes. A closure
// over the whole data lets the loop run inside the function that was compiled for the processor's AES instructions.
struct Forward<'a> {
    mode: CipherMode,
    direction: Direction,
    iv: &'a mut Iv,
    data: &'a mut [u8],
}

impl BlockSizeUser for Forward<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Forward<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, cipher: &B) {
        let Self { mode, direction, iv, data } = self;
        let (blocks, rest) = data.as_chunks_mut();
        for block in blocks {
            forward(cipher, mode, direction, iv, block);
        }
        if rest.is_empty() {
            return;
        }

        let mut block = padded(rest);
        forward(cipher, mode, direction, iv, &mut block);
        rest.iter_mut().zip(&block).for_each(|(to, from)| *to = *from);
        if (mode, direction) == (CipherMode::Cfb, Direction::Encrypt) {
            *iv = padded(rest);
        }
    }
}

#[inline(always)]
fn forward<B>(cipher: &B, mode: CipherMode, direction: Direction, iv: &mut Iv, block: &mut Iv)
where
    B: BlockCipherEncBackend<BlockSize = U16>,
{
    match (mode, direction) {
        (CipherMode::Ctr, _) => {
            xor(block, &encrypted(cipher, *iv));
            *iv = u128::from_be_bytes(*iv).wrapping_add(1).to_be_bytes();
        }
        (CipherMode::Ofb, _) => {
            *iv = encrypted(cipher, *iv);
            xor(block, iv);
        }
        (CipherMode::Cfb, Direction::Encrypt) => {
            xor(block, &encrypted(cipher, *iv));
            *iv = *block;
        }
        (CipherMode::Cfb, Direction::Decrypt) => {
            let ciphertext = *block;
            xor(block, &encrypted(cipher, *iv));
            *iv = ciphertext;
        }
        (CipherMode::Cbc, _) => {
            xor(block, iv);
            *block = encrypted(cipher, *block);
            *iv = *block;
        }
        (CipherMode::Ecb, _) => *block = encrypted(cipher, *block),
    }
}

// The decryption of CBC and ECB: whole blocks through the inverse cipher.
struct Backward<'a> {
    mode: CipherMode,
    iv: &'a mut Iv,
    data: &'a mut [u8],
}

impl BlockSizeUser for Backward<'_> {
    type BlockSize = U16;
}

impl BlockCipherDecClosure for Backward<'_> {
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = U16>>(self, cipher: &B) {
        let (blocks, _) = self.data.as_chunks_mut();
        for chunk in blocks {
            let ciphertext: Iv = *chunk;
            let mut block = Block::from(ciphertext);
            cipher.decrypt_block_inplace(&mut block);
            *chunk = block.into();
            if self.mode == CipherMode::Cbc {
                xor(chunk, self.iv);
                *self.iv = ciphertext;
            }
        }
    }
}

#[inline(always)]
fn encrypted<B: BlockCipherEncBackend<BlockSize = U16>>(cipher: &B, block: Iv) -> Iv {
    let mut block = Block::from(block);
    cipher.encrypt_block_inplace(&mut block);
    block.into()
}

#[inline(always)]
fn xor(data: &mut Iv, mask: &Iv) {
    data.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

// A partial last block of CFB continues, if anybody tries, as if it were followed by zeros.
#[inline(always)]
fn padded(chunk: &[u8]) -> Iv {
    let mut block = [0; BLOCK_SIZE];
    block.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
    block
}

#[cfg(test)]
mod tests;
