// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys and a predictable generator for the tests of this crate.
use evtpm_crypto::{Crypto, EccCurve as Curve, EccPrivate, EntropyError, Rng, RustCrypto};
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

/// An RSA endorsement key, of 1,024 bits to be quick.
pub(crate) fn rsa_key() -> (TpmtPublic, <RustCrypto as Crypto>::RsaPrivate) {
    let (mut modulus, mut prime) = ([0; 128], [0; 64]);
    RustCrypto::rsa_generate(65_537, &mut CountingRng::new(41), &mut modulus, &mut prime).unwrap();
    let mut public = EkTemplate::L1.public();
    if let PublicBody::Rsa { parms, unique } = &mut public.body {
        parms.key_bits = TpmiRsaKeyBits(1024);
        *unique = Tpm2bPublicKeyRsa::new(&modulus).unwrap();
    }
    (public, RustCrypto::rsa_load(&modulus, 65_537, &prime).unwrap())
}
