// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which objects are keys of a key encapsulation mechanism, and the points of those over ECC (Part 1, "ECC Key
//! Encapsulation Mechanism").

use evtpm_crypto::{Dhkem, EccPoint};
use evtpm_protocol::crypto_curve;
use evtpm_tpm_wire::{Buf, EccCurve, MAX_ECC_KEY, Overflow};

/// The size of the greatest serialized point: "(0x04 || X || Y)".
pub(crate) type SerializedPoint = Buf<{ 1 + 2 * MAX_ECC_KEY }>;

/// Finds the encapsulation of RFC 9180 over a curve.
pub(crate) fn dhkem_of(curve: EccCurve) -> Option<Dhkem> {
    if curve == EccCurve::Curve25519 { Some(Dhkem::X25519) } else { Dhkem::of_curve(crypto_curve(curve).ok()?) }
}

/// "For NIST P-curves, the serialization of a point is (0x04 || X || Y), where X and Y are the big-endian coordinates".
pub(crate) fn serialize(point: &EccPoint) -> Result<SerializedPoint, Overflow> {
    let mut serialized = SerializedPoint::new(&[4])?;
    serialized.extend(point.x())?;
    serialized.extend(point.y())?;
    Ok(serialized)
}

/// Reads what [`serialize`] wrote; whether the point is on the curve is checked where it is used.
pub(crate) fn deserialize(curve: evtpm_crypto::EccCurve, bytes: &[u8]) -> Option<EccPoint> {
    let (4, coordinates) = bytes.split_first().map(|(tag, rest)| (*tag, rest))? else { return None };
    let (x, y) = coordinates.split_at_checked(curve.coordinate_size())?;
    if y.len() != curve.coordinate_size() {
        return None;
    }
    EccPoint::new(curve, x, y).ok()
}
