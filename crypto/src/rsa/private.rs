// SPDX-License-Identifier: Apache-2.0 OR MIT
//! RSA private keys (RFC 8017, "RSADP" and "RSASP1" with the Chinese Remainder Theorem).
//!
//! Every private operation is blinded with fresh randomness and its result is checked with the public exponent before
//! it leaves: neither the time it takes nor a fault in one half of it tells about the primes.

use super::inverse::invert;
use super::montgomery::{Modulus, multiply_wide};
use super::public::PublicKey;
use super::small::SmallModulus;
use super::words::{
    add, add_word, bit_length, divide_exact, equal, from_be_bytes, halves, invert_word, join, mask, multiply_add,
    select, small, subtract, to_be_bytes,
};
use crate::{CryptoError, Rng};
use core::fmt;
use zeroize::Zeroize;

/// Draws after which a blinding factor without an inverse is the generator's fault: the first one has an inverse
/// unless a prime divides it.
const BLINDING_ATTEMPTS: usize = 4;

/// A private key of 1024, 2048, 3072 or 4096 bits, ready for use; wiped on drop.
#[derive(Clone)]
pub struct RsaPrivate {
    size: Size,
}

#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "there is no heap here, and a key is passed by reference")]
enum Size {
    Rsa1024(PrivateKey<8, 16>),
    Rsa2048(PrivateKey<16, 32>),
    Rsa3072(PrivateKey<24, 48>),
    Rsa4096(PrivateKey<32, 64>),
}

/// Runs an expression on the key, whatever its size.
macro_rules! with_key {
    ($private:expr, $key:ident => $body:expr) => {
        match &$private.size {
            Size::Rsa1024($key) => $body,
            Size::Rsa2048($key) => $body,
            Size::Rsa3072($key) => $body,
            Size::Rsa4096($key) => $body,
        }
    };
}

impl RsaPrivate {
    /// Prepares a key from its big-endian modulus, its exponent and one of its primes (`TPM2B_PRIVATE_KEY_RSA`).
    ///
    /// # Errors
    /// [`CryptoError::RsaKeySize`] unless the modulus has 1024, 2048, 3072 or 4096 bits,
    /// [`CryptoError::RsaExponent`] unless the exponent is odd and at least three,
    /// [`CryptoError::RsaKeyInconsistent`] unless the prime has half the size, divides the modulus, and both its
    /// factors are odd with an exponent that can be inverted. Primality is the key generator's promise: a composite
    /// factor is found when the first private operation fails its check.
    pub fn from_prime(modulus: &[u8], exponent: u32, prime: &[u8]) -> Result<Self, CryptoError> {
        let leading = modulus.iter().take_while(|byte| **byte == 0).count();
        let modulus = modulus.get(leading..).unwrap_or_default();
        let size = match modulus.len() {
            128 => Size::Rsa1024(PrivateKey::from_prime(modulus, exponent, prime)?),
            256 => Size::Rsa2048(PrivateKey::from_prime(modulus, exponent, prime)?),
            384 => Size::Rsa3072(PrivateKey::from_prime(modulus, exponent, prime)?),
            512 => Size::Rsa4096(PrivateKey::from_prime(modulus, exponent, prime)?),
            bytes => return Err(CryptoError::RsaKeySize { bits: bytes.saturating_mul(8) }),
        };
        Ok(Self { size })
    }

    /// Returns the number of bytes of the modulus.
    #[must_use]
    pub fn size(&self) -> usize {
        with_key!(self, key => key.public.modulus.value().len().wrapping_mul(8))
    }

    /// Returns the public exponent.
    #[must_use]
    pub fn exponent(&self) -> u32 {
        with_key!(self, key => key.public.exponent)
    }

    /// Writes the big-endian modulus.
    ///
    /// # Errors
    /// [`CryptoError::Length`] unless the buffer has [`RsaPrivate::size`] bytes.
    pub fn write_modulus(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        check_length(self.size(), out)?;
        with_key!(self, key => to_be_bytes(key.public.modulus.value(), out));
        Ok(())
    }

    /// Writes one big-endian prime, which with the public key is the whole key.
    ///
    /// # Errors
    /// [`CryptoError::Length`] unless the buffer has half of [`RsaPrivate::size`] bytes.
    pub fn write_prime(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        check_length(self.size() >> 1, out)?;
        with_key!(self, key => to_be_bytes(key.p.value(), out));
        Ok(())
    }

    /// Raises the big-endian number in `block` to the private exponent, in place.
    ///
    /// # Errors
    /// [`CryptoError::Length`] unless the block has [`RsaPrivate::size`] bytes, [`CryptoError::RsaInputOutOfRange`]
    /// unless the number is below the modulus, [`CryptoError::Entropy`] if there is no blinding factor,
    /// [`CryptoError::RsaFault`] if the result is wrong; the block is unchanged then.
    pub fn raise(&self, block: &mut [u8], rng: &mut dyn Rng) -> Result<(), CryptoError> {
        check_length(self.size(), block)?;
        with_key!(self, key => {
            let mut number = key.raise(&key.public.read(block)?, rng)?;
            to_be_bytes(&number, block);
            number.zeroize();
        });
        Ok(())
    }
}

