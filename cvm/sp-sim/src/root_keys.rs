// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The keys of the simulated roots: public on purpose, derived once from a public seed (`root_keys/README.md`).

use evtpm_crypto::drbg::HmacDrbg;
use evtpm_crypto::padding::pss;
use evtpm_crypto::{Crypto, HashAlg, RsaKey, RustCrypto, RustHasher};

use crate::authority::Role;
use crate::error::Error;
use crate::product::Product;

/// The seed from which everything that all simulations share is derived.
pub(crate) const PUBLIC_SEED: &[u8] = b"evtpm simulated secure processor: root keys, public seed 1";

/// The public exponent of all root keys.
pub(crate) const EXPONENT: u32 = 65537;

/// The size of a modulus, and so of a signature.
const MODULUS_SIZE: usize = 512;
/// "RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 bytes" (VCEK specification).
pub(crate) const SALT_SIZE: u8 = 48;

/// A root's or an intermediate's key.
pub(crate) struct RootKey {
    pub(crate) modulus: &'static [u8],
    prime: &'static [u8],
}

impl RootKey {
    pub(crate) fn of(product: Product, role: Role) -> Self {
        let file = match (product, role) {
            (Product::Milan, Role::Ark) => include_bytes!("root_keys/milan-ark.bin"),
            (Product::Milan, Role::Ask) => include_bytes!("root_keys/milan-ask.bin"),
            (Product::Milan, Role::Asvk) => include_bytes!("root_keys/milan-asvk.bin"),
            (Product::Genoa, Role::Ark) => include_bytes!("root_keys/genoa-ark.bin"),
            (Product::Genoa, Role::Ask) => include_bytes!("root_keys/genoa-ask.bin"),
            (Product::Genoa, Role::Asvk) => include_bytes!("root_keys/genoa-asvk.bin"),
            (Product::Turin, Role::Ark) => include_bytes!("root_keys/turin-ark.bin"),
            (Product::Turin, Role::Ask) => include_bytes!("root_keys/turin-ask.bin"),
            (Product::Turin, Role::Asvk) => include_bytes!("root_keys/turin-asvk.bin"),
        };
        let (modulus, prime) = file.split_at(MODULUS_SIZE);
        Self { modulus, prime }
    }

    /// Signs with RSASSA-PSS; the salt follows from key and message, so that certificates are reproducible.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; MODULUS_SIZE], Error> {
        let digest = RustCrypto::hash(HashAlg::Sha384, &[message]);
        let mut rng = HmacDrbg::<RustCrypto>::new(self.prime, digest.as_bytes(), b"RSASSA-PSS");
        let mut block = [0; MODULUS_SIZE];
        let bits = MODULUS_SIZE * 8;
        let salt = usize::from(SALT_SIZE);
        pss::encode::<RustHasher>(HashAlg::Sha384, digest.as_bytes(), salt, bits, &mut rng, &mut block)?;
        let key = RsaKey { modulus: self.modulus, exponent: EXPONENT, prime: self.prime };
        RustCrypto::rsa_private(key, &mut block, &mut rng, &mut Default::default())?;
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use std::format;
    use std::vec::Vec;

    const ROLES: [(Role, &str); 3] = [(Role::Ark, "ark"), (Role::Ask, "ask"), (Role::Asvk, "asvk")];

    fn start(label: &str) -> BigUint {
        let mut bytes = Vec::new();
        for block in 0..4 {
            let digest = RustCrypto::hash(HashAlg::Sha512, &[PUBLIC_SEED, label.as_bytes(), &[block]]);
            bytes.extend_from_slice(digest.as_bytes());
        }
        bytes[0] |= 0xc0;
        bytes[255] |= 1;
        BigUint::from_bytes_be(&bytes)
    }

    /// Miller-Rabin to the given bases.
    fn is_probable_prime(number: &BigUint, bases: &[u32]) -> bool {
        let one = BigUint::from(1_u32);
        let minus_one = number - &one;
        let twos = minus_one.trailing_zeros().unwrap();
        let odd = &minus_one >> twos;
        bases.iter().all(|base| {
            let mut power = BigUint::from(*base).modpow(&odd, number);
            let mut witness = power == one || power == minus_one;
            for _ in 1..twos {
                power = &power * &power % number;
                witness |= power == minus_one;
            }
            witness
        })
    }

    fn small_primes() -> Vec<u32> {
        (3..20_000_u32)
            .step_by(2)
            .filter(|n| (3..).step_by(2).take_while(|d| d * d <= *n).all(|d| n % d != 0))
            .collect()
    }

    fn prime(label: &str, small: &[u32]) -> BigUint {
        let zero = BigUint::from(0_u32);
        let mut candidate = start(label);
        loop {
            let survives = small.iter().all(|prime| &candidate % *prime != zero);
            if survives
                && is_probable_prime(&candidate, &[2])
                && is_probable_prime(&candidate, &small[..20])
                && (&candidate - 1_u32) % EXPONENT != zero
            {
                return candidate;
            }
            candidate += 2_u32;
        }
    }

    #[test]
    #[ignore = "minutes: searches eighteen primes of 2048 bits"]
    fn root_keys_derive_from_the_public_seed() {
        let small = small_primes();
        for product in Product::ALL {
            for (role, name) in ROLES {
                let key = RootKey::of(product, role);
                let label = format!("{}-{name}", product.name().to_lowercase());
                let (p, q) = (prime(&(label.clone() + "-p"), &small), prime(&(label + "-q"), &small));
                assert_eq!(BigUint::from_bytes_be(key.prime), p);
                assert_eq!(BigUint::from_bytes_be(key.modulus), p * q);
            }
        }
    }

    #[test]
    fn every_first_prime_starts_where_the_seed_says() {
        for product in Product::ALL {
            for (role, name) in ROLES {
                let prime = BigUint::from_bytes_be(RootKey::of(product, role).prime);
                let start = start(&(product.name().to_lowercase() + "-" + name + "-p"));
                assert!(prime >= start && prime - start < BigUint::from(40_000_u32), "{product:?} {name}");
            }
        }
    }

    #[test]
    fn a_signature_verifies_with_the_public_key_and_is_the_same_each_time() {
        let key = RootKey::of(Product::Milan, Role::Ark);
        let signature = key.sign(b"message").unwrap();
        assert_eq!(key.sign(b"message").unwrap(), signature);
        let digest = RustCrypto::hash(HashAlg::Sha384, &[b"message"]);
        evtpm_crypto::rsa::rsa_pss_verify(
            key.modulus,
            &EXPONENT.to_be_bytes(),
            HashAlg::Sha384,
            digest.as_bytes(),
            pss::Salt::Exactly(48),
            &signature,
        )
        .unwrap();
    }

    #[test]
    fn all_nine_keys_differ() {
        let keys: std::collections::BTreeSet<_> = Product::ALL
            .into_iter()
            .flat_map(|product| ROLES.map(|(role, _)| RootKey::of(product, role).modulus))
            .collect();
        assert_eq!(keys.len(), 9);
    }
}
