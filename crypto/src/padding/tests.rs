// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the paddings do beyond the Wycheproof suites: round trips at the limits, and every single wrong byte.

use super::{mgf1_xor, oaep, pkcs1, pss, raw};
use crate::{Crypto, CryptoError, EntropyError, HashAlg, Rng, RustCrypto, RustHasher};
use hex_literal::hex;
use std::vec::Vec;

/// Counts, so that one byte in 256 is zero.
struct Counter(u8);

impl Rng for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

struct Zeros;

impl Rng for Zeros {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(0);
        Ok(())
    }
}

fn message(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

#[test]
fn mgf1_gives_the_hash_of_seed_and_counter() {
    let mut mask = [0; 40];
    mgf1_xor::<RustHasher>(HashAlg::Sha256, b"seed", &mut mask);
    let first = RustCrypto::hash(HashAlg::Sha256, &[b"seed", &[0, 0, 0, 0]]);
    let second = RustCrypto::hash(HashAlg::Sha256, &[b"seed", &[0, 0, 0, 1]]);
    assert_eq!(&mask[..32], first.as_bytes());
    assert_eq!(mask[32..], second.as_bytes()[..8]);
    mgf1_xor::<RustHasher>(HashAlg::Sha256, b"seed", &mut mask);
    assert_eq!(mask, [0; 40]);
}

#[test]
fn oaep_carries_messages_of_every_length_that_fits() {
    for alg in HashAlg::ALL {
        let longest = oaep::longest_message(alg, 256).unwrap();
        assert_eq!(longest, 254 - 2 * alg.digest_size());
        for length in [0, 1, longest - 1, longest] {
            let (mut block, mut out) = ([0; 256], [0xee; 256]);
            oaep::encode::<RustHasher>(alg, b"DUPLICATE\0", &message(length), &mut Counter(1), &mut block).unwrap();
            assert_eq!(block[0], 0);
            let decoded = oaep::decode::<RustHasher>(alg, b"DUPLICATE\0", &mut block, &mut out).unwrap();
            assert_eq!(out[..decoded], message(length));
            assert_eq!(block, [0; 256], "the decrypted block must not stay");
        }
        let mut block = [0; 256];
        assert_eq!(
            oaep::encode::<RustHasher>(alg, b"", &message(longest + 1), &mut Counter(1), &mut block),
            Err(CryptoError::MessageTooLong { limit: longest, actual: longest + 1 })
        );
    }
    assert_eq!(oaep::longest_message(HashAlg::Sha512, 128), None);
}

#[test]
fn oaep_labels_differ_by_their_final_nul() {
    let mut block = [0; 256];
    oaep::encode::<RustHasher>(HashAlg::Sha256, b"SECRET\0", b"x", &mut Counter(1), &mut block).unwrap();
    let result = oaep::decode::<RustHasher>(HashAlg::Sha256, b"SECRET", &mut block, &mut [0; 256]);
    assert_eq!(result, Err(CryptoError::Padding));
}

#[test]
fn any_wrong_byte_of_an_oaep_block_is_one_and_the_same_error_and_nothing_comes_out() {
    let mut good = [0; 128];
    oaep::encode::<RustHasher>(HashAlg::Sha256, b"", b"message", &mut Counter(9), &mut good).unwrap();
    for index in 0..good.len() {
        let (mut block, mut out) = (good, [0xee; 128]);
        block[index] ^= 0x10;
        let result = oaep::decode::<RustHasher>(HashAlg::Sha256, b"", &mut block, &mut out);
        // The data block is masked by itself through the seed: a bit anywhere changes the label's hash.
        assert_eq!((result, out), (Err(CryptoError::Padding), [0; 128]), "{index}");
    }
    let short = oaep::decode::<RustHasher>(HashAlg::Sha256, b"", &mut good, &mut [0; 61]);
    assert_eq!(short, Err(CryptoError::Length { expected: 62, actual: 61 }));
}

#[test]
fn pkcs1_encryption_carries_messages_of_every_length_that_fits_and_fills_without_zeros() {
    for length in [0, 1, 100, 244, 245] {
        let (mut block, mut out) = ([0; 256], [0xee; 256]);
        pkcs1::encode_encryption(&message(length), &mut Counter(200), &mut block).unwrap();
        assert_eq!(block[..2], [0, 2]);
        assert!(block[2..255 - length].iter().all(|byte| *byte != 0));
        assert_eq!(block[255 - length], 0);
        let decoded = pkcs1::decode_encryption(&mut block, &mut out).unwrap();
        assert_eq!(out[..decoded], message(length));
        assert_eq!(block, [0; 256]);
    }
    assert_eq!(
        pkcs1::encode_encryption(&message(246), &mut Counter(0), &mut [0; 256]),
        Err(CryptoError::MessageTooLong { limit: 245, actual: 246 })
    );
    assert_eq!(
        pkcs1::encode_encryption(b"", &mut Zeros, &mut [0; 256]),
        Err(CryptoError::Entropy(EntropyError::StuckAtZeros)),
        "a generator of zeros must not be asked for ever"
    );
}

#[test]
fn pkcs1_blocks_with_early_or_no_zero_are_refused_and_nothing_comes_out() {
    let mut good = [1; 64];
    good[..2].copy_from_slice(&[0, 2]);
    good[10] = 0;
    assert_eq!(pkcs1::decode_encryption(&mut good.clone(), &mut [0; 64]), Ok(53));
    let wrong: [fn(&mut [u8; 64]); 5] =
        [|block| block[0] = 1, |block| block[1] = 1, |block| block[9] = 0, |block| block[2] = 0, |block| block[10] = 1];
    for change in wrong {
        let (mut block, mut out) = (good, [0xee; 64]);
        change(&mut block);
        let result = pkcs1::decode_encryption(&mut block, &mut out);
        assert_eq!((result, out), (Err(CryptoError::Padding), [0; 64]));
    }
    assert_eq!(pkcs1::decode_encryption(&mut [], &mut []), Err(CryptoError::Padding));
    assert_eq!(pkcs1::decode_encryption(&mut [0, 2], &mut []), Err(CryptoError::Padding));
}

#[test]
fn a_pkcs1_signature_block_is_that_of_the_standard() {
    let digest = RustCrypto::hash(HashAlg::Sha256, &[b"abc"]);
    let mut block = [0xee; 64];
    pkcs1::encode_signature(HashAlg::Sha256, digest.as_bytes(), &mut block).unwrap();
    let expected = hex!(
        "0001ffffffffffffffffffff00" "3031300d060960864801650304020105000420"
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(block, expected);
    assert_eq!(pkcs1::verify_signature(HashAlg::Sha256, digest.as_bytes(), &block), Ok(()));
    let short = pkcs1::encode_signature(HashAlg::Sha256, digest.as_bytes(), &mut [0; 61]);
    assert_eq!(short, Err(CryptoError::MessageTooLong { limit: 50, actual: 51 }));
    let wrong = pkcs1::encode_signature(HashAlg::Sha1, digest.as_bytes(), &mut block);
    assert_eq!(wrong, Err(CryptoError::Length { expected: 20, actual: 32 }));
}

#[test]
fn pss_verifies_what_it_encodes_for_every_salt_and_odd_modulus_sizes() {
    for alg in HashAlg::ALL {
        let digest = RustCrypto::hash(alg, &[b"message"]);
        for modulus_bits in [2048, 2047, 2042, 2041, 1025] {
            let longest = pss::longest_salt(alg, modulus_bits).unwrap();
            for salt in [0, longest.min(alg.digest_size()), longest] {
                let mut block = std::vec![0xee; usize::div_ceil(modulus_bits, 8)];
                pss::encode::<RustHasher>(alg, digest.as_bytes(), salt, modulus_bits, &mut Counter(3), &mut block)
                    .unwrap();
                // The number is below every modulus of that many bits.
                let unused = block.len() * 8 - modulus_bits + 1;
                let first = (u16::from(block[0]) << 8) | u16::from(block[1]);
                assert_eq!(first >> (16 - unused), 0, "{modulus_bits}");
                let verify = |alg_digest: &[u8], expected| {
                    pss::verify::<RustHasher>(alg, alg_digest, expected, modulus_bits, &mut block.clone())
                };
                assert_eq!(verify(digest.as_bytes(), pss::Salt::Exactly(salt)), Ok(()));
                assert_eq!(verify(digest.as_bytes(), pss::Salt::Any), Ok(()));
                let invalid = Err(CryptoError::SignatureInvalid);
                assert_eq!(verify(digest.as_bytes(), pss::Salt::Exactly(salt + 1)), invalid);
                assert_eq!(verify(&digest.as_bytes()[1..], pss::Salt::Any), invalid);
            }
            let mut block = std::vec![0; usize::div_ceil(modulus_bits, 8)];
            assert_eq!(
                pss::encode::<RustHasher>(
                    alg,
                    digest.as_bytes(),
                    longest + 1,
                    modulus_bits,
                    &mut Counter(3),
                    &mut block
                ),
                Err(CryptoError::MessageTooLong { limit: longest, actual: longest + 1 })
            );
        }
    }
}

#[test]
fn any_wrong_bit_of_a_pss_block_is_invalid() {
    let digest = RustCrypto::hash(HashAlg::Sha256, &[b"message"]);
    let mut good = [0; 128];
    pss::encode::<RustHasher>(HashAlg::Sha256, digest.as_bytes(), 32, 1024, &mut Counter(3), &mut good).unwrap();
    for bit in 0..1024 {
        let mut block = good;
        block[bit / 8] ^= 1 << (bit % 8);
        let result = pss::verify::<RustHasher>(HashAlg::Sha256, digest.as_bytes(), pss::Salt::Any, 1024, &mut block);
        assert_eq!(result, Err(CryptoError::SignatureInvalid), "{bit}");
    }
}

#[test]
fn a_raw_message_stands_at_the_end_of_its_block() {
    let mut block = [0xee; 6];
    raw::encode(&[1, 2, 3], &mut block).unwrap();
    assert_eq!(block, [0, 0, 0, 1, 2, 3]);
    assert_eq!(raw::encode(&[0; 7], &mut block), Err(CryptoError::MessageTooLong { limit: 6, actual: 7 }));
}
