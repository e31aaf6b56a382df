// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The measurement that the processor attests before the guest starts (AMD 55766, "LAUNCH_MEASURE").

use evtpm_crypto::constant_time_eq;

use super::{IntegrityKey, SevDigest};
use crate::Error;

/// What LAUNCH_MEASURE returns: an authentication code over the launch, and the nonce that went into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attested {
    /// MEASURE.
    pub measure: [u8; 32],
    /// MNONCE.
    pub nonce: [u8; 16],
}

/// The firmware of the processor and the policy of the guest, which the code covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// API_MAJOR.
    pub api_major: u8,
    /// API_MINOR.
    pub api_minor: u8,
    /// BUILD.
    pub build: u8,
    /// GCTX.POLICY.
    pub policy: u32,
}

impl Attested {
    /// Takes MEASURE and MNONCE apart, 48 bytes, as QEMU's `query-sev-launch-measure` hands them out.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = || Error::Invalid { what: "measurement", detail: format!("{} bytes, and not 48", bytes.len()) };
        let (measure, nonce) = bytes.split_first_chunk::<32>().ok_or_else(wrong)?;
        Ok(Self { measure: *measure, nonce: nonce.try_into().map_err(|_| wrong())? })
    }

    /// Computes what a processor returns for this launch.
    ///
    /// `HMAC(0x04 ‖ API_MAJOR ‖ API_MINOR ‖ BUILD ‖ GCTX.POLICY ‖ GCTX.LD ‖ MNONCE; GCTX.TIK)`
    pub fn predict(digest: SevDigest, firmware: Firmware, nonce: [u8; 16], key: &IntegrityKey) -> Self {
        let head = [0x04, firmware.api_major, firmware.api_minor, firmware.build];
        let measure = key.mac(&[&head, &firmware.policy.to_le_bytes(), &digest.0, &nonce]);
        Self { measure, nonce }
    }

    /// Tells whether a processor that holds the key attests this launch.
    pub fn attests(&self, digest: SevDigest, firmware: Firmware, key: &IntegrityKey) -> bool {
        constant_time_eq(&Self::predict(digest, firmware, self.nonce, key).measure, &self.measure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRMWARE: Firmware = Firmware { api_major: 1, api_minor: 55, build: 24, policy: 5 };

    fn attested() -> (Attested, IntegrityKey) {
        let key = IntegrityKey::new(&[7; 16]).unwrap();
        (Attested::predict(SevDigest([1; 32]), FIRMWARE, [2; 16], &key), key)
    }

    #[test]
    fn openssl_computes_the_same_code() {
        let (attested, _) = attested();
        let message = [[4, 1, 55, 24, 5, 0, 0, 0].as_slice(), &[1; 32], &[2; 16]].concat();
        let Some(theirs) = crate::sev::secret::testing::openssl_hmac(&[7; 16], &message) else { return };
        assert_eq!(theirs, attested.measure);
    }

    #[test]
    fn every_part_of_the_launch_is_attested() {
        let (attested, key) = attested();
        assert!(attested.attests(SevDigest([1; 32]), FIRMWARE, &key));
        assert!(!attested.attests(SevDigest([0; 32]), FIRMWARE, &key));
        assert!(!attested.attests(SevDigest([1; 32]), FIRMWARE, &IntegrityKey::new(&[8; 16]).unwrap()));
        for other in [
            Firmware { api_major: 0, ..FIRMWARE },
            Firmware { api_minor: 54, ..FIRMWARE },
            Firmware { build: 23, ..FIRMWARE },
            Firmware { policy: 4, ..FIRMWARE },
        ] {
            assert!(!attested.attests(SevDigest([1; 32]), other, &key), "{other:?}");
        }
        assert!(!Attested { nonce: [3; 16], ..attested }.attests(SevDigest([1; 32]), FIRMWARE, &key));
    }

    #[test]
    fn a_measurement_has_its_nonce_behind_it() {
        let (attested, _) = attested();
        let bytes = [attested.measure.as_slice(), &attested.nonce].concat();
        assert_eq!(Attested::from_bytes(&bytes), Ok(attested));
        assert!(Attested::from_bytes(&bytes[..47]).is_err());
        assert!(Attested::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}
