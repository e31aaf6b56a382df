// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Range checks, padding and generation.

use std::format;

use super::*;
use crate::EntropyError;

struct Constant(u8);

impl Rng for Constant {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(self.0);
        Ok(())
    }
}

struct Bytes(std::vec::Vec<u8>);

impl Rng for Bytes {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        assert_eq!(out.len(), self.0.len());
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

struct Broken;

impl Rng for Broken {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError::StuckAtOnes)
    }
}

fn order_plus(curve: EccCurve, offset: i16) -> std::vec::Vec<u8> {
    let mut bytes = curve.parameters().n.to_vec();
    let mut carry = offset;
    for byte in bytes.iter_mut().rev() {
        let sum = i16::from(*byte) + carry;
        *byte = sum.rem_euclid(256) as u8;
        carry = sum.div_euclid(256);
    }
    bytes
}

#[test]
fn the_private_scalars_are_one_to_order_minus_one() {
    for curve in EccCurve::ALL {
        assert!(EccPrivate::new(curve, &[1]).is_ok());
        assert!(EccPrivate::new(curve, &order_plus(curve, -1)).is_ok());
        for bad in [std::vec![], std::vec![0; curve.coordinate_size()], order_plus(curve, 0), order_plus(curve, 1)] {
            assert_eq!(EccPrivate::new(curve, &bad).err(), Some(CryptoError::PrivateOutOfRange));
        }
    }
}

#[test]
fn numbers_longer_than_the_curve_are_refused_even_with_leading_zeros() {
    let long = [0; 33];
    let refused = Some(CryptoError::Length { expected: 32, actual: 33 });
    assert_eq!(EccPrivate::new(EccCurve::P256, &long).err(), refused);
    assert_eq!(EccPoint::new(EccCurve::P256, &[1], &long).err(), refused);
    assert_eq!(EccSignature::new(EccCurve::P256, &long, &[1]).err(), refused);
}

#[test]
fn short_numbers_are_padded_on_the_left() {
    let point = EccPoint::new(EccCurve::P384, &[1, 2], &[]).unwrap();
    assert_eq!(point.x().len(), 48);
    assert_eq!(point.x()[46..], [1, 2]);
    assert_eq!(point.x()[..46], [0; 46]);
    assert_eq!(point.y(), [0; 48]);
}

#[test]
fn all_zero_random_bits_generate_one() {
    for curve in EccCurve::ALL {
        let private = EccPrivate::generate(curve, &mut Constant(0)).unwrap();
        let mut one = std::vec![0; curve.coordinate_size()];
        *one.last_mut().unwrap() = 1;
        assert_eq!(private.as_bytes(), one);
    }
}

#[test]
fn generation_takes_the_remainder_by_order_minus_one_and_adds_one() {
    // c = (n - 1) * 2^64 + 5 leaves 5, and d = 6.
    for curve in EccCurve::ALL {
        let mut c = order_plus(curve, -1);
        c.extend([0, 0, 0, 0, 0, 0, 0, 5]);
        let private = EccPrivate::generate(curve, &mut Bytes(c)).unwrap();
        assert_eq!(private.as_bytes().last(), Some(&6));
        assert!(private.as_bytes()[..curve.coordinate_size() - 1].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn all_one_random_bits_agree_with_an_independent_computation() {
    // (2^(bits + 64) - 1) mod (n - 1) + 1, computed with another big-number library.
    let expected = [
        (EccCurve::P256, "fffffffe00000001431905529c0166cd22159165b6faae71f756a572fc632550"),
        (
            EccCurve::P384,
            "00000000000000000000000000000000389cb27e0bc8d220a7e5f24db74f58851313e695333ad68e0000000000000000",
        ),
        (
            EccCurve::P521,
            "0000000000000000000000000000000000000000000000000005ae79787c40d069948033feb708f65a2fc44a36477663b851449048e16ec79bf80000000000000000",
        ),
    ];
    for (curve, expected) in expected {
        let private = EccPrivate::generate(curve, &mut Constant(0xff)).unwrap();
        assert_eq!(format!("{:?}", Hex(private.as_bytes())), expected);
    }
}

#[test]
fn a_failing_generator_gives_no_key() {
    assert_eq!(
        EccPrivate::generate(EccCurve::P256, &mut Broken).err(),
        Some(CryptoError::Entropy(EntropyError::StuckAtOnes))
    );
}

#[test]
fn a_private_scalar_does_not_show_its_bytes() {
    let private = EccPrivate::new(EccCurve::P256, &[0xab]).unwrap();
    assert_eq!(format!("{private:?}"), "EccPrivate { curve: P256, .. }");
}
