// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The packet in which an owner hands a secret to a guest that was attested (AMD 55766, "LAUNCH_SECRET").

use evtpm_crypto::{CipherMode, Crypto, Direction, RustCrypto, constant_time_eq};
use evtpm_layout::Guid;
use zeroize::Zeroizing;

use super::TransportKeys;
use crate::Error;

/// The largest secret: QEMU and OVMF give it a few pages, the firmware takes 16 KiB.
pub const MAX_SECRET: usize = 16 * 1024;

const HEADER_BYTES: usize = 52;
const FLAG_COMPRESSED: u32 = 1;

/// A secret on its way: the header in clear, and the encrypted data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    flags: u32,
    iv: [u8; 16],
    mac: [u8; 32],
    data: Vec<u8>,
}

impl Secret {
    /// Encrypts a secret for the guest whose attested measurement is `measure`; `iv` must be fresh.
    pub fn seal(plain: &[u8], measure: &[u8; 32], iv: [u8; 16], keys: &TransportKeys) -> Result<Self, Error> {
        check_size(plain.len())?;
        let mut data = plain.to_vec();
        run(keys, Direction::Encrypt, iv, &mut data)?;
        let mut sealed = Self { flags: 0, iv, mac: [0; 32], data };
        sealed.mac = sealed.expected_mac(measure, keys)?;
        Ok(sealed)
    }

    /// Takes a header of 52 bytes (`FLAGS ‖ IV ‖ MAC`) and the encrypted data.
    pub fn from_parts(header: &[u8], data: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "header of the secret";
        check_size(data.len())?;
        let wrong = || Error::Invalid { what: WHAT, detail: format!("{} bytes, and not {HEADER_BYTES}", header.len()) };
        let (flags, rest) = header.split_first_chunk::<4>().ok_or_else(wrong)?;
        let (iv, mac) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
        let flags = u32::from_le_bytes(*flags);
        if flags & !FLAG_COMPRESSED != 0 {
            return Err(Error::Invalid { what: WHAT, detail: format!("reserved flags {flags:#x}") });
        }
        Ok(Self { flags, iv: *iv, mac: mac.try_into().map_err(|_| wrong())?, data: data.to_vec() })
    }

    /// Returns the header: `FLAGS ‖ IV ‖ MAC`.
    pub fn header(&self) -> Vec<u8> {
        [self.flags.to_le_bytes().as_slice(), &self.iv, &self.mac].concat()
    }

    /// Returns the encrypted data.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Opens the packet as the processor does: `None` if it was not sealed by these keys for this measurement.
    ///
    /// A compressed secret is refused: its length before compression is not in the packet.
    pub fn open(&self, measure: &[u8; 32], keys: &TransportKeys) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        if self.flags & FLAG_COMPRESSED != 0 {
            return Err(Error::Invalid { what: "secret", detail: "it is compressed".into() });
        }
        if !constant_time_eq(&self.expected_mac(measure, keys)?, &self.mac) {
            return Ok(None);
        }
        let mut plain = Zeroizing::new(self.data.clone());
        run(keys, Direction::Decrypt, self.iv, &mut plain)?;
        Ok(Some(plain))
    }

    /// `HMAC(0x01 ‖ FLAGS ‖ IV ‖ GUEST_LENGTH ‖ TRANS_LENGTH ‖ DATA ‖ MEASURE; GCTX.TIK)`, from API 0.17 on.
    fn expected_mac(&self, measure: &[u8; 32], keys: &TransportKeys) -> Result<[u8; 32], Error> {
        let length = u32::try_from(self.data.len()).map_err(|_| too_large(self.data.len()))?.to_le_bytes();
        let flags = self.flags.to_le_bytes();
        Ok(keys.integrity.mac(&[&[0x01], &flags, &self.iv, &length, &length, &self.data, measure]))
    }
}

fn run(keys: &TransportKeys, direction: Direction, mut iv: [u8; 16], data: &mut [u8]) -> Result<(), Error> {
    RustCrypto::cipher(&*keys.encryption, CipherMode::Ctr, direction, &mut iv, data)
        .map_err(|error| Error::Invalid { what: "secret", detail: error.to_string() })
}

fn check_size(length: usize) -> Result<(), Error> {
    match length {
        0 => Err(Error::Missing { what: "secret" }),
        1..=MAX_SECRET => Ok(()),
        _ => Err(too_large(length)),
    }
}

fn too_large(length: usize) -> Error {
    Error::Invalid { what: "secret", detail: format!("{length} bytes are more than {MAX_SECRET}") }
}

/// Named secrets in one, as OVMF and the kernel's `efi_secret` module look for them (OvmfPkg/AmdSev/SecretDxe).
#[derive(Debug, Default)]
pub struct SecretTable {
    entries: Zeroizing<Vec<u8>>,
}

impl SecretTable {
    const GUID: [u8; 16] = Guid::new(0x1e74f542_71dd_4d66_963e_ef4287ff173b).0;
    /// GUID and length.
    const HEADER_BYTES: usize = 20;

