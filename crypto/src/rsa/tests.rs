// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The RSA module against `crypto-bigint` and the `rsa` crate, and against keys that are frozen here.

use super::inverse::invert;
use super::montgomery::{Modulus, Powers, multiply_wide};
use super::words::{equal, halves, less, shift_right, small};
use super::{RsaKey, RsaPrivate, RsaPublic};
use crate::{Crypto, CryptoError, EntropyError, HashAlg, Rng, RustCrypto};
use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, Resize, Uint};
use hex_literal::hex;
use std::vec::Vec;

/// Random bytes that follow from a seed: SHA-256 over the seed and a counter.
pub(super) struct Seeded {
    seed: u64,
    counter: u64,
}

impl Seeded {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    fn number<const L: usize>(&mut self) -> [u64; L] {
        let mut bytes = std::vec![0; L * 8];
        self.fill(&mut bytes).unwrap();
        super::words::from_be_bytes(&bytes).unwrap()
    }

    /// A number many of whose words are all zeros or all ones, where carries go far.
    fn ragged<const L: usize>(&mut self) -> [u64; L] {
        let [kinds] = self.number();
        let mut number: [u64; L] = self.number();
        for (index, word) in number.iter_mut().enumerate() {
            match (kinds >> (index * 2 % 64)) & 3 {
                0 => *word = 0,
                1 => *word = u64::MAX,
                _ => {}
            }
        }
        number
    }
}

impl Rng for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in out.chunks_mut(32) {
            self.counter += 1;
            let block = RustCrypto::hash(HashAlg::Sha256, &[&self.seed.to_be_bytes(), &self.counter.to_be_bytes()]);
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// A generator that always gives the same byte.
struct Stuck(u8);

impl Rng for Stuck {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(self.0);
        Ok(())
    }
}

struct Broken;

impl Rng for Broken {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError::ReseedRequired)
    }
}

fn prepared<const L: usize>(value: [u64; L]) -> Modulus<L> {
    let mut modulus = Modulus::EMPTY;
    modulus.prepare(&value).unwrap();
    modulus
}

fn generate(bits: usize, exponent: u32, rng: &mut dyn Rng) -> Result<RsaPrivate, CryptoError> {
    let mut key = RsaPrivate::default();
    key.generate(bits, exponent, rng)?;
    Ok(key)
}

fn load(modulus: &[u8], exponent: u32, prime: &[u8]) -> Result<RsaPrivate, CryptoError> {
    let mut key = RsaPrivate::default();
    key.load(RsaKey { modulus, exponent, prime })?;
    Ok(key)
}

fn products_agree_with_crypto_bigint<const L: usize>(cases: u64) {
    let mut rng = Seeded::new(L as u64);
    for case in 0..cases {
        let mut modulus: [u64; L] = if case % 2 == 0 { rng.number() } else { rng.ragged() };
        modulus[0] |= 1;
        // Some moduli are shorter than their words.
        modulus[L - 1] = if case % 8 == 7 { modulus[L - 1] >> 9 } else { modulus[L - 1] | 1 << 63 };
        let ours = prepared(modulus);
        let params = FixedMontyParams::new_vartime(Odd::new(Uint::from_words(modulus)).unwrap());
        let reduce = |number: [u64; L]| {
            Uint::from_words(number).rem_vartime(&Uint::from_words(modulus).to_nz().unwrap()).to_words()
        };
        for _ in 0..8 {
            let (any, a, b) = (rng.ragged(), reduce(rng.ragged()), reduce(rng.number()));
            let theirs = |number: [u64; L]| FixedMontyForm::new(&Uint::from_words(number), &params);
            let product = (theirs(a) * theirs(b)).retrieve().to_words();
            assert_eq!(ours.leave(&ours.multiply(&ours.enter(&a), &ours.enter(&b))), product);
            assert_eq!(ours.multiply(&ours.enter(&a), &b), product);
            assert_eq!(ours.leave(&ours.square(&ours.enter(&a))), theirs(a).square().retrieve().to_words());
            // Squaring is multiplication by oneself also outside Montgomery form, where words are ragged.
            assert_eq!(ours.square(&a), ours.multiply(&a, &a));
            assert_eq!(ours.leave(&ours.enter(&any)), reduce(any));
            let (mut sum, mut difference, mut double) = (a, a, a);
            ours.add(&mut sum, &b);
            ours.subtract(&mut difference, &b);
            ours.double(&mut double);
            assert_eq!(sum, (theirs(a) + theirs(b)).retrieve().to_words());
            assert_eq!(difference, (theirs(a) - theirs(b)).retrieve().to_words());
            assert_eq!(double, (theirs(a) + theirs(a)).retrieve().to_words());
        }
    }
}

