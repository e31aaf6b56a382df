// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The vectors of SP 800-38A for every mode and key size, and what the IV must be afterwards.

use std::vec::Vec;

use hex_literal::hex;

use super::*;

const PLAINTEXT: [u8; 64] = hex!(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
);

struct Vector {
    mode: CipherMode,
    key: &'static [u8],
    iv: Iv,
    ciphertext: [u8; 64],
    next_iv: Iv,
}

#[test]
fn the_vectors_of_sp_800_38a_encrypt() {
    for vector in VECTORS {
        let (mut data, mut iv) = (PLAINTEXT, vector.iv);
        run(vector.key, vector.mode, Direction::Encrypt, &mut iv, &mut data).unwrap();
        assert_eq!(data, vector.ciphertext, "{:?} {}", vector.mode, vector.key.len());
    }
}

#[test]
fn the_vectors_of_sp_800_38a_decrypt() {
    for vector in VECTORS {
        let (mut data, mut iv) = (vector.ciphertext, vector.iv);
        run(vector.key, vector.mode, Direction::Decrypt, &mut iv, &mut data).unwrap();
        assert_eq!(data, PLAINTEXT, "{:?} {}", vector.mode, vector.key.len());
    }
}

/// CVE-2021-3446: a TPM returned the first IV and not the last, so that a continued stream repeated its keystream.
#[test]
fn cve_2021_3446_the_iv_afterwards_is_the_one_that_continues() {
    for vector in VECTORS {
        for direction in [Direction::Encrypt, Direction::Decrypt] {
            let mut data = if direction == Direction::Encrypt { PLAINTEXT } else { vector.ciphertext };
            let mut iv = vector.iv;
            run(vector.key, vector.mode, direction, &mut iv, &mut data).unwrap();
            assert_eq!(iv, vector.next_iv, "{:?} {direction:?}", vector.mode);
            assert_eq!(iv == vector.iv, vector.mode == CipherMode::Ecb, "only ECB leaves the IV as it is");
        }
    }
}

/// CVE-2026-21444: the same mistake again years later, seen when data is given in more than one call.
#[test]
fn cve_2026_21444_data_in_several_calls_gives_the_same_as_in_one() {
    for vector in VECTORS {
        for split in [16, 32, 48] {
            for direction in [Direction::Encrypt, Direction::Decrypt] {
                let (from, to) = match direction {
                    Direction::Encrypt => (PLAINTEXT, vector.ciphertext),
                    Direction::Decrypt => (vector.ciphertext, PLAINTEXT),
                };
                let (mut data, mut iv) = (from, vector.iv);
                let (head, tail) = data.split_at_mut(split);
                run(vector.key, vector.mode, direction, &mut iv, head).unwrap();
                run(vector.key, vector.mode, direction, &mut iv, tail).unwrap();
                assert_eq!(data, to, "{:?} {direction:?} split at {split}", vector.mode);
            }
        }
    }
}

#[test]
fn a_partial_last_block_is_a_prefix_of_the_whole_one_in_the_stream_modes() {
    for vector in VECTORS.iter().filter(|v| !matches!(v.mode, CipherMode::Cbc | CipherMode::Ecb)) {
        for length in [0, 1, 15, 17, 37, 63] {
            let (mut data, mut iv) = (PLAINTEXT[..length].to_vec(), vector.iv);
            run(vector.key, vector.mode, Direction::Encrypt, &mut iv, &mut data).unwrap();
            assert_eq!(data, vector.ciphertext[..length], "{:?} {length}", vector.mode);

            let mut iv = vector.iv;
            run(vector.key, vector.mode, Direction::Decrypt, &mut iv, &mut data).unwrap();
            assert_eq!(data, PLAINTEXT[..length], "{:?} {length}", vector.mode);
        }
    }
}

#[test]
fn both_directions_of_cfb_agree_on_the_iv_after_a_partial_block() {
    let key = [1; 16];
    let (mut sealed, mut opened) = ([2; 16], [2; 16]);
    let mut data = *b"twenty bytes of data";
    run(&key, CipherMode::Cfb, Direction::Encrypt, &mut sealed, &mut data).unwrap();
    assert_eq!(sealed[4..], [0; 12], "the rest of the partial block counts as zeros");
    run(&key, CipherMode::Cfb, Direction::Decrypt, &mut opened, &mut data).unwrap();
    assert_eq!(sealed, opened);
}

/// "All the bits of the IV are incremented as if it were an unsigned integer."
#[test]
fn the_counter_carries_through_all_128_bits_and_wraps() {
    let mut iv = [0xff; 16];
    let mut zeros = [0; 32];
    run(&[3; 16], CipherMode::Ctr, Direction::Encrypt, &mut iv, &mut zeros).unwrap();
    assert_eq!(iv, hex!("00000000000000000000000000000001"));

    let (mut first, mut wrapped) = ([0; 16], [0; 16]);
    run(&[3; 16], CipherMode::Ctr, Direction::Encrypt, &mut first, &mut wrapped).unwrap();
    assert_eq!(zeros[16..], wrapped, "the second block was made with the counter at zero");

    let mut iv = hex!("00000000000000000000000000000000");
    run(&[3; 16], CipherMode::Ctr, Direction::Encrypt, &mut iv, &mut [0; 64]).unwrap();
    assert_eq!(iv, hex!("00000000000000000000000000000004"), "the specification's own example");
}

