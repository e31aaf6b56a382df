// SPDX-License-Identifier: Apache-2.0 OR MIT
//! RSA private keys (RFC 8017, "RSADP" and "RSASP1" with the Chinese Remainder Theorem).
//!
//! Every private operation is blinded with fresh randomness and its result is checked with the public exponent before
//! it leaves: neither the time it takes nor a fault in one half of it tells about the primes.

use super::inverse::invert;
use super::montgomery::{Modulus, Powers, multiply_wide};
use super::public::PublicKey;
use super::small::SmallModulus;
use super::words::{
    add, bit_length, divide_exact, equal, from_be_bytes, halves, invert_word, less, mask, multiply_add, read_be_bytes,
    small, subtract, subtract_masked,
};
use crate::{CryptoError, Rng};
use zeroize::{Zeroize, Zeroizing};

/// Draws after which a blinding factor without an inverse is the generator's fault: the first one has an inverse
/// unless a prime divides it.
const BLINDING_ATTEMPTS: usize = 4;

/// A private key whose primes have `H` words and whose modulus has `F`, twice as many.
#[derive(Clone)]
pub(super) struct PrivateKey<const H: usize, const F: usize> {
    pub(super) public: PublicKey<F>,
    pub(super) p: Modulus<H>,
    q: Modulus<H>,
    /// The private exponent modulo p - 1.
    p_exponent: [u64; H],
    /// The private exponent modulo q - 1.
    q_exponent: [u64; H],
    /// The inverse of q modulo p, in Montgomery form.
    coefficient: [u64; H],
    /// The powers of which an operation makes its result.
    pub(super) powers: Powers<H>,
    /// What an operation has so far, blinded.
    secret: [u64; F],
    /// What takes the blinding off.
    unblinding: [u64; F],
}

impl<const H: usize, const F: usize> Zeroize for PrivateKey<H, F> {
    fn zeroize(&mut self) {
        self.p.zeroize();
        self.q.zeroize();
        self.p_exponent.zeroize();
        self.q_exponent.zeroize();
        self.coefficient.zeroize();
        self.powers.zeroize();
        self.secret.zeroize();
        self.unblinding.zeroize();
    }
}

impl<const H: usize, const F: usize> PrivateKey<H, F> {
    /// Room for a key, to whose modulus no number is small enough.
    pub(super) const EMPTY: Self = Self {
        public: PublicKey::EMPTY,
        p: Modulus::EMPTY,
        q: Modulus::EMPTY,
        p_exponent: [0; H],
        q_exponent: [0; H],
        coefficient: [0; H],
        powers: Powers::EMPTY,
        secret: [0; F],
        unblinding: [0; F],
    };

    /// Prepares a key from its big-endian modulus and prime.
    pub(super) fn load(&mut self, modulus: &[u8], exponent: u32, prime: &[u8]) -> Result<(), CryptoError> {
        let inconsistent = CryptoError::RsaKeyInconsistent;
        let modulus: [u64; F] = from_be_bytes(modulus).ok_or(inconsistent)?;
        let p: Zeroizing<[u64; H]> = Zeroizing::new(from_be_bytes(prime).ok_or(inconsistent)?);
        if bit_length(&modulus) != F.wrapping_mul(64) || bit_length(&*p) != H.wrapping_mul(64) {
            return Err(inconsistent);
        }
        let (low, _) = halves(&modulus);
        let q = Zeroizing::new(divide_exact(low, &p));
        self.set_primes(&p, &q, exponent)?;
        if equal(self.public.modulus.value(), &modulus) { Ok(()) } else { Err(inconsistent) }
    }

    /// Prepares a key from its primes, whose product must have exactly `F` words.
    #[inline(never)]
    pub(super) fn set_primes(&mut self, p: &[u64; H], q: &[u64; H], exponent: u32) -> Result<(), CryptoError> {
        let inconsistent = CryptoError::RsaKeyInconsistent;
        let modulus: [u64; F] = multiply_wide(p, q);
        if bit_length(&modulus) != F.wrapping_mul(64) || equal(p, q) {
            return Err(inconsistent);
        }
        self.public.prepare(&modulus, exponent)?;
        self.p.prepare(p).ok_or(inconsistent)?;
        self.q.prepare(q).ok_or(inconsistent)?;
        self.p_exponent = private_exponent(p, exponent).ok_or(inconsistent)?;
        self.q_exponent = private_exponent(q, exponent).ok_or(inconsistent)?;
        let mut inverse = Zeroizing::new([0; H]);
        if !invert(q, p, self.p.factor(), &mut inverse) {
            return Err(inconsistent);
        }
        self.coefficient = self.p.enter(&inverse);
        Ok(())
    }

    /// Raises a number below the modulus to the private exponent, in place, blinded and checked.
    #[inline(never)]
    pub(super) fn raise(&mut self, number: &mut [u64; F], rng: &mut dyn Rng) -> Result<(), CryptoError> {
        self.draw_blinding(rng)?;
        self.public.raise(&mut self.secret);
        self.public.modulus.scale(&mut self.secret, number);
        self.raise_halves();
        self.public.modulus.scale(&mut self.secret, &self.unblinding);
        // A wrong result modulo one prime would give away the other one (Boneh, DeMillo, Lipton 1997).
        let check = &mut self.unblinding;
        *check = self.secret;
        self.public.raise(check);
        if !equal(check, number) {
            return Err(CryptoError::RsaFault);
        }
        *number = self.secret;
        Ok(())
    }