#[test]
fn montgomery_products_agree_with_crypto_bigint() {
    products_agree_with_crypto_bigint::<8>(400);
    products_agree_with_crypto_bigint::<16>(400);
    products_agree_with_crypto_bigint::<24>(200);
    products_agree_with_crypto_bigint::<32>(200);
    products_agree_with_crypto_bigint::<48>(60);
    products_agree_with_crypto_bigint::<64>(60);
}

#[test]
fn powers_agree_with_crypto_bigint() {
    let mut rng = Seeded::new(1);
    for _ in 0..20 {
        let mut modulus: [u64; 16] = rng.number();
        modulus[0] |= 1;
        modulus[15] |= 1 << 63;
        let (base, exponent): ([u64; 16], [u64; 16]) = (rng.number(), rng.ragged());
        let ours = prepared(modulus);
        let params = FixedMontyParams::new_vartime(Odd::new(Uint::from_words(modulus)).unwrap());
        let power = |base: [u64; 16], exponent: &[u64; 16]| {
            let base = Uint::from_words(base).rem_vartime(&Uint::from_words(modulus).to_nz().unwrap());
            FixedMontyForm::new(&base, &params).pow(&Uint::from_words(*exponent)).retrieve().to_words()
        };
        assert_eq!(
            ours.leave(&ours.power(&ours.enter(&base), &exponent, &mut Powers::EMPTY.clone())),
            power(base, &exponent)
        );
        assert_eq!(ours.leave(&ours.power_of_two(&exponent)), power(small(2), &exponent));
        let reduced = ours.leave(&ours.enter(&base));
        for exponent in [3, 5, 17, 65_537, 0xffff_ffff] {
            let expected = power(base, &small(u64::from(exponent)));
            assert_eq!(ours.power_public(&reduced, exponent), expected, "{exponent}");
            assert_eq!(ours.power_of_public(&reduced, exponent), expected, "{exponent}");
        }
    }
}

#[test]
fn a_wide_number_is_reduced_and_a_wide_product_is_whole() {
    let mut rng = Seeded::new(2);
    for _ in 0..300 {
        let (a, b): ([u64; 16], [u64; 16]) = (rng.ragged(), rng.ragged());
        let product: [u64; 32] = multiply_wide(&a, &b);
        let (low, high) = halves(&product);
        let theirs: (Uint<16>, Uint<16>) = Uint::from_words(a).widening_mul(&Uint::from_words(b));
        assert_eq!((*low, *high), (theirs.0.to_words(), theirs.1.to_words()));
        let mut modulus: [u64; 16] = rng.number();
        modulus[0] |= 1;
        modulus[15] |= 1 << 63;
        let ours = prepared(modulus);
        assert_eq!(
            ours.enter_wide(low, high),
            ours.enter(&ours.multiply(&ours.enter(&a), &ours.leave(&ours.enter(&b))))
        );
    }
}

fn inverse<const L: usize>(value: &[u64; L], modulus: &[u64; L]) -> Option<[u64; L]> {
    let (factor, mut inverse) = (super::words::invert_word(modulus[0]).wrapping_neg(), [0; L]);
    invert(value, modulus, factor, &mut inverse).then_some(inverse)
}

fn inverses_agree_with_crypto_bigint<const L: usize>(cases: u64) {
    let mut rng = Seeded::new(3);
    for case in 0..cases {
        let mut modulus: [u64; L] = if case % 2 == 0 { rng.number() } else { rng.ragged() };
        modulus[0] |= 1;
        if equal(&modulus, &small::<L>(1)) {
            continue;
        }
        let mut value: [u64; L] = if case % 3 == 0 { rng.ragged() } else { rng.number() };
        if case % 5 == 0 {
            value = small(value[0]);
            shift_right(&mut value, u32::try_from(case % 64).unwrap(), 0);
        }
        let odd = Odd::new(Uint::from_words(modulus)).unwrap();
        let reduced = Uint::from_words(value).rem_vartime(odd.as_nz_ref());
        let theirs: Option<Uint<L>> = reduced.invert_odd_mod(&odd).into();
        // Both the reduced and the longer number are inverted.
        assert_eq!(inverse(&reduced.to_words(), &modulus), theirs.map(|number| number.to_words()));
        assert_eq!(inverse(&value, &modulus), theirs.map(|number| number.to_words()));
    }
}

