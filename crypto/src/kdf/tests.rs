// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Values computed independently of this crate, and the edges of the specification's wording.

use hex_literal::hex;

use super::*;
use crate::RustCrypto;

const KEY: [u8; 32] = hex!("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

fn derive<const N: usize>(alg: HashAlg, label: &[u8], u: &[u8], v: &[u8], bits: u32) -> [u8; N] {
    let mut out = [0; N];
    kdfa::<RustCrypto>(alg, &KEY, label, u, v, bits, &mut out).unwrap();
    out
}

#[test]
fn kdfa_gives_the_independent_values() {
    assert_eq!(derive(HashAlg::Sha256, b"STORAGE", b"name", b"", 128), hex!("97f1ccec355e7643a61c69d29ad6404d"));
    assert_eq!(
        derive(HashAlg::Sha384, b"CFB", b"newer", b"older", 800),
        hex!(
            "5eb7c89e36ae3ee6c618ce0f33cee761c2352ba2e9f450333505116021f2a91520ab58c34ca15c6dbab0212fd8210a1c"
            "fbc2f2d6e4310d85cef036d3b693667fb866737c1e90a110a345e1b14e0f0e1bcefc035be629475b6d9802deee8fac5f"
            "3b770627"
        )
    );
}

/// "If KDFa() were used to produce a 521-bit ECC private key, the returned value would occupy 66 octets, with the upper
/// 7 bits of the octet at offset zero set to 0."
#[test]
fn kdfa_masks_the_surplus_bits_of_the_first_octet() {
    assert_eq!(
        derive(HashAlg::Sha1, b"ATH", b"nonceTPM", b"nonceCaller", 521),
        hex!(
            "01367abe3bd1729afa4ea2d244ce782f6fc790a064dbf9ca06ab97fabb6084c8"
            "160413cd2125e40ad422d432ed59ef5452f34a625ea5af7ebd4bc24d405d928079af"
        )
    );
}

#[test]
fn a_label_that_ends_with_zero_gets_no_second_one() {
    assert_eq!(
        derive(HashAlg::Sha3_256, b"X\0", b"", b"", 260),
        hex!("0fa735d3017b1c6a5e9bfb0c3b4ef854a4a43ac7df353e21aeac27e68763e63dfa")
    );
    assert_eq!(
        derive::<32>(HashAlg::Sha256, b"SECRET\0", b"u", b"v", 256),
        derive::<32>(HashAlg::Sha256, b"SECRET", b"u", b"v", 256)
    );
}

#[test]
fn an_absent_label_still_gets_its_zero() {
    let expected = RustCrypto::hmac(HashAlg::Sha256, &KEY, &[&[0, 0, 0, 1], &[0], b"context", &[0, 0, 1, 0]]);
    assert_eq!(derive::<32>(HashAlg::Sha256, b"", b"con", b"text", 256), expected.as_bytes());
}

#[test]
fn the_number_of_bits_enters_the_derivation() {
    let long: [u8; 32] = derive(HashAlg::Sha256, b"L", b"", b"", 256);
    let short: [u8; 16] = derive(HashAlg::Sha256, b"L", b"", b"", 128);
    assert_ne!(long[..16], short);
}

#[test]
fn kdfe_gives_the_independent_values() {
    let mut out = [0; 32];
    kdfe::<RustCrypto>(HashAlg::Sha256, &KEY, b"IDENTITY", &[0x11; 32], &[0x22; 32], 256, &mut out).unwrap();
    assert_eq!(out, hex!("cbce7a80e1b35da754dc24ec97f8c9ef9281bf9944c930765256ae6ea7d59f0e"));

    let mut out = [0; 66];
    kdfe::<RustCrypto>(HashAlg::Sha384, &KEY, b"SECRET\0", &[0x11; 48], &[0x22; 48], 521, &mut out).unwrap();
    assert_eq!(
        out,
        hex!(
            "00c31782275d4bcea8f8fcfae2ceedc4d012da5a13d4a54888864f203856fa79"
            "63f41556e500c1baf52176fd94a66b8b972e1b1a5dbf974350bcfc451083a5aea049"
        )
    );
}

#[test]
fn an_output_of_another_size_than_the_bits_is_refused() {
    let refused = Err(CryptoError::Length { expected: 66, actual: 65 });
    assert_eq!(kdfa::<RustCrypto>(HashAlg::Sha1, &[], b"", &[], &[], 521, &mut [0; 65]), refused);
    assert_eq!(kdfe::<RustCrypto>(HashAlg::Sha1, &[], b"", &[], &[], 521, &mut [0; 65]), refused);
    assert_eq!(kdfa::<RustCrypto>(HashAlg::Sha1, &[], b"", &[], &[], 0, &mut []), Ok(()));
}

#[test]
fn xor_obfuscation_gives_the_independent_value_and_undoes_itself() {
    let plain: [u8; 50] = core::array::from_fn(|index| index as u8);
    let mut data = plain;
    let run = |data: &mut [u8]| xor_obfuscate::<RustCrypto>(HashAlg::Sha256, b"sessionkey", b"new", b"old", data);

    run(&mut data).unwrap();
    assert_eq!(
        data,
        hex!(
            "40a9b94f89b83aab38fea0ca3bc5b022501e189080f920989366d7236d81ba0a"
            "7c033afd05d18e29a36fec923c0b7798472e"
        )
    );
    run(&mut data).unwrap();
    assert_eq!(data, plain);
}
