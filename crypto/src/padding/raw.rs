// SPDX-License-Identifier: Apache-2.0 OR MIT
//! No padding: the message is the number (TPM 2.0 Part 1, "RSA_NULL" padding, scheme `TPM_ALG_NULL`).

use crate::CryptoError;

/// Writes a message as a big-endian number into a block, with zeros before it.
///
/// # Errors
/// [`CryptoError::MessageTooLong`] if it has more bytes than the block.
pub fn encode(message: &[u8], block: &mut [u8]) -> Result<(), CryptoError> {
    let too_long = CryptoError::MessageTooLong { limit: block.len(), actual: message.len() };
    let zeros = block.len().checked_sub(message.len()).ok_or(too_long)?;
    let (zeros, rest) = block.split_at_mut_checked(zeros).ok_or(too_long)?;
    zeros.fill(0);
    for (byte, value) in rest.iter_mut().zip(message) {
        *byte = *value;
    }
    Ok(())
}
