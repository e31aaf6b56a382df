// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Encryption to an ECC key with a mask from KDF2 (TPM 2.0 Library Part 1, clause "SM2 Encryption and Decryption").

use zeroize::Zeroizing;

use crate::{Crypto, CryptoError, Digest, EccPoint, EccPrivate, HashAlg, Rng, constant_time_eq, kdf2_xor};

/// Encrypts the data in place, and returns what the recipient needs besides: the ephemeral point C1 and the check C3.
///
/// # Errors
/// [`CryptoError::PointNotOnCurve`], [`CryptoError::Entropy`].
pub fn encrypt<C: Crypto>(
    recipient: &EccPoint,
    alg: HashAlg,
    data: &mut [u8],
    rng: &mut dyn Rng,
) -> Result<(EccPoint, Digest), CryptoError> {
    let ephemeral = EccPrivate::generate(recipient.curve(), rng)?;
    let shared = Zeroizing::new(C::ecc_multiply(&ephemeral, recipient)?);
    let c1 = C::ecc_public(&ephemeral)?;

    let c3 = check::<C>(alg, &shared, data);
    kdf2_xor::<C>(alg, &[shared.x(), shared.y()], data);
    Ok((c1, c3))
}

/// Decrypts the data in place; what does not pass the check is overwritten with zeros.
///
/// # Errors
/// [`CryptoError::PointNotOnCurve`], [`CryptoError::CurveMismatch`], [`CryptoError::TagMismatch`].
pub fn decrypt<C: Crypto>(
    private: &EccPrivate,
    alg: HashAlg,
    c1: &EccPoint,
    data: &mut [u8],
    c3: &[u8],
) -> Result<(), CryptoError> {
    let shared = Zeroizing::new(C::ecc_multiply(private, c1)?);

    kdf2_xor::<C>(alg, &[shared.x(), shared.y()], data);
    if constant_time_eq(check::<C>(alg, &shared, data).as_bytes(), c3) {
        Ok(())
    } else {
        data.fill(0);
        Err(CryptoError::TagMismatch)
    }
}

/// "set C3 := H(x2 || M || y2)"
fn check<C: Crypto>(alg: HashAlg, shared: &EccPoint, message: &[u8]) -> Digest {
    C::hash(alg, &[shared.x(), message, shared.y()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drbg::HmacDrbg;
    use crate::{EccCurve, RustCrypto};

    #[test]
    fn what_was_encrypted_to_a_key_it_decrypts_and_nothing_else() {
        let mut rng = HmacDrbg::<RustCrypto>::new(b"entropy", b"", b"");
        for curve in EccCurve::ALL {
            let private = EccPrivate::generate(curve, &mut rng).unwrap();
            let public = RustCrypto::ecc_public(&private).unwrap();
            let mut data = *b"seventy bytes are more than two blocks of the hash, which is SHA-256..";
            let (c1, c3) = encrypt::<RustCrypto>(&public, HashAlg::Sha256, &mut data, &mut rng).unwrap();
            assert_ne!(data[..7], *b"seventy");
            let open = |data: &mut [u8], c3: &[u8]| decrypt::<RustCrypto>(&private, HashAlg::Sha256, &c1, data, c3);

            let mut opened = data;
            open(&mut opened, c3.as_bytes()).unwrap();
            assert_eq!(opened[..7], *b"seventy");
            let mut changed = data;
            changed[69] ^= 1;
            assert_eq!(open(&mut changed, c3.as_bytes()), Err(CryptoError::TagMismatch));
            assert_eq!(changed, [0; 70]);
            assert_eq!(open(&mut data, &c3.as_bytes()[1..]), Err(CryptoError::TagMismatch));
        }
    }
}