    /// Starts without an entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a secret under the GUID with these digits.
    pub fn add(&mut self, name: u128, secret: &[u8]) -> Result<(), Error> {
        let length = secret.len().saturating_add(Self::HEADER_BYTES);
        check_size(self.entries.len().saturating_add(length))?;
        let length = u32::try_from(length).map_err(|_| too_large(length))?;
        self.entries.extend_from_slice(&Guid::new(name).0);
        self.entries.extend_from_slice(&length.to_le_bytes());
        self.entries.extend_from_slice(secret);
        Ok(())
    }

    /// Returns the table, filled up with zeros to whole blocks of 16 bytes.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let length = self.entries.len().saturating_add(Self::HEADER_BYTES);
        let stated = u32::try_from(length).map_err(|_| too_large(length))?;
        let mut table = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(16)));
        table.extend_from_slice(&Self::GUID);
        table.extend_from_slice(&stated.to_le_bytes());
        table.extend_from_slice(&self.entries);
        table.resize(length.next_multiple_of(16), 0);
        Ok(table)
    }
}

#[cfg(test)]
pub(super) mod testing {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use crate::bytes::array_of_digest;
    use evtpm_crypto::Digest;

    /// What the tool `openssl` makes of its input; `None` where there is no such tool.
    pub(in crate::sev) fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
        let started = Command::new("openssl").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = started else {
            eprintln!("skipped: no openssl");
            return None;
        };
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        Some(output.stdout)
    }

    pub(in crate::sev) fn openssl_hmac(key: &[u8], input: &[u8]) -> Option<[u8; 32]> {
        let key = format!("hexkey:{}", hex::encode(key));
        let mac = openssl(&["dgst", "-sha256", "-mac", "HMAC", "-macopt", &key, "-binary"], input)?;
        Some(array_of_digest(&Digest::from_slice(&mac).unwrap()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURE: [u8; 32] = [9; 32];
    const PLAIN: &[u8] = b"the key of the disk";

    fn keys() -> TransportKeys {
        TransportKeys::new(&[1; 16], &[2; 16]).unwrap()
    }

    fn sealed() -> Secret {
        Secret::seal(PLAIN, &MEASURE, [3; 16], &keys()).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_again_from_its_parts() {
        let packet = Secret::from_parts(&sealed().header(), sealed().data()).unwrap();
        assert_eq!(packet.open(&MEASURE, &keys()).unwrap().unwrap().as_slice(), PLAIN);
    }

    #[test]
    fn openssl_encrypts_and_authenticates_the_same() {
        let (key, iv) = (hex::encode([1; 16]), hex::encode([3; 16]));
        let Some(data) = testing::openssl(&["enc", "-aes-128-ctr", "-K", &key, "-iv", &iv], PLAIN) else { return };
        assert_eq!(data, sealed().data());
        let length = [PLAIN.len() as u8, 0, 0, 0];
        let message = [[1, 0, 0, 0, 0].as_slice(), &[3; 16], &length, &length, &data, &MEASURE].concat();
        assert_eq!(testing::openssl_hmac(&[2; 16], &message).unwrap(), sealed().header()[20..]);
    }

    #[test]
    fn no_changed_bit_and_no_other_measurement_is_opened() {
        let whole = [sealed().header(), sealed().data().to_vec()].concat();
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let opened = Secret::from_parts(&changed[..52], &changed[52..]).and_then(|it| it.open(&MEASURE, &keys()));
            assert!(!matches!(opened, Ok(Some(_))), "{bit}");
        }
        assert_eq!(sealed().open(&[8; 32], &keys()), Ok(None));
        assert_eq!(sealed().open(&MEASURE, &TransportKeys::new(&[1; 16], &[1; 16]).unwrap()), Ok(None));
    }

    #[test]
    fn a_secret_of_no_size_and_one_of_too_much_are_refused() {
        assert_eq!(Secret::seal(&[], &MEASURE, [3; 16], &keys()), Err(Error::Missing { what: "secret" }));
        assert!(Secret::seal(&[0; MAX_SECRET + 1], &MEASURE, [3; 16], &keys()).is_err());
        assert!(Secret::from_parts(&[0; 51], &[0]).is_err());
        assert!(Secret::from_parts(&[0; 53], &[0]).is_err());
    }

    #[test]
    fn a_table_names_its_secrets() {
        let mut table = SecretTable::new();
        table.add(0x736869e5_84f0_4973_92ec_06879ce3da0b, b"passphrase").unwrap();
        let bytes = table.to_bytes().unwrap();
        assert_eq!(bytes.len(), 64);
        assert_eq!(bytes[16..20], [50, 0, 0, 0]);
        assert_eq!(bytes[20..24], [0xe5, 0x69, 0x68, 0x73]);
        assert_eq!(bytes[36..50], *b"\x1e\0\0\0passphrase");
        assert_eq!(bytes[50..], [0; 14]);
        assert!(table.add(0, &[0; MAX_SECRET]).is_err());
    }
}