/// Wraps a key of one size.
macro_rules! from_size {
    ($($size:ident: $half:literal, $full:literal;)*) => {
        $(impl From<PrivateKey<$half, $full>> for RsaPrivate {
            fn from(key: PrivateKey<$half, $full>) -> Self {
                Self { size: Size::$size(key) }
            }
        })*
    };
}

from_size! {
    Rsa1024: 8, 16;
    Rsa2048: 16, 32;
    Rsa3072: 24, 48;
    Rsa4096: 32, 64;
}

impl fmt::Debug for RsaPrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaPrivate").field("bytes", &self.size()).finish_non_exhaustive()
    }
}

const fn check_length(expected: usize, block: &[u8]) -> Result<(), CryptoError> {
    if block.len() == expected { Ok(()) } else { Err(CryptoError::Length { expected, actual: block.len() }) }
}

/// A private key whose primes have `H` words and whose modulus has `F`, twice as many.
#[derive(Clone)]
pub(super) struct PrivateKey<const H: usize, const F: usize> {
    public: PublicKey<F>,
    p: Modulus<H>,
    q: Modulus<H>,
    /// The private exponent modulo p - 1.
    p_exponent: [u64; H],
    /// The private exponent modulo q - 1.
    q_exponent: [u64; H],
    /// The inverse of q modulo p, in Montgomery form.
    coefficient: [u64; H],
}

impl<const H: usize, const F: usize> Drop for PrivateKey<H, F> {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl<const H: usize, const F: usize> PrivateKey<H, F> {
    fn wipe(&mut self) {
        self.p.zeroize();
        self.q.zeroize();
        self.p_exponent.zeroize();
        self.q_exponent.zeroize();
        self.coefficient.zeroize();
    }

    fn from_prime(modulus: &[u8], exponent: u32, prime: &[u8]) -> Result<Self, CryptoError> {
        let inconsistent = CryptoError::RsaKeyInconsistent;
        let modulus: [u64; F] = from_be_bytes(modulus).ok_or(inconsistent)?;
        let mut p: [u64; H] = from_be_bytes(prime).ok_or(inconsistent)?;
        if bit_length(&modulus) != F.wrapping_mul(64) || bit_length(&p) != H.wrapping_mul(64) {
            return Err(inconsistent);
        }
        let (low, _) = halves(&modulus);
        let mut q = divide_exact(&low, &p);
        let key = Self::from_primes(&p, &q, exponent)
            .and_then(|key| if equal(key.public.modulus.value(), &modulus) { Ok(key) } else { Err(inconsistent) });
        p.zeroize();
        q.zeroize();
        key
    }

    /// Prepares a key from its primes, whose product must have exactly `F` words.
    pub(super) fn from_primes(p: &[u64; H], q: &[u64; H], exponent: u32) -> Result<Self, CryptoError> {
        const { assert!(F == 2 * H) };
        let inconsistent = CryptoError::RsaKeyInconsistent;
        let (low, high) = multiply_wide(p, q);
        let modulus: [u64; F] = join(&low, &high);
        if bit_length(&modulus) != F.wrapping_mul(64) || equal(p, q) {
            return Err(inconsistent);
        }
        let public = PublicKey::new(modulus, exponent)?;
        let p = Modulus::new(*p).ok_or(inconsistent)?;
        let q = Modulus::new(*q).ok_or(inconsistent)?;
        let p_exponent = private_exponent(p.value(), exponent).ok_or(inconsistent)?;
        let q_exponent = private_exponent(q.value(), exponent).ok_or(inconsistent)?;
        let mut inverse = invert(q.value(), p.value(), p.factor()).ok_or(inconsistent)?;
        let coefficient = p.enter(&inverse);
        inverse.zeroize();
        Ok(Self { public, p, q, p_exponent, q_exponent, coefficient })
    }

    /// Raises a number below the modulus to the private exponent, blinded and checked.
    pub(super) fn raise(&self, number: &[u64; F], rng: &mut dyn Rng) -> Result<[u64; F], CryptoError> {
        let modulus = &self.public.modulus;
        let (mut blinding, mut unblinding) = self.draw_blinding(rng)?;
        let blinded = modulus.multiply(&modulus.enter(number), &self.public.raise(&blinding));
        let mut raised = self.raise_halves(&blinded);
        let result = modulus.multiply(&modulus.enter(&raised), &unblinding);
        blinding.zeroize();
        unblinding.zeroize();
        raised.zeroize();
        // A wrong result modulo one prime would give away the other one (Boneh, DeMillo, Lipton 1997).
        if equal(&self.public.raise(&result), number) { Ok(result) } else { Err(CryptoError::RsaFault) }
    }

