// SPDX-License-Identifier: Apache-2.0 OR MIT
//! NIST's example values, streaming in pieces, forking, and the interplay with HMAC's block sizes.

use hex_literal::hex;

use super::*;
use crate::{Crypto, Hmac, RustCrypto};

fn empty_digest(alg: HashAlg) -> &'static [u8] {
    match alg {
        HashAlg::Sha1 => &hex!("da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        HashAlg::Sha256 => &hex!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        HashAlg::Sha384 => {
            &hex!("38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b")
        }
        HashAlg::Sha512 => &hex!(
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
            "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
        ),
        HashAlg::Sha3_256 => &hex!("a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"),
        HashAlg::Sha3_384 => {
            &hex!("0c63a75b845e4f7d01107d852e4c2485c51a50aaaa94fc61995e71bbee983a2ac3713831264adb47fb6bd1e058d5f004")
        }
        HashAlg::Sha3_512 => &hex!(
            "a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a6"
            "15b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26"
        ),
        HashAlg::Shake256_512 => &hex!(
            "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f"
            "d75dc4ddd8c0f200cb05019d67b592f6fc821c49479ab48640292eacb3b7c4be"
        ),
    }
}

/// A key of 200 bytes 00..c7 is longer than every block, so it is hashed first; computed independently.
fn long_key_mac(alg: HashAlg) -> &'static [u8] {
    match alg {
        HashAlg::Sha1 => &hex!("a1251ad09284d8d28f2f7a9fea546dfd3e17c5a5"),
        HashAlg::Sha256 => &hex!("d7143957b4f6c1a06603ab4a29e40e564ed4027c94da4b719e4bce4da4ae02c8"),
        HashAlg::Sha384 => {
            &hex!("46804650ed802b963703b909887d57afcb0d97f6e56f1c108c55b6cc6e9f107c92f872d89b2cce41d391a7bbe01437d3")
        }
        HashAlg::Sha512 => &hex!(
            "570e8c4da93a8bd928732d2fa577124f7bc1fea09d7b06209669452471de9888"
            "817b9cb9657076a130e0ae62d25545cb725c1d3dd4edd7c878a23b104939536e"
        ),
        HashAlg::Sha3_256 => &hex!("80bfc72c16ed9d1eea6c168b80e850bc0d703959e972265a9a6ad8616eca842a"),
        HashAlg::Sha3_384 => {
            &hex!("630f6d2d1ffbc80c99b0f23c6094bf6b6521c2619e7ae604e7144c47daf8774563421529fb4aaf7699b50941cd51d3b1")
        }
        HashAlg::Sha3_512 => &hex!(
            "3986cd9d4a55c088b28152b7eaf22658c6bb8d9d67c254dbe556f08f243eb41f"
            "cbba8d745f114b9f1b784813c37bd223f045714bad5781e9890e0a275d81f934"
        ),
        HashAlg::Shake256_512 => &hex!(
            "08d7bf4e57132600ae93e32e21661ea1a5152911ed6b704ec505d13f7f01fdad"
            "57975708a326ff60bd8bfcbe5f4759af45f7eddc63587d973cd0acaaa5fe69f4"
        ),
    }
}

#[test]
fn no_input_gives_the_known_digest() {
    for alg in HashAlg::ALL {
        assert_eq!(RustHasher::new(alg).finish().as_bytes(), empty_digest(alg), "{alg:?}");
    }
}

#[test]
fn input_in_pieces_gives_the_same_as_in_one() {
    let input: std::vec::Vec<u8> = (0..500).map(|index| (index % 251) as u8).collect();
    for alg in HashAlg::ALL {
        let whole = RustCrypto::hash(alg, &[&input]);
        for size in [1, 63, 64, 65, 127, 128, 136, 137] {
            let pieces: std::vec::Vec<&[u8]> = input.chunks(size).collect();
            assert_eq!(RustCrypto::hash(alg, &pieces), whole, "{alg:?} {size}");
        }
    }
}

