// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Vectors of the NIST CAVP (HMAC_DRBG, SHA-256), the limits, and the way from noise to output.

use hex_literal::hex;
use rand_core::TryRng as _;

use super::*;
use crate::RustCrypto;

type Drbg = HmacDrbg<RustCrypto>;

fn second_output(drbg: &mut Drbg, additional: [&[u8]; 2]) -> [u8; 128] {
    let mut out = [0; 128];
    drbg.generate(additional[0], &mut out).unwrap();
    drbg.generate(additional[1], &mut out).unwrap();
    out
}

#[test]
fn cavp_without_reseed() {
    let mut drbg = Drbg::new(
        &hex!("ca851911349384bffe89de1cbdc46e6831e44d34a4fb935ee285dd14b71a7488"),
        &hex!("659ba96c601dc69fc902940805ec0ca8"),
        &[],
    );
    assert_eq!(
        second_output(&mut drbg, [&[], &[]]),
        hex!(
            "e528e9abf2dece54d47c7e75e5fe302149f817ea9fb4bee6f4199697d04d5b89"
            "d54fbb978a15b5c443c9ec21036d2460b6f73ebad0dc2aba6e624abf07745bc1"
            "07694bb7547bb0995f70de25d6b29e2d3011bb19d27676c07162c8b5ccde0668"
            "961df86803482cb37ed6d5c0bb8d50cf1f50d476aa0458bdaba806f48be9dcb8"
        )
    );
}

#[test]
fn cavp_with_reseed() {
    let mut drbg = Drbg::new(
        &hex!("06032cd5eed33f39265f49ecb142c511da9aff2af71203bffaf34a9ca5bd9c0d"),
        &hex!("0e66f71edc43e42a45ad3c6fc6cdc4df"),
        &[],
    );
    drbg.reseed(&hex!("01920a4e669ed3a85ae8a33b35a74ad7fb2a6bb4cf395ce00334a9c9a5a5d552"), &[]);
    assert_eq!(
        second_output(&mut drbg, [&[], &[]]),
        hex!(
            "76fc79fe9b50beccc991a11b5635783a83536add03c157fb30645e611c2898bb"
            "2b1bc215000209208cd506cb28da2a51bdb03826aaf2bd2335d576d519160842"
            "e7158ad0949d1a9ec3e66ea1b1a064b005de914eac2e9d4f2d72a8616a802254"
            "22918250ff66a41bd2f864a6a38cc5b6499dc43f7f2bd09e1e0f8f5885935124"
        )
    );
}

#[test]
fn cavp_with_reseed_and_additional_input() {
    let mut drbg = Drbg::new(
        &hex!("05ac9fc4c62a02e3f90840da5616218c6de5743d66b8e0fbf833759c5928b53d"),
        &hex!("2b89a17904922ed8f017a63044848545"),
        &[],
    );
    drbg.reseed(
        &hex!("2791126b8b52ee1fd9392a0a13e0083bed4186dc649b739607ac70ec8dcecf9b"),
        &hex!("43bac13bae715092cf7eb280a2e10a962faf7233c41412f69bc74a35a584e54c"),
    );
    let additional = [
        hex!("3f2fed4b68d506ecefa21f3f5bb907beb0f17dbc30f6ffbba5e5861408c53a1e"),
        hex!("529030df50f410985fde068df82b935ec23d839cb4b269414c0ede6cffea5b68"),
    ];
    assert_eq!(
        second_output(&mut drbg, [&additional[0], &additional[1]]),
        hex!(
            "02ddff5173da2fcffa10215b030d660d61179e61ecc22609b1151a75f1cbcbb4"
            "363c3a89299b4b63aca5e581e73c860491010aa35de3337cc6c09ebec8c91a62"
            "87586f3a74d9694b462d2720ea2e11bbd02af33adefb4a16e6b370fa0effd57d"
            "607547bdcfbb7831f54de7073ad2a7da987a0016a82fa958779a168674b56524"
        )
    );
}

#[test]
fn the_personalization_separates_two_generators_with_one_seed() {
    let (mut one, mut two) = ([0; 16], [0; 16]);
    Drbg::new(&[1; 48], &[], b"one").fill(&mut one).unwrap();
    Drbg::new(&[1; 48], &[], b"two").fill(&mut two).unwrap();
    assert_ne!(one, two);
}

#[test]
fn a_request_above_the_limit_is_refused_and_fill_divides_it() {
    let mut out = std::vec![0; MAX_REQUEST + 1];
    let mut drbg = Drbg::new(&[1; 48], &[], &[]);
    let refused = drbg.generate(&[], &mut out);
    assert_eq!(refused, Err(EntropyError::RequestTooLong { limit: 65536, actual: 65537 }));
    drbg.fill(&mut out).unwrap();
    assert_ne!(out[MAX_REQUEST], 0);
}

