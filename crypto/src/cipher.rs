// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names for the block cipher modes (SP 800-38A) that [`Crypto::cipher`](crate::Crypto::cipher) runs AES in.

/// Size of an AES block, and so of an IV.
pub const BLOCK_SIZE: usize = 16;

/// A mode of operation of a block cipher (SP 800-38A; ISO/IEC 10116 in the TPM specification).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CipherMode {
    /// Counter mode; the whole IV is one big-endian counter.
    Ctr,
    /// Output feedback.
    Ofb,
    /// Cipher block chaining, whole blocks only.
    Cbc,
    /// Cipher feedback of full blocks ("CFB128"); the last block may be partial.
    Cfb,
    /// Electronic codebook, whole blocks only; the IV is left as it is.
    Ecb,
}

/// Which way a cipher runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From plaintext to ciphertext.
    Encrypt,
    /// From ciphertext to plaintext.
    Decrypt,
}