#[test]
fn a_clone_goes_its_own_way() {
    for alg in HashAlg::ALL {
        let mut trunk = RustHasher::new(alg);
        trunk.update(b"common ");
        let mut branch = trunk.clone();
        trunk.update(b"trunk");
        branch.update(b"branch");
        assert_eq!(trunk.alg(), alg);
        assert_eq!(trunk.finish(), RustCrypto::hash(alg, &[b"common trunk"]));
        assert_eq!(branch.finish(), RustCrypto::hash(alg, &[b"common branch"]));
    }
}

#[test]
fn digests_have_the_size_that_the_algorithm_promises() {
    for alg in HashAlg::ALL {
        assert_eq!(RustHasher::new(alg).finish().len(), alg.digest_size());
    }
}

#[test]
fn a_mac_key_longer_than_the_block_is_hashed_first() {
    let key: [u8; 200] = core::array::from_fn(|index| index as u8);
    for alg in HashAlg::ALL {
        let mac = RustCrypto::hmac(alg, &key, &[b"what do ya want for nothing?"]);
        assert_eq!(mac.as_bytes(), long_key_mac(alg), "{alg:?}");
    }
}

#[test]
fn a_mac_key_of_exactly_one_block_is_not_hashed() {
    for alg in HashAlg::ALL {
        let key = std::vec![0x61; alg.block_size()];
        let inner = RustCrypto::hash(alg, &[&std::vec![0x61 ^ 0x36; alg.block_size()], b"message"]);
        let outer = RustCrypto::hash(alg, &[&std::vec![0x61 ^ 0x5c; alg.block_size()], inner.as_bytes()]);
        assert_eq!(Hmac::<RustHasher>::new(alg, &key).chain(b"message").finish(), outer, "{alg:?}");
    }
}

fn is_wiped_on_drop<T: zeroize::ZeroizeOnDrop>() {}

/// Holds at compile time: without the crates' `zeroize` features this does not build.
#[test]
fn the_states_of_all_hashes_are_wiped_on_drop() {
    is_wiped_on_drop::<Sha1>();
    is_wiped_on_drop::<Sha256>();
    is_wiped_on_drop::<Sha384>();
    is_wiped_on_drop::<Sha512>();
    is_wiped_on_drop::<Sha3_256>();
    is_wiped_on_drop::<Sha3_384>();
    is_wiped_on_drop::<Sha3_512>();
    is_wiped_on_drop::<aes::Aes128>();
    is_wiped_on_drop::<aes::Aes256>();
}

#[test]
fn a_restored_state_goes_on_as_if_nothing_had_happened() {
    for alg in HashAlg::ALL {
        for length in [0, 1, 55, 64, 135, 200] {
            let mut hasher = RustHasher::new(alg);
            hasher.update(&[0x5A; 200][..length]);
            let mut saved = [0; crate::MAX_HASH_STATE_SIZE];
            let size = hasher.save(&mut saved).unwrap();
            let mut restored = RustHasher::restore(alg, &saved[..size]).unwrap();
            hasher.update(b"the rest");
            restored.update(b"the rest");
            assert_eq!(restored.finish(), hasher.finish(), "{alg:?} after {length}");
        }
    }
}

#[test]
fn a_state_of_another_length_is_refused() {
    for alg in HashAlg::ALL {
        let mut saved = [0; crate::MAX_HASH_STATE_SIZE];
        let size = RustHasher::new(alg).save(&mut saved).unwrap();
        assert!(RustHasher::restore(alg, &saved[..size - 1]).is_none());
        assert!(RustHasher::new(alg).save(&mut saved[..size - 1]).is_none());
    }
}

#[test]
fn a_digest_at_once_is_the_digest_in_pieces() {
    for alg in HashAlg::ALL {
        let mut hasher = RustHasher::new(alg);
        hasher.update(b"in ");
        hasher.update(b"pieces");
        assert_eq!(RustCrypto::hash(alg, &[b"in", b" ", b"pieces"]), hasher.finish(), "{alg:?}");
    }
}
