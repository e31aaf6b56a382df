// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Curves, points, private scalars and signatures as big-endian bytes of full length (SP 800-186, FIPS 186-5).

mod curves;
mod generate;

use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::{CryptoError, Rng};
pub use curves::CurveParameters;

/// Size of the longest coordinate or scalar, P-521's.
pub const MAX_ECC_BYTES: usize = 66;

/// A prime curve, of SP 800-186 or BN-P256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EccCurve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// The Barreto-Naehrig curve BN-P256 (TCG Algorithm Registry, ISO/IEC 15946-5), for anonymous attestation.
    BnP256,
}

impl EccCurve {
    /// Every curve.
    pub const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::BnP256];

    /// Returns the size in bytes of a coordinate, and of a scalar: on these curves they agree.
    #[must_use]
    pub const fn coordinate_size(self) -> usize {
        match self {
            Self::P256 | Self::BnP256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Returns the size in bits of the order of the base point.
    #[must_use]
    pub const fn order_bits(self) -> usize {
        match self {
            Self::P256 | Self::BnP256 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// Returns the domain parameters.
    #[must_use]
    pub const fn parameters(self) -> &'static CurveParameters {
        match self {
            Self::P256 => &curves::P256,
            Self::P384 => &curves::P384,
            Self::P521 => &curves::P521,
            Self::BnP256 => &curves::BN_P256,
        }
    }
}

/// A number of at most [`MAX_ECC_BYTES`] bytes, aligned to the end of the array: its value is the array's value.
type Number = [u8; MAX_ECC_BYTES];

// Pads on the left; `None` when the number is longer than the curve's coordinates.
fn number(curve: EccCurve, bytes: &[u8]) -> Option<Number> {
    if bytes.len() > curve.coordinate_size() {
        return None;
    }
    let mut number = [0; MAX_ECC_BYTES];
    number.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
    Some(number)
}

fn tail(number: &Number, size: usize) -> &[u8] {
    number.get(MAX_ECC_BYTES.saturating_sub(size)..).unwrap_or(number)
}

fn wrong_length(curve: EccCurve, actual: usize) -> CryptoError {
    CryptoError::Length { expected: curve.coordinate_size(), actual }
}

/// The affine coordinates of a point, as claimed: every operation that takes one checks that it is on the curve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EccPoint {
    curve: EccCurve,
    x: Number,
    y: Number,
}

impl EccPoint {
    /// Takes over big-endian coordinates, which may lack leading zeros.
    ///
    /// # Errors
    /// [`CryptoError::Length`] when a coordinate is longer than the curve's.
    pub fn new(curve: EccCurve, x: &[u8], y: &[u8]) -> Result<Self, CryptoError> {
        let (Some(x_number), Some(y_number)) = (number(curve, x), number(curve, y)) else {
            return Err(wrong_length(curve, x.len().max(y.len())));
        };
        Ok(Self { curve, x: x_number, y: y_number })
    }

    /// Makes the point that a number of any length, modulo the field prime, and a big-endian y coordinate claim.
    ///
    /// # Errors
    /// [`CryptoError::Length`] when the y coordinate is longer than the curve's.
    pub fn with_reduced_x(curve: EccCurve, x: &[u8], y: &[u8]) -> Result<Self, CryptoError> {
        let mut point = Self::new(curve, &[], y)?;
        generate::coordinate(curve, x, &mut point.x);
        Ok(point)
    }

    /// Returns the curve.
    #[must_use]
    pub const fn curve(&self) -> EccCurve {
        self.curve
    }

    /// Returns the x coordinate, padded with zeros to the curve's size.
    #[must_use]
    pub fn x(&self) -> &[u8] {
        tail(&self.x, self.curve.coordinate_size())
    }

    /// Returns the y coordinate, padded with zeros to the curve's size.
    #[must_use]
    pub fn y(&self) -> &[u8] {
        tail(&self.y, self.curve.coordinate_size())
    }
}

/// A point that two parties share is a secret; who holds one puts it into a `Zeroizing`.
impl Zeroize for EccPoint {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

impl fmt::Debug for EccPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EccPoint")
            .field("curve", &self.curve)
            .field("x", &Hex(self.x()))
            .field("y", &Hex(self.y()))
            .finish()
    }
}

