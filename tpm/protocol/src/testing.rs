// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys and a predictable generator for the tests of this crate.
use evtpm_crypto::{Crypto, EccCurve as Curve, EccPrivate, EntropyError, Rng, RsaKey, RustCrypto};
use evtpm_tpm_wire::{PublicBody, Tpm2bEccParameter, Tpm2bPublicKeyRsa, TpmiRsaKeyBits, TpmsEccPoint, TpmtPublic};

use crate::templates::EkTemplate;

/// A generator whose bytes are known: xorshift from a number.
pub(crate) struct CountingRng(u64);

impl CountingRng {
    pub(crate) fn new(start: u64) -> Self {
        Self(start ^ 0x9E37_79B9_7F4A_7C15)
    }
}

impl Rng for CountingRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = self.0.to_be_bytes()[3];
        }
        Ok(())
    }
}

/// A P-256 endorsement key.
pub(crate) fn ecc_key() -> (TpmtPublic, EccPrivate) {
    let private = EccPrivate::generate(Curve::P256, &mut CountingRng::new(40)).unwrap();
    let point = RustCrypto::ecc_public(&private).unwrap();
    let mut public = EkTemplate::L2.public();
    if let PublicBody::Ecc { unique, .. } = &mut public.body {
        *unique = TpmsEccPoint {
            x: Tpm2bEccParameter::new(point.x()).unwrap(),
            y: Tpm2bEccParameter::new(point.y()).unwrap(),
        };
    }
    (public, private)
}

/// An RSA endorsement key, of 1,024 bits to be quick, and one of its primes.
pub(crate) fn rsa_key() -> (TpmtPublic, [u8; 64]) {
    let (mut modulus, mut prime) = ([0; 128], [0; 64]);
    RustCrypto::rsa_generate(65_537, &mut CountingRng::new(41), &mut modulus, &mut prime).unwrap();
    let mut public = EkTemplate::L1.public();
    if let PublicBody::Rsa { parms, unique } = &mut public.body {
        parms.key_bits = TpmiRsaKeyBits(1024);
        *unique = Tpm2bPublicKeyRsa::new(&modulus).unwrap();
    }
    (public, prime)
}

/// The private key of what [`rsa_key`] made.
pub(crate) fn private<'a>(public: &'a TpmtPublic, prime: &'a [u8]) -> RsaKey<'a> {
    let PublicBody::Rsa { unique, .. } = &public.body else { panic!("an RSA key") };
    RsaKey { modulus: unique.as_bytes(), exponent: 65_537, prime }
}
