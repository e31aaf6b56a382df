// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The image around a state: what it is, of which version, and what keeps it whole and secret.
//!
//! ```text
//! magic "EVTPMIMG" | version u16 | part u8 | flags u8 | salt 32 | length u32 | state | check
//! ```
//! The flags say whether the image is sealed and whether the interface has seen a dynamic launch.
//! The check is the SHA-256 of everything before it; or, in a sealed image, the AES-256-GCM tag over the encrypted state with
//! everything before it as associated data. Key and IV of a sealed image are derived from the caller's key and the salt,
//! `KDFa(SHA-512, key, "EVTPM STATE IMAGE", salt, part)`, so no two images share them. Numbers are big-endian.

use alloc::vec::Vec;
use core::fmt;

use evtpm_crypto::aead::{self, IV_SIZE, KEY_SIZE, TAG_SIZE};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto, constant_time_eq, kdfa};
use evtpm_engine::snapshot::Invalid;
use evtpm_tpm_wire::{Rc, Reader};
use zeroize::Zeroizing;

use crate::{Error, Part, State};

const SEALED: u8 = 1;
const ESTABLISHED: u8 = 2;
const MAGIC: [u8; 8] = *b"EVTPMIMG";
/// The version of the values and their order; a change of either is a new version.
const VERSION: u16 = 1;
const SALT_SIZE: usize = 32;
const HEADER_SIZE: usize = MAGIC.len() + 2 + 1 + 1 + SALT_SIZE + 4;
const DIGEST_SIZE: usize = 32;
const LABEL: &[u8] = b"EVTPM STATE IMAGE";

/// A caller's key.
pub struct Key(Zeroizing<[u8; KEY_SIZE]>);

impl Key {
    /// Takes 256 bits that nobody else knows.
    #[must_use]
    pub fn new(bytes: [u8; KEY_SIZE]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// What keeps an image from being read or changed.
#[derive(Debug)]
pub enum Protection<'a> {
    /// Nothing: a digest shows damage, but not intent, and whoever reads the image has the TPM's secrets.
    None,
    /// Encryption.
    Sealed {
        /// The caller's key.
        key: &'a Key,
        /// Random bytes, fresh for each image.
        salt: [u8; SALT_SIZE],
    },
}

impl State {
    /// Makes an image of the state.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::State`] without memory.
    pub fn to_image(&self, protection: &Protection<'_>) -> Result<Vec<u8>, Error> {
        let (sealed, salt) = match protection {
            Protection::None => (0, [0; SALT_SIZE]),
            Protection::Sealed { salt, .. } => (SEALED, *salt),
        };
        let established = if self.established { ESTABLISHED } else { 0 };
        let mut image = Vec::new();
        // Reserved at once, so that no copy of an unencrypted state is left behind.
        let size = HEADER_SIZE.saturating_add(self.bytes.len()).saturating_add(DIGEST_SIZE);
        image.try_reserve_exact(size).map_err(|_| Invalid::OutOfMemory)?;
        image.extend_from_slice(&MAGIC);
        image.extend_from_slice(&VERSION.to_be_bytes());
        image.extend_from_slice(&[number(self.part), sealed | established]);
        image.extend_from_slice(&salt);
        let length = u32::try_from(self.bytes.len()).map_err(|_| Error::TooLong)?;
        image.extend_from_slice(&length.to_be_bytes());
        image.extend_from_slice(&self.bytes);
        match protection {
            Protection::None => {
                let digest = RustCrypto::hash(HashAlg::Sha256, &[&image]);
                image.extend_from_slice(digest.as_bytes());
            }
            Protection::Sealed { key, salt } => {
                let (header, state) = image.split_at_mut_checked(HEADER_SIZE).ok_or(Error::TooLong)?;
                let keys = Keys::derive(key, salt, self.part)?;
                let tag = aead::seal(&keys.key, &keys.iv, header, state).map_err(|_| Error::TooLong)?;
                image.extend_from_slice(&tag);
            }
        }
        Ok(image)
    }

