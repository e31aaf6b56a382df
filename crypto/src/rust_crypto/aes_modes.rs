// SPDX-License-Identifier: Apache-2.0 OR MIT
//! AES in the five modes of SP 800-38A, in place, with the IV that continues the computation.
//!
//! What `iv` holds afterwards is part of the contract: TPM2_EncryptDecrypt returns it as "chaining value to use for IV
//! in next round", and two other TPMs returned the first IV instead (CVE-2021-3446, CVE-2026-21444).

use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
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
    for chunk in data.chunks_mut(BLOCK_SIZE) {
        match (mode, direction) {
            (CipherMode::Ctr, _) => {
                let keystream = encrypted(cipher, iv);
                xor(chunk, &keystream);
                *iv = u128::from_be_bytes(*iv).wrapping_add(1).to_be_bytes();
            }
            (CipherMode::Ofb, _) => {
                *iv = encrypted(cipher, iv);
                xor(chunk, iv);
            }
            (CipherMode::Cfb, Direction::Encrypt) => {
                xor(chunk, &encrypted(cipher, iv));
                *iv = padded(chunk);
            }
            (CipherMode::Cfb, Direction::Decrypt) => {
                let ciphertext = padded(chunk);
                xor(chunk, &encrypted(cipher, iv));
                *iv = ciphertext;
            }
            (CipherMode::Cbc, Direction::Encrypt) => {
                xor(chunk, iv);
                *iv = encrypted(cipher, &padded(chunk));
                chunk.copy_from_slice(iv);
            }
            (CipherMode::Cbc, Direction::Decrypt) => {
                let ciphertext = padded(chunk);
                chunk.copy_from_slice(&decrypted(cipher, &ciphertext));
                xor(chunk, iv);
                *iv = ciphertext;
            }
            (CipherMode::Ecb, Direction::Encrypt) => chunk.copy_from_slice(&encrypted(cipher, &padded(chunk))),
            (CipherMode::Ecb, Direction::Decrypt) => chunk.copy_from_slice(&decrypted(cipher, &padded(chunk))),
        }
    }
}

fn encrypted<C>(cipher: &C, block: &Iv) -> Iv
where
    C: BlockCipherEncrypt<BlockSize = U16>,
{
    let mut block = Block::from(*block);
    cipher.encrypt_block(&mut block);
    block.into()
}

fn decrypted<C>(cipher: &C, block: &Iv) -> Iv
where
    C: BlockCipherDecrypt<BlockSize = U16>,
{
    let mut block = Block::from(*block);
    cipher.decrypt_block(&mut block);
    block.into()
}

fn xor(data: &mut [u8], mask: &Iv) {
    data.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

// A partial last block of CFB continues, if anybody tries, as if it were followed by zeros.
fn padded(chunk: &[u8]) -> Iv {
    let mut block = [0; BLOCK_SIZE];
    block.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
    block
}

#[cfg(test)]
mod tests;