#[test]
fn inverses_agree_with_crypto_bigint_and_common_divisors_have_none() {
    inverses_agree_with_crypto_bigint::<1>(3000);
    inverses_agree_with_crypto_bigint::<2>(1000);
    inverses_agree_with_crypto_bigint::<16>(300);
    inverses_agree_with_crypto_bigint::<32>(200);
    assert_eq!(inverse(&[0], &[15]), None);
    assert_eq!(inverse(&[5], &[15]), None);
    assert_eq!(inverse(&[7], &[15]), Some([13]));
}

#[test]
fn comparison_follows_the_highest_different_word() {
    assert!(less(&[9, 1], &[0, 2]));
    assert!(!less(&[0, 2], &[9, 1]));
    assert!(!less(&[1, 1], &[1, 1]));
    assert!(equal(&[1, 1], &[1, 1]) && !equal(&[1, 1], &[1, 2]));
    assert_eq!(halves(&[1, 2, 3, 4]), (&[1, 2], &[3, 4]));
}

struct Parts {
    modulus: Vec<u8>,
    prime: Vec<u8>,
}

fn parts(key: &RsaPrivate) -> Parts {
    let mut parts = Parts { modulus: std::vec![0; key.size()], prime: std::vec![0; key.size() / 2] };
    key.write_modulus(&mut parts.modulus).unwrap();
    key.write_prime(&mut parts.prime).unwrap();
    parts
}

fn fingerprint(key: &RsaPrivate) -> [u8; 32] {
    let Parts { modulus, prime } = parts(key);
    RustCrypto::hash(HashAlg::Sha256, &[&modulus, &prime]).as_bytes().try_into().unwrap()
}

#[test]
fn the_same_random_bytes_give_the_same_key_for_ever() {
    // Made by this module from `Seeded::new(bits)`: SHA-256 over modulus and first prime. A change here changes every
    // primary RSA key that a TPM derives from its seed.
    for (bits, expected) in [
        (1024, hex!("1fa1f109520915f40c137a2430761a3c5a65987c8079f665c5e70739eff2f2ab")),
        (2048, hex!("99f57849168a3f68e348f4dc1125f6e9505c2818e01f918030f8281d07b4daad")),
        (3072, hex!("c22f7b4752fe5cbd0c75fc4f2dcf96c26c31eb897bb026673f6c1a97983b9bf1")),
    ] {
        let key = generate(bits, 65_537, &mut Seeded::new(bits as u64)).unwrap();
        assert_eq!(fingerprint(&key), expected, "{bits}");
    }
}

/// Checks a generated key by the `rsa` crate, which validates it and its primes.
fn check_generated(bits: usize, exponent: u32, seed: u64) {
    let mut rng = Seeded::new(seed);
    let mut key = generate(bits, exponent, &mut rng).unwrap();
    let Parts { modulus, prime } = parts(&key);
    assert_eq!(modulus[0] & 0x80, 0x80);
    let p = rsa::BoxedUint::from_be_slice(&prime, u32::try_from(bits / 2).unwrap()).unwrap();
    let n = rsa::BoxedUint::from_be_slice(&modulus, u32::try_from(bits).unwrap()).unwrap();
    let wide = rsa::BoxedUint::from_be_slice(&prime, u32::try_from(bits).unwrap()).unwrap();
    let (q, rest) = n.div_rem(&wide.to_nz().unwrap());
    assert!(bool::from(rest.is_zero()));
    let q = q.resize(u32::try_from(bits / 2).unwrap());
    for prime in [&p, &q] {
        assert!(crypto_primes::is_prime(crypto_primes::Flavor::Any, prime));
    }
    let oracle = rsa::RsaPrivateKey::from_p_q(p, q, rsa::BoxedUint::from(u64::from(exponent))).unwrap();
    oracle.validate().unwrap();

    // One signature of each kind of operation, both ways.
    let mut message = std::vec![0; key.size()];
    rng.fill(&mut message).unwrap();
    message[0] &= 0x7f;
    let mut signature = message.clone();
    key.raise(&mut signature, &mut rng).unwrap();
    let public = RsaPublic::new(&modulus, exponent).unwrap();
    assert_eq!((public.bits(), public.size(), public.exponent()), (bits, bits / 8, exponent));
    let mut opened = signature.clone();
    public.raise(&mut opened).unwrap();
    assert_eq!(opened, message);
    let number = rsa::BoxedUint::from_be_slice(&message, u32::try_from(bits).unwrap()).unwrap();
    let theirs =
        rsa::hazmat::rsa_decrypt_and_check(&oracle, None::<&mut rand_core::UnwrapErr<NoRng>>, &number).unwrap();
    assert_eq!(*theirs.to_be_bytes(), *signature);

    // The key survives as a TPM stores it.
    let mut loaded = load(&modulus, exponent, &prime).unwrap();
    let mut again = message.clone();
    loaded.raise(&mut again, &mut rng).unwrap();
    assert_eq!(again, signature);
}