    /// Lets the key raise a random number, which fails unless the public exponent undoes it.
    #[inline(never)]
    pub(super) fn check_pair(&mut self, rng: &mut dyn Rng) -> Result<(), CryptoError> {
        let mut number = Zeroizing::new([0; F]);
        draw_below(&mut number, rng)?;
        self.raise(&mut number, rng)
    }

    /// Draws a random number below the modulus and its inverse.
    fn draw_blinding(&mut self, rng: &mut dyn Rng) -> Result<(), CryptoError> {
        let modulus = &self.public.modulus;
        for _ in 0..BLINDING_ATTEMPTS {
            draw_below(&mut self.secret, rng)?;
            if invert(&self.secret, modulus.value(), modulus.factor(), &mut self.unblinding) {
                return Ok(());
            }
        }
        Err(CryptoError::RsaFault)
    }

    /// Raises the blinded number modulo each prime and joins the results (Garner), in place.
    #[inline(never)]
    fn raise_halves(&mut self) {
        let number = &mut self.secret;
        let mut quotient = Zeroizing::new(remainder_power(&self.p, number, &self.p_exponent, &mut self.powers));
        let modulo_q = Zeroizing::new(remainder_power(&self.q, number, &self.q_exponent, &mut self.powers));
        // Both primes have their highest bit set, so that q < 2 p.
        let mut reduced = modulo_q.clone();
        subtract_masked(&mut *reduced, self.p.value(), !mask(less(&*modulo_q, self.p.value())));
        self.p.subtract(&mut quotient, &reduced);
        *quotient = self.p.multiply(&quotient, &self.coefficient);
        *number = multiply_wide(&quotient, self.q.value());
        add(number, &*modulo_q);
    }
}

/// Raises a number of `F` words to the exponent modulo one prime.
#[inline(never)]
fn remainder_power<const H: usize, const F: usize>(
    prime: &Modulus<H>,
    number: &[u64; F],
    exponent: &[u64; H],
    powers: &mut Powers<H>,
) -> [u64; H] {
    let (low, high) = halves(number);
    let base = Zeroizing::new(prime.enter_wide(low, high));
    prime.leave(&Zeroizing::new(prime.power(&base, exponent, powers)))
}

/// Computes exponent^-1 mod (prime - 1); `None` if they have a common divisor.
#[inline(never)]
pub(super) fn private_exponent<const H: usize>(prime: &[u64; H], exponent: u32) -> Option<[u64; H]> {
    let mut order = Zeroizing::new(*prime);
    subtract(&mut *order, &small::<H>(1));
    let exponent = SmallModulus::new(exponent)?;
    let residue = exponent.residue(&*order);
    let mut inverse = [0];
    if !invert(&[residue], &[exponent.value()], invert_word(exponent.value()).wrapping_neg(), &mut inverse) {
        return None;
    }
    let [inverse] = inverse;
    // exponent * d = 1 + k (prime - 1) for k = -(prime - 1)^-1 mod exponent. The division is exact, and the
    // quotient is below the prime: the words above the dividend's lowest H do not matter.
    let multiple = exponent.value().wrapping_sub(inverse);
    let mut carry = 1;
    for word in order.iter_mut() {
        (*word, carry) = multiply_add(*word, multiple, carry, 0);
    }
    Some(divide_exact(&order, &small(exponent.value())))
}

/// Draws a random number with one request.
#[inline(never)]
pub(super) fn draw<const L: usize>(number: &mut [u64; L], rng: &mut dyn Rng) -> Result<(), CryptoError> {
    const { assert!(L <= 64) };
    let mut buffer = Zeroizing::new([0; 512]);
    let bytes = buffer.get_mut(..L.wrapping_mul(8)).unwrap_or_default();
    rng.fill(bytes)?;
    read_be_bytes(bytes, number);
    Ok(())
}

/// Draws a random number below each modulus of `F` words: those have their highest bit set.
fn draw_below<const F: usize>(number: &mut [u64; F], rng: &mut dyn Rng) -> Result<(), CryptoError> {
    draw(number, rng)?;
    if let Some(word) = number.last_mut() {
        *word &= u64::MAX >> 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::Seeded;
    use super::*;
    use crate::rsa::generate::KeySearch;

    fn generated(seed: u64) -> PrivateKey<8, 16> {
        let (mut key, mut search, mut rng) = (PrivateKey::EMPTY, KeySearch::EMPTY, Seeded::new(seed));
        search.begin(65_537).unwrap();
        while !search.step(&mut key, &mut rng).unwrap() {}
        key
    }

    #[test]
    fn a_fault_in_either_half_or_in_joining_them_is_noticed() {
        let mut key = generated(1);
        assert!(key.raise(&mut small(2), &mut Seeded::new(2)).is_ok());
        let faults: [fn(&mut PrivateKey<8, 16>); 3] =
            [|key| key.p_exponent[0] ^= 4, |key| key.q_exponent[7] ^= 1, |key| key.coefficient[3] ^= 1 << 40];
        for fault in faults {
            let mut faulty = key.clone();
            fault(&mut faulty);
            let mut number = small(2);
            assert_eq!(faulty.raise(&mut number, &mut Seeded::new(2)), Err(CryptoError::RsaFault));
            assert_eq!(number, small(2));
        }
    }

    #[test]
    fn what_is_wiped_of_a_key_is_all_but_its_public_half() {
        let mut key = generated(3);
        key.raise(&mut small(2), &mut Seeded::new(2)).unwrap();
        key.zeroize();
        assert_eq!([key.p.value(), key.q.value()], [&[0; 8]; 2]);
        assert_eq!([key.p_exponent, key.q_exponent, key.coefficient], [[0; 8]; 3]);
        assert!(key.powers.is_wiped());
    }
}
