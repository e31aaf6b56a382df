// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Endorsement keys: how the VCEK follows from chip and TCB, and the VLEK from provider and TCB.
//!
//! The real derivation is secret; what matters is that another chip, another provider, another product or any other TCB
//! gives another key.

use alloc::vec::Vec;

use evtpm_crypto::drbg::HmacDrbg;
use evtpm_crypto::{Crypto as _, EccCurve, EccPrivate, HashAlg, RustCrypto};
use evtpm_snp::{SigningKey, Tcb};

use crate::error::Error;
use crate::platform::Platform;
use crate::product::Product;
use crate::root_keys::PUBLIC_SEED;

/// A private endorsement key.
pub(crate) struct EndorsementKey {
    pub(crate) kind: SigningKey,
    pub(crate) private: EccPrivate,
}

impl EndorsementKey {
    /// Derives the chip's key for its reported TCB.
    pub(crate) fn vcek(platform: &Platform) -> Result<Self, Error> {
        let private = derive(b"VCEK", platform.product, platform.reported_tcb, &platform.chip_seed)?;
        Ok(Self { kind: SigningKey::Vcek, private })
    }

    /// Derives the provider's key for the reported TCB: the same on all of the provider's chips.
    pub(crate) fn vlek(platform: &Platform, csp_id: &str) -> Result<Self, Error> {
        let seed = [PUBLIC_SEED, csp_id.as_bytes()].concat();
        let private = derive(b"VLEK", platform.product, platform.reported_tcb, &seed)?;
        Ok(Self { kind: SigningKey::Vlek, private })
    }

    /// Returns the public point in SEC 1's uncompressed form.
    pub(crate) fn public(&self) -> Result<Vec<u8>, Error> {
        let point = RustCrypto::ecc_public(&self.private)?;
        Ok([&[4], point.x(), point.y()].concat())
    }
}

fn derive(kind: &[u8], product: Product, tcb: Tcb, seed: &[u8]) -> Result<EccPrivate, Error> {
    let context = [kind, product.name().as_bytes()].concat();
    let mut generator = HmacDrbg::<RustCrypto>::new(seed, &tcb.encode().0.to_le_bytes(), &context);
    Ok(EccPrivate::generate(EccCurve::P384, &mut generator)?)
}

/// Returns the chip's id: 64 bytes, or on later products 8 bytes and zeros.
pub(crate) fn chip_id(platform: &Platform) -> [u8; 64] {
    let digest = RustCrypto::hash(HashAlg::Sha512, &[b"chip id", &platform.chip_seed]);
    let used = platform.product.generation().hardware_id_size();
    let mut id = [0; 64];
    for (to, from) in id.iter_mut().zip(digest.as_bytes()).take(used) {
        *to = *from;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_chip_product_or_tcb_has_another_vcek() {
        let platform = Platform::new(Product::Genoa, [1; 32]);
        let key = |platform: &Platform| EndorsementKey::vcek(platform).unwrap().public().unwrap();
        let reported_tcb = Tcb { microcode: 1, ..platform.reported_tcb };
        let others = [
            Platform::new(Product::Genoa, [2; 32]),
            Platform::new(Product::Milan, [1; 32]),
            Platform { reported_tcb, ..platform.clone() },
        ];
        for other in others {
            assert_ne!(key(&platform), key(&other));
        }
        assert_eq!(key(&platform), key(&platform.clone()));
    }

    #[test]
    fn two_chips_of_one_provider_share_the_vlek() {
        let key = |chip, csp| EndorsementKey::vlek(&Platform::new(Product::Milan, [chip; 32]), csp).unwrap().public();
        assert_eq!(key(1, "one"), key(2, "one"));
        assert_ne!(key(1, "one"), key(1, "two"));
    }

    #[test]
    fn a_turin_has_an_id_of_eight_bytes() {
        let id = chip_id(&Platform::new(Product::Turin, [1; 32]));
        assert!(id[..8].iter().any(|byte| *byte != 0) && id[8..] == [0; 56]);
        assert_ne!(id, chip_id(&Platform::new(Product::Turin, [2; 32])));
        assert_ne!(chip_id(&Platform::new(Product::Milan, [1; 32]))[8..], [0; 56]);
    }
}