    /// Lets the key raise a random number, which fails unless the public exponent undoes it.
    pub(super) fn check_pair(&self, rng: &mut dyn Rng) -> Result<(), CryptoError> {
        let mut number = draw::<F>(rng)?;
        if let Some(word) = number.last_mut() {
            *word &= u64::MAX >> 1;
        }
        self.raise(&number, rng).map(drop)
    }

    /// Draws a random number below the modulus and its inverse.
    fn draw_blinding(&self, rng: &mut dyn Rng) -> Result<([u64; F], [u64; F]), CryptoError> {
        for _ in 0..BLINDING_ATTEMPTS {
            let mut factor = draw::<F>(rng)?;
            // The modulus has its highest bit set, so that without this bit every number is below it.
            if let Some(word) = factor.last_mut() {
                *word &= u64::MAX >> 1;
            }
            let modulus = &self.public.modulus;
            if let Some(inverse) = invert(&factor, modulus.value(), modulus.factor()) {
                return Ok((factor, inverse));
            }
        }
        Err(CryptoError::RsaFault)
    }

    /// Raises a number below the modulus modulo each prime and joins the results (Garner).
    fn raise_halves(&self, number: &[u64; F]) -> [u64; F] {
        let (low, high) = halves::<H, F>(number);
        let mut modulo_p = self.p.leave(&self.p.power(&self.p.enter_wide(&low, &high), &self.p_exponent));
        let mut modulo_q = self.q.leave(&self.q.power(&self.q.enter_wide(&low, &high), &self.q_exponent));
        // Both primes have their highest bit set, so that q < 2 p.
        let (reduced, borrow) = subtract(&modulo_q, self.p.value());
        let reduced = select(mask(borrow), &modulo_q, &reduced);
        let mut quotient = self.p.multiply(&self.p.subtract(&modulo_p, &reduced), &self.coefficient);
        let (low, high) = multiply_wide(&quotient, self.q.value());
        let (low, carry) = add(&low, &modulo_q);
        let (high, _) = add_word(&high, u64::from(carry));
        modulo_p.zeroize();
        modulo_q.zeroize();
        quotient.zeroize();
        join(&low, &high)
    }
}

/// Computes exponent^-1 mod (prime - 1); `None` if they have a common divisor.
pub(super) fn private_exponent<const H: usize>(prime: &[u64; H], exponent: u32) -> Option<[u64; H]> {
    let (mut order, _) = subtract(prime, &small(1));
    let exponent = SmallModulus::new(exponent)?;
    let residue = exponent.residue(&order);
    let [inverse] = invert(&[residue], &[exponent.value()], invert_word(exponent.value()).wrapping_neg())?;
    // exponent * d = 1 + k (prime - 1) for k = -(prime - 1)^-1 mod exponent. The division is exact, and the
    // quotient is below the prime: the words above the dividend's lowest H do not matter.
    let multiple = exponent.value().wrapping_sub(inverse);
    let mut carry = 1;
    for word in &mut order {
        (*word, carry) = multiply_add(*word, multiple, carry, 0);
    }
    let quotient = divide_exact(&order, &small(exponent.value()));
    order.zeroize();
    Some(quotient)
}

/// Draws a random number of `L` words with one request.
pub(super) fn draw<const L: usize>(rng: &mut dyn Rng) -> Result<[u64; L], CryptoError> {
    const { assert!(L <= 64) };
    let mut buffer = [0; 512];
    let bytes = buffer.get_mut(..L.wrapping_mul(8)).unwrap_or_default();
    rng.fill(bytes)?;
    let number = from_be_bytes(bytes).unwrap_or([0; L]);
    buffer.zeroize();
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Seeded;
    use super::*;

    #[test]
    fn a_fault_in_either_half_or_in_joining_them_is_noticed() {
        let key = RsaPrivate::generate(1024, 65_537, &mut Seeded::new(1)).unwrap();
        let Size::Rsa1024(key) = &key.size else { unreachable!() };
        let number = small(2);
        assert!(key.raise(&number, &mut Seeded::new(2)).is_ok());
        let faults: [fn(&mut PrivateKey<8, 16>); 3] =
            [|key| key.p_exponent[0] ^= 4, |key| key.q_exponent[7] ^= 1, |key| key.coefficient[3] ^= 1 << 40];
        for fault in faults {
            let mut faulty = key.clone();
            fault(&mut faulty);
            assert_eq!(faulty.raise(&number, &mut Seeded::new(2)), Err(CryptoError::RsaFault));
        }
    }

    #[test]
    fn primes_are_wiped_on_drop() {
        let key = RsaPrivate::generate(1024, 65_537, &mut Seeded::new(3)).unwrap();
        let Size::Rsa1024(key) = &key.size else { unreachable!() };
        let mut wiped = key.clone();
        wiped.wipe();
        assert_eq!(wiped.p.value(), &[0; 8]);
        assert_eq!(wiped.q.value(), &[0; 8]);
        assert_eq!([wiped.p_exponent, wiped.q_exponent, wiped.coefficient], [[0; 8]; 3]);
    }
}