    /// Reads an image that was sealed with `key`, or without one an image that was not sealed.
    ///
    /// # Errors
    /// [`Error::NotAnImage`], [`Error::Version`], [`Error::Size`], [`Error::Damaged`], [`Error::KeyNeeded`],
    /// [`Error::NotSealed`], [`Error::WrongKey`].
    pub fn from_image(image: &[u8], key: Option<&Key>) -> Result<Self, Error> {
        let header = Header::read(image)?;
        let check_size = if header.is_sealed { TAG_SIZE } else { DIGEST_SIZE };
        let expected = HEADER_SIZE.saturating_add(header.length).saturating_add(check_size);
        let wrong_size = Error::Size { expected, actual: image.len() };
        if expected != image.len() {
            return Err(wrong_size);
        }
        let (before, check) = image.split_at_checked(expected.saturating_sub(check_size)).ok_or(wrong_size)?;
        let (head, state) = before.split_at_checked(HEADER_SIZE).ok_or(wrong_size)?;
        let mut bytes = Zeroizing::new(Vec::new());
        bytes.try_reserve_exact(state.len()).map_err(|_| Invalid::OutOfMemory)?;
        bytes.extend_from_slice(state);
        match (header.is_sealed, key) {
            (false, None) => {
                let digest = RustCrypto::hash(HashAlg::Sha256, &[before]);
                if !constant_time_eq(digest.as_bytes(), check) {
                    return Err(Error::Damaged);
                }
            }
            (true, Some(key)) => {
                let keys = Keys::derive(key, &header.salt, header.part)?;
                let tag = check.first_chunk().ok_or(wrong_size)?;
                aead::open(&keys.key, &keys.iv, head, &mut bytes, tag).map_err(|_| Error::WrongKey)?;
            }
            (true, None) => return Err(Error::KeyNeeded),
            (false, Some(_)) => return Err(Error::NotSealed),
        }
        Ok(Self { part: header.part, established: header.established, bytes })
    }
}

struct Header {
    part: Part,
    is_sealed: bool,
    established: bool,
    salt: [u8; SALT_SIZE],
    length: usize,
}

impl Header {
    fn read(image: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::permissive(image);
        if reader.array() != Ok(MAGIC) {
            return Err(Error::NotAnImage);
        }
        let too_short = |_: Rc| Error::Size { expected: HEADER_SIZE, actual: image.len() };
        let version = reader.read::<u16>().map_err(too_short)?;
        if version != VERSION {
            return Err(Error::Version { known: VERSION, actual: version });
        }
        let [part, flags] = reader.array().map_err(too_short)?;
        let part = match part {
            1 => Part::Permanent,
            2 => Part::Volatile,
            _ => return Err(Error::NotAnImage),
        };
        if flags & !(SEALED | ESTABLISHED) != 0 {
            return Err(Error::NotAnImage);
        }
        let (is_sealed, established) = (flags & SEALED != 0, flags & ESTABLISHED != 0);
        let salt = reader.array().map_err(too_short)?;
        let length = reader.read::<u32>().map_err(too_short)?;
        Ok(Self { part, is_sealed, established, salt, length: usize::try_from(length).map_err(|_| Error::TooLong)? })
    }
}

const fn number(part: Part) -> u8 {
    match part {
        Part::Permanent => 1,
        Part::Volatile => 2,
    }
}

/// The key and the IV of one image.
struct Keys {
    key: Zeroizing<[u8; KEY_SIZE]>,
    iv: [u8; IV_SIZE],
}

impl Keys {
    fn derive(key: &Key, salt: &[u8; SALT_SIZE], part: Part) -> Result<Self, Error> {
        const SIZE: usize = KEY_SIZE + IV_SIZE;
        const BITS: u32 = 352;
        const { assert!(BITS as usize == 8 * SIZE) };
        let mut derived = Zeroizing::new([0; SIZE]);
        let part = [number(part)];
        kdfa::<RustCrypto>(HashAlg::Sha512, &*key.0, LABEL, salt, &part, BITS, &mut *derived)
            .map_err(|_| Error::TooLong)?;
        let mut keys = Self { key: Zeroizing::new([0; KEY_SIZE]), iv: [0; IV_SIZE] };
        let targets = keys.key.iter_mut().chain(&mut keys.iv);
        targets.zip(derived.iter()).for_each(|(to, from)| *to = *from);
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_interface_saw_comes_along_sealed_or_not() {
        let key = Key::new([1; 32]);
        for (protection, key) in
            [(Protection::None, None), (Protection::Sealed { key: &key, salt: [3; 32] }, Some(&key))]
        {
            for established in [false, true] {
                let mut image = state().with_established(established).to_image(&protection).unwrap();
                assert_eq!(State::from_image(&image, key).unwrap().established(), established);
                image[11] ^= ESTABLISHED;
                assert!(State::from_image(&image, key).is_err(), "the check covers it");
            }
        }
    }

    fn state() -> State {
        State { part: Part::Permanent, established: false, bytes: Zeroizing::new(b"seeds and proofs".to_vec()) }
    }

    fn sealed(key: &Key) -> Vec<u8> {
        state().to_image(&Protection::Sealed { key, salt: [9; 32] }).unwrap()
    }

    #[test]
    fn an_image_gives_back_its_state() {
        let plain = state().to_image(&Protection::None).unwrap();
        assert_eq!(State::from_image(&plain, None), Ok(state()));
        let key = Key::new([3; 32]);
        assert_eq!(State::from_image(&sealed(&key), Some(&key)), Ok(state()));
    }

    #[test]
    fn a_sealed_image_does_not_show_its_state() {
        let image = sealed(&Key::new([3; 32]));
        assert!(!image.windows(5).any(|window| window == b"seeds"));
        assert_eq!(image.len(), HEADER_SIZE + 16 + TAG_SIZE);
    }

    #[test]
    fn another_salt_gives_another_image_throughout() {
        let key = Key::new([3; 32]);
        let other = state().to_image(&Protection::Sealed { key: &key, salt: [8; 32] }).unwrap();
        assert_ne!(other[HEADER_SIZE..], sealed(&key)[HEADER_SIZE..]);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let key = Key::new([3; 32]);
        for (image, key) in [(state().to_image(&Protection::None).unwrap(), None), (sealed(&key), Some(&key))] {
            for bit in 0..8 * image.len() {
                let mut damaged = image.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(State::from_image(&damaged, key).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let image = state().to_image(&Protection::None).unwrap();
        for size in 0..image.len() {
            assert!(State::from_image(&image[..size], None).is_err(), "{size}");
        }
        let longer = [&image[..], &[0]].concat();
        let expected = Error::Size { expected: image.len(), actual: image.len() + 1 };
        assert_eq!(State::from_image(&longer, None), Err(expected));
    }

    #[test]
    fn each_way_to_be_wrong_has_its_name() {
        let (key, other) = (Key::new([3; 32]), Key::new([4; 32]));
        let (plain, sealed) = (state().to_image(&Protection::None).unwrap(), sealed(&key));
        assert_eq!(State::from_image(b"tpm2-00.permall of another program", None), Err(Error::NotAnImage));
        assert_eq!(State::from_image(&sealed, None), Err(Error::KeyNeeded));
        assert_eq!(State::from_image(&sealed, Some(&other)), Err(Error::WrongKey));
        assert_eq!(State::from_image(&plain, Some(&key)), Err(Error::NotSealed));
        let mut damaged = plain.clone();
        damaged[HEADER_SIZE] ^= 1;
        assert_eq!(State::from_image(&damaged, None), Err(Error::Damaged));
        let mut newer = plain;
        newer[MAGIC.len() + 1] += 1;
        assert_eq!(State::from_image(&newer, None), Err(Error::Version { known: 1, actual: 2 }));
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(std::format!("{:?} {:?}", state(), Key::new([3; 32])), "State(Permanent, 16 bytes) Key");
    }
}