#[test]
fn cbc_and_ecb_refuse_partial_blocks_and_change_nothing() {
    for mode in [CipherMode::Cbc, CipherMode::Ecb] {
        for direction in [Direction::Encrypt, Direction::Decrypt] {
            let (mut data, mut iv) = ([5; 17], [6; 16]);
            let refused = run(&[0; 32], mode, direction, &mut iv, &mut data);
            assert_eq!(refused, Err(CryptoError::PartialBlock { actual: 17 }));
            assert_eq!((data, iv), ([5; 17], [6; 16]));
        }
    }
}

#[test]
fn other_key_sizes_are_refused() {
    for size in [0, 15, 17, 31, 33, 64] {
        let key: Vec<u8> = std::vec![0; size];
        let refused = run(&key, CipherMode::Cfb, Direction::Encrypt, &mut [0; 16], &mut [0; 16]);
        assert_eq!(refused, Err(CryptoError::KeySize { actual: size }));
    }
}

const VECTORS: [Vector; 15] = [
    Vector {
        mode: CipherMode::Ecb,
        key: &hex!("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
            "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"
        ),
        next_iv: hex!("000102030405060708090a0b0c0d0e0f"),
    },
    Vector {
        mode: CipherMode::Cbc,
        key: &hex!("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
            "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
        ),
        next_iv: hex!("3ff1caa1681fac09120eca307586e1a7"),
    },
    Vector {
        mode: CipherMode::Cfb,
        key: &hex!("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b"
            "26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6"
        ),
        next_iv: hex!("c04b05357c5d1c0eeac4c66f9ff7f2e6"),
    },
    Vector {
        mode: CipherMode::Ofb,
        key: &hex!("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed825"
            "9740051e9c5fecf64344f7a82260edcc304c6528f659c77866a510d9c1d6ae5e"
        ),
        next_iv: hex!("c6d3416d29165c6fcb8e51a227ba994e"),
    },
    Vector {
        mode: CipherMode::Ctr,
        key: &hex!("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex!("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        ciphertext: hex!(
            "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
            "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"
        ),
        next_iv: hex!("f0f1f2f3f4f5f6f7f8f9fafbfcfdff03"),
    },
    Vector {
        mode: CipherMode::Ecb,
        key: &hex!("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef"
            "ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e"
        ),
        next_iv: hex!("000102030405060708090a0b0c0d0e0f"),
    },
    Vector {
        mode: CipherMode::Cbc,
        key: &hex!("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
            "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"
        ),
        next_iv: hex!("08b0e27988598881d920a9e64f5615cd"),
    },
    Vector {
        mode: CipherMode::Cfb,
        key: &hex!("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "cdc80d6fddf18cab34c25909c99a417467ce7f7f81173621961a2b70171d3d7a"
            "2e1e8a1dd59b88b1c8e60fed1efac4c9c05f9f9ca9834fa042ae8fba584b09ff"
        ),
        next_iv: hex!("c05f9f9ca9834fa042ae8fba584b09ff"),
    },
    Vector {
        mode: CipherMode::Ofb,
        key: &hex!("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "cdc80d6fddf18cab34c25909c99a4174fcc28b8d4c63837c09e81700c1100401"
            "8d9a9aeac0f6596f559c6d4daf59a5f26d9f200857ca6c3e9cac524bd9acc92a"
        ),
        next_iv: hex!("9b00044d8885f729318713303fc0fe3a"),
    },
    Vector {
        mode: CipherMode::Ctr,
        key: &hex!("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex!("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        ciphertext: hex!(
            "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94"
            "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050"
        ),
        next_iv: hex!("f0f1f2f3f4f5f6f7f8f9fafbfcfdff03"),
    },
    Vector {
        mode: CipherMode::Ecb,
        key: &hex!("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
            "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7"
        ),
        next_iv: hex!("000102030405060708090a0b0c0d0e0f"),
    },
    Vector {
        mode: CipherMode::Cbc,
        key: &hex!("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
            "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"
        ),
        next_iv: hex!("b2eb05e2c39be9fcda6c19078c6a9d1b"),
    },
    Vector {
        mode: CipherMode::Cfb,
        key: &hex!("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b"
            "df10132415e54b92a13ed0a8267ae2f975a385741ab9cef82031623d55b1e471"
        ),
        next_iv: hex!("75a385741ab9cef82031623d55b1e471"),
    },
    Vector {
        mode: CipherMode::Ofb,
        key: &hex!("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex!("000102030405060708090a0b0c0d0e0f"),
        ciphertext: hex!(
            "dc7e84bfda79164b7ecd8486985d38604febdc6740d20b3ac88f6ad82a4fb08d"
            "71ab47a086e86eedf39d1c5bba97c4080126141d67f37be8538f5a8be740e484"
        ),
        next_iv: hex!("f7b93058b8bce0fffea41bf0012cd394"),
    },
    Vector {
        mode: CipherMode::Ctr,
        key: &hex!("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex!("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        ciphertext: hex!(
            "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
            "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"
        ),
        next_iv: hex!("f0f1f2f3f4f5f6f7f8f9fafbfcfdff03"),
    },
];
