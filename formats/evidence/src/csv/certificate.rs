// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hygon's certificates: those of its authorities (HRK, HSK), and those of chips and platforms (CEK, OCA, PEK).

use crate::Error;
use crate::bytes::Cursor;

/// The number of the curve SM2-256.
const SM2_256: u32 = 3;
/// The number of SM2 signatures.
const SM2_SIGNATURE: u32 = 4;
/// The bytes that a number of a key or a signature has room for.
const NUMBER: usize = 72;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUsage {
    /// Hygon's root key.
    Root,
    /// Hygon's signing key.
    Signing,
    /// The key of the platform's owner.
    Owner,
    /// The key that signs reports.
    Platform,
    /// The chip's key.
    Chip,
}

impl KeyUsage {
    fn read(value: u32) -> Result<Self, Error> {
        Ok(match value {
            0 => Self::Root,
            0x13 => Self::Signing,
            0x1001 => Self::Owner,
            0x1002 => Self::Platform,
            0x1004 => Self::Chip,
            _ => return Err(Error::Unknown { what: "usage of a CSV key", value: u64::from(value) }),
        })
    }
}

/// A public key on SM2's curve with the name that its signatures are made under; numbers are big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningKey<'a> {
    /// What the key is for.
    pub usage: KeyUsage,
    /// X.
    pub x: [u8; 32],
    /// Y.
    pub y: [u8; 32],
    /// The signer's distinguishing identifier.
    pub user_id: &'a str,
}

/// An SM2 signature; numbers are big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// R.
    pub r: [u8; 32],
    /// S.
    pub s: [u8; 32],
}

impl Signature {
    pub(super) fn read(cursor: &mut Cursor<'_>, what: &'static str) -> Result<Self, Error> {
        Ok(Self { r: number(cursor, what)?, s: number(cursor, what)? })
    }
}

/// A certificate of one of Hygon's authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityCertificate<'a> {
    /// The identifier of its key.
    pub key_id: &'a [u8; 16],
    /// The identifier of the key that signed it.
    pub signer_id: &'a [u8; 16],
    /// Its key.
    pub key: SigningKey<'a>,
    /// What is signed.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: Signature,
}

impl<'a> AuthorityCertificate<'a> {
    /// The size of such a certificate.
    pub const SIZE: usize = 832;
    const SIGNED: usize = 0x240;

    /// Parses a certificate that fills all of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        const WHAT: &str = "certificate of a Hygon authority";
        let mut outer = Cursor::new(bytes);
        let signed = outer.take(WHAT, Self::SIGNED)?;
        let signature = Signature::read(&mut outer, WHAT)?;
        outer.take(WHAT, 112)?;
        outer.finish(WHAT)?;
        let mut body = Cursor::new(signed);
        check_version(&mut body)?;
        let (key_id, signer_id) = (body.array(WHAT)?, body.array(WHAT)?);
        let usage = body.u32(WHAT)?;
        body.take(WHAT, 24)?;
        let key = read_key(&mut body, usage, WHAT)?;
        Ok(Self { key_id, signer_id, key, signed, signature })
    }
}

/// A certificate of a chip's or a platform's key, which up to two others sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformCertificate<'a> {
    /// Its key.
    pub key: SigningKey<'a>,
    /// What is signed.
    pub signed: &'a [u8],
    /// The signatures that it has, each with the usage of the key that made it.
    pub signatures: [Option<(KeyUsage, Signature)>; 2],
}

impl<'a> PlatformCertificate<'a> {
    /// The size of such a certificate.
    pub const SIZE: usize = 2084;
    const SIGNED: usize = 0x414;

    /// Parses a certificate that fills all of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        const WHAT: &str = "certificate of a CSV platform";
        let mut outer = Cursor::new(bytes);
        let signed = outer.take(WHAT, Self::SIGNED)?;
        let signatures = [signature_block(&mut outer, WHAT)?, signature_block(&mut outer, WHAT)?];
        outer.finish(WHAT)?;
        let mut body = Cursor::new(signed);
        check_version(&mut body)?;
        // The firmware's version.
        body.take(WHAT, 4)?;
        let usage = body.u32(WHAT)?;
        check_algorithm(body.u32(WHAT)?)?;
        Ok(Self { key: read_key(&mut body, usage, WHAT)?, signed, signatures })
    }
}

/// A signature with its signer's usage and its algorithm; one without a known usage is an empty place.
fn signature_block(cursor: &mut Cursor<'_>, what: &'static str) -> Result<Option<(KeyUsage, Signature)>, Error> {
    let (usage, algorithm) = (cursor.u32(what)?, cursor.u32(what)?);
    let mut numbers = Cursor::new(cursor.take(what, NUMBER.saturating_mul(2))?);
    cursor.take(what, 368)?;
    match (KeyUsage::read(usage), algorithm) {
        (Ok(usage), SM2_SIGNATURE) => Ok(Some((usage, Signature::read(&mut numbers, what)?))),
        _ => Ok(None),
    }
}

fn check_version(cursor: &mut Cursor<'_>) -> Result<(), Error> {
    match cursor.u32("version")? {
        // Chips' certificates of version 2 have the layout of version 1.
        1 | 2 => Ok(()),
        value => Err(Error::Unknown { what: "version of a Hygon certificate", value: u64::from(value) }),
    }
}

fn check_algorithm(value: u32) -> Result<(), Error> {
    let unknown = Error::Unknown { what: "algorithm of a CSV key", value: u64::from(value) };
    if value == SM2_SIGNATURE { Ok(()) } else { Err(unknown) }
}

fn read_key<'a>(cursor: &mut Cursor<'a>, usage: u32, what: &'static str) -> Result<SigningKey<'a>, Error> {
    let curve = cursor.u32(what)?;
    if curve != SM2_256 {
        return Err(Error::Unknown { what: "curve of a CSV key", value: u64::from(curve) });
    }
    let (x, y) = (number(cursor, what)?, number(cursor, what)?);
    let length = usize::from(cursor.u16(what)?);
    let room = cursor.take(what, 254)?;
    let user_id =
        room.get(..length).ok_or(Error::Length { what: "name of a CSV key", expected: 254, actual: length })?;
    let user_id = core::str::from_utf8(user_id).map_err(|_| Error::Missing { what: "name of a CSV key" })?;
    Ok(SigningKey { usage: KeyUsage::read(usage)?, x, y, user_id })
}

/// Reads a little-endian number of at most 256 bits.
fn number(cursor: &mut Cursor<'_>, what: &'static str) -> Result<[u8; 32], Error> {
    let bytes = cursor.array::<NUMBER>(what)?;
    let (number, rest) = bytes.split_at(32);
    if rest.iter().any(|byte| *byte != 0) {
        return Err(Error::Length { what: "number of a CSV key or signature", expected: 32, actual: NUMBER });
    }
    let mut number = crate::bytes::field::<32>(number, 0);
    number.reverse();
    Ok(number)
}