/// Stands for no generator at all.
enum NoRng {}

impl rand_core::TryRng for NoRng {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        match *self {}
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        match *self {}
    }
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
        match *self {}
    }
}

impl rand_core::TryCryptoRng for NoRng {}

#[test]
fn generated_keys_pass_the_rsa_crates_validation_and_agree_with_its_results() {
    for seed in 0..4 {
        check_generated(1024, 65_537, seed);
    }
    check_generated(1024, 0xffff_fffb, 9);
    check_generated(2048, 65_537, 10);
    check_generated(2048, 0x0001_0003, 11);
    check_generated(3072, 65_537, 12);
    check_generated(4096, 65_537, 13);
}

#[test]
fn steps_give_the_key_that_generating_at_once_gives() {
    let at_once = generate(1024, 65_537, &mut Seeded::new(5)).unwrap();
    let mut rng = Seeded::new(5);
    let mut stepped = RsaPrivate::default();
    stepped.search(1024, 65_537).unwrap();
    let steps = (1..).find(|_| stepped.step(&mut rng).unwrap()).unwrap();
    assert_eq!(fingerprint(&stepped), fingerprint(&at_once));
    // Two windows, two primes with five rounds each, and the join are the least.
    assert!(steps >= 15, "{steps}");
}

#[test]
fn a_broken_generator_is_an_error_and_not_an_endless_search() {
    for byte in [0x00, 0xff] {
        let result = generate(2048, 65_537, &mut Stuck(byte));
        assert_eq!(result.err(), Some(CryptoError::RsaNoPrime), "{byte}");
    }
    let result = generate(2048, 65_537, &mut Broken);
    assert_eq!(result.err(), Some(CryptoError::Entropy(EntropyError::ReseedRequired)));
}

#[test]
fn sizes_and_exponents_outside_the_standard_are_refused() {
    for bits in [0, 512, 1023, 2047, 2049, 8192] {
        assert_eq!(RsaPrivate::default().search(bits, 65_537), Err(CryptoError::RsaKeySize { bits }));
    }
    for exponent in [0, 1, 2, 3, 65_535, 65_536, 65_538, 90_369] {
        assert_eq!(RsaPrivate::default().search(2048, exponent), Err(CryptoError::RsaExponent { exponent }));
    }
}

#[test]
fn public_keys_of_wrong_shape_are_refused() {
    let odd = [0xff; 256];
    let error = |modulus: &[u8], exponent| RsaPublic::new(modulus, exponent).err();
    assert_eq!(error(&odd, 4), Some(CryptoError::RsaExponent { exponent: 4 }));
    assert_eq!(error(&odd, 1), Some(CryptoError::RsaExponent { exponent: 1 }));
    assert_eq!(error(&[0xfe; 256], 3), Some(CryptoError::RsaKeyInconsistent));
    assert_eq!(error(&[0xff; 127], 3), Some(CryptoError::RsaKeySize { bits: 1016 }));
    assert_eq!(error(&[0xff; 513], 3), Some(CryptoError::RsaKeySize { bits: 4104 }));
    assert_eq!(error(&[], 3), Some(CryptoError::RsaKeySize { bits: 0 }));
    // A DER integer's leading zero does not count.
    let mut padded = std::vec![0];
    padded.extend_from_slice(&odd);
    assert_eq!(RsaPublic::new(&padded, 3).unwrap().bits(), 2048);
    assert_eq!(
        RsaPublic::from_be_bytes(&odd, &[1, 0, 0, 0, 1]).err(),
        Some(CryptoError::RsaExponent { exponent: u32::MAX })
    );
}