#[test]
fn after_the_last_request_of_a_seed_nothing_comes_until_a_reseed() {
    let mut drbg = Drbg::new(&[1; 48], &[], &[]);
    drbg.requests = RESEED_INTERVAL;
    drbg.fill(&mut [0; 1]).unwrap();
    let mut out = [0; 4];
    assert_eq!(drbg.fill(&mut out), Err(EntropyError::ReseedRequired));
    assert_eq!(out, [0; 4]);
    drbg.reseed(&[2; 48], &[]);
    drbg.fill(&mut out).unwrap();
}

struct Counter(u64);

impl NoiseSource for Counter {
    fn sample(&mut self) -> Option<u64> {
        self.0 += 1;
        Some(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

struct Stuck;

impl NoiseSource for Stuck {
    fn sample(&mut self) -> Option<u64> {
        Some(u64::MAX)
    }
}

#[test]
fn no_generator_starts_on_a_stuck_source() {
    let refused = RandomGenerator::<RustCrypto>::start(&mut Stuck, b"").err();
    assert_eq!(refused, Some(EntropyError::StuckAtOnes));
}

#[test]
fn a_generator_depends_on_its_noise_and_a_failed_reseed_keeps_it_going() {
    let (mut one, mut two) = ([0; 32], [0; 32]);
    let mut generator = RandomGenerator::<RustCrypto>::start(&mut Counter(0), b"").unwrap();
    generator.fill(&mut one).unwrap();
    RandomGenerator::<RustCrypto>::start(&mut Counter(1), b"").unwrap().fill(&mut two).unwrap();
    assert_ne!(one, two);

    assert_eq!(generator.reseed(&mut Stuck, b""), Err(EntropyError::StuckAtOnes));
    generator.fill(&mut two).unwrap();
    assert_ne!(one, two);
}

#[test]
fn a_reseed_takes_in_noise_and_additional_input() {
    let run = |noise: u64, additional: &[u8]| {
        let mut generator = RandomGenerator::<RustCrypto>::start(&mut Counter(0), b"").unwrap();
        generator.reseed(&mut Counter(noise), additional).unwrap();
        let mut out = [0; 32];
        generator.fill(&mut out).unwrap();
        out
    };
    assert_eq!(run(5000, b"stir"), run(5000, b"stir"));
    assert_ne!(run(5000, b"stir"), run(5001, b"stir"));
    assert_ne!(run(5000, b"stir"), run(5000, b"stirred"));
}

#[test]
fn bytes_that_were_asked_for_ahead_are_wiped_as_they_go() {
    let mut generator = RandomGenerator::<RustCrypto>::start(&mut Counter(0), b"").unwrap();
    let before = generator.drbg.requests;
    let (mut first, mut second) = ([0; 200], [0; 100]);
    generator.fill(&mut first).unwrap();
    assert_eq!((generator.left, generator.drbg.requests), (AHEAD - 200, before + 1));
    assert_eq!(generator.ahead[AHEAD - 200..], [0; 200]);
    // What is left is too little, and goes too.
    let left = *generator.ahead;
    generator.fill(&mut second).unwrap();
    assert_eq!((generator.left, generator.drbg.requests), (AHEAD - 100, before + 2));
    assert_ne!(generator.ahead[..AHEAD - 200], left[..AHEAD - 200]);
}

#[test]
fn nothing_that_was_asked_for_ahead_outlives_a_reseed() {
    let mut generator = RandomGenerator::<RustCrypto>::start(&mut Counter(0), b"").unwrap();
    generator.fill(&mut [0; 1]).unwrap();
    generator.reseed(&mut Counter(5000), b"").unwrap();
    assert_eq!((generator.left, *generator.ahead), (0, [0; AHEAD]));
}

#[test]
fn a_generator_wants_a_reseed_long_before_it_needs_one() {
    let mut generator = RandomGenerator::<RustCrypto>::start(&mut Counter(0), b"").unwrap();
    generator.drbg.requests = RESEED_INTERVAL / 256;
    assert!(!generator.wants_reseed());
    generator.fill(&mut [0; 1]).unwrap();
    assert!(generator.wants_reseed());
    generator.reseed(&mut Counter(5000), b"").unwrap();
    assert!(!generator.wants_reseed());
}

#[test]
fn the_rand_core_face_gives_the_same_bytes() {
    let mut drbg = Drbg::new(&[1; 48], &[], &[]);
    let mut expected = [0; 8];
    drbg.fill(&mut expected).unwrap();
    let mut again = Drbg::new(&[1; 48], &[], &[]);
    assert_eq!(RandCore(&mut again).try_next_u64(), Ok(u64::from_le_bytes(expected)));
}