/// An ECDSA signature: two numbers of the curve's scalar size, as claimed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EccSignature {
    curve: EccCurve,
    r: Number,
    s: Number,
}

impl EccSignature {
    /// Takes over the two big-endian numbers, which may lack leading zeros.
    ///
    /// # Errors
    /// [`CryptoError::Length`] when a number is longer than the curve's scalars.
    pub fn new(curve: EccCurve, r: &[u8], s: &[u8]) -> Result<Self, CryptoError> {
        let (Some(r_number), Some(s_number)) = (number(curve, r), number(curve, s)) else {
            return Err(wrong_length(curve, r.len().max(s.len())));
        };
        Ok(Self { curve, r: r_number, s: s_number })
    }

    /// Returns the curve.
    #[must_use]
    pub const fn curve(&self) -> EccCurve {
        self.curve
    }

    /// Returns r, padded with zeros to the curve's size.
    #[must_use]
    pub fn r(&self) -> &[u8] {
        tail(&self.r, self.curve.coordinate_size())
    }

    /// Returns s, padded with zeros to the curve's size.
    #[must_use]
    pub fn s(&self) -> &[u8] {
        tail(&self.s, self.curve.coordinate_size())
    }
}

impl fmt::Debug for EccSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EccSignature")
            .field("curve", &self.curve)
            .field("r", &Hex(self.r()))
            .field("s", &Hex(self.s()))
            .finish()
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Debug for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A private scalar between 1 and n - 1; wiped on drop.
#[derive(Clone)]
pub struct EccPrivate {
    curve: EccCurve,
    scalar: Zeroizing<Number>,
}

impl EccPrivate {
    /// Takes over a big-endian scalar, which may lack leading zeros, after a range check in constant time.
    ///
    /// # Errors
    /// [`CryptoError::Length`] when the number is longer than the curve's scalars,
    /// [`CryptoError::PrivateOutOfRange`] when it is zero or not below the order.
    pub fn new(curve: EccCurve, bytes: &[u8]) -> Result<Self, CryptoError> {
        let scalar = Zeroizing::new(number(curve, bytes).ok_or_else(|| wrong_length(curve, bytes.len()))?);
        let private = Self { curve, scalar };
        if bool::from(is_zero(private.as_bytes()) | !is_below(private.as_bytes(), curve.parameters().n)) {
            return Err(CryptoError::PrivateOutOfRange);
        }
        Ok(private)
    }

    /// Generates a scalar from `order_bits() + 64` random bits (FIPS 186-5, "ECC Key Pair Generation using Extra
    /// Random Bits"); the same bytes from `rng` give the same scalar.
    ///
    /// # Errors
    /// [`CryptoError::Entropy`].
    pub fn generate(curve: EccCurve, rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        let mut private = Self { curve, scalar: Zeroizing::new([0; MAX_ECC_BYTES]) };
        generate::private_scalar(curve, rng, &mut private.scalar)?;
        Ok(private)
    }

    /// Returns the curve.
    #[must_use]
    pub const fn curve(&self) -> EccCurve {
        self.curve
    }

    /// Returns the scalar, padded with zeros to the curve's size.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        tail(&self.scalar, self.curve.coordinate_size())
    }
}

impl fmt::Debug for EccPrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EccPrivate").field("curve", &self.curve).finish_non_exhaustive()
    }
}

fn is_zero(number: &[u8]) -> Choice {
    number.iter().fold(0u8, |seen, byte| seen | byte).ct_eq(&0)
}

// Subtracts byte by byte from the end: a borrow that remains says "below".
fn is_below(number: &[u8], limit: &[u8]) -> Choice {
    let borrow = number
        .iter()
        .rev()
        .zip(limit.iter().rev())
        .fold(0u16, |borrow, (a, b)| u16::from(*a).wrapping_sub(u16::from(*b)).wrapping_sub(borrow) >> 15);
    borrow.ct_eq(&1)
}

#[cfg(test)]
mod tests;