#[test]
fn a_block_that_is_too_long_or_too_large_is_refused_and_stays() {
    let mut key = generate(1024, 65_537, &mut Seeded::new(6)).unwrap();
    let modulus = parts(&key).modulus;
    let public = RsaPublic::new(&modulus, 65_537).unwrap();
    let mut block = modulus.clone();
    assert_eq!(public.raise(&mut block), Err(CryptoError::RsaInputOutOfRange));
    assert_eq!(key.raise(&mut block, &mut Seeded::new(7)), Err(CryptoError::RsaInputOutOfRange));
    assert_eq!(block, modulus);
    let length = CryptoError::Length { expected: 128, actual: 127 };
    assert_eq!(public.raise(&mut block[..127]), Err(length));
    assert_eq!(key.raise(&mut block[..127], &mut Seeded::new(7)), Err(length));
    assert_eq!(
        key.raise(&mut [0; 128], &mut Broken),
        Err(CryptoError::Entropy(EntropyError::ReseedRequired)),
        "an operation without blinding must not happen"
    );
}

#[test]
fn zero_one_and_minus_one_are_their_own_powers() {
    let mut key = generate(1024, 65_537, &mut Seeded::new(8)).unwrap();
    let mut minus_one = parts(&key).modulus;
    minus_one[127] -= 1;
    let mut one = std::vec![0; 128];
    one[127] = 1;
    for number in [std::vec![0; 128], one, minus_one] {
        let mut block = number.clone();
        key.raise(&mut block, &mut Seeded::new(9)).unwrap();
        assert_eq!(block, number);
    }
}

#[test]
fn a_prime_that_is_not_the_modulus_s_is_inconsistent() {
    let key = generate(1024, 65_537, &mut Seeded::new(14)).unwrap();
    let Parts { modulus, prime } = parts(&key);
    let error = |modulus: &[u8], exponent, prime: &[u8]| load(modulus, exponent, prime).err();
    assert_eq!(error(&modulus, 65_537, &prime), None);
    let mut other = prime.clone();
    other[63] ^= 2;
    assert_eq!(error(&modulus, 65_537, &other), Some(CryptoError::RsaKeyInconsistent));
    assert_eq!(error(&modulus, 65_537, &prime[1..]), Some(CryptoError::RsaKeyInconsistent));
    assert_eq!(error(&modulus, 65_537, &[0; 64]), Some(CryptoError::RsaKeyInconsistent));
    let mut other = modulus.clone();
    other[0] ^= 0x40;
    assert_eq!(error(&other, 65_537, &prime), Some(CryptoError::RsaKeyInconsistent));
    assert_eq!(error(&modulus, 65_536, &prime), Some(CryptoError::RsaExponent { exponent: 65_536 }));
    assert_eq!(error(&modulus[1..], 65_537, &prime), Some(CryptoError::RsaKeySize { bits: 1016 }));
}

#[test]
fn where_no_key_is_nothing_can_be_done() {
    let mut key = RsaPrivate::default();
    let inconsistent = Err(CryptoError::RsaKeyInconsistent);
    assert_eq!((key.size(), key.exponent(), key.raise(&mut [], &mut Seeded::new(1))), (0, 0, inconsistent));
    assert_eq!(key.step(&mut Seeded::new(1)).map(drop), inconsistent);
    key.search(1024, 65_537).unwrap();
    assert_eq!(key.raise(&mut [0; 128], &mut Seeded::new(1)), Err(CryptoError::RsaInputOutOfRange));
}

#[test]
fn debug_output_of_a_private_key_holds_nothing_of_it() {
    let key = generate(1024, 65_537, &mut Seeded::new(15)).unwrap();
    assert_eq!(std::format!("{key:?}"), "RsaPrivate { bytes: 128, .. }");
}
